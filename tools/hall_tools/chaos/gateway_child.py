"""The gateway's process in a run: `hall gateway run`, with a clock that its parent can set.

Run as `python -m hall_tools.chaos.gateway_child PARENT_PID CLOCK ARGUMENT ...` it is
`hall ARGUMENT ...` that dies with its parent. CLOCK is a file of eight bytes: ms, signed, that the
gateway's wall clock is ahead of the machine's. Nobody can set the clock of one process from
outside, so what the gateway takes for unix time is replaced (hall_gateway.service); its steady
clock is the machine's, as when somebody sets a machine's clock.
"""

import mmap
import struct
import sys
import time

from hall_gateway import service

from hall_tools.chaos.processes import die_with
from hall_tools.cli import main

OFFSET = struct.Struct("<q")


def _set_clock(path: str) -> None:
    with open(path, "rb") as file:
        ahead = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)

    def unix_ms() -> int:
        return time.time_ns() // 1_000_000 + OFFSET.unpack(ahead[:])[0]

    # The one place where the gateway asks what time it is.
    assert callable(vars(service)["_unix_ms"])
    setattr(service, "_unix_ms", unix_ms)  # noqa: B010 (a type check would call it private)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    _set_clock(sys.argv[2])
    sys.argv = ["hall", *sys.argv[3:]]
    sys.exit(main())
