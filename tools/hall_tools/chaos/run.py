"""A whole run: the hall is opened, fails by plan, is healed, and is called to account.

Here: the order of things. Not here: what any of them does, and the comparison itself (truth.py).
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

from hall_tools.chaos.account import account
from hall_tools.chaos.devices import Device
from hall_tools.chaos.faults import Faults, Parts
from hall_tools.chaos.faults import links as link_names
from hall_tools.chaos.people import People
from hall_tools.chaos.places import Place, gateway_settings, windows
from hall_tools.chaos.plan import GATEWAY_LINKS, HALL_LINK, Plan
from hall_tools.chaos.processes import Broker, Gateway
from hall_tools.chaos.proxy import Link
from hall_tools.chaos.report import Healing, Report
from hall_tools.chaos.system import HallSystem
from hall_tools.errors import UserError

READY_S = 180.0
"""A hall that is not open by then never will be."""

HEAL_S = 300.0
"""So long everything may take to be as if nothing had been: a device that could not start six times
waits a minute before the next time, and a link's last retry comes after another."""

QUIET_S = 8.0
"""When all is there, so long nothing else may come. What a device would send again is in its
journal unacknowledged, and that is empty then; a rating may still be open."""

_SCAN_S = 2.0
_LOOK_S = 0.25
_RESTART_S = 2.0
QUARTERS = 4


async def run(plan: Plan, places: Sequence[Place], told: Callable[[str], None]) -> Report:
    """What became of everything. Raises UserError when a part ends by itself, or the hall does not
    open. When anything is wrong, what every part had on its disk and in its log is kept."""
    with _kept(told) as (folder, good):
        async with _watched() as tasks, _opened(folder, places, tasks, told) as parts:
            people = People(list(parts.devices.values()), parts.system, plan.seed)
            where = windows(places)
            begun = time.monotonic()
            living = tasks.create_task(people.run(where))
            memory = tasks.create_task(_memory(parts.gateway, plan.seconds))
            faults = Faults(parts, told)
            await faults.run(plan)
            told("everything heals")
            healed = time.monotonic()
            await faults.heal()
            healing = Healing()
            healing.missed = await _healed(parts, people, living, where, told)
            healing.seconds = time.monotonic() - healed
            told("the account")
            report = account(
                plan, parts, people.told, faults, healing, await memory, time.monotonic() - begun
            )
            for device in parts.devices.values():
                (folder / device.id / "deeds.txt").write_text("\n".join(device.history()))
        if not report.wrong:
            good()
        return report


@contextmanager
def _kept(told: Callable[[str], None]) -> Generator[tuple[Path, Callable[[], None]]]:
    """A folder, which is removed at the end when all was good, and else named."""
    folder = Path(tempfile.mkdtemp(prefix="hall-chaos-"))
    bad = True

    def good() -> None:
        nonlocal bad
        bad = False

    try:
        yield folder, good
    except asyncio.CancelledError:  # Ctrl-C
        good()
        raise
    finally:
        if bad:
            told(f"for whoever looks into it, kept: {folder}")
        else:
            shutil.rmtree(folder)


@asynccontextmanager
async def _opened(
    folder: Path, places: Sequence[Place], tasks: asyncio.TaskGroup, told: Callable[[str], None]
) -> AsyncGenerator[Parts]:
    """Every part runs inside, and every device is online; outside nothing is left."""
    async with AsyncExitStack() as stack:
        told(f"a hall with {len(places)} devices opens")
        device_broker = Broker(folder, "device-broker", remembers=False)
        upstream = Broker(folder, "upstream", remembers=True)
        links: dict[str, Link] = {}
        for name in link_names([place.device for place in places]):
            behind = upstream if name in (HALL_LINK, GATEWAY_LINKS[1]) else device_broker
            links[name] = link = Link(name, behind)
            await link.start()
            stack.push_async_callback(link.close)
        for broker in (device_broker, upstream):
            stack.push_async_callback(broker.stop)
            await broker.start()
        settings = folder / "gateway.toml"
        to_devices, to_hall = (links[name].port for name in GATEWAY_LINKS)
        written = gateway_settings(places, to_devices, to_hall, folder / "hall.db")
        settings.write_text(written, encoding="utf-8")
        gateway = Gateway(folder, settings)
        stack.push_async_callback(gateway.stop)
        gateway.launch()
        system = await stack.enter_async_context(HallSystem(links[HALL_LINK].port))
        devices = {
            place.device: Device(place, folder / place.device, links[place.device])
            for place in places
        }
        parts = Parts(gateway, device_broker, upstream, links, devices, system)
        for device in devices.values():
            stack.push_async_callback(device.sim.stop)
            tasks.create_task(device.listen())
        await asyncio.gather(*(device.sim.start() for device in devices.values()))
        tasks.create_task(_watch(parts))
        try:
            async with asyncio.timeout(READY_S):
                await _until(system, lambda: all(system.online(name) for name in devices))
        except TimeoutError:
            missing = [each for name, each in devices.items() if not system.online(name)]
            said = "; ".join(f"{each.id}, which said {list(each.log)[-3:]}" for each in missing)
            raise UserError(
                f"the hall did not open in {READY_S:g} s; not online: {said or 'the gateway'}",
                os.EX_UNAVAILABLE,
            ) from None
        yield parts


async def _healed(
    parts: Parts,
    people: People,
    living: "asyncio.Task[None]",
    where: list[str],
    told: Callable[[str], None],
) -> list[str]:
    """Returns what did not become as it should within HEAL_S; empty when all did.

    Everybody finishes what was begun, then does one thing more; then every device is online with an
    empty journal, and everything that is true has arrived.
    """
    step = "every device is online again"
    system, devices = parts.system, parts.devices
    people.close()
    try:
        async with asyncio.timeout(HEAL_S):
            await _until(system, lambda: all(system.online(name) for name in devices))
            told(step := "people finish what they began")
            await living
            told(step := "everybody is served once more")
            await people.once(where)
            told(step := "every journal is empty")
            await _until(system, lambda: all(_drained(system, each) for each in devices.values()))
            told(step := "everything that is on a flash chip has arrived")
            while True:
                arrived = system.arrived
                try:
                    async with asyncio.timeout(QUIET_S):
                        await _until(system, lambda before=arrived: system.arrived != before)
                except TimeoutError:
                    return []
    except TimeoutError:
        return [step, *_not_drained(parts)]


def _drained(system: HallSystem, device: Device) -> bool:
    """Whether the device says that everything in its journal has been acknowledged."""
    device.scan()
    newest = max((seq for _, seq in device.records), default=0)
    journal: dict[str, int] | None = system.reported(device.id).get("journal")
    if journal is None or not system.online(device.id):
        return False
    return journal["acked"] == journal["next"] - 1 >= newest


def _not_drained(parts: Parts) -> list[str]:
    return [
        f"{device.id}: online {parts.system.online(device.id)}, journal "
        f"{parts.system.reported(device.id).get('journal')}; {list(device.log)[-3:]}"
        for device in parts.devices.values()
        if not _drained(parts.system, device)
    ]


async def _until(system: HallSystem, holds: Callable[[], bool]) -> None:
    while not holds():
        await system.changes.next()


async def _memory(gateway: Gateway, seconds: float) -> list[float]:
    """The most resident memory in MB that the gateway had in each quarter, of all its processes."""
    loop = asyncio.get_running_loop()
    most: list[float] = []
    for _ in range(QUARTERS):
        most.append(0.0)
        until = loop.time() + seconds / QUARTERS
        while loop.time() < until:
            most[-1] = max(most[-1], gateway.resident_mb())
            await asyncio.sleep(_LOOK_S)
    return most


async def _watch(parts: Parts) -> None:
    """Raises UserError when a part ends by itself; reads every journal now and then.

    A gateway that finds no room on its disk at its start ends, and its service manager starts it
    again (hallkit-gateway.service).
    """
    gateway = parts.gateway
    while True:
        for device in parts.devices.values():
            if gateway.ended == os.EX_CANTCREAT:
                await asyncio.sleep(_RESTART_S)
                gateway.launch()
            for part in (gateway, parts.device_broker, parts.upstream):
                part.check()
            device.scan()
            await asyncio.sleep(_SCAN_S / len(parts.devices))


@asynccontextmanager
async def _watched() -> AsyncGenerator[asyncio.TaskGroup]:
    """Tasks that go on until the end; the first error of one is the end, as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
            raise _DoneError
    except BaseExceptionGroup as errors:
        first = _first(errors)
        if not isinstance(first, _DoneError):
            raise first from None


def _first(error: BaseException) -> BaseException:
    """What is in a group of errors, and in the groups in it."""
    if isinstance(error, BaseExceptionGroup):
        return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return error


class _DoneError(Exception):
    """Ends a group of tasks from inside."""
