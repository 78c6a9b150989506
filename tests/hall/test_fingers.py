"""Scripted fingers on simulated keypads at the real gateway: what counts, what does not, and why.

The keypads are real firmware in the real MicroPython; contacts bounce and glitch at their pins. The
truth is what the script knows of every finger; nothing that a device or the gateway says is used.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.plain_hall import PlainHall
from support.sim import Watched, config_of, running

MARKS = {
    "kp-1": [5, 4, 3, 2, 1],
    "kp-2": [5, 4, 3, 3, 2, 1],
    "kp-3": [4, 3, 2],
    "kp-4": [5, 4, 3, 2, 1],
    "kp-5": [5, 4, 3, 2, 1],
}

TABLES = """
[rating]
window_s = 9
min_service_s = 1
fast_s = 2
fast_run = 3
interval_s = 2
[[window]]
id = "1"
[[window]]
id = "2"
[[window]]
id = "3"
free = true
[[window]]
id = "4"
[[window]]
id = "5"
[[device]]
id = "kp-1"
profile = "keypad-5"
window = "1"
[[device]]
id = "kp-2"
profile = "keypad-6"
window = "2"
[[device]]
id = "kp-3"
profile = "keypad-3"
window = "3"
[[device]]
id = "kp-4"
profile = "keypad-5"
window = "4"
[[device]]
id = "kp-5"
profile = "keypad-5"
window = "5"
"""

WINDOW_S = 9
CALM_S = 3.2
PAUSE_S = 2.8
"""A child that pauses for less is still mashing."""
LOCKED_S = 3.3


@dataclass
class Hand:
    """Somebody's fingers at one keypad, and what each press of them must come to."""

    name: str
    device: Watched
    window: str
    hall: PlainHall
    truth: list[tuple[int, str]] = field(default_factory=list)
    ratings: list[tuple[str | None, int]] = field(default_factory=list)
    tickets: Iterator[int] = field(default_factory=lambda: iter(range(1, 100)))

    async def order(self, name: str, **fields: object) -> None:
        reply = await asyncio.to_thread(self.hall.command, name, window=self.window, **fields)
        assert reply["ok"], reply

    async def serve(self, served_s: float = 1.1, **fields: object) -> str:
        """A service that has ended, whose customer is asked by the lamps; its ticket."""
        ticket = f"{self.window}{next(self.tickets):03}"
        await self.order("call", ticket=ticket, **fields)
        await self.order("start")
        await asyncio.sleep(served_s)
        before = len(self.device.said)
        await self.order("end")
        await self.device.until(
            lambda line: line.get("pin") == "lamp_1" and line["value"] == 1, after=before
        )
        return ticket

    async def press(self, key: int, reason: str = "", ms: int = 120, bounce_ms: int = 6) -> None:
        before = len(self.device.said)
        await self.device.device.send({"press": key, "ms": ms, "bounce_ms": bounce_ms})
        await self.device.until(lambda line: line.get("pressed") == key, after=before)
        self.truth.append((key, reason))

    async def glitch(self, key: int, ms: int) -> None:
        """Something that is no finger: shorter than any."""
        await self.device.device.send({"press": key, "ms": ms, "bounce_ms": 0})

    def rated(self, ticket: str | None, key: int) -> None:
        self.ratings.append((ticket, MARKS[self.name][key - 1]))


async def customers(hand: Hand) -> None:
    for bounce_ms, key in ((0, 1), (7, 4), (13, 2), (20, 5)):
        ticket = await hand.serve()
        await hand.glitch(3, 4)
        await asyncio.sleep(0.3)
        await hand.press(key, bounce_ms=bounce_ms)
        await hand.glitch(key % 5 + 1, 8)
        hand.rated(ticket, key)
        await asyncio.sleep(LOCKED_S)
    ticket = await hand.serve()
    await hand.press(5)
    await asyncio.sleep(1)
    await hand.press(2)
    hand.rated(ticket, 2)
    await asyncio.sleep(3)


async def two_keys_and_a_stuck_one(hand: Hand) -> None:
    ticket = await hand.serve()
    await hand.press(1, "mashing", ms=300)
    await asyncio.sleep(0.1)
    await hand.press(5, "mashing", ms=300)
    await asyncio.sleep(CALM_S + 0.3)
    await hand.press(3)
    hand.rated(ticket, 3)
    await asyncio.sleep(LOCKED_S)
    ticket = await hand.serve()
    before = len(hand.device.said)
    await hand.press(2, "stuck_key", ms=7000)
    await asyncio.sleep(6.0)
    # The customer is asked again.
    await hand.device.until(
        lambda line: (line.get("pin"), line.get("value")) == ("lamp_3", 1), after=before
    )
    await hand.press(4)
    hand.rated(ticket, 4)
    await asyncio.sleep(LOCKED_S + 1)


async def clerks(hand: Hand) -> None:
    await hand.serve()
    await asyncio.sleep(9.5)
    await hand.press(1, "out_of_session")
    await asyncio.sleep(2)
    ticket = await hand.serve()
    await hand.order("call", ticket="9001")
    await asyncio.to_thread(
        hand.hall.await_events,
        "hall.rating.none",
        where=lambda event: event["data"]["ticket"] == ticket,
    )
    await hand.press(1, "next_call")
    await hand.order("no_show")
    await asyncio.sleep(2)
    await hand.serve(served_s=0)
    await asyncio.sleep(2.2)
    await hand.press(1, "service_too_short")
    await asyncio.sleep(LOCKED_S + 3)
    for run in range(3):
        ticket = await hand.serve(staff="王芳")
        await hand.press(1, "fast_best_run" if run == 2 else "")
        if run < 2:
            hand.rated(ticket, 1)
        await asyncio.sleep(LOCKED_S)


async def takers(hand: Hand) -> None:
    """Hands that would take a bad mark away as soon as the customer has turned round."""
    ticket = await hand.serve()
    await hand.press(5)
    await asyncio.sleep(1.3)
    for _ in range(4):
        await hand.press(1, "mashing", ms=80)
        await asyncio.sleep(0.2)
    hand.rated(ticket, 5)
    await asyncio.sleep(LOCKED_S + CALM_S)
    ticket = await hand.serve()
    await hand.press(4)
    await asyncio.sleep(1.3)
    await hand.press(2, "mashing", ms=80)
    await asyncio.sleep(0.2)
    await hand.press(4, "mashing", ms=6000)
    hand.rated(ticket, 4)
    await asyncio.sleep(6.5)


async def child(hand: Hand, states: PlainClient) -> None:
    """Forty seconds of mashing, with two services in it, then a customer. While a session opens or
    ends the child looks up for a moment, so that there is no doubt which presses are in it."""
    rng = random.Random(6)
    clock = asyncio.get_running_loop().time
    stop = clock() + 40
    elsewhere = asyncio.Lock()
    ended = asyncio.Event()
    reason = "out_of_session"

    def asks() -> bool:
        return json.loads(states.received[-1].payload)["shows"]["session"] is not None

    async def services() -> None:
        nonlocal reason
        for _ in range(2):
            await asyncio.sleep(5)
            ticket = f"{hand.window}{next(hand.tickets):03}"
            await hand.order("call", ticket=ticket)
            await hand.order("start")
            await asyncio.sleep(1.1)
            async with elsewhere:
                until = clock() + WINDOW_S
                await hand.order("end")
                assert await asyncio.to_thread(states.until, asks)
                reason = "mashing"
            await asyncio.sleep(until - 0.9 - clock())
            async with elsewhere:
                await asyncio.to_thread(
                    hand.hall.await_events,
                    "hall.rating.none",
                    where=lambda event, ticket=ticket: event["data"]["ticket"] == ticket,
                )
                reason = "out_of_session"
        ended.set()

    serving = asyncio.create_task(services())
    key, last = 6, clock()
    while clock() < stop or not ended.is_set():
        async with elsewhere:
            # Another key than the last one, which may still be down; never three in a rectangle.
            key = rng.choice([each for each in range(1, 7) if each != key])
            assert clock() - last < PAUSE_S, "the machine is too slow for a child"
            await hand.press(key, reason, ms=rng.randrange(80, 150))
            last = clock()
            await asyncio.sleep(0.12)
        await asyncio.sleep(rng.uniform(0, 0.43))
    await serving
    await asyncio.sleep(CALM_S)
    ticket = await hand.serve()
    await hand.press(2)
    hand.rated(ticket, 2)
    await asyncio.sleep(LOCKED_S)


async def passers_by(hand: Hand) -> None:
    """Where nobody asks."""
    await asyncio.sleep(1)
    await hand.press(1)
    await asyncio.sleep(1)
    await hand.press(3)
    hand.rated(None, 3)
    await asyncio.sleep(LOCKED_S)
    await hand.press(1, "too_soon")
    await asyncio.sleep(4)
    for _ in range(4):
        await hand.press(1, "mashing", ms=80)
        await asyncio.sleep(0.3)
    await asyncio.sleep(CALM_S)
    await hand.press(2)
    hand.rated(None, 2)
    await asyncio.sleep(LOCKED_S)


def verdicts(hall: PlainHall, device: str) -> list[tuple[int, str]]:
    """What every press came to in the end, in the keypad's own order: (key, reason or "")."""
    told: dict[int, tuple[int, str]] = {}
    for event in hall.events():
        press = event["data"].get("press", "")
        kinds = ("hall.rating.pressed", "hall.rating.quarantined")
        if event["type"] in kinds and press.startswith(f"{device}/"):
            reason = event["data"].get("reason", "")
            seq = int(press.rsplit("/", 1)[1])
            assert not told.get(seq, (0, ""))[1], "refused twice"
            told[seq] = (event["data"]["key"], reason)
    return [told[seq] for seq in sorted(told)]


def given(hall: PlainHall, window: str) -> list[tuple[str | None, int]]:
    events = [e["data"] for e in hall.events("hall.rating.given") if e["data"]["window"] == window]
    return [(data["ticket"], data["mark"]) for data in events]


def counts(hall: PlainHall, device: str) -> dict[str, Any]:
    topic = f"hall/v1/demo/state/{device}"
    states = [m.payload for m in list(hall.client.received) if m.topic == topic]
    return json.loads(states[-1])["ratings"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[PlainHall, int]]:
    """A hall system and the port of the broker."""
    with (
        Mosquitto(tmp_path / "broker") as broker,
        Gateway(tmp_path / "gateway", broker.port, tables=TABLES),
        PlainHall(broker.port) as hall,
    ):
        yield hall, broker.port


async def test_every_finger_comes_to_what_it_must(
    place: tuple[PlainHall, int], tmp_path: Path
) -> None:
    hall, port = place
    hands: dict[str, Hand] = {}
    async with AsyncExitStack() as stack:
        for name, profile, window in (
            ("kp-1", "keypad-5", "1"),
            ("kp-2", "keypad-6", "2"),
            ("kp-3", "keypad-3", "3"),
            ("kp-4", "keypad-5", "4"),
            ("kp-5", "keypad-5", "5"),
        ):
            config = config_of(profile, port, name)
            device = await stack.enter_async_context(running(config, tmp_path / name))
            hands[name] = Hand(name, device, window, hall)
        await asyncio.to_thread(hall.await_events, "hall.device.online", count=5)

        async def window_1() -> None:
            await customers(hands["kp-1"])
            await two_keys_and_a_stuck_one(hands["kp-1"])

        states = stack.enter_context(PlainClient(port, ["device/v1/kp-2/up/state"], name="states"))
        await asyncio.gather(
            window_1(),
            child(hands["kp-2"], states),
            passers_by(hands["kp-3"]),
            clerks(hands["kp-4"]),
            takers(hands["kp-5"]),
        )
        for name, hand in hands.items():
            enough = lambda name=name, hand=hand: (  # noqa: E731
                len(verdicts(hall, name)) >= len(hand.truth)
                and len(given(hall, hand.window)) >= len(hand.ratings)
                and counts(hall, name)["accepted"] >= len(hand.ratings)
                and sum(counts(hall, name)["quarantined"].values())
                >= sum(reason != "" for _, reason in verdicts(hall, name))
            )
            assert await asyncio.to_thread(hall.client.until, enough), (
                [key for key, _ in verdicts(hall, name)],
                [key for key, _ in hand.truth],
                given(hall, hand.window),
            )

    for name, hand in hands.items():
        assert verdicts(hall, name) == hand.truth
        assert given(hall, hand.window) == hand.ratings
        told = verdicts(hall, name)
        reasons = Counter(reason for _, reason in told if reason)
        published = counts(hall, name)
        assert published["pressed"] == len(hand.truth)
        assert published["accepted"] == len(hand.ratings)
        assert published["quarantined"] == reasons
        print(f"{name}: {published}")

    played = Counter(reason for _, reason in hands["kp-2"].truth)
    assert played["mashing"] > 20
    assert played["out_of_session"] > 25
    nones = [e["data"] for e in hall.events("hall.rating.none") if e["data"]["window"] == "2"]
    assert [none["reason"] for none in nones] == ["mashing", "mashing"]
    faults = [e["data"] for e in hall.events("hall.device.fault")]
    assert sorted(fault["value"] for fault in faults) == [2, 4]
    assert {fault["code"] for fault in faults} == {"key_stuck"}
