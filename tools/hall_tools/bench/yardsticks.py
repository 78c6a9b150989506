"""The inner loops of well-known libraries, restated and counted as our own is.

Here: whose idea each loop of yardsticks.c is, and its count for a pixel clock. Not here: what a
library does around its loop, and code of theirs.
"""

import functools
import random
from array import array
from dataclasses import dataclass
from pathlib import Path

from hall_tools.bench.counting import Count
from hall_tools.native.build import build, own_source
from hall_tools.native.emulator import GPIO, Buffer, Call, trace
from hall_tools.native.trace import Trace

#: Pins of the wiring in a count: data on the lowest, the clock above them.
CLOCK_PIN, DATA_PIN = 8, 0
_CLOCKS = (128, 256)


@dataclass(frozen=True)
class Yardstick:
    """`bits` of the picture are what one pixel clock sends; `lines`: data lines that it fills."""

    name: str
    idea: str
    libraries: str
    bits: int
    lines: int


YARDSTICKS = (
    Yardstick(
        name="pin_by_pin",
        idea="a function call for each change of a pin",
        libraries="Arduino's digitalWrite and shiftOut",
        bits=1,
        lines=1,
    ),
    Yardstick(
        name="bit_by_bit",
        idea="set or clear the data, clock up, clock down",
        libraries="the plain loop",
        bits=1,
        lines=1,
    ),
    Yardstick(
        name="masked_words",
        idea="a word a clock: clear what is low, set what is high, clock up",
        libraries="hzeller/rpi-rgb-led-matrix",
        bits=32,
        lines=6,
    ),
    Yardstick(
        name="bytes_of_lines",
        idea="a byte a clock, unrolled: set, a store that keeps two apart, clock up, clear all",
        libraries="Adafruit Protomatter on the ESP32",
        bits=8,
        lines=6,
    ),
    Yardstick(
        name="spi_bytes",
        idea="eight dots a byte through SPI, and wait (the wait is not counted)",
        libraries="freetronics/DMD, DMD32, PxMatrix",
        bits=1,
        lines=1,
    ),
)


def count(yardstick: Yardstick, architecture: str, *, serialized: bool) -> Count:
    """`serialized`: with stores through pointers to volatile, as the libraries have them; without,
    as firmware/native/port.h stores. Raises UserError when qemu or a compiler is missing."""
    less, more = (played(yardstick, architecture, clocks, serialized)[1] for clocks in _CLOCKS)
    return Count.between(less, more, _CLOCKS[1] - _CLOCKS[0])


def played(
    yardstick: Yardstick, architecture: str, clocks: int, serialized: bool
) -> tuple[bytes, Trace]:
    """A random picture of so many clocks in the loop's own form, and what playing it did."""
    registers = GPIO[architecture]
    lines = (1 << yardstick.lines) - 1
    picture = random.Random(clocks).randbytes(clocks * yardstick.bits // 8)
    if yardstick.bits > 1:
        # Bits that are no line stay 0.
        picture = bytes(
            octet & lines if index % (yardstick.bits // 8) == 0 else 0
            for index, octet in enumerate(picture)
        )
    wiring = array("I", (registers, 1 << CLOCK_PIN, lines, CLOCK_PIN, DATA_PIN))
    call = Call(yardstick.name, [Buffer(picture), Buffer(wiring.tobytes())])
    done = trace(architecture, _module(architecture, serialized), [call])
    if call.error:
        raise RuntimeError(f"{yardstick.name}: {call.error}")
    return picture, done


@functools.cache
def _module(architecture: str, serialized: bool) -> bytes:
    """Optimised for speed, as the libraries are."""
    flags = ["-O2", f"-I{own_source().parent}"] + ([] if serialized else ["-DUNSERIALIZED"])
    source = Path(__file__).with_name("yardsticks.c")
    return build(source, architecture, "yardsticks", flags)
