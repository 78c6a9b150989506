"""The refresh of a panel by a thread of this process, while Python does something else.

Here: pictures and brightness to the thread, its counters, and that it ends dark. Not here: the
thread itself (pi_thread.h), boards and pins (`raspberry_pi`).
"""

import atexit
from array import array
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from hall_panel import _refresh

if TYPE_CHECKING:
    from typing_extensions import Buffer

_description: Any = import_module("hall_firmware.hall.drivers.description")
_LIT: int = _description.LIT


class Counters(NamedTuple):
    """Since the start. Counts go back to 0 at 2**32."""

    frames: int
    late: int
    """Frames left out because their time had passed."""
    longest_gap_ms: float
    """Dark from one frame to the next."""
    longest_frame_ms: float
    """Some 3 ms at full brightness. More: the system kept the thread from going on, perhaps while a
    row was lit."""


class Refresher:
    """One thread, which plays `refresh_hz` (10 to 200) frames a second; dark until show().

    `registers`: a writable buffer of a Raspberry Pi's GPIO registers, held until close().
    `description`: the panel (hall_firmware.hall.drivers.description.describe), copied. ValueError
    for a wrong one. Dark after close(), at an exception in a `with` block, and when the interpreter
    exits; not when the process is killed, so open it again soon then (systemd: Restart=always).
    """

    def __init__(self, registers: "Buffer", description: "array[int]", refresh_hz: int) -> None:
        if not 10 <= refresh_hz <= 200:
            raise ValueError(f"refresh_hz: is {refresh_hz}, must be 10 to 200")
        self._description: array[int] = array("I", description)
        self._picture: bytes | None = None
        self._thread = _refresh.Refresher(registers, description, 1_000_000 // refresh_hz)
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, picture: "Buffer") -> None:
        """Plays a picture from the next frame on: the planes of all colours one after the other,
        each in framebuf's MONO_HLSB. ValueError: it is too short, or this is closed."""
        taken = bytes(picture)
        self._thread.show(taken, self._description[_LIT])
        self._picture = taken

    def dim(self, percent: int) -> None:
        """1 to 100 % of the longest light, from the next frame on. ValueError: out of range."""
        if not 1 <= percent <= 100:
            raise ValueError(f"brightness: is {percent} %, must be 1 to 100")
        _description.set_brightness(self._description, percent)
        if self._picture is not None:
            self.show(self._picture)

    @property
    def counters(self) -> Counters:
        frames, late, gap_us, frame_us = self._thread.counters()
        return Counters(frames, late, gap_us / 1000, frame_us / 1000)

    @property
    def realtime(self) -> bool:
        """Whether the thread goes before all others. When it does not, a busy Pi may hold it while
        a row is lit, which then is brighter: allow it (systemd: LimitRTPRIO=1)."""
        return self._thread.realtime

    def close(self) -> None:
        """Returns when the thread has ended and the panel is dark."""
        atexit.unregister(self.close)
        self._thread.close()
