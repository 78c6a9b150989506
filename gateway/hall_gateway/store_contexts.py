"""The store's part of OSCORE security contexts (RFC 8613): what must not be forgotten of each.

Here: SQL over contexts. Not here: keys, which only the key store has (keys.py), and what a context
does (oscore_contexts.py).
"""

import json
from dataclasses import dataclass

from hall_gateway.store_events import Table

NUMBERS = 64
"""Sender sequence numbers that are taken at once. A gateway needs two of its own when it has to
challenge a device; all other responses are under the request's number."""

WINDOW_MS = 3_600_000
"""How long a replay window is good for without a gateway: an update of the machine, not the age of
a backup, with which all that was recorded since would be taken once more. Challenges are cheap."""

_NUMBERS_A_SECOND = 16
_BEGAN_S = 1_700_000_000


@dataclass(frozen=True)
class ReplayWindow:
    """Which numbers of a device were seen, as aiocoap has it: the lowest that may still come, and
    a bit for each from there on."""

    index: int
    bitfield: int


@dataclass(frozen=True)
class Taken:
    """Numbers from `first` on, NUMBERS of them, that nobody else will use. `window` None: not
    known, so the device has to be challenged."""

    first: int
    window: ReplayWindow | None


class Contexts(Table):
    """By device. `key` says which key of the device it is: what belongs to another is nothing."""

    def take(self, device: str, key: str, now: int) -> Taken:
        """Numbers for this process alone, and the window, which the store does not have any more.

        They start where time has got to, too (16 a second): a store or key from a backup has
        forgotten some that were used.
        """
        row = self.run(
            "SELECT next, seen FROM contexts WHERE (device, key) = (?, ?)", (device, key)
        ).fetchone()
        stored, seen = row or (0, None)
        first = max(stored, (now // 1000 - _BEGAN_S) * _NUMBERS_A_SECOND)
        values = (device, key, first + NUMBERS, None)
        self.run("REPLACE INTO contexts VALUES (?, ?, ?, ?)", values)
        return Taken(first, None if seen is None else _still_good(seen, now))

    def keep(self, device: str, key: str, window: ReplayWindow, now: int) -> None:
        """What was seen, from a process that ends and hears nothing any more. `now`: unix ms."""
        seen = json.dumps([window.index, window.bitfield, now])
        self.run("UPDATE contexts SET seen = ? WHERE (device, key) = (?, ?)", (seen, device, key))

    def forget_windows(self) -> None:
        """No window is known any more: every device is challenged."""
        self.run("UPDATE contexts SET seen = NULL")


def _still_good(seen: str, now: int) -> ReplayWindow | None:
    """The window, unless it is older than WINDOW_MS, or from a time that is still to come."""
    index, bitfield, *kept = json.loads(seen)
    if not kept or not 0 <= now - kept[0] <= WINDOW_MS:
        return None
    return ReplayWindow(index, bitfield)
