"""How the gateway reaches others, and they it: brokers and the CoAP side.

Here: the models of these tables. Not here: what is there of devices and windows (config_hall.py).
"""

import ipaddress
import re
import ssl
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from hall_gateway.config_base import FilePath, Port, Settings
from hall_gateway.toml_input import ConfigError, Loc, ProblemsError

ANY_ADDRESS = "0.0.0.0"


class MqttConfig(Settings):
    """How to reach one MQTT broker: with TLS, unless it is on this machine. The broker's
    certificate is always verified."""

    host: str = Field(default="127.0.0.1", min_length=1, description="a host name or IP address")
    port: Port = Field(default=1883, description="a TCP port, 1 to 65535")
    username: str | None = Field(
        default=None, min_length=1, description="the user name at the broker"
    )
    password_file: FilePath | None = Field(
        default=None, description="a file whose first line is the password"
    )
    tls: bool = Field(default=False, description="true or false")
    ca_file: FilePath | None = Field(
        default=None, description="a PEM file with the broker's CA; the system's CAs when left out"
    )

    @property
    def version5(self) -> bool:
        """Whether MQTT 5 is spoken, and not 3.1.1."""
        return False

    @property
    def own(self) -> bool:
        """Whether it is a part of this process."""
        return False

    @model_validator(mode="after")
    def _consistent(self) -> "MqttConfig":
        problems: list[tuple[Loc, str]] = []
        if (self.username is None) != (self.password_file is None):
            problems.append(((), "username and password_file belong together; give both or none"))
        if not self.tls and not is_loopback(self.host) and not self.own:
            text = (
                f'"{self.host}" is another machine, and the password and all that happens in the '
                "hall would cross the network in the clear; set tls = true, with ca_file for a CA "
                "of your own, or reach it by a tunnel at 127.0.0.1"
            )
            problems.append((("host",), text))
        if self.ca_file and not self.tls:
            problems.append((("ca_file",), "has no meaning without tls; set tls = true"))
        if problems:
            raise ProblemsError(problems)
        return self

    def check_files(self) -> None:
        """Raises ConfigError when a file that is named here cannot be used."""
        self.password()
        if self.ca_file is not None:
            try:
                ssl.create_default_context(cafile=self.ca_file)
            except OSError as error:  # ssl.SSLError is one
                raise ConfigError(f"{self.ca_file}: CA file: {error.strerror or error}") from None

    def password(self) -> str | None:
        """The password, read now so that it is never kept in settings.

        Raises ConfigError when the file cannot be read.
        """
        if self.password_file is None:
            return None
        try:
            lines = self.password_file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            advice = "; run this with sudo" if isinstance(error, PermissionError) else ""
            what = f"password file: {error.strerror}{advice}"
            raise ConfigError(f"{self.password_file}: {what}") from None
        if not lines or not lines[0]:
            raise ConfigError(f"{self.password_file}: password file: its first line is empty")
        return lines[0]


class BrokerConfig(MqttConfig):
    """The device side's broker: one of our own for demos, or mosquitto for everything else."""

    mode: Literal["embedded", "external"] = Field(
        default="external", description='"external" (a broker such as mosquitto) or "embedded"'
    )
    device_host: str | None = Field(
        default=None,
        description="this gateway's IPv4 address in the devices' network, where they find its "
        'broker, e.g. "192.168.1.10"; it goes into their flash images',
    )
    device_port: Port = Field(default=8883, description="the port there for TLS-PSK, 1 to 65535")
    pid_file: FilePath = Field(
        default=Path("/run/mosquitto/mosquitto.pid"),
        description="the pid file of the mosquitto on this machine, which `hall enroll` tells",
    )

    @property
    def own(self) -> bool:
        return self.mode == "embedded"

    @field_validator("device_host")
    @classmethod
    def _is_address(cls, host: str | None) -> str | None:
        """An address, not a name: a device does no look-up, which would stop all its tasks."""
        if host is None:
            return None
        try:
            address = ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(f'"{host}" is not an IPv4 address') from None
        if address.is_unspecified or address.is_multicast:
            raise ValueError(f'"{host}" is nowhere a device could connect to')
        return host

    @model_validator(mode="after")
    def _embedded_is_loopback(self) -> "BrokerConfig":
        if self.mode == "embedded":
            if not is_loopback(self.host):
                raise ProblemsError(
                    [
                        (
                            ("host",),
                            "the embedded broker has no access control, so it listens on loopback "
                            f'only, not on "{self.host}"; use "127.0.0.1", or mode = "external"',
                        )
                    ]
                )
            if self.tls or self.username:
                raise ProblemsError(
                    [((), "the embedded broker has no tls and no users; leave them out")]
                )
        return self


class CoapConfig(Settings):
    """Where battery devices find this gateway: CoAP over UDP, with OSCORE only."""

    host: str = Field(
        default=ANY_ADDRESS,
        description="this gateway's IPv4 address in the devices' network, e.g. "
        '"192.168.1.10", or "0.0.0.0" for all that this machine has',
    )
    port: Port = Field(default=5683, description="a UDP port, 1 to 65535")

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        try:
            address = ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(f'"{host}" is not an IPv4 address') from None
        if address.is_multicast:
            raise ValueError(f'"{host}" is no address of one machine')
        return host


def _is_prefix(text: str) -> str:
    if not re.fullmatch(r"[^\s/+#$][^\s+#]{0,199}/", text):
        raise ValueError(
            f'"{text}" is no beginning of topics that ends with "/", without blanks, "+" and "#"'
        )
    return text


TopicPrefix = Annotated[str, AfterValidator(_is_prefix)]


class UpstreamConfig(MqttConfig):
    """The hall system's broker; it may be the same one as the device side's."""

    client_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description='1 to 64 of A-Z, a-z, 0-9, ".", "_", "-"; "hallkit-<hall>" when left out',
    )
    protocol: Literal["3.1.1", "5"] = Field(
        default="3.1.1", description='"3.1.1", which every broker speaks, or "5"'
    )
    response_topics: tuple[TopicPrefix, ...] = Field(
        default=(),
        strict=False,
        description='with protocol = "5": where replies may go that a command asks for elsewhere, '
        'each the beginning of topics, e.g. ["office/replies/"]',
    )

    @property
    def version5(self) -> bool:
        return self.protocol == "5"

    @model_validator(mode="after")
    def _responses_need_5(self) -> "UpstreamConfig":
        if self.response_topics and not self.version5:
            text = 'MQTT 3.1.1 has no response topics; set protocol = "5", or leave it out'
            raise ProblemsError([(("response_topics",), text)])
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
