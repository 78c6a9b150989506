"""The eye of a person in front of a panel.

Here: light summed up over time, which makes a picture and figures. Not here: the panel (`cable`),
the picture (`picture`), the figures' formulas (`figures`).
"""

from collections import deque
from collections.abc import Callable, Mapping
from operator import itemgetter
from statistics import median_high
from typing import TYPE_CHECKING

from hall_panel.cable import Flash, Panel
from hall_panel.figures import Figures, measure
from hall_panel.layout import Driver
from hall_panel.picture import Picture, of_light
from hall_panel.waveform import CLEAR, SET, STORE_NS, Clocks, Pair, Store, parts

if TYPE_CHECKING:
    from typing_extensions import Buffer

HISTORY_NS = 10_000_000_000
"""How far back the eye remembers: it bounds its memory, and `since_ns`."""


class Eye:
    """`driver` and `pins` are those of the device's config. Raises ValueError for no such panel.

    Times are ns on the caller's clock, which never goes back. Frames begin when the caller says: a
    stall is a late frame.
    """

    def __init__(self, driver: Driver, pins: Mapping[str, int], store_ns: int = STORE_NS) -> None:
        self._panel = Panel(driver, pins)
        self._store_ns = store_ns
        self._flashes: deque[Flash] = deque()
        self._since_ns = self._now_ns = 0
        self._dots = _Dots(self._panel)
        self._last: tuple[list[dict[bytes, int]], Picture] | None = None

    def frame(self, log: "Buffer", start_ns: int) -> int:
        """Watches one frame (`waveform`) that began at `start_ns`; returns when it ended.

        Nothing was stored from the last frame to this one: a row that was left lit stayed lit.
        Raises ValueError, having seen nothing, for a log that breaks off or a start before the last
        frame's end.
        """
        panel, store_ns = self._panel, self._store_ns
        entries = list(parts(log, start_ns, store_ns))
        self.rest(start_ns)
        for part in entries:
            if isinstance(part, Pair):
                panel.store(Store(part.ns, CLEAR, part.clear))
                panel.store(Store(part.ns + store_ns, SET, part.set))
            elif isinstance(part, Clocks):
                panel.clocks(part, store_ns)
            else:
                panel.rest()
        self.rest(entries[-1].end_ns if entries else start_ns)
        return self._now_ns

    def rest(self, until_ns: int) -> None:
        """Watches while nothing is stored. Raises ValueError when `until_ns` is in the past."""
        if until_ns < self._now_ns:
            raise ValueError(f"eye: cannot see {until_ns} ns after {self._now_ns} ns")
        self._flashes.extend(self._panel.take(until_ns))
        self._since_ns, self._now_ns = self._now_ns, until_ns
        while self._flashes and self._flashes[0].end_ns < until_ns - HISTORY_NS:
            self._flashes.popleft()

    @property
    def lit(self) -> bool:
        """Whether a row is lit at the end of the last frame() or rest()."""
        return self._panel.lit

    def picture(self, since_ns: int | None = None) -> Picture:
        """What was seen since then; without it, in the last frame() or rest() alone.

        A LED counts as lit when its light is more than half of what an evenly driven LED had: the
        median time that rows were lit, of the rows that were lit at all. So neither a ghost nor a
        row that got stuck makes or hides a picture. Raises ValueError for a time forgotten.
        """
        lit: list[dict[bytes, int]] = [{} for _ in range(self._panel.layout.steps)]
        for start_ns, end_ns, step, data in self._seen(since_ns):
            lit[step][data] = lit[step].get(data, 0) + end_ns - start_ns
        # Most frames are like the one before, and this takes most of the time of watching one.
        if self._last is None or self._last[0] != lit:
            self._last = lit, self._picture(lit)
        return self._last[1]

    def figures(self, since_ns: int, *, cap: float) -> Figures:
        """Of the time from `since_ns` to the end of the last frame() or rest(), all of whose frames
        were watched: a simulated device reports only those that differ from the one before.

        `cap`: the share of any 100 ms that a row may be lit; 1/scans is its share of an undisturbed
        scan. Raises ValueError for no time, or one forgotten.
        """
        if since_ns >= self._now_ns:
            raise ValueError(f"eye: nothing seen since {since_ns} ns, it is {self._now_ns} ns")
        return measure(
            self._seen(since_ns),
            self._panel.layout.steps,
            (since_ns, self._now_ns),
            cap,
            self.picture(since_ns),
            self._panel.broken,
        )

    def _picture(self, lit: list[dict[bytes, int]]) -> Picture:
        times = [sum(of_data.values()) for of_data in lit if of_data]
        layout = self._panel.layout
        full_ns = median_high(times) if times else 0
        return of_light(layout.width, layout.height, self._dots.light(lit), full_ns)

    def _seen(self, since_ns: int | None) -> list[Flash]:
        since_ns = self._since_ns if since_ns is None else since_ns
        if since_ns < self._now_ns - HISTORY_NS:
            raise ValueError(f"eye: forgot {since_ns} ns, remembers {HISTORY_NS // 10**9} s")
        seen: list[Flash] = []
        for flash in reversed(self._flashes):
            if flash.end_ns <= since_ns:
                break
            seen.append(flash._replace(start_ns=max(flash.start_ns, since_ns)))
        return seen[::-1]


class _Dots:
    """Takes the dots of each row out of latched data."""

    def __init__(self, panel: Panel) -> None:
        layout = panel.layout
        self._no_light = [0] * layout.width
        # Of a pin: which byte of a word has its level, and what dot such a byte lights.
        self._bits: dict[int, tuple[int, bytes]] = {}
        for pin in {pin for line in panel.line_pins for pin in line}:
            mask = 1 << pin % 8
            dark = mask if panel.dark else 0
            self._bits[pin] = pin // 8, bytes(octet & mask != dark for octet in range(256))
        # Of each row: its step, its pin of each colour, and the clocks of its dots.
        self._rows: list[tuple[int, list[int], Callable[[bytes], tuple[int, ...]]]] = []
        for y in range(layout.height):
            places = [layout.position(x, y) for x in range(layout.width)]
            clocks = itemgetter(*[clock for _, clock in places])
            self._rows.append((y % layout.steps, panel.line_pins[places[0][0]], clocks))
        self._colours = layout.colours

    def light(self, lit: list[dict[bytes, int]]) -> list[list[list[int]]]:
        """The ns of each plane, row and LED, of rows lit so long by such data."""
        levels = [[(self._levels(data), ns) for data, ns in of_data.items()] for of_data in lit]
        light: list[list[list[int]]] = [[] for _ in range(self._colours)]
        for step, pins, clocks in self._rows:
            for plane, pin in zip(light, pins, strict=True):
                row = self._no_light
                for of_pin, ns in levels[step]:
                    dots = clocks(of_pin[pin])
                    row = [seen + ns * dot for seen, dot in zip(row, dots, strict=True)]
                plane.append(row)
        return light

    def _levels(self, data: bytes) -> dict[int, bytes]:
        return {pin: data[octet::4].translate(lit) for pin, (octet, lit) in self._bits.items()}
