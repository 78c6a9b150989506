"""Whether a broker lets a login in, as one short connection.

Here: the connection. Not here: whose login, and what follows from the answer.
"""

import secrets
import ssl
import time
from typing import Any

import paho.mqtt.client as paho
from hall_gateway.config_links import MqttConfig
from hall_gateway.toml_input import ConfigError
from paho.mqtt.enums import CallbackAPIVersion

ANSWER_S = 5.0
RETAINED_S = 1.0
"""How long a retained message may take after its SUBACK; brokers send it at once."""


class LoginError(Exception):
    """No MQTT broker answers there; the text says what happened."""


class RefusedError(LoginError):
    """The broker answers, and does not let this login in."""


def log_in(config: MqttConfig, topic: str) -> bytes | None:
    """The retained message on `topic`; None when there is none, or the login may not read it.

    `config` is usable(). Raises LoginError. It has a client id of its own, and leaves no session.
    """
    return _Visit(config, topic).run()


def usable(config: MqttConfig) -> bool:
    """Whether the files that these settings name can be read; settings.py says why not."""
    try:
        config.check_files()
    except ConfigError:
        return False
    return True


class _Visit:
    def __init__(self, config: MqttConfig, topic: str) -> None:
        self._config = config
        self._topic = topic
        self._refused: str | None = None
        self._subscribed = False
        self._retained: bytes | None = None
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"hall-doctor-{secrets.token_hex(4)}"
        )
        self._client.connect_timeout = ANSWER_S
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def run(self) -> bytes | None:
        config = self._config
        if config.username:
            self._client.username_pw_set(config.username, config.password())
        try:
            if config.tls:
                self._client.tls_set_context(  # pyright: ignore[reportUnknownMemberType]
                    ssl.create_default_context(cafile=config.ca_file)
                )
            self._client.connect(config.host, config.port)
        except ssl.SSLError as error:
            raise LoginError(f"TLS: {error.reason or error}") from None
        except (OSError, UnicodeError) as error:
            raise LoginError(getattr(error, "strerror", None) or str(error)) from None
        try:
            self._until(ANSWER_S, lambda: self._subscribed)
            self._until(RETAINED_S, lambda: self._retained is not None)
        finally:
            self._client.disconnect()
        if not self._subscribed:
            raise LoginError(f"no answer within {ANSWER_S:.0f} s")
        return self._retained

    def _until(self, seconds: float, holds: Any) -> None:
        deadline = time.monotonic() + seconds
        while not holds() and time.monotonic() < deadline:
            ended = self._client.loop(0.1) != paho.MQTT_ERR_SUCCESS
            if self._refused is not None:
                raise RefusedError(self._refused)
            if ended:
                raise LoginError("it closed the connection; is it an MQTT broker, with TLS or not?")

    def _on_connect(self, client: Any, _user: Any, _flags: Any, reason: Any, *_: Any) -> None:
        if reason.is_failure:
            self._refused = str(reason)
        else:
            client.subscribe(self._topic, qos=1)

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed = True

    def _on_message(self, _client: Any, _user: Any, message: paho.MQTTMessage) -> None:
        self._retained = bytes(message.payload)
