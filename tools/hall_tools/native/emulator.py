"""Runs a native module's own machine code, as it would ship, under qemu's user-mode emulation.

Here: a process made of the harness, the relocated module, a list of calls, and a page where a chip
has its GPIO registers; what the calls returned; how many instructions were executed, and which of
them loaded from or stored to those registers. The page is plain memory: GPIO_OUT reads as what was
last stored there, whatever was stored to the registers that set and clear outputs. Not here: what
the module should do.
"""

import functools
import os
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hall_tools.errors import UserError
from hall_tools.native.build import link
from hall_tools.native.loader import decode
from hall_tools.native.trace import Trace, read

#: Of the ESP32 and the ESP32-C3. qemu-xtensa has only 1 GB of addresses, so no page of the S3.
GPIO = {"xtensawin": 0x3FF44000, "rv32imc": 0x60004000}

_HARNESS, _STATE, _MODULE = 0x08000000, 0x08100000, 0x20000000
_PAGE = 0x1000
_HEAD = 852  # of struct state in harness.c, up to the calls
_TABLE = 36  # from where mp_fun_table is in it
_CALL = 32
_DONE, _RAISED = 1, 2
_MISUSED_ARGUMENTS = 0xFFFF0000
_LONGEST_S = 60

_QEMU = {
    "xtensawin": ("qemu-xtensa", "-cpu", "dc233c"),
    "rv32imc": ("qemu-riscv32",),
}
_ELF = {"xtensawin": (94, 0), "rv32imc": (243, 1)}


@dataclass
class Buffer:
    """An argument with the buffer protocol; `content` is what the calls left in it."""

    content: bytes
    writable: bool = True


@dataclass
class Call:
    """A call of a module's function. `value` is what it returned, unless there is an `error`."""

    name: str
    args: Sequence[Buffer | int]
    status: int = 0
    value: int = 0
    names: list[str] = field(default_factory=list[str])

    @property
    def error(self) -> tuple[str, int] | None:
        """(name, argument) of the exception it raised. RuntimeError: not its ABI."""
        if self.status == _DONE:
            return None
        if self.status != _RAISED:
            raise RuntimeError(f"{self.name}: misuse {self.value} of the function table")
        value = self.value & 0xFFFFFFFF
        if value >= _MISUSED_ARGUMENTS:
            return "TypeError", value & 0xFFFF
        return self.names[value >> 16], (value & 0xFFFF ^ 0x8000) - 0x8000 >> 1


class CrashedError(RuntimeError):
    """The machine code did what the processor refuses. `trace`: up to that instruction."""

    def __init__(self, message: str, trace: Trace | None) -> None:
        super().__init__(message)
        self.trace = trace


def run(architecture: str, module: bytes, calls: Sequence[Call]) -> None:
    """Makes the calls, in order, in one process; fills in their results and the buffers.

    Raises UserError (EX_UNAVAILABLE) when qemu or the compiler of the harness is missing, and
    CrashedError.
    """
    _run(architecture, module, calls, GPIO[architecture], 0, traced=False)


def trace(
    architecture: str,
    module: bytes,
    calls: Sequence[Call],
    *,
    gpio: int | None = None,
    outputs: int = 0,
) -> Trace:
    """As run(), and what the module's code did. `gpio`: where its registers are, if not at
    GPIO[architecture]. `outputs`: what GPIO_OUT holds before the first call."""
    place = GPIO[architecture] if gpio is None else gpio
    traced = _run(architecture, module, calls, place, outputs, traced=True)
    assert traced is not None
    return traced


def _run(
    architecture: str,
    module: bytes,
    calls: Sequence[Call],
    gpio: int,
    outputs: int,
    *,
    traced: bool,
) -> Trace | None:
    program = decode(module)
    text = program.relocated(text=_MODULE, fun_table=_STATE + _TABLE)
    buffers: list[Buffer] = []
    for call in calls:
        call.names = program.names
        buffers += [a for a in call.args if isinstance(a, Buffer) and not _is_in(a, buffers)]
    places, memory = _memory((gpio, outputs), program.names, calls, buffers)
    with tempfile.TemporaryDirectory(prefix="hall-native-") as folder:
        executable, log = Path(folder) / "module.elf", Path(folder) / "qemu.log"
        executable.write_bytes(_elf(architecture, text, memory))
        executable.chmod(0o755)
        done = _emulate(architecture, executable, log if traced else None, len(text))
        result = None
        if traced:
            result = read(architecture, log, text, _MODULE, range(gpio, gpio + _PAGE))
    if done.returncode != 0 or len(done.stdout) != len(memory):
        raise CrashedError(f"{architecture}: {done.stderr.decode().strip()}", result)
    for index, call in enumerate(calls):
        call.status, call.value = struct.unpack_from("<Ii", done.stdout, _HEAD + _CALL * index + 24)
    for buffer, place in zip(buffers, places, strict=True):
        buffer.content = done.stdout[place : place + len(buffer.content)]
    return result


def _emulate(
    architecture: str, executable: Path, log: Path | None, text_bytes: int
) -> subprocess.CompletedProcess[bytes]:
    command = [*_QEMU[architecture]]
    if log is not None:
        where = f"0x{_MODULE:x}..0x{_MODULE + text_bytes - 1:x}"
        command += ["-singlestep", "-d", "exec,cpu,nochain", "-dfilter", where, "-D", str(log)]
    command.append(str(executable))
    try:
        return subprocess.run(command, capture_output=True, timeout=_LONGEST_S, check=False)
    except FileNotFoundError as error:
        raise UserError(
            f"{command[0]} is missing: install Debian's package qemu-user "
            "(apt-get install qemu-user)",
            os.EX_UNAVAILABLE,
        ) from error


def _is_in(buffer: Buffer, buffers: list[Buffer]) -> bool:
    return any(buffer is other for other in buffers)


@functools.cache
def _harness(architecture: str) -> bytes:
    image = link(Path(__file__).with_name("harness.c"), architecture)[1]
    text = bytearray(image.text)
    for offset in image.words:
        struct.pack_into("<I", text, offset, image.u32(offset) + _HARNESS)
    return bytes(text)


def _memory(
    gpio: tuple[int, int], names: list[str], calls: Sequence[Call], buffers: list[Buffer]
) -> tuple[list[int], bytes]:
    """Where each buffer lies in the state, and the state (struct state in harness.c)."""
    objects = _HEAD + _CALL * len(calls)
    objects += -objects % 16
    end = objects + 16 * len(buffers)
    places: list[int] = []
    for buffer in buffers:
        end += -end % 16
        places.append(end)
        end += len(buffer.content)
    memory = bytearray(end)
    struct.pack_into("<6I", memory, 0, _MODULE, len(calls), len(names), end, *gpio)
    numbers = {id(buffer): number for number, buffer in enumerate(buffers)}
    for index, call in enumerate(calls):
        args = [
            _STATE + objects + 16 * numbers[id(arg)] if isinstance(arg, Buffer) else arg << 1 | 1
            for arg in call.args
        ]
        words = [names.index(call.name), len(args), *args]
        struct.pack_into(f"<{len(words)}I", memory, _HEAD + _CALL * index, *words)
    for index, (buffer, place) in enumerate(zip(buffers, places, strict=True)):
        content = (1, _STATE + place, len(buffer.content), buffer.writable)
        struct.pack_into("<4I", memory, objects + 16 * index, *content)
        memory[place : place + len(buffer.content)] = buffer.content
    return places, bytes(memory)


def _elf(architecture: str, module: bytes, memory: bytes) -> bytes:
    """A static executable: System V ABI, "Object Files"."""
    segments = [(_HARNESS, _harness(architecture)), (_STATE, memory), (_MODULE, module)]
    machine, flags = _ELF[architecture]
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header = ident + struct.pack(
        "<HHIIIIIHHHHHH", 2, machine, 1, _HARNESS, 52, 0, flags, 52, 32, len(segments), 0, 0, 0
    )
    headers, body = b"", bytearray(_PAGE)
    for address, content in segments:
        size = len(content)
        headers += struct.pack("<8I", 1, len(body), address, address, size, size, 7, _PAGE)
        body += content + bytes(-size % _PAGE)
    body[: len(header + headers)] = header + headers
    return bytes(body)
