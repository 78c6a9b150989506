"""The log of a scan: which register stores were made, and when.

Here: the log's format (SCAN_LOG in firmware/native/port.h), its stores in order with their times,
and a frame's length. Not here: what a store does to a panel (`cable`).

A log is 32-bit words, little-endian as every chip and host here. The first is the level of all
outputs; the scan reads it before the frame and leaves there the level after it. Then entries:

    clear, set                    one store to CLEAR, one to SET
    0xFFFFFFFE, n, n levels       n pixel clocks: the level to OUT, then the clock line to SET
    0xFFFFFFFF, n                 n pairs of stores of nothing, to CLEAR and to SET: time passes
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Buffer

OUT, SET, CLEAR = 4, 8, 12
"""Registers by their place behind a chip's GPIO base: all outputs, and those to set or clear
(ESP32 technical reference manual: GPIO_OUT, _OUT_W1TS, _OUT_W1TC)."""

STORE_NS = 50
"""What one store takes: 12 cycles at 240 MHz, one published measurement (10 million pairs of stores
in 1009 ms). Not measured on our boards."""

_CLOCKS, _REST = 0xFFFF_FFFE, 0xFFFF_FFFF


class Store(NamedTuple):
    """One register store, which takes effect at `ns`."""

    ns: int
    register: int
    mask: int


class Pair(NamedTuple):
    """A store to CLEAR at `ns`, and one to SET right after it."""

    ns: int
    end_ns: int
    clear: int
    set: int


class Clocks(NamedTuple):
    """Pixel clocks, the first at `ns`: each level to OUT, and after it the clock line to SET."""

    ns: int
    end_ns: int
    levels: "memoryview[int]"


class Rest(NamedTuple):
    """Stores that change nothing."""

    ns: int
    end_ns: int


Part = Pair | Clocks | Rest


def level(log: "Buffer") -> int:
    """The level of all outputs after the frame. Raises ValueError for what is no log."""
    return _words(log)[0]


def parts(log: "Buffer", start_ns: int = 0, store_ns: int = STORE_NS) -> Iterator[Part]:
    """A log's entries with their times. Raises ValueError where it breaks off."""
    words = _words(log)
    ns, at, end = start_ns, 1, len(words)
    while at < end:
        if at + 1 == end:
            raise ValueError(f"scan log: ends at word {at}, in the middle of an entry")
        first, second = words[at], words[at + 1]
        at += 2
        pairs = second if first in (_CLOCKS, _REST) else 1
        end_ns = ns + 2 * store_ns * pairs
        if first == _CLOCKS:
            if second > end - at:
                raise ValueError(f"scan log: {second} clocks at word {at - 2}, {end - at} follow")
            yield Clocks(ns, end_ns, words[at : at + second])
            at += second
        elif first == _REST:
            yield Rest(ns, end_ns)
        else:
            yield Pair(ns, end_ns, first, second)
        ns = end_ns


def stores(
    log: "Buffer", clock: int, start_ns: int = 0, store_ns: int = STORE_NS
) -> Iterator[Store]:
    """Every store that may change an output, in order. `clock`: the mask of the clock line.

    Rests only let time pass: they are in the times of what follows, and in end_ns().
    """
    for part in parts(log, start_ns, store_ns):
        if isinstance(part, Pair):
            yield Store(part.ns, CLEAR, part.clear)
            yield Store(part.ns + store_ns, SET, part.set)
        elif isinstance(part, Clocks):
            ns = part.ns
            for after in part.levels:
                yield Store(ns, OUT, after)
                yield Store(ns + store_ns, SET, clock)
                ns += 2 * store_ns


def end_ns(log: "Buffer", start_ns: int = 0, store_ns: int = STORE_NS) -> int:
    """When the frame is over: the time after its last store or rest."""
    end = start_ns
    for part in parts(log, start_ns, store_ns):
        end = part.end_ns
    return end


def _words(log: "Buffer") -> "memoryview[int]":
    octets = memoryview(log).cast("B")
    if not octets or len(octets) % 4:
        raise ValueError(f"scan log: {len(octets)} bytes, must be words of 4, at least one")
    return octets.cast("I")
