"""The player in viper: for a MicroPython that refuses the native module, or a chip that has none.

Here: build, frame, blank and version as firmware/native/module.c has them on a chip: the same
descriptions, programs, order of stores and error codes (scan.h). Not here: why the stores are in
that order; scan.c tells.

On Xtensa a clock takes 28 instructions instead of 5, and a pair of rest 12 (counted in what
mpy-cross makes of this). The stores' own time hides some of that: a frame lasts up to twice as
long, by estimate, not by measurement.

This file ships as source. Compiled, it would hold the machine code of one architecture; as source
the chip compiles it, and a MicroPython that cannot raises SyntaxError at the import.
"""

# ruff: noqa: F821 - ptr8 and ptr32 are viper's own types, and take buffers or addresses:
# pyright: reportArgumentType=false

from struct import unpack_from

import micropython
from micropython import const

version = 1

# Places in a description, and what a program begins with: scan.h, scan.c.
_REGISTERS = const(1)
_ENABLE = const(2)
_LIGHT = const(3)
_CLOCK = const(4)
_DATA = const(5)
_START_CLEAR = const(6)
_START_SET = const(7)
_DARK = const(8)
_SCANS = const(9)
_GROUPS = const(10)
_LINES = const(11)
_LIT = const(12)
_DEAD = const(13)
_TABLES = const(14)
_PROGRAM = const(2)

_BAD_LAYOUT = const(-1)
_BAD_SHAPE = const(-2)
_BAD_LINES = const(-3)
_BAD_TIMES = const(-4)
_SHORT_PICTURE = const(-5)
_SHORT_PROGRAM = const(-6)
_FOREIGN_PROGRAM = const(-7)
_UNALIGNED = const(-9)
_BAD_REGISTERS = const(-10)
_OVERLAP = const(-11)


def build(program, picture, description):
    """Writes the program that shows `picture`; returns its length in bytes."""
    size = _checked(description)
    if not isinstance(program, bytearray):
        raise TypeError("a program is a bytearray")
    if len(program) < size:
        raise ValueError(_SHORT_PROGRAM)
    return _raised(_build(program, picture, len(picture), description))


def frame(program, description, registers=0):
    """Plays one whole frame, row by row, and ends dark.

    `registers`: a buffer of three words in the place of GPIO_OUT, _OUT_W1TS and _OUT_W1TC, or 0 for
    those of the chip.
    """
    _held(program, _checked(description), _FOREIGN_PROGRAM)
    _raised(_play(registers, program, description))


def blank(description, registers=0):
    """Switches the light off."""
    _checked(description)
    _raised(_play(registers, 0, description))


def _checked(description):
    """The size of the description's programs in bytes, once it is right."""
    _held(description, 4 * _TABLES, _BAD_LAYOUT)
    _held(description, _raised(_needed(description)), _BAD_LAYOUT)
    return _raised(_check(description))


def _held(buffer, size, error):
    """Raises the error unless the buffer has as many bytes, whatever its items are."""
    try:
        unpack_from("B", buffer, size - 1)
    except ValueError:
        raise ValueError(error)


def _raised(result):
    if result < 0:
        raise ValueError(result)
    return result


# In viper a word is signed on a chip and not on the 64-bit port: what is compared is first bounded
# from both sides. A mask may be negative.


@micropython.viper
def _needed(word: ptr32) -> int:
    """The bytes that a description has by its own numbers, or an error."""
    if int(word) & 3:
        return _UNALIGNED
    if word[0] != 1:
        return _BAD_LAYOUT
    scans = word[_SCANS]
    groups = word[_GROUPS]
    lines = word[_LINES]
    if scans < 1 or scans > 32 or groups < 1 or groups > 256 or lines < 1 or lines > 8:
        return _BAD_SHAPE
    return 4 * (_TABLES + 3 * scans + groups + 2 * lines)


@micropython.viper
def _check(word: ptr32) -> int:
    """The size of the description's programs, or an error."""
    scans = word[_SCANS]
    lit = word[_LIT]
    dead = word[_DEAD]
    if (lit | dead) >> 15 or scans * (lit + dead) > 30000:
        return _BAD_TIMES
    at = _TABLES
    end = at + 3 * scans
    steady = word[_START_CLEAR] | word[_START_SET]
    while at < end:
        steady |= word[at] | word[at + 1]
        at += 3
    at += word[_GROUPS]
    end = at + 2 * word[_LINES]
    data = 0
    while at < end:
        data |= word[at]
        at += 2
    light = word[_ENABLE]
    clock = word[_CLOCK]
    shift = clock | word[_DATA]
    if data & ~word[_DATA] or word[_LIGHT] & ~light or light & shift:
        return _BAD_LINES
    if steady & (light | shift) or clock & word[_DATA] or not clock or not word[_DATA]:
        return _BAD_LINES
    return 4 * (_PROGRAM + 8 * word[_GROUPS] * scans)


@micropython.viper
def _build(program: ptr32, picture: ptr8, size: int, word: ptr32) -> int:
    scan = _TABLES
    groups = scan + 3 * word[_SCANS]
    lines = groups + word[_GROUPS]
    end = lines + 2 * word[_LINES]
    clocks = 8 * word[_GROUPS] * word[_SCANS]
    first = int(program)
    last = first + 4 * (_PROGRAM + clocks)
    if first & 3:
        return _UNALIGNED
    if int(picture) < last and first < int(picture) + size:
        return _OVERLAP
    if int(word) < last and first < int(word) + 4 * end:
        return _OVERLAP
    dark = word[_DARK]
    program[1] = 0  # no panel's program, until it is complete
    out = _PROGRAM
    while scan < groups:
        group = groups
        while group < lines:
            start = out
            out += 8
            while start < out:
                program[start] = 0
                start += 1
            line = lines
            while line < end:
                at = word[scan + 2] + word[group] + word[line + 1]
                if at < 0 or at >= size:
                    return _SHORT_PICTURE
                high = picture[at] ^ dark
                mask = word[line]
                start = out - 8
                while start < out:
                    if high & 0x80:
                        program[start] |= mask
                    high <<= 1
                    start += 1
                line += 2
            group += 1
        scan += 3
    program[0] = word[_DATA]
    program[1] = clocks
    return 4 * (_PROGRAM + clocks)


@micropython.viper
def _play(out: ptr32, program: ptr32, word: ptr32) -> int:
    """The whole frame in one function: a call would box its arguments."""
    if not int(out):
        # ESP32; ESP32-S2, -S3, -C3 and the ESP32's other bus; ESP32-C6
        chip = word[_REGISTERS]
        page = chip >> 12
        if chip & 0xFFF or (page != 0x3FF44 and page != 0x60004 and page != 0x60091):
            return _BAD_REGISTERS
        out = ptr32(chip + 4)
    high = word[_LIGHT]
    low = word[_ENABLE] ^ high
    clock = word[_CLOCK]
    others = ~(clock | word[_DATA])
    clocks = 8 * word[_GROUPS]
    if int(program):
        if int(program) & 3:
            return _UNALIGNED
        if program[0] != word[_DATA] or program[1] != clocks * word[_SCANS]:
            return _FOREIGN_PROGRAM
    out[2] = high
    out[1] = low
    if not int(program):
        return 0
    lit = word[_LIT]
    while_lit = clocks if clocks < lit else lit
    scan = _TABLES
    last = scan + 3 * word[_SCANS]
    at = _PROGRAM
    end = at + clocks  # all of the first row in the dark, of the others what is left
    while True:
        base = out[0] & others
        while at < end:
            out[0] = base | program[at]
            out[1] = clock
            at += 1
        out[2] = word[scan]
        out[1] = word[scan + 1]
        out[2] = word[_START_CLEAR]
        out[1] = word[_START_SET]
        rest = word[_DEAD]
        while rest:
            out[2] = 0
            out[1] = 0
            rest -= 1
        scan += 3  # all that is decided is decided in the dark
        if scan == last:
            at = _PROGRAM
        end = at + while_lit
        rest = lit - while_lit
        out[2] = low
        out[1] = high
        base = out[0] & others
        while at < end:
            out[0] = base | program[at]
            out[1] = clock
            at += 1
        while rest:
            out[2] = 0
            out[1] = 0
            rest -= 1
        out[2] = high
        out[1] = low
        if scan == last:
            return 0
        end += clocks - while_lit
