"""A panel as the words that a player reads: firmware/native/scan.h says what each means.

Here: geometry and wiring (cable.py) into a panel description. Not here: building and playing.
"""

from array import array

VERSION = 1
# What one frame may last at most, in pairs of stores: scan.h, SCAN_FRAME_PAIRS.
FRAME_PAIRS = 30_000
# Places in a description.
SCANS, GROUPS, LIT = 9, 10, 12
# Dark between latch and light, about 2 us on an ESP32: an estimate, to be looked at on the bench. A
# row's transistor (4953) takes some 0.1 us to switch off, and its wire longer to lose its charge. A
# driver that helps it to do so blanks for 0.5 to 1 us (TI LP5866T data sheet); without any dead
# time, rows were seen to ghost (pimoroni-pico #1038).
DEAD_PAIRS = 20


def describe(registers, geometry, wiring, brightness):
    """`registers` is where the chip's GPIO registers begin; `brightness` as set_brightness."""
    enable, clock, data = wiring.enable, wiring.clock, sum(wiring.lines)
    latch_set = wiring.latch if wiring.latch_high else 0
    latch_clear = wiring.latch - latch_set
    words = [VERSION, registers, enable, enable if wiring.enable_high else 0, clock, data]
    # The pair that ends the latch pulse.
    words += [latch_set, latch_clear, 0 if wiring.data_high else 0xFF]
    words += [len(geometry.scans), len(geometry.groups), len(geometry.lines), 1, DEAD_PAIRS]
    for address, offset in enumerate(geometry.scans):
        high = sum([mask for bit, mask in enumerate(wiring.address) if address >> bit & 1])
        words += [sum(wiring.address) - high | latch_clear, high | latch_set, offset]
    words += geometry.groups
    for line, offset in enumerate(geometry.lines):
        words += [wiring.lines[line], offset]
    description = array("I", words)
    set_brightness(description, brightness)
    return description


def set_brightness(description, percent):
    """Lights each row for `percent` (1 to 100) of the longest frame that there may be, in place.

    So brightness is linear: at 100 % and 100 frames a second the light is on for 30 % of the time.
    """
    longest = FRAME_PAIRS // description[SCANS] - DEAD_PAIRS
    description[LIT] = max(longest * percent // 100, 1)


def program_bytes(description):
    """The size of the buffer that a picture's program takes."""
    return 4 * (2 + 8 * description[GROUPS] * description[SCANS])


def log_bytes(description):
    """The size of the buffer that the stores of a frame take, where they are logged."""
    scans, clocks = description[SCANS], 8 * description[GROUPS]
    return 4 * (1 + 2 + clocks + scans * (16 + clocks))
