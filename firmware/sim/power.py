"""Power and reset of the simulated chip: what survives, and why it started.

Here: RTC memory, the RTC's clock and the reset cause in a file that the host deletes at a power
cut; the end of the process at a reset and at a sleep. Not here: starting again, which is the host's
part, as the mains is; falling asleep (`sleeping`), what goes on while the chip sleeps (`asleep`).
"""

import json
import os
import time

from report import emit

# Reset causes as MicroPython's ESP32 port numbers them.
PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
# Wake reasons as ESP-IDF numbers them.
TIMER_WAKE, GPIO_WAKE = 4, 7


class Power:
    """RTC memory (2 KB on the ESP32) and the cause of this start.

    `sleep`: None, or how the chip fell asleep (`sleeping`); it still sleeps while `woken`, the
    reason of its wake, is 0. `rtc`: what else the host keeps for the next process.
    """

    def __init__(self, path):
        self._path = path
        try:
            with open(path, "rb") as file:
                kept = file.read()
        except OSError:
            kept = bytes([PWRON_RESET])
        self.cause = kept[0]
        end = 3 + int.from_bytes(kept[1:3], "little")
        self._memory = kept[3:end]
        size = int.from_bytes(kept[end : end + 2], "little")
        self.rtc = rtc = json.loads(kept[end + 2 : end + 2 + size]) if size else {"skipped": 0}
        self.sleep = rtc.pop("sleep", None)
        self.woken = rtc.pop("woken", 0)
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
        tail = json.dumps(self.rtc).encode()
        self._file.seek(0)
        self._file.write(bytes([cause]))
        for part in (self._memory, tail):
            self._file.write(len(part).to_bytes(2, "little") + part)
        self._file.flush()


def die():
    """Ends this process as a power cut does: nothing more is written by anybody."""
    os.system("kill -9 $PPID")
    while True:
        time.sleep_ms(1000)
