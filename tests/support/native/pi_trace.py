"""Stores of the Raspberry Pi's port, recorded: pi_trace.c, built once a test session.

Here: frames and the thread played into a record, and that record as a log that the eye reads. Not
here: what must be seen.
"""

import atexit
import ctypes
import functools
import shutil
import subprocess
import tempfile
from array import array
from dataclasses import dataclass
from pathlib import Path

from hall_firmware.hall.drivers import description as words
from hall_panel import _scan

from support.native.panels import Panel, Words

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SET, CLEAR = 7, 10
"""Places of GPSET0 (0x1C) and GPCLR0 (0x28), as words (BCM2835 ARM Peripherals, 6.1)."""


@dataclass(frozen=True)
class Store:
    place: int
    mask: int


class _Words(ctypes.Structure):
    _fields_ = (("words", ctypes.c_void_p), ("bytes", ctypes.c_size_t))

    @classmethod
    def of(cls, buffer: bytearray | Words) -> "_Words":
        bytes_ = memoryview(buffer).nbytes
        return cls(ctypes.addressof(ctypes.c_char.from_buffer(buffer)), bytes_)


@functools.cache
def _library() -> ctypes.CDLL:
    made = Path(tempfile.mkdtemp(prefix="hall-pi-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    sources = [f"-I{ROOT / place}" for place in ("firmware/native", "gateway/hall_panel")]
    command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread"]
    library = made / "pi_trace.so"
    subprocess.run([*command, *sources, HERE / "pi_trace.c", "-o", library], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.trace.restype = loaded.trace_thread.restype = ctypes.c_long
    return loaded


def frame(
    panel: Panel, picture: bytes, repeats: int = 1, *, only_changes: bool = False
) -> list[Store]:
    """Every store of one frame; or of several equal ones in turn the first, and none of 0."""
    program = bytearray(words.program_bytes(panel.description))
    _scan.build(program, picture, panel.description)
    # A frame is FRAME_PAIRS at most, and what it shifts while it is dark.
    log = bytearray(repeats * (16 * words.FRAME_PAIRS + 8 * words.log_bytes(panel.description)))
    buffers = [_Words.of(buffer) for buffer in (program, panel.description, log)]
    used = _library().trace(*buffers[:2], repeats, only_changes, buffers[2])
    return _stores(log, used)


def thread(panel: Panel, pictures: tuple[bytes, bytes], rounds: int) -> list[Store]:
    """The changes of a thread that plays while it is offered two pictures, four frames a round or
    more, at least one of them of the first and the second in turn; the record may break off."""
    one = words.program_bytes(panel.description) + len(panel.description.tobytes())
    slots, log = bytearray(3 * one), bytearray(200 * rounds * one)
    buffers = [_Words.of(buffer) for buffer in (panel.description, slots, log)]
    size = ctypes.c_size_t(len(pictures[0]))
    return _stores(log, _library().trace_thread(b"".join(pictures), size, rounds, *buffers))


def as_log(stores: list[Store], outputs: int) -> bytes:
    """The record as a log (firmware/native/port.h); a set without a clear before it gets one of 0,
    so it takes four stores' time for the three of a clock."""
    entries = [outputs]
    clear = 0
    for store in stores:
        if store.place == SET:
            entries += [clear, store.mask]
            clear = 0
        else:
            clear = store.mask
    return array("I", entries).tobytes()


def _stores(log: bytearray, used: int) -> list[Store]:
    assert used > 2, f"error {used}"
    recorded = iter(memoryview(log).cast("I")[2:used])
    return [Store(place, mask) for place, mask in zip(recorded, recorded, strict=True)]
