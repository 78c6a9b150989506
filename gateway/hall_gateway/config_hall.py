"""What there is in a hall and how it is counted: windows, devices, ratings, staff, who is inside.

Here: the models of these tables. Not here: the rules between tables (config.py).
"""

import ipaddress

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from hall_gateway.config_base import ID_RULE, FilePath, Id, Settings
from hall_gateway.staff import Staff, read_staff
from hall_gateway.toml_input import ProblemsError


class WindowConfig(Settings):
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
    zone: Id | None = Field(
        default=None, description=f"the zone whose cautions its displays show: {ID_RULE}"
    )
    camera: str | None = Field(
        default=None,
        pattern=r"^[^\s\x00-\x1f\x7f]{1,64}$",
        description='the camera that sees it, as its recorder calls it, e.g. "cam-03"',
    )


class DeviceConfig(Settings):
    """One device of the registry. A device that is not listed is refused and counted."""

    id: Id = Field(description=ID_RULE)
    profile: Id = Field(description="the name of a device profile, see `hall profile show`")
    window: str | None = Field(default=None, description="the id of a [[window]]")
    zone: Id | None = Field(default=None, description=ID_RULE)
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


class RatingConfig(Settings):
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


class OccupancyConfig(Settings):
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


class StaffConfig(Settings):
    """Who may log in at the keypads' readers. `hall staff` writes the file."""

    file: FilePath = Field(
        strict=False, description='a file of hall staff, e.g. "staff.json", for its owner alone'
    )
    _known: Staff = PrivateAttr()

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> "StaffConfig":
        if info.context is not None and not info.context.get("secrets", True):
            self._known = Staff.new()
            return self
        try:
            self._known = read_staff(self.file)
        except ValueError as error:
            raise ProblemsError([(("file",), str(error))]) from None
        return self

    @property
    def known(self) -> Staff:
        """What the file held when the settings were read."""
        return self._known
