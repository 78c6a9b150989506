"""The gateway's settings: one TOML file, checked as a whole before anything starts.

Here: the models, the rules between them, and where each value's limits come from. Not here: how a
TOML error is worded (toml_input.py), and what a device model can do (hall_profiles).
"""

import ipaddress
import ssl
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import hall_profiles
from hall_profiles import Profile, ProfileError, compile_config
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hall_gateway.staff import Staff, read_staff
from hall_gateway.toml_input import ConfigError, Loc, ProblemsError, nearest, parse_toml

ANY_ADDRESS = "0.0.0.0"
GATEWAY_ID = "gateway"
"""The gateway's own device id, for events that it originates itself."""


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    folder = info.context.get("folder") if info.context else None
    return folder / path if folder else path


Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
FilePath = Annotated[Path, Field(strict=False), AfterValidator(_beside_config)]

_ID_RULE = "1 to 32 of a-z, 0-9 and '-', not beginning with '-'"


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StoreConfig(_Settings):
    """Where events are kept. At `max_mb` the gateway stops acking, so devices hold their events."""

    path: FilePath = Field(description='the SQLite file, e.g. "hall.db"')
    max_mb: int = Field(
        default=512,
        ge=1,
        le=1_000_000,
        description="the most the store may use, in MB, 1 to 1000000",
    )


class MqttConfig(_Settings):
    """How to reach one MQTT broker. With `tls` the broker's certificate is always verified."""

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

    @model_validator(mode="after")
    def _consistent(self) -> "MqttConfig":
        problems: list[tuple[Loc, str]] = []
        if (self.username is None) != (self.password_file is None):
            problems.append(((), "username and password_file belong together; give both or none"))
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


class CoapConfig(_Settings):
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


class UpstreamConfig(MqttConfig):
    """The hall system's broker; it may be the same one as the device side's."""

    client_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description='1 to 64 of A-Z, a-z, 0-9, ".", "_", "-"; "hallkit-<hall>" when left out',
    )


class WindowConfig(_Settings):
    """A service window, as the customers know it."""

    id: str = Field(
        pattern=r"^[^\s/+#\x00-\x1f\x7f]{1,8}$",
        description='1 to 8 printable characters without spaces, "/", "+", "#"; e.g. "1"',
    )
    name: str = Field(default="", max_length=32, description='what it is for, e.g. "综合业务"')
    free: bool = Field(
        default=False,
        description="true where no queue system ends services: a press is a rating by itself",
    )


class DeviceConfig(_Settings):
    """One device of the registry. A device that is not listed is refused and counted."""

    id: Id = Field(description=_ID_RULE)
    profile: Id = Field(description="the name of a device profile, see `hall profile show`")
    window: str | None = Field(default=None, description="the id of a [[window]]")
    zone: Id | None = Field(default=None, description=_ID_RULE)
    settings: dict[str, int] = Field(
        default={}, description="other values for the profile's settings, e.g. { dry_after_s = 5 }"
    )
    bench: bool = Field(
        default=True,
        description="whether Ctrl-C on its serial line stops it within 2 s after a start; false "
        "where the public can reach its cable",
    )
    ip: str | None = Field(
        default=None,
        description="an IPv4 address that no other has and DHCP does not give away, e.g. "
        '"192.168.1.61"; asked of DHCP when left out',
    )
    netmask: str = Field(default="255.255.255.0", description='with ip: e.g. "255.255.255.0"')
    gateway: str | None = Field(
        default=None,
        description="with ip: the router's IPv4 address; needed when the gateway is in another net",
    )
    revoked: bool = Field(
        default=False, description="true when `hall revoke` has withdrawn its keys"
    )
    replaces: Id | None = Field(
        default=None, description="the id of the device whose place it took, by `hall replace`"
    )

    @model_validator(mode="after")
    def _addresses(self) -> "DeviceConfig":
        if self.ip is None:
            default = DeviceConfig.model_fields["netmask"].default
            if (self.netmask, self.gateway) != (default, None):
                raise ProblemsError([((), "netmask and gateway go with ip; give ip, or none")])
            return self
        try:
            own = ipaddress.IPv4Interface(f"{self.ip}/{self.netmask}")
        except ValueError as error:
            raise ProblemsError(
                [(("ip",), f"not an IPv4 address with a netmask: {error}")]
            ) from None
        net = own.network
        if net.prefixlen < 31 and own.ip in (net.network_address, net.broadcast_address):
            raise ProblemsError([(("ip",), f'"{self.ip}" is no host\'s address in {net}')])
        if self.gateway is not None:
            try:
                inside = ipaddress.IPv4Address(self.gateway) in net
            except ValueError:
                inside = False
            if not inside or self.gateway == self.ip:
                text = f'"{self.gateway}" is no other host\'s address in {net}'
                raise ProblemsError([(("gateway",), text)])
        return self

    @property
    def static_ip(self) -> tuple[str, str, str] | None:
        """Address, netmask and router; a device that needs none is its own."""
        if self.ip is None:
            return None
        return self.ip, self.netmask, self.gateway or self.ip

    @property
    def subject(self) -> str:
        """CloudEvents `subject`: `window/{window}` or `zone/{zone}`."""
        return f"window/{self.window}" if self.window is not None else f"zone/{self.zone}"


class RatingConfig(_Settings):
    """How a rating session runs."""

    window_s: int = Field(
        default=30, ge=5, le=300, description="seconds a customer has to press, 5 to 300"
    )
    min_service_s: int = Field(
        default=20, ge=0, le=600, description="a shorter service is not rated, 0 to 600 seconds"
    )
    fast_s: int = Field(
        default=3, ge=1, le=30, description="a press is fast within 1 to 30 seconds of the prompt"
    )
    fast_run: int = Field(
        default=5,
        ge=0,
        le=100,
        description="fast best marks in a row for one clerk that do not count, 0 (off) to 100",
    )
    interval_s: int = Field(
        default=5,
        ge=0,
        le=300,
        description="seconds between two ratings where nobody asks, 0 to 300",
    )


class OccupancyConfig(_Settings):
    """How the passages of the people counters add up to who is inside."""

    reset_hour: int = Field(
        default=3,
        ge=0,
        le=23,
        description="the hour at which nobody is inside and the count begins anew, 0 to 23",
    )
    utc_offset_min: int = Field(
        default=480,
        ge=-720,
        le=840,
        description="how far the hall's clock is ahead of UTC in minutes, -720 to 840",
    )
    areas: tuple[Id, ...] = Field(
        default=(),
        strict=False,
        description="zones that are rooms within the hall with doors of their own",
    )


class StaffConfig(_Settings):
    """Who may log in at the keypads' readers. `hall staff` writes the file."""

    file: FilePath = Field(
        strict=False, description='a file of hall staff, e.g. "staff.json", for its owner alone'
    )
    _known: Staff = PrivateAttr()

    @model_validator(mode="after")
    def _read(self) -> "StaffConfig":
        try:
            self._known = read_staff(self.file)
        except ValueError as error:
            raise ProblemsError([(("file",), str(error))]) from None
        return self

    @property
    def known(self) -> Staff:
        """What the file held when the settings were read."""
        return self._known


class GatewayConfig(_Settings):
    """Everything `hall gateway run` needs to know."""

    hall: Id = Field(description=_ID_RULE)
    store: StoreConfig = Field(description='a [store] table with path = "hall.db"')
    broker: BrokerConfig = Field(default=BrokerConfig(), description="a [broker] table")
    upstream: UpstreamConfig = Field(description="an [upstream] table: the hall system's broker")
    coap: CoapConfig | None = Field(default=None, description="a [coap] table")
    windows: tuple[WindowConfig, ...] = Field(
        default=(), alias="window", strict=False, description="[[window]] tables"
    )
    devices: tuple[DeviceConfig, ...] = Field(
        default=(), alias="device", strict=False, description="[[device]] tables"
    )
    rating: RatingConfig = Field(default=RatingConfig(), description="a [rating] table")
    staff: StaffConfig | None = Field(default=None, description="a [staff] table")
    occupancy: OccupancyConfig = Field(
        default=OccupancyConfig(), description="an [occupancy] table"
    )

    def compiled(self, device: DeviceConfig) -> dict[str, object]:
        """The config of a device, as hall_profiles.compile_config makes it, and its errors."""
        return compile_config(
            load_profile(device.profile),
            device=device.id,
            hall=self.hall,
            broker_host=self.broker.host,
            broker_port=self.broker.port,
            settings=device.settings,
            static_ip=device.static_ip,
        )

    def coap_devices(self) -> list[DeviceConfig]:
        """The devices that speak CoAP, and are not revoked."""
        spoken = [d for d in self.devices if load_profile(d.profile).transport == "coap"]
        return [device for device in spoken if not device.revoked]

    def own_displays(self) -> list[DeviceConfig]:
        """The devices that hang on this machine's own header."""
        own = [d for d in self.devices if load_profile(d.profile).transport == "gateway"]
        return [device for device in own if not device.revoked]

    @model_validator(mode="after")
    def _whole(self) -> "GatewayConfig":
        checks = (self._duplicates(), self._places(), self._profiles(), self._areas())
        if problems := [problem for check in checks for problem in check]:
            raise ProblemsError(problems)
        return self

    def _duplicates(self) -> Iterator[tuple[Loc, str]]:
        windows = [window.id for window in self.windows]
        devices = [device.id for device in self.devices]
        addresses = [device.ip for device in self.devices]
        for index, ip in enumerate(addresses):
            if ip is not None and ip in addresses[:index]:
                text = f'"{ip}" is already the ip of device[{addresses.index(ip) + 1}]'
                yield ("device", index, "ip"), f"{text}; give each its own"
        for table, ids in (("window", windows), ("device", devices)):
            for index, name in enumerate(ids):
                if name in ids[:index]:
                    first = ids.index(name) + 1
                    text = f'"{name}" is already the id of {table}[{first}]; give each its own'
                    yield (table, index, "id"), text

    def _places(self) -> Iterator[tuple[Loc, str]]:
        windows = {window.id for window in self.windows}
        devices = {device.id for device in self.devices}
        for index, device in enumerate(self.devices):
            if device.replaces in devices:
                text = f'"{device.replaces}" is still a [[device]]; remove one of the two'
                yield ("device", index, "replaces"), text
            if device.id == GATEWAY_ID:
                yield (
                    ("device", index, "id"),
                    f'"{GATEWAY_ID}" is the gateway\'s own id; choose another, e.g. "disp-1"',
                )
            if (device.window is None) == (device.zone is None):
                yield (
                    ("device", index),
                    "a device stands at a window or in a zone; give exactly one of them",
                )
            if device.window is not None and device.window not in windows:
                near = nearest(device.window, windows)
                text = f'no [[window]] has the id "{device.window}"; {near}'
                yield ("device", index, "window"), text

    def _areas(self) -> Iterator[tuple[Loc, str]]:
        zones = {device.zone for device in self.devices if device.zone is not None}
        for index, area in enumerate(self.occupancy.areas):
            if area not in zones:
                near = nearest(area, zones)
                text = f'no [[device]] stands in a zone "{area}"; {near}'
                yield ("occupancy", "areas", index), text

    def _profiles(self) -> Iterator[tuple[Loc, str]]:
        keypads: dict[str, int] = {}
        panel: str | None = None
        for index, device in enumerate(self.devices):
            try:
                profile = load_profile(device.profile)
            except ProfileError as error:
                yield ("device", index, "profile"), str(error)
                continue
            if profile.transport == "coap" and self.coap is None:
                text = (
                    f"{profile.name} speaks CoAP; add a [coap] table, for the gateway to speak it"
                )
                yield ("device", index, "profile"), text
            elif profile.transport == "gateway" and not device.revoked:
                if panel is not None:
                    text = f'this machine\'s header drives one panel, which is "{panel}" already'
                    yield ("device", index, "profile"), text
                panel = panel or device.id
            try:
                self.compiled(device)
            except hall_profiles.ConfigError as error:
                yield ("device", index, "settings"), str(error)
            if profile.role != "keypad" or device.revoked:
                continue
            if device.window is None:
                yield ("device", index), 'a keypad rates a window; give window = "..."'
            elif (first := keypads.setdefault(device.window, index)) != index:
                text = (
                    f'window "{device.window}" has the keypad "{self.devices[first].id}" already; '
                    "a window has at most one"
                )
                yield ("device", index, "window"), text


@cache
def load_profile(name: str) -> Profile:
    """The built-in profile of that name, read once. Raises ProfileError."""
    return hall_profiles.load(name)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_config(path: Path) -> GatewayConfig:
    """The settings in the TOML file at `path`; relative paths in it start at its folder.

    Raises ConfigError, with one line for every error.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; see docs/gateway.example.toml") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    return parse_toml(text, GatewayConfig, path)
