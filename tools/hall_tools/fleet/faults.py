"""What can fail in a back office and its halls, done to it while events flow.

Here: each kind of fault, from the blow to what has to be done to heal it, and the plan of a run.
Not here: the back office (stage.py), the flow and the judgement (fault_run.py).

Three servers stand the loss of one, so a fault of one NATS server is over when all three have
everything again; until then no other is hit.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from hall_fleet import streams
from hall_fleet.link import LinkError
from hall_fleet.logins import EVENTS_CONSUMER
from hall_gateway import jetstream_subjects as subjects

from hall_tools.errors import UserError
from hall_tools.fleet.nats_server import NatsNode
from hall_tools.fleet.stage import Stage

KINDS = {
    "leader_killed": "SIGKILL of the NATS server that leads the stream of events, then its start",
    "disk_wiped": "SIGKILL of a NATS server, its disk emptied, then its start",
    "worker_killed": "SIGKILL of a worker; another takes its place",
    "postgres_restarted": "PostgreSQL ends in order and starts",
    "postgres_killed": "SIGKILL of all of PostgreSQL, then its start",
    "events_lost": "the stream loses events that it acknowledged, before a worker had them",
    "hall_cut_off": "a hall's connections freeze or are reset, and stay away for some seconds",
}
"""What a test does once, in some seconds."""
LONG_KINDS = {"hall_away": "a hall's connections are away for longer than a stream knows ids"}
"""What a long run does beside all others."""
LONG_S = 30.0 + streams.WINDOW_S
"""How long such a hall stays away."""
AWAY_S = (0.3, 2.5)
"""How long what was hit stays away."""
STUCK_S = 20.0
"""A server that has not all after so long does not fetch it: 2.9 may miss the beginning of what it
is sent when the leader changes just then. It fetches when it is started once more, or with an empty
disk."""
MOST_AGAIN = 6
LOST = 3
"""Events that the stream loses at once."""
LOOK_S = 0.1
LOSE_S = 120.0
"""In which there is something to lose, whatever other fault is going on."""


class Cuttable(Protocol):
    """A hall's way to the back office."""

    def hold(self) -> None: ...
    def reset(self) -> None: ...
    def resume(self) -> None: ...


class Faults:
    """Everything that can be done to `stage` and to the `ways` of its halls, drawn from `chance`.
    `done` counts; `again`: how often a node had to be started once more before it had all."""

    def __init__(self, stage: Stage, ways: Sequence[Cuttable], chance: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.again = 0
        self._stage = stage
        self._ways = [(way, asyncio.Lock()) for way in ways]
        self._chance = chance
        self._nats, self._postgres, self._workers = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
        self._kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "leader_killed": self._leader_killed,
            "disk_wiped": self._disk_wiped,
            "worker_killed": self._worker_killed,
            "postgres_restarted": self._postgres_restarted,
            "postgres_killed": self._postgres_killed,
            "events_lost": self._events_lost,
            "hall_cut_off": self._hall_cut_off,
        }

    async def do(self, kind: str) -> None:
        """One fault; returns when it is healed. KeyError when there is no such kind."""
        await self._kinds[kind]()
        self.done[kind] += 1

    async def all_at_once(self) -> None:
        """Each kind once, in an order by chance and as much at the same time as can be stood."""
        kinds = list(KINDS)
        self._chance.shuffle(kinds)

        async def one(number: int, kind: str) -> None:
            await asyncio.sleep(number * self._chance.uniform(0.1, 0.5))  # the moment is by chance
            await self.do(kind)

        async with asyncio.TaskGroup() as group:
            for number, kind in enumerate(kinds):
                group.create_task(one(number, kind))

    async def for_a_while(self, seconds: float, heard: Callable[[str], None]) -> None:
        """One after the other and sometimes two together, until the time is over; `heard` is told
        which. Beside them one hall after the other is away, when there is time for that."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._one_by_one(seconds, heard))
            for _ in range(int(seconds // LONG_S)):
                await self._hall_away()

    async def _one_by_one(self, seconds: float, heard: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            kinds = self._chance.sample(list(KINDS), self._chance.choice((1, 1, 2)))
            heard(f"fault {self.done.total() + 1}: {' and '.join(kinds)}")
            async with asyncio.TaskGroup() as group:
                for kind in kinds:
                    group.create_task(self.do(kind))
            await asyncio.sleep(self._chance.uniform(0.2, 3.0))  # work in peace for a moment

    async def _stay_away(self) -> None:
        await asyncio.sleep(self._chance.uniform(*AWAY_S))

    async def _leader_killed(self) -> None:
        async with self._nats:
            cluster = self._stage.cluster
            node = await self._stage.stream_leader(subjects.EVENTS_STREAM) or cluster.nodes[0]
            await node.kill()
            await self._stay_away()
            await node.start()
            await self._whole()

    async def _disk_wiped(self) -> None:
        async with self._nats:
            node = self._chance.choice(self._stage.cluster.nodes)
            await node.kill()
            await self._emptied(node)
            await self._whole()

    async def _emptied(self, node: NatsNode) -> None:
        """A node that does not run comes back with an empty disk, sooner than an operator lets it
        (docs/back-office-fleet.md): it has forgotten what it had acknowledged and whom it had voted
        for, and the servers may lose events by that."""
        await node.wipe()
        await self._stay_away()
        await node.start()

    async def _whole(self) -> None:
        """All nodes have all, as an operator sees to it (docs/back-office-fleet.md)."""
        again = 0
        while amiss := await self._stage.amiss(STUCK_S):
            if again == MOST_AGAIN:
                names = ", ".join(node.name for node in amiss)
                raise UserError(f"{names}: not whole, whatever was done", os.EX_UNAVAILABLE)
            again += 1
            await amiss[0].stop()
            if again > 1 and len(amiss) == 1:
                await self._emptied(amiss[0])
            else:
                await amiss[0].start()
        self.again += again

    async def _worker_killed(self) -> None:
        async with self._workers:
            await self._chance.choice(self._stage.workers).kill()
            await self._stage.replace_workers()

    async def _postgres_restarted(self) -> None:
        async with self._postgres:
            await self._stage.postgres.stop()
            await self._stay_away()
            await self._stage.postgres.start()

    async def _postgres_killed(self) -> None:
        async with self._postgres:
            await self._stage.postgres.kill()
            await self._stay_away()
            await self._stage.postgres.start()

    async def _events_lost(self) -> None:
        async with self._workers:
            for worker in self._stage.workers:
                await worker.kill()
            await self._lose()
            await self._stage.replace_workers()

    async def _lose(self) -> None:
        """Some events that no worker was given."""
        async with asyncio.timeout(LOSE_S):
            while True:
                try:
                    async with self._stage.link() as link:
                        consumer = f"{subjects.EVENTS_STREAM}.{EVENTS_CONSUMER}"
                        given = (await link.ask(f"CONSUMER.INFO.{consumer}"))["delivered"]
                        stream = (await link.ask(f"STREAM.INFO.{subjects.EVENTS_STREAM}"))["state"]
                        waiting = range(given["stream_seq"] + 1, stream["last_seq"] + 1)
                        if len(waiting) >= LOST:
                            for sequence in self._chance.sample(waiting, LOST):
                                deletion = f"STREAM.MSG.DELETE.{subjects.EVENTS_STREAM}"
                                await link.ask(deletion, {"seq": sequence})
                            return
                except LinkError:
                    pass  # another fault is going on
                await asyncio.sleep(LOOK_S)

    async def _hall_away(self) -> None:
        async with self._one_way() as way:
            way.hold()
            way.reset()
            await asyncio.sleep(LONG_S)
            way.reset()
            way.resume()
        self.done["hall_away"] += 1

    async def _hall_cut_off(self) -> None:
        async with self._one_way() as way:
            way.hold()
            if self._chance.random() < 0.5:
                way.reset()
            await self._stay_away()
            way.reset()
            way.resume()

    @asynccontextmanager
    async def _one_way(self) -> AsyncGenerator[Cuttable]:
        """One to which nothing else is done meanwhile."""
        free = [(way, lock) for way, lock in self._ways if not lock.locked()]
        way, lock = self._chance.choice(free or self._ways)
        async with lock:
            yield way
