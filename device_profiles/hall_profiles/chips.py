"""What each pin of a chip can do, and why some must be left alone.

Here: pin tables, as data. Not here: what a driver needs of a pin (`drivers`) and the comparison of
the two (`check_pins`).

Sources: the data sheets of ESP32 (strapping pins, section 2.4; ADC2 and Wi-Fi, section 4.1.2 of the
technical reference), ESP32-S3 (section 2.6) and ESP32-C3 (section 2.4); module data sheets for the
flash and PSRAM lines. Of a Raspberry Pi's header, by BCM numbers: BCM2835 ARM Peripherals, section
6.2, and the Raspberry Pi documentation, "GPIO and the 40-pin header". A strapping pin is sampled at
reset: a panel or a key that holds it decides how the chip starts, so it is refused rather than
explained to every installer.
"""

from typing import Literal, NamedTuple

ChipName = Literal["esp32", "esp32s3", "esp32c3", "raspberrypi"]
Psram = Literal["none", "quad", "octal"]


class Chip(NamedTuple):
    """One chip's pins by number. `reserved` maps a pin to the reason it is refused for; `wakes` can
    end a deep sleep, as the firmware asks for it (esp32.wake_on_gpio)."""

    pins: frozenset[int]
    reserved: dict[int, str]
    psram: dict[Psram, frozenset[int]]
    input_only: frozenset[int]
    adc1: frozenset[int]
    adc2: frozenset[int]
    wakes: frozenset[int] = frozenset()


def _reserved(*reasons: tuple[tuple[int, ...], str]) -> dict[int, str]:
    return {pin: reason for pins, reason in reasons for pin in pins}


_FLASH = "wired to the flash chip"
_CONSOLE = "the serial console (UART0)"
_USB = "the USB port (serial and JTAG)"
_HAT_EEPROM = "ID_SD or ID_SC, where the boot loader looks for a HAT's EEPROM"
_PI_CONSOLE = "the serial console (UART)"
_BOOT_MODE = "a strapping pin (boot mode)"

CHIPS: dict[ChipName, Chip] = {
    "esp32": Chip(
        pins=frozenset({*range(20), *range(21, 24), *range(25, 28), *range(32, 40)}),
        reserved=_reserved(
            ((0, 2), _BOOT_MODE),
            ((5,), "a strapping pin (SDIO timing)"),
            ((12,), "a strapping pin (flash voltage)"),
            ((15,), "a strapping pin (boot messages)"),
            ((1, 3), _CONSOLE),
            ((6, 7, 8, 9, 10, 11), _FLASH),
        ),
        psram={"none": frozenset(), "quad": frozenset({16, 17}), "octal": frozenset()},
        input_only=frozenset(range(34, 40)),
        adc1=frozenset(range(32, 40)),
        adc2=frozenset({0, 2, 4, *range(12, 16), *range(25, 28)}),
    ),
    "esp32s3": Chip(
        pins=frozenset({*range(22), *range(26, 49)}),
        reserved=_reserved(
            ((0, 46), _BOOT_MODE),
            ((3,), "a strapping pin (JTAG source)"),
            ((45,), "a strapping pin (flash voltage)"),
            ((19, 20), _USB),
            ((26, 27, 28, 29, 30, 31, 32), _FLASH),
            ((43, 44), _CONSOLE),
        ),
        psram={"none": frozenset(), "quad": frozenset(), "octal": frozenset(range(33, 38))},
        input_only=frozenset(),
        adc1=frozenset(range(1, 11)),
        adc2=frozenset(range(11, 21)),
    ),
    "esp32c3": Chip(
        pins=frozenset(range(22)),
        reserved=_reserved(
            ((2, 8, 9), _BOOT_MODE),
            ((11, 12, 13, 14, 15, 16, 17), _FLASH),
            ((18, 19), _USB),
            ((20, 21), _CONSOLE),
        ),
        psram={"none": frozenset(), "quad": frozenset(), "octal": frozenset()},
        input_only=frozenset(),
        adc1=frozenset(range(5)),
        adc2=frozenset({5}),
        wakes=frozenset(range(6)),
    ),
    "raspberrypi": Chip(
        pins=frozenset(range(28)),
        reserved=_reserved(((0, 1), _HAT_EEPROM), ((14, 15), _PI_CONSOLE)),
        psram={"none": frozenset(), "quad": frozenset(), "octal": frozenset()},
        input_only=frozenset(),
        adc1=frozenset(),
        adc2=frozenset(),
    ),
}
