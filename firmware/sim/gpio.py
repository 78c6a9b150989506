"""The chip's pads: output levels, the set and clear registers, what is wired to the pins.

Here: every change of an output level, whichever way it was made, goes through `set` or `clear`, and
every level read is decided at the moment of reading. Not here: what a panel makes of its levels
(`panels`), nor the API that firmware sees (`machine`).
"""

import array
import time

from report import emit

_SET = 0x08
_CLEAR = 0x0C


class Pads:
    """GPIO 0 to 47 of one chip; doubles as `machine.mem32` for the registers of GPIO 0 to 31.

    Register addresses: ESP32 technical reference 4.12, ESP32-S3 6.14, ESP32-C3 5.14.
    """

    def __init__(self):
        self.become("esp32")
        self.out = 0
        # A panel's clock, data and control lines; no panel, no lines. The words shifted in are
        # kept as a ring as long as the panel's shift registers: `position` is the oldest.
        self._panel = None
        self._clock = self._data = self._control = 0
        self.words = array.array("I", [0])
        self.position = 0
        self._length = 1
        self._contacts = {}
        self._outputs = {}
        self._reported = 0
        self._selects = {}

    def become(self, chip):
        """The chip decides the registers' addresses and which pins there are."""
        base = 0x3FF44000 if chip == "esp32" else 0x60004000
        self._set_address = base + _SET
        self._clear_address = base + _CLEAR
        self.chip = chip

    def exists(self, pin):
        """Whether the chip has this GPIO (data sheets)."""
        if self.chip == "esp32":
            return 0 <= pin < 40 and pin not in (20, 24, 28, 29, 30, 31)
        return 0 <= pin < (49 if self.chip == "esp32s3" else 22) and pin not in (22, 23, 24, 25)

    def wire_panel(self, panel):
        """`panel` (panels.Panel) watches the lines in its masks `clock`, `data` and `control`."""
        self._panel = panel
        self.out |= panel.resting
        self._clock = panel.clock
        self._data = panel.data
        self._length = panel.length
        self.words = array.array("I", bytes(4 * panel.length))
        self._control = self._reported | panel.control

    def wire_contact(self, pin, contact, active):
        """`contact` pulls `pin` to the level `active` ("low" or "high") while it is closed."""
        self._contacts[pin] = (contact, 1 if active == "high" else 0)

    def wire_output(self, pin, name):
        """Changes of `pin` are reported under `name`."""
        self._outputs[pin] = name
        self._reported |= 1 << pin
        self._control |= 1 << pin

    def wire_select(self, pin, load):
        """`load()` is called at each rising edge of `pin`: a chip select that loads a register."""
        self._selects[pin] = load
        self._reported |= 1 << pin
        self._control |= 1 << pin

    def level(self, pin):
        """The level of an input at this moment."""
        if pin in self._contacts:
            contact, active = self._contacts[pin]
            return active if contact.closed(time.ticks_us()) else 1 - active
        return self.out >> pin & 1

    def __setitem__(self, address, mask):
        # A panel's frame makes some 3,000 stores: this is the simulation's hot path, kept in one
        # function without calls. Measured: 0.25 us a store on a 2020s x86-64 core.
        if address == self._set_address:
            before = self.out
            self.out = after = before | mask
            if mask & self._clock and not before & self._clock:
                position = self.position
                self.words[position] = after & self._data
                position += 1
                self.position = 0 if position == self._length else position
            if mask & self._control and after != before:
                self._changed(before, after)
        elif address == self._clear_address:
            before = self.out
            self.out = after = before & ~mask
            if mask & self._control and after != before:
                self._changed(before, after)
        else:
            raise ValueError("no simulated register at 0x%08x" % address)

    def drive(self, pin, level):
        """An output level set by pin instead of by register."""
        self[self._set_address if level else self._clear_address] = 1 << pin

    def _changed(self, before, after):
        changed = before ^ after
        if self._panel and changed & self._panel.control:
            self._panel.control_changed(before, after)
        changed &= self._reported
        pin = 0
        while changed:
            if changed & 1:
                self._output_changed(pin, after >> pin & 1)
            changed >>= 1
            pin += 1

    def _output_changed(self, pin, level):
        if pin in self._outputs:
            emit({"pin": self._outputs[pin], "value": level})
        elif level:
            self._selects[pin]()
