"""The running hall: gateway, broker, seven devices, queue system and people, started and stopped.

Here: the order of things. Not here: what any of them does.
"""

import asyncio
import os
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from hall_gateway.console.users import Users

from hall_tools.demo import plan
from hall_tools.demo.changes import Changes
from hall_tools.demo.furniture import make_station
from hall_tools.demo.gateway_process import HallProcess
from hall_tools.demo.hall_client import HallClient
from hall_tools.demo.housekeeping import Housekeeping
from hall_tools.demo.keypads import Keypad
from hall_tools.demo.latency import Latencies
from hall_tools.demo.layout import HALL, HOST, PLACES, WINDOWS, Ports, gateway_settings
from hall_tools.demo.opening_hours import OpeningHours
from hall_tools.demo.received import Inbox
from hall_tools.demo.sensors import Door, Floor
from hall_tools.demo.stations import Display, Station
from hall_tools.demo.truth import Comparison, Ledger, compare
from hall_tools.demo.world import Window, World
from hall_tools.errors import UserError
from hall_tools.ports import free_port

READY_S = 120.0
"""A hall that is not ready by then never will be; on an idle machine it takes a few seconds."""

MANAGER = "manager"

STALLED_S = 15.0
"""When nothing arrived for so long, what is missing counts as lost."""

QUIET_S = 6.0
"""When everything has arrived, so long nothing else may come. A device that missed an ack sends its
event again after 5 s: a duplicate would come that late."""


@dataclass
class Hall:
    """A hall that is open. `changes` tells of everything new to see."""

    windows: list[Window]
    door: Door
    floors: list[Floor]
    stations: list[Station]
    world: World
    hours: OpeningHours
    ledger: Ledger
    inbox: Inbox
    latencies: Latencies
    opened: float
    ready_s: float = 0.0
    console: str = ""
    """Address, name and password of the manager's page; empty without."""
    changes: Changes = field(default_factory=Changes)

    @property
    def failures(self) -> list[str]:
        """What a customer had to complain about."""
        complaints = (window.display.complaints for window in self.windows)
        failures = [*self.world.failures, *chain.from_iterable(complaints)]
        if self.inbox.inside != self.door.inside:
            failures.append(f"{self.door.inside} are inside, told were {self.inbox.inside}")
        return failures

    @property
    def firmware(self) -> str:
        """The version that the devices report, or all of them when they differ."""
        states = (self.inbox.reported(place.device) for place in PLACES)
        return ", ".join(sorted({str(state.get("fw", "unknown")) for state in states}))

    async def run(
        self, seed: int, seconds: float | None, at_closing: Callable[[], None] = lambda: None
    ) -> None:
        """The world lives for `seconds`, or until cancelled; then everybody finishes."""
        life = asyncio.create_task(self.world.run(plan.visits(seed), seed))
        try:
            await asyncio.wait({life}, timeout=seconds)
            at_closing()
            self.hours.close()
            await life
        finally:
            life.cancel()

    async def drain(self) -> Comparison:
        """Waits until all that is true was received, or nothing moves any more."""
        while True:
            comparison = compare(self.ledger.facts(), self.inbox.reports)
            missing = comparison.lost or self.inbox.inside != self.door.inside
            # Some need their time to become known: a floor that has to be dry for a while.
            last = max((fact.latest for fact in comparison.lost), default=0.0)
            patience = STALLED_S + max(0.0, last - time.monotonic()) if missing else QUIET_S
            arrived = self.inbox.arrived
            try:
                async with asyncio.timeout(patience):
                    while self.inbox.arrived == arrived:
                        await self.changes.next()
            except TimeoutError:
                return comparison

    async def ready(self) -> None:
        """Returns when the hall system knows every device to be online."""
        while True:
            comparison = compare(self.ledger.facts(), self.inbox.reports)
            online = all(self.inbox.online(place.device) for place in PLACES)
            if self.inbox.gateway_online and online and not comparison.lost:
                return
            await self.changes.next()


@asynccontextmanager
async def open_hall(console: bool = False) -> AsyncGenerator[Hall]:
    """Starts everything, with `console` the manager's page too; inside, the hall is ready. Leaves
    no process and no file behind.

    Raises UserError when a part does not start, or ends by itself.
    """
    opened = time.monotonic()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hall-demo-")))
        ports = Ports(free_port(), free_port(), free_port() if console else 0)
        access = ""
        settings = folder / "gateway.toml"
        settings.write_text(gateway_settings(ports, folder / "hall.db"), encoding="utf-8")
        parts = [await stack.enter_async_context(HallProcess("gateway", settings))]
        if console:
            access = _invite(settings, ports)
            parts.append(await stack.enter_async_context(HallProcess("console", settings)))
        watchers = await stack.enter_async_context(_watching())
        for part in parts:
            watchers.create_task(part.watch())
        try:
            async with asyncio.timeout(READY_S):
                hall = await _furnish(stack, watchers, ports, folder, opened)
        except TimeoutError:
            raise UserError(
                f"the hall was not ready after {READY_S:g} s", os.EX_UNAVAILABLE
            ) from None
        hall.console = access
        yield hall


def _invite(settings: Path, ports: Ports) -> str:
    """Where the console is, and how to log in this time; nobody can another time."""
    password = secrets.token_urlsafe(9)
    Users(settings.with_name("console-users.json")).add(MANAGER, "technician", password)
    return f"http://{HOST}:{ports.console}/  {MANAGER}  {password}"


async def _furnish(
    stack: AsyncExitStack, watchers: asyncio.TaskGroup, ports: Ports, folder: Path, opened: float
) -> Hall:
    ledger, inbox, latencies = Ledger(), Inbox(), Latencies()
    stations = [make_station(place, ports, folder, ledger, latencies) for place in PLACES]
    # First somebody who listens, then somebody who speaks.
    client = await stack.enter_async_context(HallClient(HOST, ports.broker, HALL, inbox.take))

    windows = [_window(name, stations) for name in WINDOWS]
    door = next(each for each in stations if isinstance(each, Door))
    floors = [each for each in stations if isinstance(each, Floor)]
    hours = OpeningHours()
    world = World(client, windows, door, Housekeeping(floors, hours), ledger, hours)
    hall = Hall(windows, door, floors, stations, world, hours, ledger, inbox, latencies, opened)
    inbox.changed = hall.changes.notify
    for station in hall.stations:
        station.changed = hall.changes.notify

    async def stop_all() -> None:
        await asyncio.gather(*(station.stop() for station in hall.stations))

    stack.push_async_callback(stop_all)
    now = time.monotonic()
    await asyncio.gather(*(station.start(now) for station in hall.stations))
    for station in hall.stations:
        watchers.create_task(station.watch())
    await hall.ready()
    hall.ready_s = time.monotonic() - opened
    return hall


def _window(name: str, stations: list[Station]) -> Window:
    here = [station for station in stations if station.place.window == name]
    display = next(each for each in here if isinstance(each, Display))
    keypad = next(each for each in here if isinstance(each, Keypad))
    return Window(name, display, keypad)


@asynccontextmanager
async def _watching() -> AsyncGenerator[asyncio.TaskGroup]:
    """Tasks that end only with an error; the first error ends everything, as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
            raise _DoneError
    except BaseExceptionGroup as errors:
        first = errors.exceptions[0]
        if not isinstance(first, _DoneError):
            raise first from None


class _DoneError(Exception):
    """Ends a group of watchers from inside."""
