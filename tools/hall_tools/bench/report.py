"""All figures of `hall bench refresh` together.

Here: what is measured in which order, and the report as JSON. Not here: the measurements
(`counting`, `yardsticks`, `race`) and how they are printed.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from hall_tools.bench import counting, yardsticks
from hall_tools.bench.counting import MACHINES, Count
from hall_tools.bench.displays import PICTURES, Display, display, scanned
from hall_tools.bench.race import ROUNDS, Race, race
from hall_tools.bench.yardsticks import YARDSTICKS, Yardstick
from hall_tools.native.emulator import GPIO

#: At most so many instructions and stores for a pixel clock on Xtensa; at least so many times
#: faster than bytecode. Set before anything was measured.
MOST_INSTRUCTIONS, MOST_STORES, LEAST_TIMES = 5.2, 2.2, 100

Heard = Callable[[str], None]
"""Is told what comes next."""


@dataclass(frozen=True)
class DisplayFigures:
    """`counts` by machine; `picture`: "text" or "random"."""

    display: Display
    picture: str
    counts: dict[str, Count]
    race: Race

    def as_json(self) -> dict[str, Any]:
        race = self.race
        return {
            "profile": self.display.profile,
            "driver": self.display.driver,
            "picture": self.picture,
            "clocks": self.display.clocks,
            **{machine: asdict(count) for machine, count in self.counts.items()},
            "unix": {
                "native_us": race.native_us,
                "viper_us": race.viper_us,
                "bytecode_us": race.bytecode_us,
                "viper_to_native": race.viper,
                "bytecode_to_native": race.bytecode,
            },
        }


@dataclass(frozen=True)
class YardstickFigures:
    """`counts` by machine, with the stores of the library; `unserialized`: with ours."""

    yardstick: Yardstick
    counts: dict[str, Count]
    unserialized: Count

    def as_json(self) -> dict[str, Any]:
        yardstick = self.yardstick
        return {
            "name": yardstick.name,
            "idea": yardstick.idea,
            "libraries": yardstick.libraries,
            "lines": yardstick.lines,
            **{machine: asdict(count) for machine, count in self.counts.items()},
            "xtensawin_without_memw": asdict(self.unserialized),
        }


@dataclass(frozen=True)
class Report:
    displays: list[DisplayFigures]
    yardsticks: list[YardstickFigures]

    def as_json(self) -> dict[str, Any]:
        return {
            "targets": {
                "instructions": MOST_INSTRUCTIONS,
                "stores": MOST_STORES,
                "bytecode_to_native": LEAST_TIMES,
            },
            "rounds": ROUNDS,
            "displays": [figures.as_json() for figures in self.displays],
            "yardsticks": [figures.as_json() for figures in self.yardsticks],
        }


def measure(heard: Heard) -> Report:
    """UserError (EX_UNAVAILABLE): qemu, a compiler or MicroPython's unix port is missing."""
    return Report(
        displays=[
            _measure_display(config, picture, heard) for config in scanned() for picture in PICTURES
        ],
        yardsticks=[_measure_yardstick(yardstick, heard) for yardstick in YARDSTICKS],
    )


def _measure_display(config: dict[str, Any], picture: str, heard: Heard) -> DisplayFigures:
    heard(f"{config['profile']}, {picture}")
    shown = display(config, GPIO["xtensawin"])
    counts = {machine: counting.count(config, picture, machine) for machine in MACHINES}
    return DisplayFigures(shown, picture, counts, race(shown, picture))


def _measure_yardstick(yardstick: Yardstick, heard: Heard) -> YardstickFigures:
    heard(yardstick.libraries)
    return YardstickFigures(
        yardstick=yardstick,
        counts={
            machine: yardsticks.count(yardstick, machine, serialized=True) for machine in MACHINES
        },
        unserialized=yardsticks.count(yardstick, "xtensawin", serialized=False),
    )
