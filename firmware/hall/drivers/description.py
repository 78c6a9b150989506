"""A panel as the words that the native scan reads: firmware/native/scan.h says what each means.

Here: geometry and wiring (scan.py) into a panel description. Not here: building and playing.
"""

from array import array

VERSION = 1
# What one frame may last at most, in pairs of stores: scan.h, SCAN_FRAME_PAIRS.
FRAME_PAIRS = 30_000
# Places in a description.
SCANS, GROUPS, LIT = 9, 10, 12
# About 1 us on an ESP32: transistors of row drivers (4953) take some 0.1 us to switch off.
DEAD_PAIRS = 10


def describe(registers, geometry, wiring, brightness):
    """`registers` is where the chip's GPIO registers begin; `brightness` as set_brightness."""
    high_latch = wiring.latch if wiring.latch_high else 0
    low_latch = wiring.latch - high_latch
    used = wiring.lines[: geometry.lines]
    scans, groups, lines = geometry.scans, geometry.groups, geometry.lines
    words = [VERSION, registers]
    words += [wiring.enable, wiring.enable if wiring.enable_high else 0, wiring.clock, sum(used)]
    # A pair that ends the latch pulse; the data lines that no picture goes to are dark.
    words += [wiring.data & ~sum(used) & ~wiring.dark | high_latch]
    words += [wiring.data & ~sum(used) & wiring.dark | low_latch]
    words += [0xFF if wiring.dark else 0, scans, groups, lines, 1, DEAD_PAIRS]
    first = geometry.offsets[0]
    for scan in range(scans):
        high = sum([mask for bit, mask in enumerate(wiring.address) if scan >> bit & 1])
        offset = geometry.offsets[scan * groups * lines] - first
        words += [sum(wiring.address) - high | low_latch, high | high_latch, offset]
    words += [geometry.offsets[group * lines] for group in range(groups)]
    for line in range(lines):
        words += [used[line], geometry.offsets[line] - first]
    description = array("I", words)
    set_brightness(description, brightness)
    return description


def set_brightness(description, percent):
    """Lights each row for `percent` (1 to 100) of the longest frame that there may be."""
    longest = FRAME_PAIRS // description[SCANS] - DEAD_PAIRS
    description[LIT] = max(longest * percent // 100, 1)


def program_bytes(description):
    """The size of the buffer that a picture's program takes."""
    return 4 * (2 + 8 * description[GROUPS] * description[SCANS])


def log_bytes(description):
    """The size of the buffer that the stores of a frame take, where they are logged."""
    scans, clocks = description[SCANS], 8 * description[GROUPS]
    return 4 * (1 + 4 + clocks + scans * (16 + clocks))
