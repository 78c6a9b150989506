"""No secret is in what Hallkit says: logs, reports, figures, pages, errors, its objects' text, and
the arguments and environments of its processes.

The real gateway, console and mosquitto run with secrets of each kind that are known here, and
things go wrong with each. That a leak would be seen is shown by planting one in each place. Not
here: that files with secrets are for their owners alone (test_modes.py), what a device says of
itself on its cable (test_diag_report.py), the back office's own programs (tests/fleet).
"""

from __future__ import annotations

import asyncio
import base64
import builtins
import json
import os
import subprocess
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.config import load_config
from hall_gateway.config_links import BrokerConfig
from hall_gateway.core import Core
from hall_gateway.keys import KeyStoreError
from hall_gateway.plan import plan_of
from hall_gateway.staff import read_staff
from hall_gateway.toml_input import ConfigError
from hall_tools.doctor.tls_psk import handshake
from hall_tools.errors import UserError
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.jwt import Key, Kind
from hall_tools.gateway_setup import plan
from support import leaky
from support.console import ConsoleProcess
from support.console_forms import Forms
from support.hall_of_secrets import (
    MQTT,
    PASSPHRASE,
    PASSWORD,
    PIN,
    TOKEN,
    WEBHOOK,
    hall,
    hall_of_secrets,
    put_private,
    secrets_of,
)
from support.installed import Installation
from support.psk_tunnel import CONNACK, PUBACK, connect, publish, tunnel
from support.secrets_known import Secrets, below, started
from support.warm import PROGRAM

PAGES = ("/", "/figures", "/alerts", "/devices", "/webhooks", "/account", "/nothing")
COLD = f"{PROGRAM}\n"
"""A process of its own, with arguments and environment of its own, and no fork of another's."""


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with hall_of_secrets(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def secrets(installation: Installation, tmp_path: Path) -> Secrets:
    return secrets_of(installation, tmp_path)


def soon(read: Callable[[], str]) -> str:
    """What a gateway that is ready says, perhaps a moment later, by HTTP or in a file."""
    ends = time.monotonic() + 60
    while True:
        try:
            return read()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)


def asked(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


async def wet(installation: Installation) -> None:
    """A device says something that the back office is to hear of, and what makes no sense."""
    psk, root = installation.psk("kp-1"), "device/v1/kp-1/up"
    press = {"epoch": 1, "seq": 1, "boot": 1, "up": 5, "t": None, "kind": "press"}
    async with tunnel(installation.psk_port, "kp-1", psk) as device:
        await device.ask(connect("kp-1"), CONNACK)
        await device.ask(publish(f"{root}/online", b"1", 1, retain=True), PUBACK)
        await device.send(publish(f"{root}/event", json.dumps({**press, "psk": psk}).encode(), 2))
        event = json.dumps({**press, "data": {"key": 1}}).encode()
        await device.ask(publish(f"{root}/event", event, 3), PUBACK)


def everything(
    installation: Installation, secrets: Secrets, tmp_path: Path, program: str = COLD
) -> dict[str, str]:
    """What is said of a hall while it runs, by where; `program` in place of `hall` runs it."""
    config, said = installation.config, dict[str, str]()
    at = ("--config", config)
    twice = f"{PASSWORD}\n{PASSWORD}\n"
    with started() as children:
        user = ("console", "user", "add", "tech", "--role", "technician", *at)
        said["console user add"] = hall(*user, says=twice)
        keys = ("update", "keys", tmp_path / "files/release", "--passphrase")
        said["update keys"] = hall(*keys, says=f"{PASSPHRASE}\n{PASSPHRASE}\n")
        secrets.add_pem("release key", tmp_path / "files/release.key")
        gateway = installation.gateway(tmp_path / "gateway", program)
        with installation.broker, gateway, ConsoleProcess(config, program) as console:
            told = load_config(config)
            assert told.http is not None
            asyncio.run(wet(installation))
            gateway.await_log("; trying again")
            for path in ("health", "metrics"):
                url = f"http://127.0.0.1:{told.http.port}/{path}"
                said[f"/{path}"] = soon(partial(asked, url))
            with Forms(console.address, tmp_path / "files/cert.pem") as forms:
                said["page to log in"] = forms.get("/login")
                forms.log_in("tech", PASSWORD)
                secrets.known |= {f"cookie {name}": text for name, text in forms.cookies.items()}
                said |= {f"page {path}": forms.get(path) for path in PAGES}
                forms.post("/account", old="wrong", new=PASSWORD, again=PASSWORD)
            handshake("127.0.0.1", installation.psk_port, "kp-1", bytes(32))
            said["doctor"] = hall("doctor", *at)
            said["doctor --json"] = hall("doctor", "--json", *at)
            said["config show"] = hall("gateway", "config", "show", "--json", *at)
            other = tmp_path / "other.toml"
            changed = config.read_text().replace('"entrance"', '"door"')
            other.write_text(changed.replace(TOKEN, f"other-{TOKEN}"))
            said["config diff"] = hall("gateway", "config", "diff", other, "--json", *at)
            said["check"] = hall("gateway", "check", *at)
            backup = ("gateway", "backup", "--to", tmp_path / "files/hall.tar", *at)
            said["backup"] = hall(*backup)
            said["backup, where one is"] = hall(*backup)
            for kind in ("md", "csv", "json"):
                said[f"report {kind}"] = hall("report", "--format", kind, *at)
            said["user list"] = hall("console", "user", "list", *at)
            said["staff list"] = hall("staff", "list", "--file", tmp_path / "files/staff.json")
            said["setup"] = json.dumps([str(r) for r in installation.setup(dry_run=True)])
            health = installation.machine.path("/run/hallkit/health.json")
            said["health file"] = soon(health.read_text)
            said |= below(os.getpid())
    said["revoke"] = hall("revoke", "kp-1", *at)
    said["gateway's log"] = gateway.log
    said["console's log"] = console.log
    said["mosquitto's log"] = installation.broker.log
    own = (each for each in children if "s_client" not in each)  # the device that the test plays
    said["processes that were started"] = "\n".join(own)
    return said


def test_nothing_that_runs_says_a_secret(
    installation: Installation, secrets: Secrets, tmp_path: Path
) -> None:
    said = everything(installation, secrets, tmp_path)
    for where, text in said.items():
        assert len(text) > 10 or where.startswith("environ"), where
        secrets.none_in(where, text)
    assert len(secrets.known) > 25
    assert sum(where.startswith("cmdline") for where in said) >= 4


def test_a_leak_is_seen_wherever_it_is(
    installation: Installation, secrets: Secrets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gateway, console, commands and setup say a secret in everything that they say."""
    planted, told, printed = tmp_path / "planted", plan.broker_conf, builtins.print
    planted.write_text("planted-in-all-places")
    secrets.known = {"planted": planted.read_text()}

    def say(*what: object, **more: Any) -> None:
        if more.get("file") is None:
            printed(planted.read_text())
        printed(*what, **more)

    def conf(broker: BrokerConfig) -> str:
        if not done:
            done.append(subprocess.run(["true", planted.read_text()], check=True))
        return told(broker) + planted.read_text()

    def wrong(error: UserError) -> str:
        return planted.read_text()

    done: list[object] = []
    monkeypatch.setattr(builtins, "print", say)
    monkeypatch.setattr(plan, "broker_conf", conf)
    monkeypatch.setattr(UserError, "__str__", wrong)
    said = everything(installation, secrets, tmp_path, leaky.program(planted))
    secrets.known = {"planted": planted.read_text()}
    silent = {where for where, text in said.items() if not secrets.in_text(text)}
    processes = {where for where in said if " of process " in where}
    assert silent - processes == {"mosquitto's log"}
    for kind in ("cmdline", "environ"):
        assert any(where.startswith(kind) for where in processes - silent)
    for spelled in (
        PIN,
        MQTT.upper(),
        base64.b64encode(MQTT.encode()).decode(),
        MQTT.encode().hex(),
    ):
        secrets.known = {"PIN": PIN, "MQTT": MQTT}
        assert secrets.in_text(f"nothing but {spelled}")


def test_no_error_and_no_object_says_a_secret(
    installation: Installation, secrets: Secrets, tmp_path: Path
) -> None:
    folder, files = installation.config.parent, tmp_path / "files"
    config = load_config(installation.config)
    staff = read_staff(files / "staff.json")
    keys = [installation.keys.get(device) for device in ("kp-1", "floor-9")]
    assert config.jetstream is not None
    creds = config.jetstream.creds_file
    login, nats = config.jetstream.credentials(), Credentials(files / "nats")
    things = (config, *config.webhooks, config.staff, config.console, staff, plan_of(config), Core)
    for thing in (*things, *keys, config.jetstream, login, nats, Key.make(Kind.USER)):
        secrets.none_in(f"repr of a {type(thing).__name__}", repr(thing) + str(thing))
    for keys_of in ("kp-1", "floor-9"):
        path = folder / "keys" / f"{keys_of}.json"
        whole = path.read_text()
        path.write_text(whole.replace('"v":1', '"v":9').replace('"v": 1', '"v": 9'))
        with pytest.raises(KeyStoreError) as damaged:
            installation.keys.get(keys_of)
        secrets.none_in(f"the error about keys of {keys_of}", text_of(damaged.value))
        path.write_text(whole)
    whole = creds.read_text()
    for path, wrong in (
        (files / "office.secret", f"{WEBHOOK}\n"),
        (
            files / "staff.json",
            json.dumps({"key": staff.key, "staff": [{"id": "x", "pins": [PIN]}]}),
        ),
        (creds, whole.replace(".", "", 1)),
        (creds, whole.replace("\nSU", "\nSX")),
        (creds, whole.replace("END USER NKEY SEED", "")),
    ):
        right = path.read_text()
        put_private(path, wrong)
        with pytest.raises(ConfigError) as refused:
            _check(installation.config)
        secrets.none_in(f"the error about {path}", text_of(refused.value))
        put_private(path, right)
    key = files / "key.pem"
    key.write_text(key.read_text().replace("\n", "\nA", 2))
    secrets.none_in("console", hall("console", "run", "--config", installation.config))


def _check(path: Path) -> None:
    config = load_config(path)
    assert config.jetstream is not None
    for each in (*config.webhooks, config.jetstream):
        each.check_files()


def text_of(error: BaseException) -> str:
    """All that a log with its traceback would have, and what it is made of."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__cause__)
