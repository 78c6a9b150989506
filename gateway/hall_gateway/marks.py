"""How late what comes from a broker is: messages of our own say so, which come between the others.

Here: which marks are out, and what those that came back tell, pure and with a clock that is handed
in. Not here: sending them (devices_mqtt.py), and what a device may have said meanwhile
(quarantine.py).

A broker has one queue for us, and hands it on in its order. So what comes after one mark and before
the next was sent to the broker between the moments at which we sent these two, however long it
waited there: while the store took nothing, while we did not read, or on a slow machine.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 1.0
"""Between two marks, when the one before has come back."""
PATIENCE_S: Final = 2.0
"""Between two marks otherwise; one may be lost, for a broker's queue has an end."""
MANY, RARE_S = 50, 60.0
"""Where so many are out, as while the store takes nothing, they are sent so far apart."""
GAP_S: Final = 5.0
"""Two marks further apart than this say nothing of what is between them: who sent none may have
been stopped, and a device has repeated what it says."""
STALL_S: Final = 0.5
"""From here on the loop's own lateness is no load, but a process that was stopped, or a machine
that slept: then what comes has waited as while there was no connection."""
MOST_DIGITS: Final = 12
"""Of a mark's number."""
UNHEARD_S: Final = 600.0
"""A broker that has handed no mark back for so long never will: its access list is not ours."""


class Marks:
    """Of one connection after the other. `monotonic` gives s."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._name = b""
        self._number = 0
        self._out: deque[tuple[int, float]] = deque()
        self._sent = self._began = monotonic()
        self._at: float | None = None
        self._heard = False

    def begin(self, name: bytes) -> None:
        """A new connection, whose marks are told from those of others by `name`."""
        self._name = name
        self._number = 0
        self._began = self._monotonic()
        self.lose()

    def lose(self) -> None:
        """Nothing is known any more, until another mark comes back."""
        self._out.clear()
        self._at = None

    @property
    def due(self) -> bool:
        """Whether it is time for another."""
        wait = PATIENCE_S if self._out else EVERY_S
        if len(self._out) >= MANY:
            wait = RARE_S
        return not self._number or self._monotonic() - self._sent >= wait

    def mark(self) -> bytes:
        """The payload of another, which is sent now."""
        self._number += 1
        self._sent = self._monotonic()
        self._out.append((self._number, self._sent))
        return b"%s %d" % (self._name, self._number)

    def came(self, payload: bytes) -> None:
        """A mark came; one of an earlier connection, or of another program, is none."""
        name, _, number = payload.rpartition(b" ")
        if name != self._name or not number.isdigit() or len(number) > MOST_DIGITS:
            return
        while self._out and self._out[0][0] <= int(number):
            self._at = self._out.popleft()[1]
            self._heard = True

    @property
    def deaf(self) -> bool:
        """Whether the broker hands no mark back, so that nothing is known."""
        return not self._heard and self._monotonic() - self._began > UNHEARD_S

    @property
    def at(self) -> float | None:
        """A moment (`monotonic`) before which nothing was sent of what comes now, and after which
        it was, by GAP_S at most; None while that is not known."""
        if self._at is None:
            return self._monotonic() if self.deaf else None
        following = self._out[0][1] if self._out else self._monotonic()
        return self._at if following - self._at <= GAP_S else None
