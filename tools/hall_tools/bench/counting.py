"""Instructions and stores for a pixel clock, counted on the machine code of the chips.

Here: frames of the module that ships, executed by qemu; what twice the width costs more is what the
clocks cost, and nothing else. Not here: time. A count knows nothing of a chip's caches, pipeline
and bus.
"""

from dataclasses import dataclass
from typing import Any

from hall_tools.bench.displays import Display, display
from hall_tools.mpy import firmware_root
from hall_tools.native.emulator import GPIO, Buffer, Call, run, trace
from hall_tools.native.trace import Trace

#: MicroPython's names: ESP32, -S2 and -S3; ESP32-C3 and -C6.
MACHINES = tuple(GPIO)


@dataclass(frozen=True)
class Count:
    """For one pixel clock."""

    instructions: float
    stores: float

    @classmethod
    def between(cls, less: Trace, more: Trace, clocks: int) -> "Count":
        """Of two runs, the second with so many clocks more."""
        return cls(
            instructions=(more.instructions - less.instructions) / clocks,
            stores=(len(more.stores) - len(less.stores)) / clocks,
        )


def shipped(architecture: str) -> bytes:
    """The module that is in an application slot."""
    return (firmware_root() / "native" / "prebuilt" / f"scan_{architecture}.mpy").read_bytes()


def count(config: dict[str, Any], picture: str, architecture: str) -> Count:
    """Of the shipped module, `picture` being "text" or "random". Raises UserError without qemu."""
    one, two = (display(config, GPIO[architecture], copies) for copies in (1, 2))
    less, more = (_frame(architecture, shown, shown.pictures[picture]) for shown in (one, two))
    return Count.between(less, more, two.clocks - one.clocks)


def _frame(architecture: str, shown: Display, picture: bytes) -> Trace:
    module, description = shipped(architecture), Buffer(shown.description, writable=False)
    program = Buffer(bytes(shown.program_bytes))
    build = Call("build", [program, Buffer(picture, writable=False), description])
    run(architecture, module, [build])
    frame = Call("frame", [program, description])
    done = trace(architecture, module, [frame])
    for call in (build, frame):
        if call.error:
            raise RuntimeError(f"{shown.profile}: {call.name}: {call.error}")
    return done
