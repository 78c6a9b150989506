"""Runs a native module's own machine code, as it would ship, under qemu's user-mode emulation.

Here: a process made of the harness, the relocated module, a list of calls, and pages where a chip
has its GPIO registers; what the calls returned; every store to those registers in order, and how
many instructions were executed. Not here: what the module should do.
"""

import functools
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hall_tools.native.build import link

from support.native.mpy_decoder import decode
from support.native.trace import riscv_steps, riscv_store, xtensa_steps, xtensa_store

HARNESS, STATE, MODULE = 0x08000000, 0x08100000, 0x20000000
# Of the ESP32 and the ESP32-C3. qemu-xtensa has only 1 GB of addresses, so no page of the S3.
GPIO = {"xtensawin": 0x3FF44000, "rv32imc": 0x60004000}
PAGE = 0x1000
_HEAD = 848  # of struct state, up to the calls
_TABLE = 32
_CALL = 32
DONE, RAISED = 1, 2
MISUSED_ARGUMENTS = 0xFFFF0000

QEMU = {
    "xtensawin": ["qemu-xtensa", "-cpu", "dc233c"],
    "rv32imc": ["qemu-riscv32"],
}
ELF = {"xtensawin": (94, 0), "rv32imc": (243, 1)}


@dataclass
class Buffer:
    """An argument with the buffer protocol; `content` is what the calls left in it."""

    content: bytes
    writable: bool = True


@dataclass
class Call:
    name: str
    args: Sequence[Buffer | int]
    status: int = 0
    value: int = 0

    @property
    def error(self) -> tuple[str, int] | None:
        """(name, argument) of the exception that was raised."""
        if self.status == DONE:
            return None
        assert self.status == RAISED, f"{self.name}: misuse {self.value} of the function table"
        value = self.value & 0xFFFFFFFF
        if value >= MISUSED_ARGUMENTS:
            return "TypeError", value & 0xFFFF
        return self.names[value >> 16], (value & 0xFFFF ^ 0x8000) - 0x8000 >> 1

    names: list[str] = field(default_factory=list)


@dataclass
class Trace:
    """`stores` are (address, value) of the words stored to GPIO pages."""

    instructions: int = 0
    stores: list[tuple[int, int]] = field(default_factory=list)


@functools.cache
def _harness(architecture: str) -> bytes:
    image = link(Path(__file__).with_name("harness.c"), architecture)[1]
    text = bytearray(image.text)
    for offset in image.words:
        struct.pack_into("<I", text, offset, image.u32(offset) + HARNESS)
    return bytes(text)


def run(
    architecture: str, module: bytes, calls: Sequence[Call], folder: Path, trace: bool = False
) -> Trace | None:
    """Makes the calls, in order, in one process; fills in their results and the buffers."""
    program = decode(module)
    text = program.relocated(text=MODULE, fun_table=STATE + _TABLE)
    buffers: list[Buffer] = []
    for call in calls:
        call.names = program.names
        buffers += [a for a in call.args if isinstance(a, Buffer) and a not in buffers]
    places, memory = _memory(GPIO[architecture], program.names, calls, buffers)
    executable = folder / f"{architecture}.elf"
    executable.write_bytes(_elf(architecture, text, memory))
    executable.chmod(0o755)
    log = folder / f"{architecture}.log"
    command = [*QEMU[architecture]]
    if trace:
        where = f"0x{MODULE:x}..0x{MODULE + len(text) - 1:x}"
        command += ["-singlestep", "-d", "exec,cpu,nochain", "-dfilter", where, "-D", str(log)]
    done = subprocess.run([*command, str(executable)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stdout) == len(memory)
    for index, call in enumerate(calls):
        call.status, call.value = struct.unpack_from("<Ii", done.stdout, _HEAD + _CALL * index + 24)
    for buffer, place in zip(buffers, places, strict=True):
        buffer.content = done.stdout[place : place + len(buffer.content)]
    if not trace:
        return None
    result = _read_trace(architecture, text, log)
    log.unlink()
    return result


def _memory(
    gpio: int, names: list[str], calls: Sequence[Call], buffers: list[Buffer]
) -> tuple[list[int], bytes]:
    """Where each buffer lies in the state, and the state."""
    objects = _HEAD + _CALL * len(calls)
    objects += -objects % 16
    end = objects + 16 * len(buffers)
    places: list[int] = []
    for buffer in buffers:
        end += -end % 16
        places.append(end)
        end += len(buffer.content)
    memory = bytearray(end)
    struct.pack_into("<5I", memory, 0, MODULE, len(calls), len(names), end, gpio)
    for index, call in enumerate(calls):
        args = [
            STATE + objects + 16 * buffers.index(arg) if isinstance(arg, Buffer) else arg << 1 | 1
            for arg in call.args
        ]
        words = [names.index(call.name), len(args), *args]
        struct.pack_into(f"<{len(words)}I", memory, _HEAD + _CALL * index, *words)
    for index, (buffer, place) in enumerate(zip(buffers, places, strict=True)):
        content = (1, STATE + place, len(buffer.content), buffer.writable)
        struct.pack_into("<4I", memory, objects + 16 * index, *content)
        memory[place : place + len(buffer.content)] = buffer.content
    return places, bytes(memory)


def _elf(architecture: str, module: bytes, memory: bytes) -> bytes:
    """A static executable: System V ABI, "Object Files"."""
    segments = [(HARNESS, _harness(architecture)), (STATE, memory), (MODULE, module)]
    machine, flags = ELF[architecture]
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header = ident + struct.pack(
        "<HHIIIIIHHHHHH", 2, machine, 1, HARNESS, 52, 0, flags, 52, 32, len(segments), 0, 0, 0
    )
    headers, body = b"", bytearray(PAGE)
    for address, content in segments:
        size = len(content)
        headers += struct.pack("<8I", 1, len(body), address, address, size, size, 7, PAGE)
        body += content + bytes(-size % PAGE)
    body[: len(header + headers)] = header + headers
    return bytes(body)


def _read_trace(architecture: str, text: bytes, log: Path) -> Trace:
    steps, store = {
        "xtensawin": (xtensa_steps, xtensa_store),
        "rv32imc": (riscv_steps, riscv_store),
    }[architecture]
    trace = Trace()
    for at, registers in steps(log):
        trace.instructions += 1
        place = store(text, at - MODULE)
        if place is None:
            continue
        base, offset, source = place
        address = registers(base) + offset
        if 0 <= address - GPIO[architecture] < PAGE:
            trace.stores.append((address, registers(source)))
    return trace
