"""A thread that plays an LED panel through the GPIO registers of a Raspberry Pi; single registers.

`registers`: a writable buffer of the GPIO block, from GPFSEL0 on, which is held until close().
"""

from typing_extensions import Buffer

class Refresher:
    """The thread runs without Python's lock. Until the first show() the panel is dark.

    `description`: as for `_scan`, copied. `period_us`: 5,000 to 100,000, from frame to frame.
    ValueError(code) for a wrong description (firmware/native/scan.h), ValueError for registers that
    end before GPCLR0 or a period out of range, OSError when the system gives no thread.
    """

    def __new__(cls, registers: Buffer, description: Buffer, period_us: int, /) -> Refresher: ...
    def show(self, picture: Buffer, lit: int, /) -> None:
        """Plays `picture` from the next frame on, each row lit for `lit` pairs of stores.

        ValueError(code): what is shown stays what it was. ValueError: it is closed.
        """

    def close(self) -> None:
        """Returns when the thread has ended and the panel is dark, within a period and a frame."""

    def counters(self) -> tuple[int, int, int, int]:
        """Frames played, frames left out (both modulo 2**32); longest dark between two frames, and
        longest frame, in us."""

    @property
    def realtime(self) -> bool:
        """Whether the system lets the thread go before all others (SCHED_FIFO)."""

    @property
    def repeats(self) -> int:
        """How often each store is made, so that a pair of them lasts 100 ns on this bus."""

def read(registers: Buffer, offset: int, /) -> int:
    """The 32-bit word at `offset` bytes, read at once. ValueError: there is none."""

def write(registers: Buffer, offset: int, word: int, /) -> None:
    """Writes a 32-bit word at once. ValueError: there is none at `offset` bytes."""
