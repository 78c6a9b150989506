"""Drivers and a context for roles under test, with a clock that only the test moves.

Here: hardware as the roles see it, recorded with its time. Not here: anything below a driver.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


class Role(Protocol):
    PERIOD_MS: int

    def step(self, now: int) -> None: ...


@dataclass
class Context:
    """What app.py gives a role. `events` are (now, kind, data)."""

    now: int = 0
    unix_offset: int | None = 1_700_000_000_000
    link_down: int = 0
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    writes: int = 0

    def keep(self) -> None:
        self.writes += 1

    def emit(self, kind: str, data: dict[str, Any]) -> None:
        self.events.append((self.now, kind, data))

    def unix_ms(self) -> int | None:
        return None if self.unix_offset is None else self.unix_offset + self.now

    def link_down_ms(self) -> int:
        return self.link_down

    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.events]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for _, each, data in self.events if each == kind]

    def run(self, role: Role, until: int, each: Callable[[int], None] | None = None) -> None:
        """Steps the role from `now` at its own period, up to but not at `until`."""
        while self.now < until:
            if each:
                each(self.now)
            role.step(self.now)
            self.now += role.PERIOD_MS


@dataclass
class FakeKeys:
    """Keys whose contacts are closed during `contacts[key]`, intervals of milliseconds."""

    context: Context
    count: int = 5
    bad: int = 0b11000
    reasons: int = 0
    contacts: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    lit: set[int] = field(default_factory=set)
    buzzing: bool = False
    log: list[tuple[int, str, bool]] = field(default_factory=list)

    def press(self, key: int, start: float, end: float) -> None:
        self.contacts.setdefault(key, []).append((start, end))

    def read(self) -> int:
        return sum(
            1 << key - 1
            for key, intervals in self.contacts.items()
            if any(start <= self.context.now < end for start, end in intervals)
        )

    def lamp(self, key: int | None, on: bool) -> None:
        for each in range(1, self.count + 1) if key is None else (key,):
            (self.lit.add if on else self.lit.discard)(each)
            self.log.append((self.context.now, f"lamp_{each}", bool(on)))

    def buzzer(self, on: bool) -> None:
        self.buzzing = bool(on)
        self.log.append((self.context.now, "buzzer", bool(on)))

    def voice(self, on: bool) -> None:
        self.log.append((self.context.now, "voice", bool(on)))

    def first_on(self, name: str, since: int) -> int:
        """When an output was switched on for the first time from `since` on."""
        return next(now for now, each, on in self.log if each == name and on and now >= since)


@dataclass
class FakeFace:
    """A face of `columns` with a row or two, whose characters are 8 or 16 wide (1 in segments)."""

    columns: int = 64
    rows: int = 1
    hanzi: bool = True
    refresh_ms: int = 40
    missing: int = 0
    lines: list[str] = field(default_factory=list)
    colour: int | None = None
    shows: list[tuple[int, tuple[str, ...], int]] = field(default_factory=list)
    dims: list[int] = field(default_factory=list)
    frames: list[tuple[int, bool, tuple[str, ...]]] = field(default_factory=list)

    def width(self, text: str) -> int:
        if not self.hanzi:
            return len(text)
        return sum(8 if character < "\x80" else 16 for character in text)

    def show(self, lines: list[str], now: int, colour: int) -> None:
        self.lines = list(lines)
        self.colour = colour
        self.shows.append((now, tuple(lines), colour))

    def pattern(self, phase: int) -> None:
        self.lines = [f"pattern {phase}"]

    def dim(self, percent: int) -> None:
        self.dims.append(percent)

    def frame(self, now: int, lit: bool) -> None:
        self.frames.append((now, lit, tuple(self.lines)))

    def selftest(self) -> dict[str, bool]:
        return {"face": True}
