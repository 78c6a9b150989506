"""The mosquitto of the devices, told of new and withdrawn keys while it runs.

Here: making it read its files, and ending a device's connection. Not here: what is in the files
(hall_gateway.keys).

mosquitto reads its psk and acl files again at SIGHUP. Connections stay: a new access list holds for
them from then on, but who is connected is not asked for the key again. So a connection is ended by
another that takes its client id (MQTT 3.1.1, section 3.1.4): the gateway's own login may do that on
this machine, and the device, whose key is gone, cannot come back. A signal is there before
anything that is sent after it, and mosquitto reads its files before it takes another connection.
"""

import os
import signal
import socket
import ssl
import time
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

import paho.mqtt.client as mqtt
from hall_gateway.config_links import BrokerConfig, is_loopback
from hall_gateway.toml_input import ConfigError
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hall_tools.errors import UserError

ANSWER_S = 5.0


class Told(Enum):
    """How it stands with the broker: has it read its files?"""

    RELOADED = "reloaded"
    NOT_RUNNING = "not running"
    ELSEWHERE = "elsewhere"
    EMBEDDED = "embedded"


def tell(broker: BrokerConfig) -> Told:
    """Make the mosquitto on this machine read its files.

    UserError: it runs, but cannot be told.
    """
    if broker.mode == "embedded":
        return Told.EMBEDDED
    if not is_loopback(broker.host):
        return Told.ELSEWHERE
    pid = _pid(broker.pid_file)
    if pid is None:
        if not _answers(broker):
            return Told.NOT_RUNNING
        raise UserError(
            f"a broker answers at {broker.host}:{broker.port}, but {broker.pid_file} names no "
            "mosquitto that runs, so it does not know of the change: run sudo systemctl reload "
            "mosquitto, or give its pid_file under [broker], and do this again",
            os.EX_UNAVAILABLE,
        )
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        return Told.NOT_RUNNING
    except PermissionError:
        raise UserError(
            f"mosquitto (process {pid}) is another user's, so it does not know of the change: do "
            "this again with sudo",
            os.EX_NOPERM,
        ) from None
    return Told.RELOADED


def cut(broker: BrokerConfig, devices: Iterable[str]) -> None:
    """End the connections of `devices`, and what the broker keeps for them.

    UserError: the broker does not take the gateway's login.
    """
    for device in devices:
        _take_over(broker, device)


def _take_over(broker: BrokerConfig, device: str) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=device, clean_session=True)
    answers: list[ReasonCode] = []

    def on_connect(
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        answers.append(code)

    client.on_connect = on_connect
    try:
        if broker.username:
            client.username_pw_set(broker.username, broker.password())
        if broker.tls:
            client.tls_set_context(  # pyright: ignore[reportUnknownMemberType]
                ssl.create_default_context(cafile=broker.ca_file)
            )
        client.connect(broker.host, broker.port)
        until = time.monotonic() + ANSWER_S
        while not answers and time.monotonic() < until:
            client.loop(ANSWER_S)
        client.disconnect()
    except (OSError, ConfigError) as error:
        raise _not_cut(broker, device, str(error)) from None
    if not answers or answers[0].is_failure:
        why = str(answers[0]) if answers else f"no answer in {ANSWER_S:.0f} s"
        raise _not_cut(broker, device, why)


def _not_cut(broker: BrokerConfig, device: str, why: str) -> UserError:
    return UserError(
        f"the broker at {broker.host}:{broker.port} takes nothing from {device} any more, but its "
        f"connection could not be ended: {why}; run sudo systemctl restart mosquitto",
        os.EX_UNAVAILABLE,
    )


def _pid(file: Path) -> int | None:
    """The process in a pid file, when that is a mosquitto."""
    try:
        pid = int(file.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return None
    return pid if name == "mosquitto" else None


def _answers(broker: BrokerConfig) -> bool:
    try:
        socket.create_connection((broker.host, broker.port), timeout=ANSWER_S).close()
    except OSError:
        return False
    return True
