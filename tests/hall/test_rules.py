"""Every shipped rule in one whole hall whose way to the hall system is down.

Real firmware with water, rain and fingers at it, a real broker, the composed gateway. Its clock
runs ahead by hand, so that nobody waits for minutes. What the hall system gets is looked at when
its broker comes at last.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hall_gateway import mqtt, service
from hall_gateway.config import load_config
from hall_gateway.service import Gateway, composed
from hall_gateway.store_rules import Alert, Bookmark, Task
from support.mosquitto import Mosquitto
from support.plain_hall import PlainHall
from support.sim import Watched, config_of, running

WAIT_S = 60.0
UTC_OFFSET_H = 8
HALL = """hall = "demo"
[store]
path = "hall.db"
[broker]
port = {port}
[upstream]
port = {upstream}
[rating]
min_service_s = 0
[occupancy]
reset_hour = {reset}
[[window]]
id = "1"
name = "综合业务"
zone = "entrance"
camera = "cam-03"
[[window]]
id = "2"
[[device]]
id = "disp-1"
profile = "call-display-p10-64x16"
window = "1"
[[device]]
id = "kp-1"
profile = "keypad-5"
window = "1"
[[device]]
id = "floor-1"
profile = "wet-floor-mains"
zone = "entrance"
[[device]]
id = "count-1"
profile = "people-counter-beams"
zone = "entrance"
"""
QUICK = {"sample_ms": 200, "dry_after_s": 1}


class Ahead:
    """The gateway's clocks, which a test moves together, so that none of them jumps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._by = 0
        for name in ("_unix_ms", "_steady_ms"):
            real: Callable[[], int] = getattr(service, name)
            monkeypatch.setattr(service, name, lambda real=real: real() + self._by)

    def pass_s(self, seconds: int) -> None:
        self._by += seconds * 1000


class Hall:
    """The running hall, as somebody at the gateway finds it."""

    def __init__(self, gateway: Gateway, clock: Ahead, devices: dict[str, Watched]) -> None:
        self.gateway = gateway
        self.clock = clock
        self.devices = devices
        self._ids = 0

    async def command(self, name: str, **fields: object) -> None:
        """Given on this machine, as the hall system is out of reach."""
        self._ids += 1
        body = json.dumps({"id": f"local:{self._ids}", **fields}).encode()
        reply = await self.gateway.core.command(name, body, by="李敏")
        assert reply is not None
        assert json.loads(reply.body)["ok"], reply.body

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not what():  # noqa: ASYNC110 (states of other processes)
                await asyncio.sleep(0.02)

    async def shows(self, view: str, **more: str) -> None:
        """The display says that it does."""

        def shown() -> bool:
            told = json.loads(self.gateway.core.device_states().get("disp-1", b"{}"))
            shows = (told.get("state") or {}).get("shows") or {}
            return {"view": view, **more}.items() <= shows.items()

        await self.until(shown)

    async def alert(self, rule: str) -> Alert:
        """The alert of that rule, once it stands."""
        async with asyncio.timeout(WAIT_S):
            while True:
                alerts = await self.gateway.core.do(lambda heart, now: heart._store.alerts.open())
                if found := [alert for alert in alerts if alert.rule == rule]:
                    return found[0]
                await asyncio.sleep(0.02)

    async def kept(self) -> tuple[list[Task], list[Bookmark]]:
        return await self.gateway.core.do(
            lambda heart, now: (heart._store.tasks.open(), heart._store.bookmarks.recent(9))
        )

    def desired(self, device: str) -> dict[str, Any]:
        return json.loads(self.gateway.core.desired()[device])


@asynccontextmanager
async def running_hall(folder: Path, port: int, upstream: int, clock: Ahead) -> AsyncIterator[Hall]:
    """The gateway and its four devices, each of which it has heard."""
    path = folder / "hall.toml"
    # The night is half a day away: it sends home whoever waits.
    reset = (time.gmtime().tm_hour + UTC_OFFSET_H + 12) % 24
    path.write_text(HALL.format(port=port, upstream=upstream, reset=reset), encoding="utf-8")
    settings = {"floor-1": QUICK}
    config = load_config(path)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(composed(config, file=path))
        task = asyncio.create_task(gateway.run(stop))
        devices: dict[str, Watched] = {}
        for each in config.devices:
            made = config_of(each.profile, port, each.id, settings=settings.get(each.id, {}))
            devices[each.id] = await stack.enter_async_context(running(made, folder / each.id))
        hall = Hall(gateway, clock, devices)
        await hall.until(lambda: len(gateway.core.device_states()) == len(devices))
        try:
            yield hall
        finally:
            stop.set()
            await task


async def test_every_shipped_rule_works_without_the_hall_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is looked for all the time: the wait for it would come to be longer than the test's.
    monkeypatch.setattr(mqtt, "RETRY_MAX_S", 1.0)
    clock = Ahead(monkeypatch)
    upstream = Mosquitto(tmp_path / "upstream")  # not started yet
    with Mosquitto(tmp_path / "devices") as broker:
        async with running_hall(tmp_path, broker.port, upstream.port, clock) as hall:
            for rule in (a_wet_floor, rain, a_queue, overtimes, a_bad_rating, a_silent_counter):
                await rule(hall)
            assert not hall.gateway.brokers["hall"].connected
            with upstream, PlainHall(upstream.port) as system:
                await asyncio.to_thread(the_hall_system_gets_it, system)


async def a_wet_floor(hall: Hall) -> None:
    await hall.shows("idle")
    await hall.devices["floor-1"].device.send({"wet_ohms": 40_000})
    await hall.shows("caution")
    alert = await hall.alert("wet-floor")
    hall.clock.pass_s(300)
    await hall.until(lambda: hall.gateway.core.health()["published"]["hall.alert.raised"] == 2)
    # Who is asked to come is shown where; the caution is back when the service starts.
    await hall.command("call", ticket="A001", window="1")
    await hall.shows("call", ticket="A001")
    await hall.command("start", window="1")
    await hall.shows("caution")
    assert alert.subject == "zone/entrance"
    await hall.devices["floor-1"].device.send({"wet_ohms": 10_000_000})
    await hall.shows("call", ticket="A001")


async def rain(hall: Hall) -> None:
    await hall.command("end", window="1")
    await hall.shows("idle")
    await hall.devices["floor-1"].device.send({"rain": "on"})
    await hall.shows("text")
    assert hall.desired("disp-1")["text"] == "雨天请将雨伞放入伞桶"
    await hall.alert("rain")
    await hall.devices["floor-1"].device.send({"rain": "off"})
    await hall.shows("idle")


async def a_queue(hall: Hall) -> None:
    for number in range(11):
        await hall.command("take", ticket=f"B{number}")
    await ticks(hall, 60)
    assert (await hall.alert("long-queue")).subject == "hall"
    await ticks(hall, 900)
    await ticks(hall, 60)
    assert "请加开窗口" in (await hall.alert("long-wait")).text["zh"]
    for number in range(11):
        await hall.command("cancel", ticket=f"B{number}")


async def overtimes(hall: Hall) -> None:
    for ticket, business, limit_s in (("C1", "收费", 301), ("C2", "新装", 1201)):
        await hall.command("call", ticket=ticket, window="2", business=business)
        await hall.command("start", window="2")
        await ticks(hall, limit_s)
        await hall.command("end", window="2")
    await hall.until(lambda: hall.gateway.core.health()["published"]["hall.service.overtime"] == 2)


async def a_bad_rating(hall: Hall) -> None:
    await hall.command("staff", window="1", staff="张伟")
    await hall.command("call", ticket="D1", window="1")
    await hall.command("start", window="1")
    hall.clock.pass_s(60)
    await hall.command("end", window="1")
    keypad = hall.devices["kp-1"]
    await keypad.until(lambda line: line.get("pin") == "lamp_1" and line["value"] == 1)
    await keypad.device.send({"press": 5})
    await hall.until(lambda: "hall.task.opened" in str(hall.gateway.core.health()["published"]))
    (task,), (bookmark,) = await hall.kept()
    assert (task.about["ticket"], task.about["mark"], task.about["bookmark"]) == ("D1", 1, 1)
    looked = {"ticket": "D1", "window": "1", "staff": "张伟", "camera": "cam-03"}
    assert looked.items() <= bookmark.body.items()
    assert bookmark.body["from"] < bookmark.body["to"]
    hall.clock.pass_s(86_400)
    await hall.until(lambda: "hall.task.overdue" in str(hall.gateway.core.health()["published"]))


async def a_silent_counter(hall: Hall) -> None:
    await hall.devices["count-1"].device.kill()
    await hall.until(lambda: b'"online":false' in hall.gateway.core.device_states()["count-1"])
    await ticks(hall, 120)
    await hall.alert("counter-offline")


async def ticks(hall: Hall, seconds: int) -> None:
    """So long passes between two looks of the rules."""
    await hall.gateway.core.tick()
    hall.clock.pass_s(seconds)
    await hall.gateway.core.tick()


def the_hall_system_gets_it(system: PlainHall) -> None:
    # What happened last comes last.
    system.await_events(
        "hall.alert.raised", where=lambda event: event["data"]["rule"] == "counter-offline"
    )
    raised = [event["data"] for event in system.events("hall.alert.raised")]
    assert {data["rule"]: data["times"] for data in raised if data["times"] == 1}.keys() == {
        *("wet-floor", "rain", "long-queue", "long-wait", "overtime", "counter-offline"),
    }
    overtime = [event["data"] for event in system.events("hall.service.overtime")]
    limits = [(data["ticket"], data["limit_ms"]) for data in overtime]
    assert limits == [("C1", 300_000), ("C2", 1_200_000)]
    assert [e["data"]["ticket"] for e in system.events("hall.replay.bookmark")] == ["D1"]
    assert [e["data"]["mark"] for e in system.events("hall.task.opened")] == [1]
    (late,) = system.events("hall.task.overdue")
    assert late["data"]["clock"] == "contact"
