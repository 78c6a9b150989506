"""Carrying out a plan of faults, and healing everything at its end.

Here: what each kind does to which part. Not here: which come when (plan.py).

A broker that loses its memory loses what it had confirmed and not handed on, and because it had
confirmed it nobody sends it again. So before the hall system's broker is killed, the gateway's link
to it is held and the hall system gets what is there; and before the gateway is let to it again, the
hall system has subscribed. The devices' broker is killed at any moment: between a device and the
gateway no broker's word counts.
"""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hall_tools.chaos.devices import ARMED, Device
from hall_tools.chaos.plan import GATEWAY_LINKS, HALL_LINK, LINK_KINDS, Fault, Kind, Plan
from hall_tools.chaos.processes import Broker, Gateway
from hall_tools.chaos.proxy import Link, Side
from hall_tools.chaos.system import HallSystem

Told = Callable[[str], None]


@dataclass
class Parts:
    """Everything that can fail."""

    gateway: Gateway
    device_broker: Broker
    upstream: Broker
    links: Mapping[str, Link]
    devices: Mapping[str, Device]
    system: HallSystem


class Faults:
    """`done` counts by kind; what did not come about, as a cut of a flash that did nothing, is in
    `idle`."""

    def __init__(self, parts: Parts, told: Told) -> None:
        self.done: Counter[Kind] = Counter()
        self.idle: Counter[Kind] = Counter()
        self._parts = parts
        self._told = told
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, plan: Plan) -> None:
        """The whole plan, each fault at its time from now; returns when the last one is over."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with asyncio.TaskGroup() as group:
            for fault in plan.faults:
                await asyncio.sleep(begun + fault.at - loop.time())
                self._told(f"{fault.at:6.1f} s  {fault.kind} {fault.target}")
                group.create_task(self._do(fault))
            await asyncio.sleep(begun + plan.seconds - loop.time())

    async def heal(self) -> None:
        """Nothing fails any more, and every part has been started again."""
        parts = self._parts
        for link in parts.links.values():
            link.resume()
        for broker in (parts.device_broker, parts.upstream):
            if not broker.runs:
                await broker.start()
        parts.gateway.set_clock(0)
        if parts.gateway.runs:
            parts.gateway.empty_disk()
        else:
            parts.gateway.launch()
        for device in parts.devices.values():
            device.sim.cut = ARMED
            await device.tell({"cut": 0})
            await device.tell({"wifi": "on"})
            await device.sim.power_on()

    async def _do(self, fault: Fault) -> None:
        async with contextlib.AsyncExitStack() as stack:
            # One that takes longer than planned puts the next one at the same part off.
            for need in sorted(fault.needs):
                await stack.enter_async_context(self._locks[need])
            if fault.kind in LINK_KINDS:
                came = await self._on_link(fault, self._parts.links[fault.target])
            elif fault.target in self._parts.devices:
                came = await self._on_device(fault, self._parts.devices[fault.target])
            else:
                came = await self._on_part(fault)
        (self.done if came else self.idle)[fault.kind] += 1

    async def _on_link(self, fault: Fault, link: Link) -> bool:
        side: Side = "up" if fault.how == "up" else "down"
        before = link.done[fault.kind]
        match fault.kind:
            case "black_hole":
                link.hold()
                await asyncio.sleep(fault.lasts)
                if fault.how == "forgotten":
                    link.reset()
                link.resume()
                return True
            case "delay":
                link.delay_s = fault.n / 1000
            case "slow_reader":
                link.slow[side] = fault.n
            case "reset":
                link.reset()
                return True
            case "cut_mid_packet":
                link.wanted[fault.kind, side] = 1
            case _:
                link.wanted[fault.kind, side] = fault.n
        await asyncio.sleep(fault.lasts)
        link.resume()
        # Messages have to come for something to be done to them.
        return fault.kind in ("delay", "slow_reader") or link.done[fault.kind] > before

    async def _on_part(self, fault: Fault) -> bool:
        parts = self._parts
        match fault.kind:
            case "kill_gateway":
                await parts.gateway.kill()
                await asyncio.sleep(fault.lasts)
                parts.gateway.launch()
            case "kill_device_broker":
                await parts.device_broker.kill()
                await asyncio.sleep(fault.lasts)
                await parts.device_broker.start()
            case "upstream_down":
                await self._forget_upstream(fault.lasts)
            case "upstream_restart":
                await parts.upstream.stop()
                await asyncio.sleep(fault.lasts)
                await parts.upstream.start()
            case "disk_full":
                parts.gateway.fill_disk()
                await asyncio.sleep(fault.lasts)
                parts.gateway.empty_disk()
            case _:
                parts.gateway.set_clock(fault.n)
                await asyncio.sleep(fault.lasts)
                parts.gateway.set_clock(0)
        return True

    async def _forget_upstream(self, away_s: float) -> None:
        parts = self._parts
        link = parts.links["gateway-hall"]
        link.hold()
        await parts.system.caught_up()
        await parts.upstream.kill()
        parts.upstream.forget()
        parts.system.forgotten()
        link.reset()
        await asyncio.sleep(away_s)
        await parts.upstream.start()
        await parts.system.subscribed()
        link.resume()

    async def _on_device(self, fault: Fault, device: Device) -> bool:
        match fault.kind:
            case "kill_device":
                device.ended()
                await device.sim.kill()
                await asyncio.sleep(fault.lasts)
            case "power_cut":
                device.ended()
                await device.sim.power_cut()
                await asyncio.sleep(fault.lasts)
            case "flash_cut":
                await device.tell({"cut": fault.n, "how": fault.how})
                return await self._cut(fault, device)
            case "boot_cut":
                device.ended()
                await device.sim.power_cut()
                device.sim.cut = f"{fault.n} {fault.how}"
                await device.sim.power_on()
                return await self._cut(fault, device)
            case "hang":
                await device.tell({"hang_ms": fault.n})
                await asyncio.sleep(fault.lasts)
            case _:
                await device.tell({"wifi": "off"})
                await asyncio.sleep(fault.lasts)
                await device.tell({"wifi": "on"})
        await device.sim.power_on()
        return True

    async def _cut(self, fault: Fault, device: Device) -> bool:
        """Whether the operation came in time at which the power goes; then it comes back."""
        cuts = len(device.cuts)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(fault.lasts):
                while len(device.cuts) == cuts or device.sim.is_on:
                    device.changed.clear()
                    await device.changed.wait()
        device.sim.cut = ARMED
        await device.tell({"cut": 0})
        await device.sim.power_on()
        return len(device.cuts) > cuts


def links(devices: list[str]) -> list[str]:
    """The names of all links."""
    return [*devices, *GATEWAY_LINKS, HALL_LINK]
