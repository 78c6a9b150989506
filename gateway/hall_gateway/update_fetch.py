"""Answers to devices that fetch a release, piece by piece.

Here: up/fetch in, down/chunk out, and how many a device may have. Not here: the files
(release_store.py), topics (devices_mqtt.py).

A device asks, and is answered at most once; what is lost on the way it asks for again. A request is
cheap for it and costs the gateway a message, so only so many are answered.
"""

import asyncio
import base64
import logging
import time
from collections import Counter
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from hall_gateway.payload import PayloadError, parse
from hall_gateway.release import MAX_FILE_BYTES
from hall_gateway.release_store import ReleaseStore
from hall_gateway.wire import compact

PIECE = 576
"""Bytes of a file in one answer: with base64 and the hash it stays below 1 KiB."""
RATE = 40.0
"""Answers a second for one device. One that waits for each has about twenty on a hall's Wi-Fi."""
BURST = 40.0

log = logging.getLogger(__name__)


class FetchRequest(BaseModel):
    """up/fetch: the piece of a file that begins at byte `at`; `sha256` of the whole file, or the
    id of a release for its manifest."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="64 of 0-9 and a-f")
    at: int = Field(ge=0, le=MAX_FILE_BYTES, description=f"0 to {MAX_FILE_BYTES}")


class Fetches:
    """Answers from `store`. `counts`: what was `answered`, and `unknown`, as no such file is here;
    `refused`: what was not readable, or too many of one device."""

    def __init__(self, store: ReleaseStore, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts = Counter({"answered": 0, "unknown": 0})
        self.refused = Counter({"bad_fetch": 0, "too_many_fetches": 0})
        self._store = store
        self._clock = clock
        self._budgets: dict[str, tuple[float, float]] = {}
        self._unread = False

    async def answer(self, device: str, payload: bytes) -> bytes | None:
        """The down/chunk for one up/fetch of a device of this hall; None for none."""
        if not self._may(device):
            self.refused["too_many_fetches"] += 1
            return None
        try:
            asked = parse(FetchRequest, payload)
        except PayloadError as error:
            self.refused["bad_fetch"] += 1
            if self.refused["bad_fetch"] == 1:
                log.warning("%s: up/fetch refused, and counted from now on: %s", device, error)
            return None
        which = {"sha256": asked.sha256, "at": asked.at}
        try:
            content = self._store.at_hand(asked.sha256)
            if content is None:
                content = await asyncio.to_thread(self._store.content, asked.sha256)
            self._unread = False
        except OSError as error:
            if not self._unread:  # once, however often devices ask
                self._unread = True
                log.error("%s: %s", self._store.folder, error.strerror)
            content = None
        if content is None or (asked.at and asked.at >= len(content)):
            self.counts["unknown"] += 1
            wrong = "not here" if content is None else f"the file has {len(content)} bytes"
            return compact({**which, "error": wrong})
        self.counts["answered"] += 1
        piece = base64.b64encode(content[asked.at : asked.at + PIECE]).decode()
        return compact({**which, "size": len(content), "data": piece})

    def _may(self, device: str) -> bool:
        """A bucket of BURST answers, which RATE a second fill."""
        now = self._clock()
        left, at = self._budgets.get(device, (BURST, now))
        left = min(BURST, left + (now - at) * RATE)
        allowed = left >= 1.0
        self._budgets[device] = (left - allowed, now)
        return allowed
