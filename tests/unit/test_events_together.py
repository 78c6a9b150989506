"""Several events of a device in one call: as if each had come by itself."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.effects import Effects
from support.core_hall import Device, Hall, open_hall


@pytest.fixture
def defect_in_the_fifth(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows from any device's event 5 ends in an error that nobody expects."""
    meaning = Effects._meaning

    def defective(self: Effects, device: Any, event: Any, *rest: Any) -> Any:
        outcome = meaning(self, device, event, *rest)
        if event.seq == 5:
            raise ZeroDivisionError
        return outcome

    monkeypatch.setattr(Effects, "_meaning", defective)


async def outcome(hall: Hall) -> tuple[list[Any], Any]:
    """What the hall system gets, and what is counted."""
    health = hall.core.health()
    counts = {name: health[name] for name in ("stored", "duplicates", "quarantined", "refused")}
    told = [json.loads(row.body) for row in await hall.rows()]
    own = {id: number for number, id in enumerate(e["id"] for e in told if "gateway/" in e["id"])}
    return [{**event, "id": own.get(event["id"], event["id"])} for event in told], counts


def stream(rng: random.Random) -> list[bytes]:
    """Presses, calls shown that never were, resends, holes that fill, and what is no event."""
    device = Device("kp-1")
    events = [
        device.event("press", {"key": rng.randint(1, 7), "session": None}, rng.randint(50, 900))
        for _ in range(60)
    ]
    for _ in range(8):
        at = rng.randrange(len(events))
        events.insert(at + rng.randrange(6), events[at])
        one, other = rng.randrange(len(events) - 3), rng.randint(1, 3)
        events[one], events[one + other] = events[one + other], events[one]
        events.insert(rng.randrange(len(events)), rng.choice([b"{", b'{"epoch":48879,"seq":7}']))
    return events


@pytest.mark.parametrize("seed", range(6))
async def test_a_device_s_events_mean_the_same_together_and_alone(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    events = stream(rng)
    found: list[Any] = []
    for name, size in (("alone", 1), ("together", 7)):
        (tmp_path / name).mkdir()
        async with open_hall(tmp_path / name) as hall:
            await hall.core.state("kp-1", Device("kp-1").state(0))
            marks: list[int] = []
            for first in range(0, len(events), size):
                acks = await hall.core.events("kp-1", events[first : first + size])
                marks += [ack.seq for ack in acks]
            assert marks[-1] == 60
            found.append(await outcome(hall))
    assert found[0] == found[1]


async def test_one_that_is_refused_costs_the_others_nothing(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        device = Device("disp-1")
        boots = [device.event("boot", {"cause": "power_on"}) for _ in range(2)]
        never = device.event("shown", {"rev": 9_999_999_999})
        boots.append(device.event("boot", {"cause": "power_on"}))
        (ack,) = await hall.core.events("disp-1", [*boots[:2], never, boots[2]])
        assert ack.seq == 4
        assert len(await hall.events("hall.device.started")) == 3
        (fault,) = await hall.data("hall.device.fault")
        assert (fault["code"], fault["seq"]) == ("refused_event", 3)
        assert hall.core.health()["stored"] == 4
        assert hall.core.health()["quarantined"] == 1


@pytest.mark.usefixtures("defect_in_the_fifth")
async def test_a_defect_in_one_of_several_takes_back_only_that_one(
    tmp_path: Path,
) -> None:
    async with open_hall(tmp_path) as hall:
        device = Device("cnt")
        events = [device.event("passage", {"dir": "in"}) for _ in range(9)]
        (ack,) = await hall.core.events("cnt", events)
        assert ack.seq == 9
        assert len(await hall.events("hall.count.passage")) == 8
        hall.clock.pass_s(20)
        await hall.core.tick()
        (told,) = await hall.data("hall.count.occupancy")
        assert told["inside"] == 8
    async with open_hall(tmp_path, hall.clock) as hall:  # and so it was stored
        (ack,) = await hall.core.events("cnt", [device.event("passage", {"dir": "out"})])
        assert ack.seq == 10
        hall.clock.pass_s(20)
        await hall.core.tick()
        assert (await hall.data("hall.count.occupancy"))[-1]["inside"] == 7


@pytest.mark.usefixtures("defect_in_the_fifth")
async def test_passages_are_reported_once_each_whatever_was_taken_back(
    tmp_path: Path,
) -> None:
    """They are added up in memory, and what is done again must not be added up again."""
    async with open_hall(tmp_path) as hall:
        devices = {"cnt": Device("cnt"), "disp-1": Device("disp-1")}
        calls: list[Any] = []
        for _ in range(3):
            passages = [devices["cnt"].event("passage", {"dir": "in"}) for _ in range(3)]
            calls.append(hall.core.events("cnt", passages))
            boot = devices["disp-1"].event("boot", {"cause": "power_on"})
            calls.append(hall.core.events("disp-1", [boot]))
        acks = await asyncio.gather(*calls)
        assert [ack.seq for (ack,) in acks] == [3, 1, 6, 2, 9, 3]
        facts = await hall.core.do(lambda heart, _: heart._store.figures.between(0, 2**53))
        assert sum(passages.passages for passages in facts.passages) == 8
