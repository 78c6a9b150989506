"""Plays pictures into LED panels that the controller must scan itself, by GPIO set and clear.

Here: the one scan that HUB12, HUB08 and HUB75 share. A picture is built once into a program of
(clear, set) register words; `scan` plays it and always ends dark, because a row that stays lit
while the software stalls gets many times its current. Not here: which pixel a panel wants when;
that is `Geometry`, made by the panel's own driver.

The order of a row: shift the next row while this one is lit, then output off, address, latch,
dead time, output on. A pair clears, then sets, so no register is ever stored twice in a row (ESP32
erratum CPU-3.3), and data changes only as the clock falls or before it rises.
"""

from array import array

CONTROL_PAIRS = 6


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
        self._wiring = wiring
        self._brightness = settings["brightness"]
        # One pair starts the row. A pixel takes a pair, and another when a line rises, which one
        # line does at most every other time, but one of two lines may do every time.
        clocks = 8 * geometry.groups
        pairs = 1 + clocks + (clocks if geometry.lines == 2 else clocks // 2)
        self._stride = 2 * pairs
        self._slots = array("I", bytes(4 * self._stride * geometry.scans))
        self._control = array("I", bytes(4 * 2 * CONTROL_PAIRS * geometry.scans))
        self._length = 0  # words of a slot that are played
        self._shifted = False  # the first row stands in the panel's shift registers
        self._off = (wiring.enable, 0) if wiring.enable_high else (0, wiring.enable)
        for scan in range(geometry.scans):
            self._build_control(scan)
        self.show(bytes(geometry.width * geometry.height // 8))

    def show(self, picture):
        """Takes a picture in framebuf's MONO_HLSB format, to be seen from the next scan on."""
        scans, stride = self._geometry.scans, self._stride
        sizes = [self._build_slot(scan, picture) - stride * scan for scan in range(scans)]
        # Every slot as long as the longest, so that all rows are equally bright.
        length = max(sizes)
        lit = 2 * max(length // 2 * self._brightness // 100, 1) - 2
        start = 0
        for size in sizes:
            for index in range(start + size, start + length):
                self._slots[index] = 0
            self._slots[start + lit] |= self._off[0]
            self._slots[start + lit + 1] |= self._off[1]
            start += stride
        self._length = length
        self._shifted = False

    def scan(self):
        """Shows the picture once, row by row; dark at the end, also when it is interrupted."""
        memory, clear, set_ = self._memory, self._clear, self._set
        slots, length, stride = self._slots, self._length, self._stride
        shifted, self._shifted = self._shifted, False
        control = 0
        try:
            if not shifted:
                play(memory, clear, set_, slots, 0, length)
            for following in range(stride, len(slots) + stride, stride):
                # While the last row is lit, the first is shifted for the next frame.
                start = following % len(slots)
                play(memory, clear, set_, self._control, control, control + 2 * CONTROL_PAIRS)
                play(memory, clear, set_, slots, start, start + length)
                control += 2 * CONTROL_PAIRS
            self._shifted = True
        finally:
            memory[clear], memory[set_] = self._off

    def _build_control(self, scan):
        wiring = self._wiring
        latch = (0, wiring.latch, wiring.latch, 0)
        if not wiring.latch_high:
            latch = (wiring.latch, 0, 0, wiring.latch)
        low = high = 0
        for bit, mask in enumerate(wiring.address):
            if scan >> bit & 1:
                high |= mask
            else:
                low |= mask
        dead_time = (0, 0)
        on = (self._off[1], self._off[0])
        index = 2 * CONTROL_PAIRS * scan
        for word in self._off + (low, high) + latch + dead_time + on:
            self._control[index] = word
            index += 1

    def _build_slot(self, scan, picture):
        """Writes the pairs that shift row `scan` and returns the index after the last."""
        geometry, wiring, slots = self._geometry, self._wiring, self._slots
        offsets, lines = geometry.offsets, geometry.lines
        clock, dark = wiring.clock, wiring.dark
        first, second = wiring.lines[0], wiring.lines[-1]
        at = self._stride * scan
        # Data lines low: what follows must not depend on the row before.
        slots[at] = clock | wiring.data
        slots[at + 1] = 0
        at += 2
        level = 0
        offset = scan * geometry.groups * lines
        for _ in range(geometry.groups):
            one = picture[offsets[offset]]
            two = picture[offsets[offset + 1]] if lines == 2 else 0
            offset += lines
            bit = 0x80
            while bit:
                # Exclusive or: a lit pixel is the opposite of the dark level.
                new = dark ^ (first if one & bit else 0) ^ (second if two & bit else 0)
                bit >>= 1
                rise = new & ~level
                slots[at] = clock | (level & ~new)
                if rise:
                    slots[at + 1] = rise
                    at += 2
                    slots[at] = 0
                slots[at + 1] = clock
                at += 2
                level = new
        return at


def play(memory, clear, set_, words, start, end):
    """Stores the pairs words[start:end] in the clear and set registers, alternating."""
    for index in range(start, end, 2):
        memory[clear] = words[index]
        memory[set_] = words[index + 1]
