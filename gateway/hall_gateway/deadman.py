"""A switch that acts when its holder stands still.

Here: the thread that notices. Not here: what it does about it, which is handed in.
"""

import threading
import time
from collections.abc import Callable
from typing import Self


class Deadman:
    """Calls `act` once, from a thread of its own, when alive() was not called for `patience_s`.

    In a `with` block; after it `act` is not called any more, nor still running.
    """

    def __init__(self, patience_s: float, act: Callable[[], None]) -> None:
        self.acted = False
        self._patience_s = patience_s
        self._act = act
        self._alive = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="deadman", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def alive(self) -> None:
        """The holder makes progress."""
        self._alive = time.monotonic()

    def _watch(self) -> None:
        left = self._patience_s
        while not self._ended.wait(left):
            left = self._alive + self._patience_s - time.monotonic()
            if left <= 0:
                self.acted = True
                self._act()
                return
