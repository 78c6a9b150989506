"""Power and reset of the simulated chip: what survives, and why it started.

Here: RTC memory and the reset cause in a file that the host deletes at a power cut; the end of the
process at a reset. Not here: starting again, which is the host's part, as the mains is.
"""

import os
import time

from report import emit

# Reset causes as MicroPython's ESP32 port numbers them.
PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


class Power:
    """RTC memory (2 KB on the ESP32) and the cause of this start."""

    def __init__(self, path):
        self._path = path
        try:
            with open(path, "rb") as file:
                kept = file.read()
        except OSError:
            kept = bytes([PWRON_RESET])
        self.cause = kept[0]
        self._memory = kept[3 : 3 + int.from_bytes(kept[1:3], "little")]
        # The file's system is unmounted for the firmware: the handle stays open from here on.
        self._file = open(path, "wb")  # noqa: SIM115
        # Whatever ends the process without a word is an exception of the chip.
        self._keep(HARD_RESET)

    def memory(self, data=None):
        if data is None:
            return self._memory
        if len(data) > 2048:
            raise ValueError("buffer too long")
        self._memory = bytes(data)
        self._keep(HARD_RESET)
        return None

    def reset(self, cause, line):
        """Tells the host and ends the process at once, with no finaliser and no last write."""
        self._keep(cause)
        emit(line, begin="\n")
        die()

    def _keep(self, cause):
        self._file.seek(0)
        size = len(self._memory).to_bytes(2, "little")
        self._file.write(bytes([cause]) + size + self._memory)
        self._file.flush()


def die():
    """Ends this process as a power cut does: nothing more is written by anybody."""
    os.system("kill -9 $PPID")
    while True:
        time.sleep_ms(1000)
