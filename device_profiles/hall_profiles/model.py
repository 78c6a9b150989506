"""A device profile as the rest of the house sees it: checked, typed, never changed.

Here: the shape of a profile. Not here: how it is read and checked (`loader`, `check`), and what is
made of it (`config`, `payloads`, `reference`).
"""

from typing import Annotated, Literal

from hall_profiles.chips import Psram
from hall_profiles.drivers import Driver
from hall_profiles.fields import DataField, Strict, Title, Unit
from pydantic import Field

RoleName = Literal["call_display", "keypad", "people_counter", "wet_floor"]
Transport = Literal["mqtt", "coap", "gateway"]
"""How it speaks to the gateway; `gateway`: it is a part of it, on the header of a Raspberry Pi."""


class _Named(Strict):
    name: str = Field(min_length=1, max_length=60, description="the board's trade name")


class Board(_Named):
    """What is soldered: the board's trade name, its chip, flash in MB, kind of PSRAM."""

    chip: Literal["esp32", "esp32s3", "esp32c3"] = Field(
        description="one of esp32, esp32s3, esp32c3, raspberrypi"
    )
    flash_mb: Literal[4, 8, 16] = Field(description="flash size, one of 4, 8, 16 (MB)")
    psram: Psram = Field(description="one of none, quad, octal")

    def words(self) -> str:
        """The board in a few words."""
        return f"{self.name}: {self.chip}, {self.flash_mb} MB flash, PSRAM {self.psram}"


class RaspberryPi(_Named):
    """The gateway's own board, whose header takes a panel: nothing there is flashed."""

    chip: Literal["raspberrypi"] = Field(description="raspberrypi")

    def words(self) -> str:
        """The board in a few words."""
        return f"{self.name}: {self.chip}, pins by BCM numbers"


class Setting(Strict):
    """A threshold that a hall may tune: its value as shipped, its unit and its legal range."""

    value: int = Field(description="the value as shipped, an integer")
    unit: Unit = Field(description="one of ms, s, min, h, ohm, kohm, mm, %, Hz, samples")
    min: int = Field(description="the smallest legal value, an integer")
    max: int = Field(description="the largest legal value, an integer")
    title: Title = Field(description="a title with zh and en")


class Event(Strict):
    """A kind of event that this device journals, and the fields of its `data`."""

    title: Title = Field(description="a title with zh and en")
    data: dict[str, DataField] = Field(description="the fields of the event's data")


class View(Strict):
    """Which fields of the desired state a view needs, and which it may have beside them."""

    needs: list[str] = Field(default_factory=list, description="a list of desired fields")
    may: list[str] = Field(default_factory=list, description="a list of desired fields")


class Battery(Strict):
    """What a device on cells draws, for an estimate of their life; nothing else reads it."""

    capacity_mah: int = Field(ge=1, le=1_000_000, description="of the cells, 1 to 1000000 mAh")
    cells_mv: int = Field(ge=500, le=60_000, description="mean voltage while they last, in mV")
    supply_mv: int = Field(ge=1500, le=5000, description="what the chip gets, 1500 to 5000 mV")
    converter_percent: int = Field(ge=1, le=100, description="efficiency between the two, 1 to 100")
    self_discharge_percent: int = Field(ge=0, le=100, description="a year, 0 to 100")
    sleep_ua: int = Field(ge=1, le=1_000_000, description="asleep, the whole device, in µA")
    wake_ms: int = Field(ge=1, le=60_000, description="from the wake to the first sample, in ms")
    wake_ma: int = Field(ge=1, le=1000, description="awake without the radio, in mA")
    radio_mc: int = Field(ge=1, le=100_000, description="one report with a static address, in mC")
    dhcp_mc: int = Field(ge=1, le=100_000, description="one report that asks DHCP first, in mC")


class Header(Strict):
    """Who this profile is."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$",
        description="the file's own name: lower-case letters, digits and -, at most 32",
    )
    version: int = Field(ge=1, le=9999, description="an integer from 1 to 9999")
    title: Title = Field(description="a title with zh and en")
    role: RoleName = Field(description="one of call_display, keypad, people_counter, wet_floor")
    transport: Transport = Field(description="one of mqtt, coap, gateway")


class Profile(Header):
    """One device model. `pins` maps the driver's pin names to GPIO numbers."""

    board: Annotated[Board | RaspberryPi, Field(discriminator="chip")]
    driver: Annotated[Driver, Field(discriminator="name")]
    pins: dict[str, int]
    settings: dict[str, Setting]
    events: dict[str, Event]
    desired: dict[str, DataField]
    views: dict[str, View] = Field(default_factory=dict)
    shows: dict[str, DataField]
    battery: Battery | None = None
