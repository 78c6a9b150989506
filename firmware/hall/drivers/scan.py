"""Plays pictures into LED panels that the controller must scan itself, by GPIO set and clear.

Here: the one scan that HUB12, HUB08 and HUB75 share. A picture is built once into a program of
codes, one byte for each pair of (clear, set) register words; `scan` plays it and always ends dark,
because a row that stays lit while the software stalls gets many times its current. Not here: which
pixel a panel wants when; that is `Geometry`, made by the panel's own driver.

The order of a row: shift the next row while this one is lit, then output off, address, latch,
dead time, output on. A pair clears, then sets, so no register is ever stored twice in a row (ESP32
erratum CPU-3.3), and data changes only as the clock falls or before it rises.
"""

from array import array

# Codes of pairs. STEP + 4 * level + new takes the data lines (bits 0 and 1) from level to new as
# the clock falls, and raises it at once unless a line rises: then CLOCK has to follow.
PAUSE, CLOCK, ROW, OFF, ON, LATCH, UNLATCH, STEP, ADDRESS = 0, 1, 2, 3, 4, 5, 6, 7, 23
OFF_ONLY = bytes((OFF,))


class Geometry:
    """How a panel is wired.

    `offsets[(scan * groups + group) * lines + line]` is the picture's byte whose eight pixels,
    leftmost first, go out as that group of eight clocks on that data line (at most two lines).
    """

    def __init__(self, width, height, scans, groups, lines, offset):
        self.width = width
        self.height = height
        self.scans = scans
        self.groups = groups
        self.lines = lines
        self.offsets = array("H", bytes(2 * scans * groups * lines))
        index = 0
        for scan in range(scans):
            for group in range(groups):
                for line in range(lines):
                    self.offsets[index] = offset(scan, group, line)
                    index += 1


class Wiring:
    """The masks of a panel's pins and the levels that count, from the config's pins and driver.

    `enable`, `latch` and `address` are the names of those pins; `lines` lists, for each data line
    of the geometry, its pins: the first lights a pixel, the others (other colours) stay dark.
    ValueError: a pin above 31, which is in another register.
    """

    def __init__(self, hal, driver, pins, enable, latch, address, lines):
        for pin in pins.values():
            if not 0 <= pin <= 31:
                raise ValueError("panel pin %d: only pins 0 to 31 can be scanned" % pin)
        self.enable_high = driver["oe_active"] == "high"
        self.latch_high = driver["lat_active"] == "high"
        self.enable = 1 << pins[enable]
        self.latch = 1 << pins[latch]
        self.clock = 1 << pins["clk"]
        self.address = [1 << pins[name] for name in address]
        self.lines = [1 << pins[line[0]] for line in lines]
        data = [name for line in lines for name in line if name in pins]
        self.data = sum([1 << pins[name] for name in data])
        self.dark = 0 if driver["data_active"] == "high" else self.data
        # The enable line first: nothing may light while the others take their levels.
        hal.output(pins[enable], driver["oe_active"])
        hal.output(pins[latch], driver["lat_active"])
        for name in ["clk"] + list(address) + data:
            hal.output(pins[name], "high")


class Panel:
    """A scanned panel: `show` takes a picture, `scan` plays one whole frame of it.

    driver["refresh_hz"] frames a second are meant; settings["brightness"] is the lit share of a
    row's slot, in percent (1 to 100).
    """

    def __init__(self, hal, geometry, wiring, driver, settings):
        self.width = geometry.width
        self.height = geometry.height
        self.refresh_ms = 1000 // driver["refresh_hz"]
        self._memory = hal.mem32
        self._clear = hal.GPIO_CLEAR
        self._set = hal.GPIO_SET
        self._geometry = geometry
        self._brightness = settings["brightness"]
        pairs = _pairs(geometry, wiring)
        self._clears = array("I", [clear for clear, _ in pairs])
        self._sets = array("I", [set_ for _, set_ in pairs])
        # Exclusive or with the lit lines gives their levels.
        self._dark = (1 << geometry.lines) - 1 if wiring.dark else 0
        # One pair starts the row. A pixel takes a pair, and another when a line rises, which one
        # line does at most every other time, but one of two lines may do every time.
        clocks = 8 * geometry.groups
        self._stride = 1 + clocks + (clocks if geometry.lines == 2 else clocks // 2)
        self._codes = bytearray(self._stride * geometry.scans)
        self._slots = []  # of each row, the codes while the row before is lit, and those after
        self._turn = bytearray((ADDRESS, LATCH, UNLATCH, PAUSE, ON))
        self._shifted = False  # the first row stands in the panel's shift registers
        self.show(bytes(geometry.width * geometry.height // 8))

    def show(self, picture):
        """Takes a picture in framebuf's MONO_HLSB format, to be seen from the next scan on."""
        codes, stride = self._codes, self._stride
        scans = range(self._geometry.scans)
        ends = [self._build_slot(scan, picture) for scan in scans]
        # Every slot as long as the longest, so that all rows are equally bright.
        length = max([ends[scan] - stride * scan for scan in scans])
        lit = max(length * self._brightness // 100, 1)
        view = memoryview(codes)
        self._slots = []
        for scan in scans:
            start = stride * scan
            for index in range(ends[scan], start + length):
                codes[index] = PAUSE
            self._slots.append((view[start : start + lit], view[start + lit : start + length]))
        self._shifted = False

    def scan(self):
        """Shows the picture once, row by row; dark at the end, also when it is interrupted."""
        slots, shifted = self._slots, self._shifted
        self._shifted = False
        try:
            if not shifted:
                self._play(slots[0][0])
                self._play(slots[0][1])
            for scan in range(len(slots)):
                self._turn[0] = ADDRESS + scan
                self._play(self._turn)
                # While the last row is lit, the first is shifted for the next frame.
                lit, after = slots[(scan + 1) % len(slots)]
                self._play(lit)
                self._play(OFF_ONLY)
                self._play(after)
            self._shifted = True
        finally:
            self._play(OFF_ONLY)

    def _play(self, codes):
        """Stores the pairs of these codes in the clear and set registers, alternating."""
        memory, clear, set_ = self._memory, self._clear, self._set
        clears, sets = self._clears, self._sets
        for code in codes:
            memory[clear] = clears[code]
            memory[set_] = sets[code]

    def _build_slot(self, scan, picture):
        """Writes the codes that shift row `scan` and returns the index after the last."""
        codes, dark = self._codes, self._dark
        offsets, groups, lines = self._geometry.offsets, self._geometry.groups, self._geometry.lines
        at = self._stride * scan
        codes[at] = ROW
        at += 1
        level = 0
        offset = scan * groups * lines
        for _ in range(groups):
            one = picture[offsets[offset]]
            two = picture[offsets[offset + 1]] if lines == 2 else 0
            offset += lines
            bit = 0x80
            while bit:
                new = dark ^ ((1 if one & bit else 0) | (2 if two & bit else 0))
                bit >>= 1
                codes[at] = STEP + 4 * level + new
                at += 1
                if new & ~level:
                    codes[at] = CLOCK
                    at += 1
                level = new
        return at


def _pairs(geometry, wiring):
    """The (clear, set) words of every code."""
    used = wiring.lines[: geometry.lines]
    spare = wiring.data & ~sum(used)
    lines = (0, used[0], used[-1], used[0] | used[-1])
    clock, latch = wiring.clock, wiring.latch
    off = (wiring.enable, 0) if wiring.enable_high else (0, wiring.enable)
    on = (off[1], off[0])
    rise, fall = (0, latch), (latch, 0)
    latching = (rise, fall) if wiring.latch_high else (fall, rise)
    # A row starts with its lines low: what follows must not depend on the row before.
    row = (clock | wiring.data, wiring.dark & spare)
    pairs = [(0, 0), (0, clock), row, off, on, latching[0], latching[1]]
    for level in range(4):
        for new in range(4):
            pairs.append((clock | lines[level & ~new], lines[new & ~level] or clock))
    for scan in range(geometry.scans):
        high = sum([mask for bit, mask in enumerate(wiring.address) if scan >> bit & 1])
        pairs.append((sum(wiring.address) - high, high))
    return pairs
