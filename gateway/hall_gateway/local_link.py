"""The link of a device that is a part of this process: to the core without a broker.

Here: its events, reported state and presence, and whether the core answers; what firmware/hall has
in journal.py, reported.py and link.py, without flash and sockets. Not here: what the device is and
does (local_display.py).

Its journal is memory, and the store is one commit away: why nothing is lost by that is told in
docs/decisions/2026-11-22-a-display-inside-the-gateway.md.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from hall_gateway.core import Clock, Core
from hall_gateway.ordered import RETRY_S, until_stored
from hall_gateway.state import Json
from hall_gateway.values import Ack
from hall_gateway.wire import compact

log = logging.getLogger(__name__)

MAX_PENDING = 32
"""Events that wait for the store. A call that was shown needs a newer call, which needs the store
too, so more than a few of them only come when something is very wrong."""
ANSWER_MS = 10_000
STATE_MS = 20_000
"""Asked and not answered for ANSWER_MS the core counts as down, and it is asked every STATE_MS:
the link's of a device (firmware/hall/link.py)."""
CHECK_S = 1.0
"""Between two looks for a changed state."""
NEVER_MS = 0x3FFF_FFFF
"""Down since before it started: more than any ttl_s."""

BOOT = 1
"""Each start has an epoch of its own, and so is the first boot of it."""


class LocalLink:
    """Events in order, each until the core has committed it; the state when it changes.

    `uptime` is ms since this device started. `report()` gives the reported state without its
    journal. Events have the clock's time, as those of the gateway itself.
    """

    def __init__(
        self,
        device: str,
        core: Core,
        clock: Clock,
        uptime: Callable[[], int],
        report: Callable[[], Mapping[str, object]],
    ) -> None:
        self.lost = 0
        """Events that found no place."""
        self._device = device
        self._core = core
        self._clock = clock
        self._uptime = uptime
        self._report = report
        self._epoch = 1 + secrets.randbelow(2**32 - 1)
        self._next = 1
        self._pending: deque[tuple[int, bytes]] = deque()
        self._wake = asyncio.Event()
        self._heard: int | None = None  # uptime of the last ack
        self._asked: int | None = None  # uptime of the oldest question that no ack came after

    def emit(self, kind: str, data: Json) -> None:
        """An event, now. One that finds no place is counted as lost, and logged."""
        if len(self._pending) == MAX_PENDING:
            self.lost += 1
            log.error("%s: %s lost: %d events wait for the store", self._device, kind, MAX_PENDING)
            return
        event = {"epoch": self._epoch, "seq": self._next, "boot": BOOT, "up": self._uptime()}
        payload = compact({**event, "t": self._clock(), "kind": kind, "data": data})
        self._pending.append((self._next, payload))
        self._next += 1
        self._wake.set()

    def down_ms(self) -> int:
        """0 while the core answers, else ms since it last did; NEVER_MS when it never has."""
        if self._heard is None:
            return NEVER_MS
        now = self._uptime()
        silent = now - self._heard
        waits = self._asked is not None and now - self._asked >= ANSWER_MS
        return silent if waits or silent >= STATE_MS + ANSWER_MS else 0

    async def run(self) -> None:
        """Deliver and report until cancelled."""
        await self._online(True)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._deliver())
            group.create_task(self._report_changes())

    async def finish(self) -> None:
        """Returns when all events are committed, and that the device has gone."""
        await self._deliver_pending()
        await self._online(False)

    async def _online(self, online: bool) -> None:
        await until_stored(partial(self._core.online, self._device, online))

    async def _deliver(self) -> None:
        while True:
            self._wake.clear()
            await self._deliver_pending()
            await self._wake.wait()

    async def _deliver_pending(self) -> None:
        while self._pending:
            seq, payload = self._pending[0]
            ack = await self._ask(partial(self._core.event, self._device, payload))
            if ack is not None and ack.epoch == self._epoch and ack.seq >= seq:
                self._pending.popleft()
            else:
                log.error("%s: event %d is not acked; it is sent again", self._device, seq)
                await asyncio.sleep(RETRY_S)

    async def _report_changes(self) -> None:
        last: object = None
        at = 0
        while True:
            report = dict(self._report())
            this, now = (report["rev"], report["shows"]), self._uptime()
            if this != last or now - at >= STATE_MS:
                last, at = this, now
                payload = compact({**report, "journal": self._journal()})
                await self._ask(partial(self._core.state, self._device, payload))
            await asyncio.sleep(CHECK_S)

    def _journal(self) -> Json:
        acked = self._next - 1 - len(self._pending)
        return {"epoch": self._epoch, "acked": acked, "next": self._next, "lost": self.lost}

    async def _ask(self, call: Callable[[], Awaitable[Ack | None]]) -> Ack | None:
        if self._asked is None:
            self._asked = self._uptime()
        ack = await until_stored(call)
        if ack is not None:
            self._heard, self._asked = self._uptime(), None
        return ack
