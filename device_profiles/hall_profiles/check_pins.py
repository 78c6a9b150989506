"""Whether a chip can do with each pin what the driver wants of it.

Here: the comparison of `pins` with the chip's table and the driver's needs. Not here: either table.
"""

from functools import partial

from hall_profiles.chips import CHIPS, Chip
from hall_profiles.drivers import Driver, PinUse
from hall_profiles.model import Board
from hall_profiles.shape import compare_names, mapping, show
from hall_profiles.source import Source, Value


def check_pins(source: Source, data: Value, board: Board | None, driver: Driver | None) -> None:
    """Notes every wrong pin; what needs the board or the driver waits until that one is right."""
    uses = driver.pin_uses() if driver else {}
    pins = mapping(source, data, ("pins",), uses)
    if pins is None:
        return
    if driver:
        unknown = f"is no pin of driver {driver.name}"
        missing = partial(_right_pin, board, pins, uses)
        compare_names(source, ("pins",), pins, uses, unknown, missing)
    taken: dict[int, str] = {}
    for name, pin in pins.items():
        if type(pin) is not int:
            source.add(("pins", name), f"is {show(pin)}", "a GPIO number")
        elif pin in taken:
            what = f"is GPIO {pin}, which {taken[pin]} has"
            source.add(("pins", name), what, _right_pin(board, pins, uses, name))
        else:
            taken[pin] = name
            wrong = _wrong(CHIPS[board.chip], board, pin, uses.get(name)) if board else None
            if wrong:
                source.add(("pins", name), wrong, _right_pin(board, pins, uses, name))


def _wrong(chip: Chip, board: Board, pin: int, use: PinUse | None) -> str | None:
    if pin not in chip.pins:
        return f"is GPIO {pin}, which {board.chip} does not have"
    if pin in chip.reserved:
        return f"is GPIO {pin}, {chip.reserved[pin]}"
    if pin in chip.psram[board.psram]:
        return f"is GPIO {pin}, wired to the PSRAM"
    return _unfit(chip, pin, use) if use else None


def _unfit(chip: Chip, pin: int, use: PinUse) -> str | None:
    if use.direction == "adc" and pin in chip.adc2:
        return f"is GPIO {pin} on ADC2, which cannot be read while Wi-Fi is on"
    if use.direction == "adc" and pin not in chip.adc1:
        return f"is GPIO {pin}, which has no ADC"
    if pin in chip.input_only and use.direction == "out":
        return f"is GPIO {pin}, which is input only, and the driver drives it"
    if pin in chip.input_only and use.pull:
        return f"is GPIO {pin}, which has no pull resistor, and the driver needs it"
    if use.low_bank and pin >= 32:
        return f"is GPIO {pin}, and a panel is written through the registers of GPIO 0 to 31"
    return None


def _right_pin(
    board: Board | None, pins: dict[str, Value], uses: dict[str, PinUse], name: str
) -> str:
    use = uses.get(name)
    if board is None:
        return "a free GPIO number"
    chip = CHIPS[board.chip]
    taken = set(pins.values())
    fit = [
        str(pin)
        for pin in chip.good_pins(board.psram)
        if pin not in taken and (use is None or _unfit(chip, pin, use) is None)
    ]
    if not fit:
        return f"no pin of {board.chip} that would do is free"
    return f"one of {', '.join(fit)}"
