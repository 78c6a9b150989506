"""How often a password may be tried.

Here: the waits after wrong ones: by account and by address for strangers, and each by itself for
browsers that have been let in before. Pure: the clock is given. Not here: the passwords (users.py),
which browsers those are (known.py), the form (pages_login.py).
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

Key = tuple[str, str]

FREE_ACCOUNT = 3
FREE_ADDRESS = 10
"""So many wrong passwords cost nothing more than their own time: people mistype."""

FIRST_S = 2.0
MOST_S = 60.0
"""Each further one doubles the wait. A wait that never ended would let anybody lock the manager
out; at one try a minute, a password of ten characters is safe for longer than the building."""

FORGET_S = 3600.0
MAX_KEPT = 2000
"""Accounts and addresses that are remembered; more are not needed to hold up one who guesses."""


@dataclass
class _Tries:
    wrong: int = 0
    last: float = 0.0
    until: float = 0.0


class Throttle:
    """Remembers wrong passwords. `clock` gives monotonic s."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tries: dict[tuple[str, str], _Tries] = {}

    def wait_s(self, account: str, address: str, browser: str | None = None) -> float:
        """How long until the next try is looked at; 0.0 for now. `browser`: the number of one that
        the account was let in with before; strangers at its door cost it nothing."""
        now = self._clock()
        keys = _keys(account, address, browser)
        waits = (self._tries[key].until - now for key in keys if key in self._tries)
        return max(0.0, *waits, 0.0)

    def wrong(self, account: str, address: str, browser: str | None = None) -> None:
        """A password was wrong. Also to be called before it is known, with right() after: several
        tries at once are then counted before the first is judged."""
        now = self._clock()
        self._forget(now)
        for key, free in _keys(account, address, browser).items():
            tries = self._tries.setdefault(key, _Tries())
            tries.wrong += 1
            tries.last = now
            if tries.wrong > free:
                doubled = min(tries.wrong - free - 1, 10)
                tries.until = now + min(MOST_S, FIRST_S * 2**doubled)

    def right(self, account: str, address: str, browser: str | None = None) -> None:
        """The password was right: the account's tries, or the browser's, are forgotten, and this
        one at the address; others that were tried from there stay counted."""
        for key, free in _keys(account, address, browser).items():
            if key[0] != "address":
                self._tries.pop(key, None)
            elif tries := self._tries.get(key):
                tries.wrong = max(0, tries.wrong - 1)
                if tries.wrong <= free:
                    tries.until = 0.0

    def _forget(self, now: float) -> None:
        old = [key for key, tries in self._tries.items() if now - tries.last >= FORGET_S]
        for key in old:
            del self._tries[key]
        while len(self._tries) >= MAX_KEPT:
            del self._tries[min(self._tries, key=lambda key: self._tries[key].last)]


def _keys(account: str, address: str, browser: str | None) -> dict[Key, int]:
    """What is counted, and how much of it costs nothing."""
    if browser is not None:
        return {("browser", browser): FREE_ACCOUNT}
    return {("account", account): FREE_ACCOUNT, ("address", _network(address)): FREE_ADDRESS}


def _network(address: str) -> str:
    """Of IPv6 the /64: everybody has 2**64 addresses there (RFC 4291, 2.5.4)."""
    try:
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    except ValueError:
        return address
