"""A pair of light barriers, one behind the other in a doorway.

Here: which pin is which beam. Not here: what a passage is.
"""


class Beams:
    """beam_a is the outer beam, beam_b the inner; driver["active"] is a broken beam's level."""

    def __init__(self, driver, pins, hal):
        self._a = hal.input(pins["beam_a"], driver["active"])
        self._b = hal.input(pins["beam_b"], driver["active"])

    def read(self):
        """(a_broken, b_broken) now, as 0 or 1."""
        return self._a.value(), self._b.value()
