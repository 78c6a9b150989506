"""The native scan of LED panels under CPython: the same C core as on the chips, into a log.

Buffers are any objects with contiguous bytes; those of words (program, description, log) begin at
a multiple of 4. ValueError(code): a wrong argument, SCAN_... in firmware/native/scan.h; nothing was
logged then. TypeError, BufferError: no such buffer, or one that cannot be written.
"""

from typing_extensions import Buffer

version: int

def build(program: Buffer, picture: Buffer, description: Buffer, /) -> int:
    """Builds the picture into `program` and returns how many bytes of it are used.

    The sizes: hall_firmware.hall.drivers.description.program_bytes, and that of the pictures.
    """

def frame(program: Buffer, description: Buffer, log: Buffer, /) -> int:
    """Logs the stores of one frame, which ends dark; returns how many words of `log` are used.

    Word 0 of the log is the level of all outputs, before and after; the others are explained in
    firmware/native/port.h. Its size: hall_firmware.hall.drivers.description.log_bytes.
    """

def blank(description: Buffer, log: Buffer, /) -> int:
    """Logs the stores that switch the light off; returns how many words of `log` are used."""
