"""A panel at the end of its cable: register stores in, flashes of light out.

Here: shift registers, latches (74HC595), row decoder (74HC138) and output enable, and the rules
that a store must keep. Not here: which dot stands where (`layout`), what an eye makes of the light
(`eye`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hall_panel.layout import Driver
from hall_panel.waveform import STORE_NS, Clocks, Store

DEAD_NS = 500
"""Light sooner than this after address or latch have moved counts as no dead time. The 4953 that
switch the rows turn off in some 0.1 us; 1 to 5 us are what libraries wait (an estimate)."""


class Flash(NamedTuple):
    """Rows y with y % steps == `step` were lit from `start_ns` to `end_ns`, by the latched `data`:
    the level of all outputs at each clock, as words, that clock first which was sent first."""

    start_ns: int
    end_ns: int
    step: int
    data: bytes


@dataclass
class Broken:
    """How often each rule was broken."""

    address_while_lit: int = 0  # the old row's data on the new row: a ghost
    latch_while_lit: int = 0
    dead_time: int = 0  # light less than DEAD_NS after address or latch moved
    data_under_clock: int = 0  # data moved while the clock stayed high
    data_with_clock: int = 0  # data moved in the very store that raised the clock
    same_register: int = 0  # twice in a row: erratum CPU-3.3 of the ESP32 may lose the second


class Panel:
    """`driver` and `pins` are those of the device's config; pins below 32. Raises ValueError."""

    def __init__(self, driver: Driver, pins: Mapping[str, int]) -> None:
        raise NotImplementedError

    def store(self, store: Store) -> None:
        """One register store."""

    def clocks(self, run: Clocks, store_ns: int = STORE_NS) -> None:
        """Many pixel clocks at once."""

    def rest(self) -> None:
        """Pairs of stores that change nothing, to CLEAR and to SET."""

    def take(self, now_ns: int) -> list[Flash]:
        """The flashes since the last call; one that still lasts is cut at `now_ns`, and goes on."""
        raise NotImplementedError
