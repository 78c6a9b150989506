"""The chip's pads: output levels, what is wired to the pins.

Here: every change of an output level goes through `drive`, but those of a panel's scan, which are
logged (`tap`); every level read is decided at the moment of reading. Not here: the API that
firmware sees (`machine`).
"""

from report import emit


class Pads:
    """The GPIOs of one chip; `chip` decides which there are. `out`: the level of each output.
    `held`: pins whose output keeps its level, in deep sleep too, until they are let go. `watch()`
    is called as a change is reported."""

    def __init__(self):
        self.chip = "esp32"
        self.out = 0
        self._contacts = {}
        self._outputs = {}
        self._selects = {}
        self._parts = {}
        self._lines = {}
        self._irqs = {}
        self.held = []
        self.watch = None

    def exists(self, pin):
        """Whether the chip has this GPIO (data sheets)."""
        if self.chip == "esp32":
            return 0 <= pin < 40 and pin not in (20, 24, 28, 29, 30, 31)
        return 0 <= pin < (49 if self.chip == "esp32s3" else 22) and pin not in (22, 23, 24, 25)

    def wire_contact(self, pin, contact, active):
        """`contact` pulls `pin` to the level `active` ("low" or "high") while it is closed."""
        self._contacts[pin] = (contact, 1 if active == "high" else 0)

    def wire_output(self, pin, name):
        """Changes of `pin` are reported under `name`."""
        self._outputs[pin] = name

    def wire_select(self, pin, load):
        """`load()` is called at each rising edge of `pin`: a chip select that loads a register."""
        self._selects[pin] = load

    def wire_part(self, pin, follow):
        """`follow(level)` is called at each change of the output `pin`: a part's own input."""
        self._parts[pin] = follow

    def wire_line(self, pin, level):
        """`level()` is what a part's output puts on `pin`."""
        self._lines[pin] = level

    def wire_irq(self, pin, handler):
        """`handler()` is called at each pulse() of `pin`."""
        self._irqs[pin] = handler

    def pulse(self, pin):
        """A short low pulse from outside."""
        if pin in self._irqs:
            self._irqs[pin]()

    def level(self, pin):
        """The level of an input at this moment."""
        if pin in self._lines:
            return self._lines[pin]()
        if pin in self._contacts:
            contact, active = self._contacts[pin]
            return active if contact.closed() else 1 - active
        return self.out >> pin & 1

    def hold(self, pin, on):
        """Keeps the level of an output, or lets it go."""
        if pin in self.held:
            self.held.remove(pin)
        if on:
            self.held.append(pin)

    def drive(self, pin, level):
        """An output takes a level, unless it is held."""
        if pin in self.held:
            return
        before = self.out
        self.out = before | 1 << pin if level else before & ~(1 << pin)
        if before == self.out:
            return
        if pin in self._parts:
            self._parts[pin](level)
        elif pin in self._outputs:
            emit({"pin": self._outputs[pin], "value": level})
            if self.watch:
                self.watch()
        elif level and pin in self._selects:
            self._selects[pin]()
