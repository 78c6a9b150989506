"""The gateway's heart as the links see it: what comes in is committed, then answered.

Here: the facade. Not here: the store and the writer's thread (heart.py, writer.py), what events
and commands mean (accept.py, commands.py, sessions.py), topics and sockets (the links).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hall_gateway.clock_jump import Watch
from hall_gateway.config import GatewayConfig
from hall_gateway.durations import Durations
from hall_gateway.heart import Heart, Sent
from hall_gateway.plan import Plan, plan_of
from hall_gateway.snapshot import Snapshot
from hall_gateway.store_contexts import ReplayWindow, Taken
from hall_gateway.values import Ack, DeviceOrder, OutboxRow, Reply, Signals
from hall_gateway.writer import Writer

T = TypeVar("T")
Clock = Callable[[], int]
"""Unix ms, now."""


class Core:
    """One hall's state behind one store. All calls come from one event loop.

    Every call that changes something returns after its commit. It raises StoreError when nothing
    was committed (a full disk, an I/O error): send no ack and no reply then; the sender tries
    again, and the same call works once the disk does.
    """

    def __init__(
        self, plan: Plan, store: Path, max_mb: int, clock: Clock, steady: Clock | None = None
    ) -> None:
        self.signals = Signals()
        self._plan = plan
        self._clock = clock
        self._snapshot = Snapshot()
        self.watchers: set[Callable[[Snapshot], None]] = set()
        """Called with what was committed, after each commit."""
        loop = asyncio.get_running_loop()

        def publish(snapshot: Snapshot) -> None:
            loop.call_soon_threadsafe(self._committed, snapshot)

        self._watch = Watch(clock(), steady or clock)
        self._heart = Heart(plan, store, max_mb, clock, publish)
        self._writer = Writer(self._heart)

    @classmethod
    async def open(cls, config: GatewayConfig, clock: Clock, steady: Clock | None = None) -> Core:
        """Open the store at `config.store.path`, bring it up to date, load the hall's state.
        `steady`: ms of a clock that nobody sets; without it no jump of `clock` is noticed.

        Raises StoreOpenError, one line: another gateway has the store open, it is damaged, or a
        newer hallkit wrote it.
        """
        core = cls(plan_of(config), config.store.path, config.store.max_mb, clock, steady)
        await core.start()
        return core

    async def start(self) -> None:
        """See open()."""
        await self._writer.open()

    async def close(self) -> None:
        """Commit what is queued, then release the store. Calls made later raise StoreError."""
        await self._writer.close()

    async def follow(self, plan: Plan) -> None:
        """`plan` in place of the one until now: devices that went are not heard any more, and what
        a replaced one was at goes on with the new one."""
        now = self._clock()
        await self._writer.run(lambda: self._heart.follow(plan, now))

    async def do(self, work: Callable[[Heart, int], T], *, grows: bool = False) -> T:
        """What `work(heart, now)` returns, after the commit of the transaction that it ran in, in
        the store's thread. `grows`: it adds to the store, so a full one refuses it."""
        now = self._clock()
        return await self._writer.run(lambda: work(self._heart, now), grows=grows)

    async def event(self, device: str, payload: bytes) -> Ack | None:
        """up/event. The ack to publish on down/ack, also for a duplicate.

        None: refused and counted (unknown device, identity unreadable), or stored while the
        device's base is not known yet; up/state or seq 1 makes it known.
        """
        now = self._clock()
        heart = self._heart
        mark = await self._writer.run(lambda: heart.event(device, payload, now), grows=True)
        return None if mark is None else Ack(*mark, self._clock())

    async def events(self, device: str, payloads: Sequence[bytes]) -> list[Ack]:
        """Several up/event, in their order and in one transaction: event() for each of them, and
        the acks that cover them, which is one unless the device's epoch changed in between."""
        now = self._clock()
        sent = Sent(device, payloads, now)
        marks = await self._writer.join(self._heart.events, sent, grows=True, weight=len(payloads))
        return [Ack(*mark, self._clock()) for mark in marks.items()]

    async def state(self, device: str, payload: bytes, *, retained: bool = False) -> Ack | None:
        """up/state. Fixes the base of the device's epoch; the ack also sets the device's clock.
        `retained`: kept by the broker, so it says nothing of when the device was there.

        None: refused and counted.
        """
        now = self._clock()
        heart = self._heart
        mark = await self._writer.run(
            lambda: heart.state(device, payload, now, retained), grows=True
        )
        return None if mark is None else Ack(*mark, self._clock())

    async def online(self, device: str, online: bool, *, retained: bool = False) -> None:
        """up/online. A change becomes hall.device.online or hall.device.offline; `retained` as
        for state()."""
        now = self._clock()
        heart = self._heart
        await self._writer.run(lambda: heart.online(device, online, now, retained), grows=True)

    async def heard(self, device: str) -> None:
        """A device without a connection has spoken, whatever it said: it is there."""
        now = self._clock()
        await self._writer.run(lambda: self._heart.heard(device, now), grows=True)

    async def unreadable(self, device: str, payload: bytes, fault: str) -> None:
        """Something of a device that no event can be told from: kept in quarantine, and counted."""
        now = self._clock()
        heart = self._heart
        await self._writer.run(lambda: heart.unreadable(device, payload, fault, now), grows=True)

    async def take_context(self, device: str, key: str) -> Taken:
        """Of an OSCORE security context: sender sequence numbers that nobody else uses, and the
        replay window, which only the caller has from here on. `key` says which key it is for."""
        now = self._clock()
        return await self._writer.run(lambda: self._heart.take_context(device, key, now))

    async def keep_context(self, device: str, key: str, window: ReplayWindow) -> None:
        """The replay window of a context that hears nothing any more, for its next start."""
        now = self._clock()
        await self._writer.run(lambda: self._heart.keep_context(device, key, window, now))

    def now(self) -> int:
        """Unix ms."""
        return self._clock()

    async def reply(self, device: str, payload: bytes) -> str | None:
        """up/reply: the id of the device command that it answers; see replies().

        None: refused and counted (not a reply, or to no command that this device has to answer).
        """
        now = self._clock()
        return await self._writer.run(lambda: self._heart.reply(device, payload, now), grows=True)

    async def command(self, name: str, payload: bytes, by: str | None = None) -> Reply | None:
        """command/{name}. None when the answer comes later (`device`), or there is no id to
        answer to (counted). `by`: who gave it on this machine, where its answer stays then, also
        a later one (Snapshot.answers); None for the hall system."""
        now = self._clock()
        heart = self._heart
        return await self._writer.run(lambda: heart.command(name, payload, now, by), grows=True)

    async def tick(self) -> None:
        """Call once a second: texts and sessions expire, unanswered device commands get an error
        reply, old rows go."""
        now = self._clock()
        look = self._watch.look(now)
        jump = look.jump
        settled = self._watch.settled and not (jump and jump.by > 0)

        def tick() -> None:
            if jump is not None:
                self._heart.clock_jumped(jump)
            self._heart.tick(now, settled)

        await self._writer.run(tick)
        self._watch.seen(look)

    def desired(self) -> dict[str, bytes]:
        """The down/desired payload of every device that has one, to be published retained."""
        return dict(self._snapshot.desired)

    def desired_of(self, device: str) -> bytes | None:
        """The one of desired() that is meant for `device`."""
        return self._snapshot.desired.get(device)

    async def take_device_commands(self) -> list[DeviceOrder]:
        """Device commands to publish on down/cmd now. Each is handed out once, so a crash cannot
        reboot a device twice; one that is never answered gets an error reply after its ttl."""
        return await self._writer.run(self._heart.take_device_commands)

    async def replies(self, limit: int = 100, link: str | None = None) -> list[Reply]:
        """Late replies (to `device` commands) not yet marked by replied(), oldest first: those to
        the hall system, or to whoever is at another `link`."""
        return await self._writer.run(lambda: self._heart.replies(limit, link))

    async def replied(self, command_id: str) -> None:
        """The hall's broker has the late reply to `command_id`."""
        await self._writer.run(lambda: self._heart.replied(command_id))

    async def outbox(self, sink: str, limit: int, after: int = 0) -> list[OutboxRow]:
        """Up to `limit` CloudEvents after the sink's cursor, and after position `after`, in order.
        A new sink starts at the oldest row kept."""
        heart = self._heart
        return await self._writer.run(lambda: heart.outbox(sink, limit, after))

    async def advance(self, sink: str, position: int) -> None:
        """The sink acknowledged every row up to `position`. Never goes back."""
        now = self._clock()
        await self._writer.run(lambda: self._heart.advance(sink, position, now))

    async def advance_lazily(self, sink: str, position: Callable[[], int]) -> int:
        """advance() together with the next events, or a moment later: to what `position` returns
        then, in the store's thread; the same."""
        now = self._clock()

        def advance() -> int:
            reached = position()
            self._heart.advance(sink, reached, now)
            return reached

        return await self._writer.run(advance, lazy=True)

    async def sink_trouble(self, sink: str, trouble: str | None) -> None:
        """Why a sink takes nothing, None while nothing is wrong."""
        now = self._clock()
        await self._writer.run(lambda: self._heart.sink_trouble(sink, trouble, now))

    def hurry(self) -> None:
        """Let advance_lazily() wait no longer."""
        self._writer.hurry()

    def device_states(self) -> dict[str, bytes]:
        """The hall side's state/{device} payload of every device:
        {"device","online","seen","state"}; `seen` unix ms or null, `state` the last up/state."""
        return dict(self._snapshot.states)

    @property
    def store_id(self) -> str:
        """Of the store, once it is open: another one after a backup was restored."""
        return self._heart.store_id

    @property
    def commits(self) -> Durations:
        """How long commits take."""
        return self._heart.commits

    @property
    def roll_out(self) -> dict[str, object]:
        """Figures of the roll-out that is going on, which is looked at once a second."""
        return self._heart.roll_out

    def health(self) -> dict[str, object]:
        """Counts for /health and metrics: stored, duplicates, refused (by reason), quarantined,
        outbox (rows waiting, by sink), store_bytes, store_full, last_commit (unix ms)."""
        return dict(self._snapshot.health)

    def nonsense(self, device: str) -> int:
        """How many payloads of `device` could not be understood since the start."""
        counted: dict[str, int] = self._snapshot.health.get("nonsense", {})  # pyright: ignore[reportAssignmentType]
        return counted.get(device, 0)

    def _committed(self, snapshot: Snapshot) -> None:
        """What links may see now: it is committed."""
        before, self._snapshot = self._snapshot, snapshot
        if snapshot.desired is not before.desired:
            self.signals.desired.set()
        for name in snapshot.news:
            if signal := getattr(self.signals, name, None):
                signal.set()
        for watcher in tuple(self.watchers):
            watcher(snapshot)
