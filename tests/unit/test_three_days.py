"""Three days of a hall that opens and closes: what the counter and the gateway add up is the truth.

The counter is the device's own code in MicroPython; the gateway is its core. Simulated are time,
which both are told and which jumps from one person to the next, the beams, the flash, and the link:
it takes what the journal holds to the core and the core's ack back, when it is not cut off. The
ticks wrap on the second day, each night the sums begin anew, the ring of 16 KB rolls over, and once
the power fails.
"""

import json
import random
import subprocess
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from hall_profiles import compile_config, load
from support import micropython
from support.core_hall import Clock, Hall, open_hall

SCRIPT = Path(__file__).with_name("mp_three_days.py")
SUPPORT = Path(__file__).parents[1] / "support"
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
MIDNIGHT = 1_799_942_400_000
"""Unix ms of a midnight of the hall's clock, which is 8 hours ahead."""
SLICE = 10 * MINUTE
WRAP = 1 << 30
DAYS = 3


@dataclass(frozen=True)
class Walk:
    """Somebody in the doorway from `at` on, ms since the first midnight."""

    at: int
    way: str
    length: int
    turns: bool = False


def day(rng: random.Random, number: int) -> list[Walk]:
    """Opening at 9, closing at 17:30. Some look in and turn; some leave by another door."""
    comings = [rng.randrange(9 * HOUR, 17 * HOUR) for _ in range(150 + 20 * number)]
    wishes = [(at, "in", False) for at in comings]
    wishes += [(rng.randrange(9 * HOUR, 17 * HOUR), "in", True) for _ in range(15)]
    for at in comings[3 + number :]:
        wishes.append(
            (min(at + rng.randrange(3 * MINUTE, HOUR), 17 * HOUR + 29 * MINUTE), "out", False)
        )
    free, walks = 0, list[Walk]()
    for at, way, turns in sorted(wishes):
        begins = max(number * DAY + at, free)
        walks.append(Walk(begins, way, rng.randrange(500, 1200), turns))
        free = begins + walks[-1].length + 1000
    return walks


class Counter:
    """The device's process, told what to live through."""

    def __init__(self, folder: Path, ticks: int) -> None:
        config: dict[str, Any] = compile_config(
            load("people-counter-beams"),
            device="cnt",
            hall="demo",
            broker_host="127.0.0.1",
            broker_port=1883,
        )
        (folder / "flash.bin").touch()
        argv, environment = micropython.command(
            SCRIPT,
            str(folder / "flash.bin"),
            str(folder / "rtc.bin"),
            path=[micropython.modules(), micropython.simulation(), SUPPORT],
            heap="2M",
        )
        self._process = subprocess.Popen(
            argv, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.tell(config=config, ticks=ticks)

    def tell(self, **line: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            return json.loads(line)
        except ValueError:
            raise AssertionError(line + self._process.stdout.read()) from None

    def live(self, until: int, walks: list[Walk]) -> tuple[list[dict[str, Any]], int, int]:
        """The events that wait then, the chip's ticks, and what time it has become: a little later
        when somebody is in the doorway."""
        self.tell(
            until=until, walks=[[each.at, each.way, each.length, each.turns] for each in walks]
        )
        waiting = list[dict[str, Any]]()
        while "ticks" not in (line := self.hear()):
            waiting.append(line)
        return waiting, line["ticks"], line["now"]

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


def cut_off(now: int) -> bool:
    """Each day from 11:00 to 12:30 nothing reaches the gateway."""
    return 11 * HOUR <= now % DAY < 12 * HOUR + 30 * MINUTE


async def deliver(hall: Hall, counter: Counter, waiting: list[dict[str, Any]]) -> None:
    for event in waiting:
        ack = await hall.core.event("cnt", json.dumps(event).encode())
        assert ack is not None
        counter.tell(ack=[ack.epoch, ack.seq], now=hall.clock.now)


async def test_counts_equal_the_truth_through_three_days(tmp_path: Path) -> None:
    rng = random.Random(72)
    days = [day(rng, number) for number in range(DAYS)]
    passed = [walk for each in days for walk in each if not walk.turns]
    ahead = [walk for each in days for walk in each]
    counter = Counter(tmp_path, WRAP - 36 * HOUR)
    clock = Clock(MIDNIGHT)
    seen = list[int]()
    try:
        async with open_hall(tmp_path, clock) as hall:
            for now in range(SLICE, DAYS * DAY + 4 * HOUR, SLICE):
                here = [walk for walk in ahead if walk.at < now]
                ahead = ahead[len(here) :]
                waiting, ticks, later = counter.live(now, here)
                seen.append(ticks)
                clock.now = MIDNIGHT + later
                if not cut_off(now):
                    await deliver(hall, counter, waiting)
                await hall.core.tick()
                if now == 2 * DAY + 12 * HOUR:
                    counter.tell(reboot=True)  # while nothing reaches the gateway
            counter.tell(count=True)
            journal = counter.hear()
            events = await hall.events()
    finally:
        counter.stop()
    print(journal, len(passed), "passages", len(events), "events")

    assert [later < earlier for earlier, later in pairwise(seen)].count(True) == 1, "one wrap"
    assert journal["erases"] > 12, "the ring rolled over three times"
    assert journal["dropped"] == 0
    boots = [event for event in events if event["type"] == "hall.device.started"]
    assert len(boots) == 2

    told = [event for event in events if event["type"] == "hall.count.passage"]
    assert [event["data"]["direction"] for event in told] == [walk.way for walk in passed]
    late: dict[str, list[int]] = {"synced": [], "estimated": []}
    for event, walk in zip(told, passed, strict=True):
        late[event["clockquality"]].append(moment(event) - (walk.at + walk.length))
    print("dated after they had passed:", {name: (min(ms), max(ms)) for name, ms in late.items()})
    assert min(late["synced"]) >= 0
    assert max(late["synced"]) <= 1000
    # After the power failed, until the gateway was heard again.
    assert len(late["estimated"]) < 60
    assert max(map(abs, late["estimated"])) <= 30 * MINUTE

    # Each day's last word, and what the night found left over.
    sums = [event for event in events if event["type"] == "hall.count.occupancy"]
    resets = [event for event in events if event["type"] == "hall.count.reset"]
    assert len(resets) == DAYS
    for number, (walks, reset) in enumerate(zip(days, resets, strict=True)):
        ways = [walk.way for walk in walks if not walk.turns]
        within = range(number * DAY + 4 * HOUR, number * DAY + 26 * HOUR)
        last = [event["data"] for event in sums if moment(event) in within][-1]
        left = ways.count("in") - ways.count("out")
        assert last == {"inside": left, **sums_of(ways)}
        print(last, reset["data"])
        assert reset["data"] == {"removed": left, **sums_of(ways), "repaired": 0, "late": 0}
        assert left > 0


def sums_of(ways: list[str]) -> dict[str, int]:
    return {way: ways.count(way) for way in ("in", "out")}


def moment(event: dict[str, Any]) -> int:
    """When it happened, ms since the first midnight."""
    return round(datetime.fromisoformat(event["time"]).timestamp() * 1000) - MIDNIGHT
