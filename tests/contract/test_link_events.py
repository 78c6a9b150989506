"""Events up: the window, acks that are lost, repeated or foreign, gaps, cuts. The real link and the
real journal in the real MicroPython, against a broker that does as it is told."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from support.hostile_broker import HostileBroker, Session, behave
from support.link_device import LinkDevice

LONGEST_TTL_S = 86400  # of a desired state


def seqs(broker: HostileBroker) -> list[int]:
    return [json.loads(event)["seq"] for event in broker.events]


async def test_events_have_the_contract_s_fields(tmp_path: Path) -> None:
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        await device.append(1)
        await broker.wait_committed(1)
        await device.until(lambda report: report["unix_ms"] is not None)
        before = time.time() * 1000
        await device.append(1)
        await broker.wait_committed(2)
        first, second = (json.loads(event) for event in broker.events)
        assert list(first) == ["epoch", "seq", "boot", "up", "t", "kind", "data"]
        assert first["t"] is None, "the clock was not set when this one was journalled"
        assert abs(second["t"] - before) < 60_000, "not the time of day"
        assert second["epoch"] == broker.epoch
        assert (second["seq"], second["boot"]) == (2, 1)
        assert (second["kind"], second["data"]) == ("press", {"key": 1, "session": None})
        assert b" " not in broker.events[0]


async def test_an_event_goes_out_at_once(tmp_path: Path) -> None:
    quiet = {"state_check": 60000, "resend": 60000, "keepalive": 120000}
    async with (
        HostileBroker() as broker,
        LinkDevice(broker.port, tmp_path, timings=quiet) as device,
    ):
        await broker.wait(lambda: len(broker.states) == 1)
        await device.until(lambda report: report["stats"]["acks"] == 1)
        # Nothing else would wake the link for a minute.
        last = await device.append(1)
        await broker.wait_committed(last)


async def test_never_more_than_eight_unacked(tmp_path: Path) -> None:
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        broker.acks = False
        loop = asyncio.get_running_loop()

        def take(session: Session, topic: str, payload: bytes) -> None:
            HostileBroker.take(broker, session, topic, payload)
            if topic.endswith("/up/event") and broker.committed - broker.acked in (8, last % 8):
                # Late enough for a ninth event to come first, if the device sent one.
                loop.call_later(0.02, broker.ack, session, broker.epoch)

        last = 203
        broker.take = take  # type: ignore[method-assign]
        await device.append(last)
        await broker.wait_committed(last)
        assert seqs(broker) == list(range(1, last + 1)), "each once, in order"
        assert broker.most_unacked == 8


async def test_a_silent_gateway_gets_the_window_again(tmp_path: Path) -> None:
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        broker.acks = False
        last = await device.append(20)
        await broker.wait(lambda: len(broker.events) >= 24)
        assert len(broker.sessions) == 1
        window = list(range(1, 9))
        assert seqs(broker)[:24] == 3 * window
        assert (await device.report())["stats"]["resends"] >= 2
        broker.acks = True
        await broker.wait_committed(last)
        assert broker.most_unacked == 8


async def test_a_silent_gateway_costs_no_connection(tmp_path: Path) -> None:
    """The broker is well: a new connection would only tell the hall of a device that comes and
    goes."""
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        broker.acks = False
        last = await device.append(3)
        # The state goes each second here: long after the gateway counts as down.
        await device.until(lambda report: report["stats"]["states"] >= 4)
        report = await device.report()
        assert (report["stats"]["connects"], report["errors"]) == (1, [])
        assert report["stats"]["resends"] >= 4
        broker.acks = True
        await broker.wait_committed(last)
        report = await device.until(lambda report: report["acked"] == last)
        assert report["down_ms"] == 0


async def test_the_link_is_down_until_the_gateway_answers(tmp_path: Path) -> None:
    """A broker alone is no link: a display must not trust it."""
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        broker.acks = False
        await broker.wait(lambda: len(broker.states) == 1)
        report = await device.report()
        assert report["stats"]["connects"] == 1
        assert report["down_ms"] > 1000 * LONGEST_TTL_S, "it has not answered since the start"
        broker.acks = True
        await device.until(lambda report: report["down_ms"] == 0)
        broker.acks = False
        await device.until(lambda report: report["down_ms"] > 400)


async def test_progress_is_told_while_the_gateway_or_the_broker_is_away(tmp_path: Path) -> None:
    def checked_in(report: dict[str, Any]) -> int:
        return report["checked_in"]

    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        broker.acks = False
        connected = await device.until(lambda report: report["stats"]["connects"] == 1)
        await device.until(lambda report: checked_in(report) > checked_in(connected) + 4)
        await broker.stop()
        alone = await device.until(lambda report: report["stats"]["failures"] >= 1)
        await device.until(lambda report: checked_in(report) > checked_in(alone) + 4)


async def test_acks_that_are_lost(tmp_path: Path) -> None:
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        taken: list[bytes] = []

        def take(session: Session, topic: str, payload: bytes) -> None:
            taken.append(payload)
            broker.acks = len(taken) % 3 == 0  # two of three acks never come
            HostileBroker.take(broker, session, topic, payload)

        broker.take = take  # type: ignore[method-assign]
        last = await device.append(50)
        await broker.wait_committed(last, within_s=20)
        await device.until(lambda report: report["acked"] == last)


async def test_acks_that_come_twice_or_late(tmp_path: Path) -> None:
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        await device.append(5)
        await device.until(lambda report: report["acked"] == 5)
        for seq in (5, 5, 3, 0):
            broker.ack(broker.sessions[0], broker.epoch, seq)
        report = await device.until(lambda report: report["stats"]["acks"] >= 10)
        assert report["acked"] == 5
        assert report["stats"]["acks_refused"] == 0
        assert len(broker.events) == 5


async def test_acks_for_another_journal(tmp_path: Path) -> None:
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        broker.acks = False
        await device.append(3)
        await broker.wait_committed(3)
        broker.ack(broker.sessions[0], broker.epoch ^ 1, 3)
        broker.ack(broker.sessions[0], broker.epoch, 4)  # never journalled
        report = await device.until(lambda report: report["stats"]["acks_refused"] == 2)
        assert report["acked"] == 0
        assert report["unix_ms"] is None, "the clock was set by an ack that is not ours"
        assert "not for this journal" in report["errors"][-1][2]
        broker.acks = True
        await device.until(lambda report: report["acked"] == 3)


async def test_a_full_ring_says_what_it_dropped(tmp_path: Path) -> None:
    async with HostileBroker() as broker:
        await broker.stop()
        async with LinkDevice(broker.port, tmp_path, kib=16) as device:
            last = await device.append(300)
            dropped = (await device.report())["dropped"]
            assert dropped > 0
            broker.acks = False
            await broker.start(broker.port)
            await broker.wait(lambda: len(broker.events) >= 16)
            gap = json.loads(broker.events[0])
            assert gap["kind"] == "gap"
            assert gap["data"] == {"from": 1, "to": dropped}
            assert gap["seq"] == dropped
            # Sent again, it is the same bytes, which the broker checks for each seq.
            assert seqs(broker)[:16] == 2 * list(range(dropped, dropped + 8))
            broker.acks = True
            await broker.wait_committed(last)
            await device.until(lambda report: report["acked"] == last)
            assert len(set(seqs(broker))) == last - dropped + 1


async def test_the_ring_overflows_while_the_window_is_out(tmp_path: Path) -> None:
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path, kib=16) as device:
        broker.acks = False
        await device.append(8)
        await broker.wait_committed(8)
        last = await device.append(300)
        dropped = (await device.report())["dropped"]
        assert dropped > 8
        broker.acks = True
        await broker.wait_committed(last)
        gaps = [json.loads(event) for event in broker.events if b'"gap"' in event]
        assert gaps[0]["data"]["to"] == dropped
        assert seqs(broker)[-1] == last


async def test_the_broker_restarts(tmp_path: Path) -> None:
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        await device.append(3)
        await broker.wait_committed(3)
        await broker.stop()
        await device.append(3)
        await device.until(lambda report: report["stats"]["failures"] >= 2)
        await broker.start(broker.port)
        await broker.wait_committed(6)


async def test_a_killed_device_sends_the_same_again(tmp_path: Path) -> None:
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        await device.append(2)
        await device.until(lambda report: report["acked"] == 2)
        broker.acks = False
        await device.append(12)
        await broker.wait_committed(10)
        await device.kill()
        sent = broker.bodies.copy()
        broker.events.clear()
        await device.start()
        await broker.wait(lambda: len(broker.events) >= 8)
        # What was acked and forgotten by the cut may come again too, as the same bytes.
        for event in broker.events:
            seq = json.loads(event)["seq"]
            assert sent.get(seq, event) == event
        broker.acks = True
        await broker.wait_committed(14)
        last = await device.append(1)
        await broker.wait_committed(last)
        boots = [json.loads(event)["boot"] for event in (broker.bodies[14], broker.bodies[15])]
        assert boots == [1, 2]


async def test_killed_and_started_many_times(tmp_path: Path) -> None:
    device = LinkDevice(0, tmp_path)
    async with HostileBroker() as broker:
        device.config["port"] = broker.port
        last = 0
        for _ in range(15):
            await device.start()
            last = await device.append(7)
            await broker.wait_committed(last - 4)
            await device.kill()
        await device.start()
        await broker.wait_committed(last)
        await device.until(lambda report: report["acked"] == last)
        await device.kill()
        assert last == 15 * 7
        assert set(seqs(broker)) == set(range(1, last + 1))


async def test_reconnects_wait_longer_until_an_ack_came(tmp_path: Path) -> None:
    async def closes(session: Session) -> None:
        await session.accept()

    async def serves_an_ack(session: Session) -> None:
        await session.accept()
        await session.serve(until=lambda: session.broker.acked > 0)

    plan = [closes] * 4 + [serves_an_ack, closes, behave]
    waits = {"reconnect": 7, "reconnect_last": 49}  # ms; no other wait is a multiple of seven
    async with (
        HostileBroker(plan) as broker,
        LinkDevice(broker.port, tmp_path, timings=waits, jitter=False) as device,
    ):
        last = await device.append(1)
        await broker.wait(lambda: len(broker.sessions) == 7 and broker.committed == last)
        limits = (await device.report())["limits"]
        assert [limit for limit in limits if limit % 7 == 0] == [7, 14, 28, 49, 7, 14]


async def test_the_state_is_reported(tmp_path: Path) -> None:
    def retained(session: Session, topic: bytes) -> list[int]:
        return [head & 1 for head, body in session.packets if topic in body[:40]]

    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        last = await device.append(2)
        await broker.wait_committed(last)
        await device.until(lambda report: report["acked"] == last)
        await device.ask(shows="请A015号")
        await broker.wait(lambda: broker.states[-1]["shows"] == {"text": "请A015号"})
        state: dict[str, Any] = broker.states[-1]
        assert state["rev"] is None
        assert state["journal"] == {
            "epoch": broker.epoch,
            "acked": 2,
            "next": 3,
            "dropped": 0,
            "lost": 0,
            "torn": 0,
        }
        assert (state["fw"], state["profile"]) == ("0.1.0", "keypad-5")
        health = state["health"]
        assert (health["boot"], health["cause"], health["connects"]) == (1, "power_on", 1)
        assert health["errors"] == []
        assert health["heap"] > 10_000
        count = len(broker.states)
        await broker.wait(lambda: len(broker.states) > count, within_s=3)  # repeated every 1 s here
        assert set(retained(broker.sessions[0], b"up/state")) == {1}
        assert retained(broker.sessions[0], b"up/online") == [1]
        assert set(retained(broker.sessions[0], b"up/event")) == {0}


async def test_a_changing_state_is_reported_at_its_rate(tmp_path: Path) -> None:
    slow = {"state_check": 400, "state": 60000}
    async with (
        HostileBroker() as broker,
        LinkDevice(broker.port, tmp_path, timings=slow) as device,
    ):
        await broker.wait(lambda: len(broker.states) == 1)
        began = time.monotonic()
        for n in range(60):
            await device.ask(shows=n)
        await broker.wait(lambda: broker.states[-1]["shows"] == {"text": 59})
        assert len(broker.states) <= 2 + (time.monotonic() - began) / 0.4


async def test_a_state_that_is_too_long_is_cut(tmp_path: Path) -> None:
    async with HostileBroker() as broker, LinkDevice(broker.port, tmp_path) as device:
        await device.ask(shows="x" * 1500)
        await broker.wait(lambda: bool(broker.states) and "error" in broker.states[-1]["shows"])
        assert broker.states[-1]["journal"]["epoch"] == broker.epoch
        last = await device.append(1)
        await broker.wait_committed(last)
