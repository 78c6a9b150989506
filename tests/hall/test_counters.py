"""People counters from the sensor to the hall system: a real device, a real gateway, a real broker.

The sensor is the model of the chip at the level of its bytes; what walks below it is scripted, so
what has to arrive is known exactly.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.plain_hall import PlainHall
from support.sim import Watched, config_of, running

TABLES = """
[[device]]
id = "count-1"
profile = "people-counter-{sensor}"
zone = "entrance"
"""


class Door:
    """A counter at an entrance, and the hall system that hears of it."""

    def __init__(self, broker: Mosquitto, hall: PlainHall) -> None:
        self.broker = broker
        self.hall = hall

    async def events(self, type: str, count: int) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self.hall.await_events, type, count=count)

    async def ways(self, count: int) -> list[str]:
        """The directions of all passages, once there are at least `count`."""
        found = await self.events("hall.count.passage", count)
        return [event["data"]["direction"] for event in found]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def door(tmp_path: Path, broker: Mosquitto, request: pytest.FixtureRequest) -> Iterator[Door]:
    tables = TABLES.format(sensor=request.param)
    with Gateway(tmp_path / "gateway", broker.port, tables=tables), PlainHall(broker.port) as hall:
        yield Door(broker, hall)


async def walk(device: Watched, way: str, ms: int) -> None:
    """Somebody walks through; who comes next, perhaps the other way, keeps a step away."""
    before = len(device.said)
    await device.device.send({"cross": way, "ms": ms})
    await device.until(lambda line: line.get("crossed") == way, after=before)
    await asyncio.sleep(0.4)


def misuses(device: Watched) -> list[str]:
    return [line["misuse"] for line in device.said if "misuse" in line]


@pytest.mark.parametrize("door", ["vl53l1x"], indirect=True)
async def test_every_walker_under_a_vl53l1x_is_counted_once(door: Door, tmp_path: Path) -> None:
    config = config_of("people-counter-vl53l1x", door.broker.port, device="count-1")
    async with running(config, tmp_path / "counter") as device:
        await door.events("hall.device.started", 1)
        walked = ["in", "in", "out", "in", "out", "in"]
        for number, way in enumerate(walked):
            await walk(device, way, 500 + 100 * (number % 4))
        await device.device.send({"turn_back": "in", "ms": 900})
        await asyncio.sleep(1.0)  # nothing tells that nobody has passed
        await walk(device, "in", 700)
        assert await door.ways(7) == [*walked, "in"]
        assert misuses(device) == []
        inside = await asyncio.to_thread(
            door.hall.await_events,
            "hall.count.occupancy",
            where=lambda event: event["data"] == {"inside": 3, "in": 5, "out": 2},
            seconds=30,
        )
        assert inside[0]["subject"] == "hall"


@pytest.mark.parametrize("door", ["ld2450"], indirect=True)
async def test_every_walker_in_front_of_a_radar_is_counted_once(door: Door, tmp_path: Path) -> None:
    config = config_of("people-counter-ld2450", door.broker.port, device="count-1")
    async with running(config, tmp_path / "counter") as device:
        await door.events("hall.device.started", 1)
        walked = ["in", "out", "in"]
        for way in walked:
            await walk(device, way, 600)
            await asyncio.sleep(1.0)  # a radar's track ends when it has not been seen for a while
        assert await door.ways(3) == walked


@pytest.mark.parametrize("door", ["vl53l1x"], indirect=True)
async def test_a_sensor_that_hangs_is_got_going_again(door: Door, tmp_path: Path) -> None:
    config = config_of("people-counter-vl53l1x", door.broker.port, device="count-1")
    async with running(config, tmp_path / "counter") as device:
        await door.events("hall.device.started", 1)
        await walk(device, "in", 700)
        await device.device.send({"sensor": "hangs"})
        await asyncio.sleep(1.0)  # five timings until it is noticed, and a start
        await walk(device, "out", 700)
        assert await door.ways(2) == ["in", "out"]
        assert misuses(device) == []
