"""A panel at the end of its cable: register stores in, flashes of light out.

Here: shift registers and their latches (74HC595), row decoder (74HC138) and output enable, and the
rules that a store must keep. Not here: which dot stands where (`layout`), what an eye makes of the
light (`eye`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hall_panel.layout import Driver, Layout
from hall_panel.waveform import CLEAR, OUT, SET, STORE_NS, Clocks, Store

DEAD_NS = 500
"""Light sooner than this after address or latch have moved counts as no dead time: the least that
row drivers blank by themselves (0.5 to 1 us, TI LP5866). Bare 4953 may need more: on the bench."""


class Flash(NamedTuple):
    """Rows y with y % steps == `step` were lit from `start_ns` to `end_ns`, by the latched `data`:
    the levels of all outputs at each clock, as 32-bit words, first the clock that was sent first.
    """

    start_ns: int
    end_ns: int
    step: int
    data: bytes


@dataclass
class Broken:
    """How often each rule was broken."""

    address_while_lit: int = 0  # another row shows this one's data: a ghost
    latch_while_lit: int = 0
    dead_time: int = 0  # light less than DEAD_NS after address or latch moved
    data_under_clock: int = 0  # data moved while the clock stayed high
    data_with_clock: int = 0  # data moved in the very store that raised the clock
    same_register: int = 0  # twice in a row: erratum CPU-3.3 of the ESP32 may lose the second

    def total(self) -> int:
        return sum(vars(self).values())


class Panel:
    """`driver` and `pins` are those of the device's config. Raises ValueError for no such panel.

    Before the first store nothing is lit, and all dots are dark.

    `line_pins`: the pins of layout.lines. `dark`: the level of all data lines of a dark dot.
    """

    def __init__(self, driver: Driver, pins: Mapping[str, int]) -> None:
        self.layout = layout = Layout(driver)
        kind = layout.kind
        gpio = _gpio(layout, pins)
        self.broken = Broken()
        self.clock = 1 << gpio["clk"]
        self.line_pins = [[gpio[name] for name in line] for line in layout.lines]
        self._data = sum(1 << pin for line in self.line_pins for pin in line)
        self._enable = 1 << gpio[kind.enable]
        self._lit_level = self._enable if driver["oe_active"] == "high" else 0
        self._latch = 1 << gpio[kind.latch]
        self._latching = self._latch if driver["lat_active"] == "high" else 0
        address = [1 << gpio[name] for name in kind.address]
        self._address = sum(address)
        self._steps = {
            sum(bit for place, bit in enumerate(address) if number >> place & 1): step
            for number, step in enumerate(layout.row_order)
        }
        self._control = self._enable | self._latch | self._address
        # Outputs are made idle before the first frame.
        self._level = (self._enable ^ self._lit_level) | (self._latch ^ self._latching)
        self._register: int | None = None
        self.dark = self._data if driver["data_active"] == "low" else 0
        self._shifted = self.dark.to_bytes(4, "little") * layout.length
        self._latched = self._shifted
        self._lit_ns = 0  # since when it is lit, if it is
        self._moved_ns: int | None = None  # when address or latch last moved
        self._flashes: list[Flash] = []

    @property
    def lit(self) -> bool:
        """Whether a row is lit."""
        return self._is_lit(self._level)

    def store(self, store: Store) -> None:
        """One register store, which must not be earlier than the last."""
        ns, register, mask = store
        if register == self._register:
            self.broken.same_register += 1
        self._register = register
        before = self._level
        kept = 0 if register == OUT else before
        after = kept & ~mask if register == CLEAR else kept | mask
        self._level = after
        if (before ^ after) & self._control:
            self._control_moves(ns, before, after)
        if (before ^ after) & (self._data | self.clock):
            self._data_moves(before, after)
        if (before ^ after) & self._latch and after & self._latch == self._latching:
            self._latched = self._shifted

    def clocks(self, run: Clocks, store_ns: int = STORE_NS) -> None:
        """Pixel clocks: what their stores would do one by one, at once where that is the same."""
        fixed = self._control | self.clock
        still = self._level & self._control
        if any(level & fixed != still for level in set(run.levels)):
            ns = run.ns
            for level in run.levels:
                self.store(Store(ns, OUT, level))
                self.store(Store(ns + store_ns, SET, self.clock))
                ns += 2 * store_ns
        elif run.levels:
            if self._register == OUT:
                self.broken.same_register += 1
            self._register = SET
            self._level = run.levels[-1] | self.clock
            self._shifted = (self._shifted + bytes(run.levels))[-len(self._shifted) :]

    def rest(self) -> None:
        """Pairs of stores that change nothing, to CLEAR and to SET; time tells their number."""
        if self._register == CLEAR:
            self.broken.same_register += 1
        self._register = SET

    def take(self, now_ns: int) -> list[Flash]:
        """The flashes since the last call; one that still lasts is cut at `now_ns`, and goes on."""
        if self.lit:
            self._flash(now_ns, self._level)
        taken, self._flashes = self._flashes, []
        return taken

    def _control_moves(self, ns: int, before: int, after: int) -> None:
        changed, was_lit, is_lit = before ^ after, self._is_lit(before), self._is_lit(after)
        if was_lit:
            self._flash(ns, before)
        if changed & self._address:
            self.broken.address_while_lit += was_lit or is_lit
        if changed & self._latch:
            self.broken.latch_while_lit += was_lit or is_lit
        if changed & (self._address | self._latch):
            self._moved_ns = ns
        if is_lit and not was_lit:
            self._lit_ns = ns
            if self._moved_ns is not None and ns - self._moved_ns < DEAD_NS:
                self.broken.dead_time += 1

    def _data_moves(self, before: int, after: int) -> None:
        changed = before ^ after
        if changed & after & self.clock:
            self.broken.data_with_clock += bool(changed & self._data)
            self._shifted = self._shifted[4:] + (after ^ self.clock).to_bytes(4, "little")
        elif before & after & self.clock:
            self.broken.data_under_clock += 1

    def _is_lit(self, level: int) -> bool:
        return level & self._enable == self._lit_level

    def _flash(self, end_ns: int, level: int) -> None:
        """The light since `_lit_ns` is over, or becomes another at `end_ns`."""
        if end_ns > self._lit_ns:
            step = self._steps[level & self._address]
            self._flashes.append(Flash(self._lit_ns, end_ns, step, self._latched))
        self._lit_ns = end_ns


def _gpio(layout: Layout, pins: Mapping[str, int]) -> dict[str, int]:
    """The GPIO of each line that the panel has."""
    kind = layout.kind
    data = [name for line in layout.lines for name in line]
    gpio: dict[str, int] = {}
    for name in ("clk", kind.enable, kind.latch, *kind.address, *data):
        pin = pins.get(name)
        if pin is None or not 0 <= pin < 32:
            raise ValueError(f"pins: {name} is {pin}, a scanned panel's must be GPIO 0 to 31")
        if pin in gpio.values():
            raise ValueError(f"pins: {name} is {pin}, which another line of the panel has")
        gpio[name] = pin
    return gpio
