"""A day of a hall's entrance: mopping, rain carried in, drying, and a probe that breaks.

The water is a film whose conductance the cleaner and wet shoes add to and the air takes away; the
truth is when there was water, not what a threshold says of it. The role, the driver and the circuit
are the real ones, in the real MicroPython.
"""

import json
import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hall_profiles import compile_config, load
from support import micropython

DAY = 86_400
DRY_AFTER = 600
# A film of 96 kΩ beside the end resistor reads as the 80 kΩ of wet, one of 490 kΩ as dry.
WET_SIEMENS = 1 / 96_000
DRY_SIEMENS = 1 / 490_000
Event = tuple[int, str, dict[str, Any]]


@dataclass
class Day:
    """What happened, second by second, and what should be told of it: (kind, from, to) seconds."""

    seed: int
    film: list[float] = field(default_factory=lambda: [0.0] * DAY)
    probe: list[str | None] = field(default_factory=lambda: [None] * DAY)
    button: list[int] = field(default_factory=lambda: [0] * DAY)
    rain: list[int] = field(default_factory=lambda: [0] * DAY)
    truth: list[tuple[str, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def mop(self, at: int, attended: bool) -> None:
        """The mop passes three times within 20 s; what it leaves dries in a quarter of an hour."""
        for _ in range(3):
            self._pour(
                at + self._random.randint(0, 20), self._random.uniform(1 / 40_000, 1 / 15_000)
            )
        self._pour(at, 1 / 30_000)
        self.truth.append(("wet", at, at + 5))
        if attended:
            self.button[at + 30 : at + 33] = [1] * 3
            self.truth.append(("attended", at + 30, at + 33))

    def shower(self, at: int, length: int) -> None:
        """It rains with pauses of up to 5 minutes, and every minute or so wet shoes come in."""
        self.truth += [("rain", at, at + 5), ("wet", at + 60, at + 65)]
        self._pour(at + 60, 1 / 20_000)
        second = at
        while second < at + length:
            wet = self._random.randint(60, 600)
            self.rain[second : second + wet] = [1] * wet
            second += wet + self._random.randint(10, 300)
        last = max(index for index, raining in enumerate(self.rain) if raining)
        self.truth.append(("rain", last + DRY_AFTER, last + DRY_AFTER + 3))
        for _ in range(length // 60):
            self._pour(at + 60 + self._random.randint(0, length), 1 / 40_000)

    def breaks(self, at: int, length: int, how: str) -> None:
        self.probe[at : at + length] = [how] * length
        late = 55 if how == "frozen" else 4
        self.truth.append((f"probe_{how}", at, at + late))
        self.truth.append(("dry", at + length, at + length + 4))  # the floor, once it can be seen

    def dries(self) -> None:
        """The film is known now: when did each of its wet times end, and who should have come?"""
        wet = False
        last = 0
        for second, film in enumerate(self.film):
            if film > DRY_SIEMENS:
                last = second
            if film > WET_SIEMENS and not wet:
                wet = True
            if wet and second - last == DRY_AFTER:
                wet = False
                # Near the threshold the flicker decides: a tenth of the film is 40 s of drying.
                self.truth.append(("dry", second - 60, second + 60))

    def _pour(self, at: int, siemens: float) -> None:
        drying = self._random.uniform(180, 400)  # s to 1/e
        for second in range(at, min(DAY, at + int(8 * drying))):
            self.film[second] += siemens * math.exp((at - second) / drying)

    def lines(self) -> str:
        """The script for the device: films flicker by a tenth, and shoes lift off for a second."""
        lines: list[str] = []
        for second, film in enumerate(self.film):
            seen = film * self._random.uniform(0.9, 1.0)
            ohms = min(int(1 / seen), 10_000_000) if seen > 1e-7 else 10_000_000
            state = self.probe[second] or ohms
            lines.append(json.dumps([state, self.button[second], self.rain[second]]))
        return "\n".join(lines) + "\n"


def a_day(seed: int) -> Day:
    day = Day(seed)
    day.truth.append(("dry", DRY_AFTER, DRY_AFTER + 1))
    day.truth.append(("rain", DRY_AFTER, DRY_AFTER + 1))
    day.mop(6 * 3600, attended=True)
    day.breaks(8 * 3600, 1200, "open")
    day.mop(9 * 3600, attended=False)
    day.breaks(11 * 3600, 300, "short")
    day.breaks(12 * 3600, 700, "frozen")
    day.shower(14 * 3600, 2 * 3600)
    day.mop(19 * 3600, attended=True)
    day.dries()
    return day


def told(day: Day, folder: Path) -> list[Event]:
    config = compile_config(
        load("wet-floor-mains"), device="fl-1", hall="demo", broker_host="127.0.0.1",
        broker_port=1883,
    )  # fmt: skip
    flash = folder / "flash.bin"
    flash.touch()
    done = micropython.run(
        Path(__file__).with_name("mp_floor_day.py"),
        str(flash),
        str(folder / "rtc.bin"),
        path=[micropython.modules(), micropython.simulation()],
        stdin=json.dumps({"config": config}) + "\n" + day.lines(),
    )
    assert done.exit_code == 0, done.output
    return [
        (second, kind, data) for second, kind, data in map(json.loads, done.output.splitlines())
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_day_is_told_as_it_was(seed: int, tmp_path: Path) -> None:
    day = a_day(seed)
    events = told(day, tmp_path)
    escalations = [second for second, kind, _ in events if kind == "escalate"]
    # Kind by kind: two that may be told at the same moment may come in either order, as the
    # converter's noise will have it.
    named = sorted(
        [
            (second, data["code"] if kind == "fault" else kind)
            for second, kind, data in events
            if kind != "escalate"
        ],
        key=lambda each: (each[1], each[0]),
    )
    expected = sorted(day.truth)
    assert [name for _, name in named] == [name for name, _, _ in expected]
    for (second, name), (_, earliest, latest) in zip(named, expected, strict=True):
        assert earliest <= second <= latest, (name, second)
    assert [data["on"] for _, kind, data in events if kind == "rain"] == [False, True, False]
    _nobody_came(events, escalations)


def _nobody_came(events: list[Event], escalations: list[int]) -> None:
    """Each half hour of wetness without a press was told, and no other."""
    expected: list[int] = []
    since: int | None = None
    for second, kind, _ in [*events, (DAY, "end", {})]:
        while since is not None and second > since + 1800:
            since += 1800
            expected.append(since)
        if kind in ("wet", "attended") and (kind == "wet" or since is not None):
            since = second
        elif kind == "dry":
            since = None
    assert len(expected) == len(escalations)
    assert all(0 <= late - due <= 1 for due, late in zip(expected, escalations, strict=True))
