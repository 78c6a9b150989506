"""A panel as the words that the native scan reads: firmware/native/scan.h says what each means.

Here: geometry and wiring (scan.py) into a panel description. Not here: building and playing.
"""

from array import array

VERSION = 1
# What one frame may last at most, in pairs of stores: scan.h, SCAN_FRAME_PAIRS.
FRAME_PAIRS = 30_000
# Places in a description.
LIT = 12
# About 1 us on an ESP32: transistors of row drivers (4953) take some 0.1 us to switch off.
DEAD_PAIRS = 10


def describe(clear, set_, geometry, wiring, brightness):
    """`clear` and `set_` are register addresses; `brightness` is percent of the longest frame."""
    high_latch = wiring.latch if wiring.latch_high else 0
    low_latch = wiring.latch - high_latch
    used = wiring.lines[: geometry.lines]
    scans, groups, lines = geometry.scans, geometry.groups, geometry.lines
    longest = FRAME_PAIRS // scans - DEAD_PAIRS
    words = [VERSION, clear, set_]
    words += [wiring.enable, wiring.enable if wiring.enable_high else 0, wiring.clock]
    # A pair that ends the latch pulse and starts a row: the lines of the picture low, others dark.
    words += [wiring.clock | wiring.data | high_latch, low_latch | wiring.dark & ~sum(used)]
    words += [0xFF if wiring.dark else 0, scans, groups, lines]
    words += [max(longest * brightness // 100, 1), DEAD_PAIRS]
    first = geometry.offsets[0]
    for scan in range(scans):
        high = sum([mask for bit, mask in enumerate(wiring.address) if scan >> bit & 1])
        offset = geometry.offsets[scan * groups * lines] - first
        words += [sum(wiring.address) - high | low_latch, high | high_latch, offset]
    words += [geometry.offsets[group * lines] for group in range(groups)]
    for line in range(lines):
        words += [used[line], geometry.offsets[line] - first]
    return array("I", words)


def program_bytes(description):
    """The size of the buffer that every picture's program fits in."""
    scans, groups, lines = description[9], description[10], description[11]
    pairs = (12 if lines == 1 else 16) * groups * scans
    return 4 * (2 + scans + 1 + 2 * pairs)
