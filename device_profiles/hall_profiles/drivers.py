"""The drivers a profile can name: their settings and what they need of each pin.

Here: one model a driver, as the firmware's driver reads it from the device's config. Not here: the
chips' pins (`chips`), and thresholds that a hall may tune (`settings` of the profile).
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple

from hall_profiles.fields import Strict, Title
from pydantic import Field

Level = Literal["high", "low"]


class PinUse(NamedTuple):
    """What a driver does with a pin.

    `pull`: needs the chip's own pull resistor. `low_bank`: must be below GPIO 32, because a panel
    is scanned through the registers of GPIO 0 to 31 alone. `wakes`: ends a deep sleep.
    """

    direction: Literal["in", "out", "adc"]
    pull: bool = False
    low_bank: bool = False
    wakes: bool = False


class _Keypad(Strict):
    """What every keypad has: marked keys with a lamp in each, one buzzer."""

    keys: int = Field(ge=2, le=6, description="how many keys, an integer from 2 to 6")
    marks: list[Annotated[int, Field(ge=1, le=5)]] = Field(
        description="the mark 5 to 1 of each key, key 1 first"
    )
    reasons: list[Title] | None = Field(
        default=None,
        min_length=4,
        max_length=6,
        description="4 to 6 reasons for a bad mark, each with zh and en, key 1 first",
    )


class Keys(_Keypad):
    """Keys to ground or to supply, a pin each."""

    name: Literal["keys"]
    active: Level = Field(description="the level of a pressed key, high or low")


class KeysMatrix(_Keypad):
    """Keys between driven rows and read columns, key 1 first in row 1, without diodes."""

    name: Literal["keys_matrix"]
    rows: int = Field(ge=2, le=3, description="how many rows, 2 or 3")
    columns: int = Field(ge=2, le=3, description="how many columns, 2 or 3")


class Beams(Strict):
    """Two light barriers across one lane: a is the outer, b the inner."""

    name: Literal["beams"]
    active: Level = Field(description="the level of a broken beam, high or low")


class Vl53l1x(Strict):
    """ST's time-of-flight sensor, two zones N x `roi_height` of its 16 x 16 receivers (UM2600)."""

    name: Literal["vl53l1x"]
    i2c_hz: int = Field(ge=10_000, le=400_000, description="I2C clock, 10000 to 400000 Hz")
    roi_width: int = Field(ge=4, le=8, description="width of a zone, 4 to 8 receivers")
    roi_height: int = Field(ge=4, le=16, description="height of a zone, 4 to 16 receivers")
    timing_ms: Literal[20, 33, 50, 100] = Field(
        description="time of one ranging, 20, 33, 50 or 100 ms, for which ST publishes settings"
    )


class Ld2450(Strict):
    """Hi-Link's 24 GHz radar, which follows up to three people; 256000 baud, 10 frames a second."""

    name: Literal["ld2450"]


class Probe(Strict):
    """Two electrodes, driven with alternating polarity through a series resistor.

    The end resistor is in the probe's head, across the electrodes: without it the cable is cut.
    """

    #: The supply, and the ends of what the ADC reads of it at 11 dB, in mV. From memory; to be
    #: measured on the bench (tests/hardware, row 14).
    SUPPLY_MV: ClassVar[int] = 3300
    ADC_MV: ClassVar[tuple[int, int]] = (142, 3130)

    name: Literal["probe"]
    series_ohms: int = Field(
        ge=10_000, le=1_000_000, description="series resistor, 10000 to 1000000 ohm"
    )
    end_ohms: int = Field(
        ge=10_000, le=10_000_000, description="end resistor, 10000 to 10000000 ohm"
    )

    def reach(self) -> tuple[int, int]:
        """The ohms that a dead short and a cut cable read as: more than 0, and not infinite.

        Either polarity meets the other end of the ADC, and half the difference is what is taken.
        """
        low, high = self.ADC_MV
        near, far = self.SUPPLY_MV + low - high, self.SUPPLY_MV + high - low
        return self.series_ohms * near // far, self.series_ohms * far // near


class _Scanned(Strict):
    """What every LED panel that must be scanned has in common.

    A frame takes 3 ms at full brightness whatever the panel (firmware/native/scan.h): that bounds
    its repetition, so that half of the chip's time is left to all else.
    """

    #: Rows that modules can be put together to.
    HEIGHTS: ClassVar[tuple[int, ...]]

    width: int = Field(ge=32, le=256, description="columns of the whole display, 32 to 256")
    height: int = Field(ge=16, le=64, description="rows of the whole display, 16 to 64")
    chain: int = Field(ge=1, le=8, description="modules in the chain, 1 to 8")
    oe_active: Level = Field(description="the level of OE (EN) that lights the row, high or low")
    data_active: Level = Field(description="the level of data that lights a dot, high or low")
    lat_active: Level = Field(description="the level of a pulse on LAT (STB), high or low")
    refresh_hz: int = Field(ge=10, le=150, description="frames a second, 10 to 150 Hz")
    storeys: Literal["top_first", "bottom_first"] = Field(
        default="top_first",
        description="the storey that is sent first: top_first or bottom_first",
    )
    row_order: list[int] | None = Field(
        default=None, description="the row of a scan that each address lights, address 0 first"
    )


class Hub12(_Scanned):
    """P10 modules 32 x 16, one colour, four rows lit at a time (1/4 scan)."""

    HEIGHTS: ClassVar[tuple[int, ...]] = (16, 32, 48, 64)

    name: Literal["hub12"]
    scan: Literal[4] = Field(description="4, the steps of a 1/4 scan")

    def module(self) -> tuple[int, int]:
        """Columns and rows of one module of the chain."""
        return 32, 16


class Hub08(_Scanned):
    """F3.75 and P4.75 modules 64 x 32 or 64 x 16, 1/16 scan, red or red and green."""

    HEIGHTS: ClassVar[tuple[int, ...]] = (16, 32, 64)

    name: Literal["hub08"]
    scan: Literal[16] = Field(description="16, the steps of a 1/16 scan")
    colours: Literal[1, 2] = Field(description="1 (red) or 2 (red and green)")

    def module(self) -> tuple[int, int]:
        """Columns and rows of one module of the chain."""
        return 64, min(self.height, 32)


class Hub75(_Scanned):
    """RGB modules 64 x 32, 1/16 scan, upper and lower half at once."""

    HEIGHTS: ClassVar[tuple[int, ...]] = (32, 64)

    name: Literal["hub75"]
    scan: Literal[16] = Field(description="16, the steps of a 1/16 scan")

    def module(self) -> tuple[int, int]:
        """Columns and rows of one module of the chain."""
        return 64, 32


Panel = Hub12 | Hub08 | Hub75


class Max7219(Strict):
    """Seven-segment digits behind MAX7219 chips, eight digits a chip, scanned by the chip."""

    name: Literal["max7219"]
    digits: Literal[8, 16] = Field(description="8 or 16 digits, 8 a chip")
    spi_hz: int = Field(
        ge=100_000, le=10_000_000, description="SPI clock, 100000 to 10000000 Hz (data sheet)"
    )


class Max7219Matrix(Strict):
    """Modules of 8 x 8 dots, a MAX7219 each, in one chain, scanned by the chips."""

    name: Literal["max7219_matrix"]
    width: int = Field(
        ge=32, le=128, multiple_of=8, description="columns of the whole display, 32, 40 ... 128"
    )
    height: Literal[16, 32] = Field(description="rows of the whole display, 16 or 32")
    spi_hz: int = Field(
        ge=100_000, le=10_000_000, description="SPI clock, 100000 to 10000000 Hz (data sheet)"
    )


Driver = Keys | KeysMatrix | Beams | Vl53l1x | Ld2450 | Probe | Panel | Max7219 | Max7219Matrix

DRIVERS: dict[str, type[Driver]] = {
    "keys": Keys,
    "keys_matrix": KeysMatrix,
    "beams": Beams,
    "vl53l1x": Vl53l1x,
    "ld2450": Ld2450,
    "probe": Probe,
    "hub12": Hub12,
    "hub08": Hub08,
    "hub75": Hub75,
    "max7219": Max7219,
    "max7219_matrix": Max7219Matrix,
}

_IN = PinUse("in")
_IN_PULLED = PinUse("in", pull=True)
_OUT = PinUse("out")
_PANEL = PinUse("out", low_bank=True)

#: The pins of the drivers that have the same ones always.
_FIXED_PINS: dict[str, dict[str, PinUse]] = {
    "beams": {"beam_a": _IN_PULLED, "beam_b": _IN_PULLED},
    "vl53l1x": {"sda": _OUT, "scl": _OUT, "xshut": _OUT, "int": _IN_PULLED},
    "ld2450": {"tx": _OUT, "rx": _IN},
    "probe": {"drive_a": _OUT, "drive_b": _OUT, "sense": PinUse("adc")},
    "hub12": dict.fromkeys(("oe", "a", "b", "clk", "lat", "r"), _PANEL),
    "hub75": dict.fromkeys(
        ("r1", "g1", "b1", "r2", "g2", "b2", "a", "b", "c", "d", "clk", "lat", "oe"), _PANEL
    ),
    "max7219": dict.fromkeys(("clk", "din", "cs"), _OUT),
    "max7219_matrix": dict.fromkeys(("clk", "din", "cs"), _OUT),
}


def pin_uses(driver: Mapping[str, object]) -> dict[str, PinUse] | None:
    """What a driver with these fields needs of each pin; None when they do not tell.

    It takes fields that may be wrong, so that a slip in one of them does not hide wrong pins.
    """
    if driver.get("name") in ("keys", "keys_matrix"):
        keys = driver.get("keys")
        inputs = _key_pins(driver)
        if not isinstance(keys, int) or not 2 <= keys <= 6 or inputs is None:
            return None
        return {**inputs, **{f"lamp_{n}": _OUT for n in range(1, keys + 1)}, "buzzer": _OUT}
    if driver.get("name") == "hub08":
        colours = driver.get("colours")
        if colours not in (1, 2):
            return None
        halves = "1" if driver.get("height") == 16 else "12"
        data = [colour + half for half in halves for colour in "rg"[:colours]]
        return dict.fromkeys(("a", "b", "c", "d", "en", *data, "stb", "clk"), _PANEL)
    return _FIXED_PINS.get(str(driver.get("name")))


def _key_pins(driver: Mapping[str, object]) -> dict[str, PinUse] | None:
    """The pins that a keypad's keys are read with."""
    counts = [driver.get(name) for name in ("keys", "rows", "columns")]
    keys, rows, columns = (count if isinstance(count, int) else 0 for count in counts)
    if driver.get("name") == "keys":
        return {f"key_{n}": _IN_PULLED for n in range(1, keys + 1)}
    if not (2 <= rows <= 3 and 2 <= columns <= 3):
        return None
    # A row that is driven from both ends through two pressed keys would be a short circuit: the
    # rows are open-drain outputs.
    return {
        **{f"row_{n}": _OUT for n in range(1, rows + 1)},
        **{f"column_{n}": _IN_PULLED for n in range(1, columns + 1)},
    }
