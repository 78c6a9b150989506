"""Whether a chip can do with each pin what the driver wants of it.

Here: the comparison of `pins` with the chip's table and the driver's needs. Not here: either table.
"""

from collections.abc import Sequence
from typing import get_args

from hall_profiles.chips import CHIPS, Psram
from hall_profiles.drivers import PinUse, pin_uses
from hall_profiles.roles import Option
from hall_profiles.shape import compare_names, mapping, show
from hall_profiles.source import Source, Value


def check_pins(
    source: Source, data: Value, board: Value, driver: Value, options: Sequence[Option]
) -> None:
    """Notes every wrong pin, as far as the sections `board` and `driver` tell what is right.

    `options` of the role may be wired or not; one that is needs all its pins.
    """
    uses = pin_uses(driver) if isinstance(driver, dict) else None
    may: dict[str, PinUse] = {}
    for option in options:
        wired = isinstance(data, dict) and any(pin in data for pin in option.pins)
        if uses is not None and wired:
            uses = {**uses, **option.pins}
        else:
            may.update(option.pins)
    pins = mapping(source, data, ("pins",), uses or ("a GPIO number for each pin",))
    if pins is None:
        return
    socket = _socket(board)
    gpios = [pin for pin in pins.values() if type(pin) is int]

    def right(name: str) -> str:
        return socket.right(uses.get(name) if uses else None, gpios) if socket else "a free GPIO"

    if uses:
        what = "is no pin of this driver"
        compare_names(source, ("pins",), pins, uses, what, right, optional=may)
    taken: dict[int, str] = {}
    for name, pin in pins.items():
        if type(pin) is not int:
            source.add(("pins", name), f"is {show(pin)}", right(name))
        elif pin in taken:
            source.add(("pins", name), f"is GPIO {pin}, which {taken[pin]} has", right(name))
        else:
            taken[pin] = name
            wrong = socket.wrong(pin, uses.get(name) if uses else None) if socket else None
            if wrong:
                source.add(("pins", name), f"is GPIO {pin}, {wrong}", right(name))


class _Socket:
    """The pins that a board offers: those of its chip, less what its PSRAM takes."""

    def __init__(self, name: str, psram: Psram) -> None:
        self._name = name
        self._chip = next(chip for known, chip in CHIPS.items() if known == name)
        self._psram = self._chip.psram[psram]

    def wrong(self, pin: int, use: PinUse | None) -> str | None:
        """Why a pin cannot be used, at all or for this; None when it can."""
        if pin not in self._chip.pins:
            return f"which {self._name} does not have"
        if pin in self._chip.reserved:
            return self._chip.reserved[pin]
        if pin in self._psram:
            return "wired to the PSRAM"
        return self._unfit(pin, use) if use else None

    def right(self, use: PinUse | None, taken: list[int]) -> str:
        """The pins that would do and are free."""
        free = sorted(self._chip.pins - set(taken))
        fit = [str(pin) for pin in free if self.wrong(pin, use) is None]
        return f"one of {', '.join(fit)}" if fit else f"{self._name} has no such pin free"

    def _unfit(self, pin: int, use: PinUse) -> str | None:
        if use.direction == "adc" and pin in self._chip.adc2:
            return "on ADC2, which cannot be read while Wi-Fi is on"
        if use.direction == "adc" and pin not in self._chip.adc1:
            return "which has no ADC"
        if pin in self._chip.input_only and use.direction == "out":
            return "which is input only, and the driver drives it"
        if pin in self._chip.input_only and use.pull:
            return "which has no pull resistor, and the driver needs it"
        if use.wakes and pin not in self._chip.wakes:
            return "which cannot end a deep sleep of this chip"
        if use.low_bank and pin >= 32:
            return "and a panel is written through the registers of GPIO 0 to 31"
        return None


def _socket(board: Value) -> _Socket | None:
    """What is known of the board's pins, whatever else of it may be wrong."""
    if not isinstance(board, dict):
        return None
    chip, psram = board.get("chip"), board.get("psram")
    if not isinstance(chip, str) or chip not in CHIPS:
        return None
    return _Socket(chip, next((kind for kind in get_args(Psram) if kind == psram), "none"))
