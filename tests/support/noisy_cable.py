"""A serial cable on which everything happens: bytes change, vanish and appear, in both directions.

Here: a thread between two terminals. Not here: what is at its ends.
"""

from __future__ import annotations

import contextlib
import os
import pty
import random
import select
import threading
import tty
from pathlib import Path


class NoisyCable:
    """From the device at `far` to whoever opens `port`; a context manager.

    `worse` is the chance that a byte is hit, each way; it may be changed at any time. A hit byte is
    flipped, lost, doubled, or gets a control character, a newline, an `@` or half a frame before
    it. `hits` counts.
    """

    def __init__(self, far: str, seed: int = 1, worse: float = 0.0) -> None:
        self.worse = worse
        self.hits = 0
        self._random = random.Random(seed)
        self._far = os.open(far, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._far)
        self._near, self._plug = pty.openpty()
        tty.setraw(self._plug)
        self.port = os.ttyname(self._plug)
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._run, name=f"cable {Path(far).name}")

    def __enter__(self) -> NoisyCable:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._stopped)
        self._thread.join()
        for descriptor in (self._far, self._near, self._plug, self._stop):
            os.close(descriptor)

    def _run(self) -> None:
        ways = {self._far: self._near, self._near: self._far}
        while True:
            ready, _, _ = select.select([*ways, self._stop], [], [])
            if self._stop in ready:
                return
            for each in ready:
                data = self._harm(os.read(each, 4096))
                with contextlib.suppress(BlockingIOError):
                    os.write(ways[each], data)

    def _harm(self, data: bytes) -> bytes:
        if not self.worse:
            return data
        out = bytearray()
        for byte in data:
            if self._random.random() >= self.worse:
                out.append(byte)
                continue
            self.hits += 1
            out += self._random.choice(
                (
                    bytes([byte ^ 1 << self._random.randrange(8)]),
                    b"",
                    bytes([byte, byte]),
                    bytes([self._random.choice(b"\x00\x03\x04\x01\x1b\x11\x13"), byte]),
                    bytes([10, byte]),
                    bytes([64, byte]),
                    b'@00000000 health [1,{"up' + bytes([byte]),
                )
            )
        return bytes(out)
