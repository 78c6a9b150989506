"""One gateway beside others: how fast, how heavy, and what is lost when it is killed.

Here: the phases of a measurement, the same for every system, and their figures. Not here: the
systems (gateway_systems.py, gateway_thingsboard.py), load and judge (gateway_load.py), medians and
tables (gateway_report.py).

Every system has two mosquittos of its own, one for the devices and one for the hall system; the
bridge is itself the first. Everything is on loopback. The judge is a subscriber at the hall's
broker: mosquitto hands an event to it in the same turn in which it sends the PUBACK for it.
"""

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hall_tools.bench.gateway_load import Acks, Devices, Id, Judge
from hall_tools.bench.gateway_processes import Broker, cpu_s, resident_mb, written_bytes
from hall_tools.bench.gateway_systems import Bridge, Hallkit, Place, System
from hall_tools.bench.gateway_thingsboard import PYTHON, Platform, ThingsBoard
from hall_tools.bench.gateway_wire import Wire
from hall_tools.errors import UserError

SYSTEMS: dict[str, Callable[[Place], System]] = {
    "hallkit": Hallkit,
    "thingsboard": ThingsBoard,
    "bridge": Bridge,
}
"""By the names that the command takes."""

START_S = 60.0
"""A system that has passed nothing on by then, from its start, never will."""

STALLED_S = 20.0
"""When nothing came for so long, what is missing counts as lost."""

IDLE_S = 1.0
"""So long nothing is written to the disk before a phase begins."""


@dataclass(frozen=True)
class Size:
    """How much is measured. `rates`: events a second, and how many of them."""

    rates: tuple[tuple[int, int], ...]
    backlog: int
    kills: int
    kill_rate: int = 200


FULL = Size(((10, 200), (100, 1500), (1000, 10_000)), 10_000, 20)
QUICK = Size(((10, 50), (100, 300), (1000, 2000)), 2000, 3)


@dataclass(frozen=True)
class Latency:
    """ms from right before an event is sent to the devices' broker until the hall system has it;
    `bytes_per_event` written to the disk, `cpu_share` of one processor meanwhile."""

    p50: float
    p99: float
    lost: int
    bytes_per_event: float
    cpu_share: float


@dataclass
class Figures:
    """What was measured of one system in one round; None for what it has not. Drains are events a
    second: `intake` from the devices' broker until acked, `outbox` from the first to the last
    that the hall system gets when it is back, `through` from the devices' broker to that.
    """

    system: str
    latencies: dict[int, Latency] = field(default_factory=dict[int, Latency])
    intake: float | None = None
    outbox: float | None = None
    through: float | None = None
    rss_mb: float = 0.0
    rss_most_mb: float = 0.0
    lost_in_drains: int = 0
    kills: int = 0
    sent: int = 0
    """Under load while it was killed."""
    lost: int = 0
    again: int = 0
    """Of those, delivered more than once, all with the identity of the first."""


def chosen(names: list[str]) -> tuple[list[str], str | None]:
    """The systems to be measured, and why one of them cannot be; all when `names` is empty.

    Raises UserError for a name that is none, or one asked for that cannot be measured.
    """
    for name in names:
        if name not in SYSTEMS:
            known = ", ".join(SYSTEMS)
            raise UserError(f"--system {name}: there is no such system; give one of {known}")
    missing = f"{PYTHON} is missing: run make build/peers, which installs it from PyPI"
    if PYTHON.exists():
        return names or list(SYSTEMS), None
    if "thingsboard" in names:
        raise UserError(f"thingsboard: {missing}", os.EX_UNAVAILABLE)
    return names or [name for name in SYSTEMS if name != "thingsboard"], missing


async def measure(name: str, size: Size, seed: int, heard: Callable[[str], None]) -> Figures:
    """One round of one system; `heard` is told what comes next. Raises UserError."""
    rng = random.Random(seed)
    async with _running(SYSTEMS[name]) as bench:
        figures = Figures(bench.system.name)
        for rate, count in size.rates:
            heard(f"{bench.system.name}: {count:,} events, {rate} a second")
            figures.latencies[rate] = await bench.latency(rate, count, rng)
        figures.rss_mb, _ = resident_mb(bench.system.process.pid)
        if bench.system.broker is not None:
            heard(f"{bench.system.name}: {size.backlog:,} events wait at the devices' broker")
            await bench.drain_through(size.backlog, figures)
        heard(f"{bench.system.name}: {size.backlog:,} events while the hall system is away")
        await bench.drain_outbox(size.backlog, figures)
        _, figures.rss_most_mb = resident_mb(bench.system.process.pid)
    async with _running(SYSTEMS[name]) as bench:
        heard(f"{bench.system.name}: {size.kills} kills at {size.kill_rate} events a second")
        await bench.kills(size, rng, figures)
    return figures


class Bench:
    """One system between its brokers, its devices and its judge."""

    def __init__(
        self, system: System, hall: Broker, devices: Devices, judge: Judge, acks: Acks
    ) -> None:
        self.system = system
        self._hall, self._devices, self._judge, self._acks = hall, devices, judge, acks

    async def warm_up(self) -> None:
        """Returns when an event of each device has come through. Raises UserError."""
        if self.system.broker is not None:
            self.system.process.start()
            await self._subscribed(self.system.broker)
        ids = [self._devices.send() for _ in range(20)]
        if await self._judge.has(ids, START_S):
            self.system.process.check()
            raise UserError(f"{self.system.name} passed nothing on in {START_S:g} s")
        await self._settle()

    async def latency(self, rate: int, count: int, rng: random.Random) -> Latency:
        pid = self.system.process.pid
        written, cpu, began = written_bytes(pid), cpu_s(pid), time.monotonic()
        ids = await self._devices.at_rate(rate, count, rng)
        lasted = time.monotonic() - began
        used = cpu_s(pid) - cpu
        lost = await self._judge.has(ids, STALLED_S)
        await self._settle()
        took = sorted(
            1000 * (self._judge.arrived[id][0] - self._devices.sent[id])
            for id in ids
            if id in self._judge.arrived
        )
        if not took:
            raise UserError(f"{self.system.name} passed none of {count} events on")
        return Latency(
            p50=took[len(took) // 2],
            p99=took[min(len(took) - 1, len(took) * 99 // 100)],
            lost=lost,
            bytes_per_event=(written_bytes(pid) - written) / count,
            cpu_share=used / lasted,
        )

    async def drain_through(self, count: int, figures: Figures) -> None:
        """What waits at the devices' broker while the system is stopped (SIGSTOP)."""
        self.system.process.signal(signal.SIGSTOP)
        ids = await self._devices.at_once(count)
        self.system.process.signal(signal.SIGCONT)
        began = time.monotonic()
        figures.lost_in_drains += await self._judge.has(ids, STALLED_S)
        figures.through = _rate(count, began, self._judge.last)
        await self._settle()

    async def drain_outbox(self, count: int, figures: Figures) -> None:
        """What waits at the system while the hall's broker is away."""
        self._hall.stop()
        if self.system.acks:
            self.system.process.signal(signal.SIGSTOP)
        ids = await self._devices.at_once(count)
        if self.system.acks:
            self.system.process.signal(signal.SIGCONT)
            began = time.monotonic()
            if await self._acks.cover(ids, STALLED_S):
                figures.intake = _rate(count, began, self._acks.last)
        await self._settle()
        self._hall.start()
        figures.lost_in_drains += await self._judge.has(ids, STALLED_S + START_S)
        first = min(self._judge.arrived[id][0] for id in ids if id in self._judge.arrived)
        figures.outbox = _rate(count, first, self._judge.last)
        await self._settle()

    async def kills(self, size: Size, rng: random.Random, figures: Figures) -> None:
        """SIGKILL at moments by chance under load, every second time while the hall system is
        away for a moment, and a new start each time."""
        stop = asyncio.Event()
        loading = asyncio.create_task(self._load(size.kill_rate, rng, stop))
        process = self.system.process
        for number in range(size.kills):
            away = number % 2 == 1
            if away:
                self._hall.stop()
            await asyncio.sleep(rng.uniform(0.2, 1.2))  # the moment of the kill is what is drawn
            process.kill()
            if away:
                self._hall.start()
            process.start()
            await self._comes_through()
        stop.set()
        ids = await loading
        await self._devices.wire.confirmed()
        figures.lost = await self._judge.has(ids, STALLED_S)
        figures.kills, figures.sent = size.kills, len(ids)
        figures.again = sum(len(self._judge.arrived.get(id, ())) - 1 for id in ids) + figures.lost

    async def _subscribed(self, broker: Broker) -> None:
        """Returns when the system is to get what devices send from now on. Raises UserError."""
        deadline = time.monotonic() + START_S
        while "/up/" not in broker.log:
            self.system.process.check()
            if time.monotonic() > deadline:
                raise UserError(f"{self.system.name} did not subscribe in {START_S:g} s")
            await asyncio.sleep(0.05)

    async def _load(self, rate: int, rng: random.Random, stop: asyncio.Event) -> list[Id]:
        ids: list[Id] = []
        while not stop.is_set():
            ids += await self._devices.at_rate(rate, rate // 10, rng)
        return ids

    async def _comes_through(self) -> None:
        """Returns when something that is sent from now on has arrived. Raises UserError."""
        before, deadline = time.monotonic(), time.monotonic() + START_S
        while not any(
            sent > before and id in self._judge.arrived
            for id, sent in list(self._devices.sent.items())[-2000:]
        ):
            if time.monotonic() > deadline:
                self.system.process.check()
                raise UserError(f"{self.system.name} passed nothing on after a kill")
            await asyncio.sleep(0.05)

    async def _settle(self) -> None:
        """Returns when the system has written nothing for a while."""
        pid = self.system.process.pid
        before, since = written_bytes(pid), time.monotonic()
        while time.monotonic() - since < IDLE_S:
            await asyncio.sleep(0.1)
            now = written_bytes(pid)
            if now - before > 64 * 1024:  # a tick a second may write a page or two
                since = time.monotonic()
            before = now


@asynccontextmanager
async def _running(make: Callable[[Place], System]) -> AsyncGenerator[Bench]:
    """A system at work; leaves no process and no file behind."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hall-bench-")))
        place = Place.new(folder)
        system = make(place)
        hall = Broker(folder, "hall", place.hall)
        stack.callback(hall.stop)
        hall.start()
        if system.broker is not None:
            stack.callback(system.broker.stop)
            system.broker.start()
        stack.callback(system.process.stop)
        judge, acks = Judge(system.read), Acks()
        await stack.enter_async_context(Wire(hall.port, "judge", system.listens, judge.heard))
        if isinstance(system, ThingsBoard):
            platform = Platform()
            platform.wire = Wire(hall.port, "platform", platform.subscriptions, platform.heard)
            await stack.enter_async_context(platform.wire)
        wire = Wire(place.devices, "devices")
        if system.acks:
            acks_wire = Wire(place.devices, "acks", ["device/v1/+/down/ack"], acks.heard)
            await stack.enter_async_context(acks_wire)
        if system.broker is None:
            system.process.start()
        await stack.enter_async_context(wire)
        bench = Bench(system, hall, Devices(wire), judge, acks)
        await bench.warm_up()
        yield bench


def _rate(count: int, began: float, ended: float) -> float:
    return count / max(ended - began, 1e-6)
