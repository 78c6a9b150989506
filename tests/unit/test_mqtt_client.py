"""The MQTT client on its own, in the real MicroPython: packet ids, room, deadlines, cancelling.

What it does with a broker that misbehaves is in tests/contract/test_link_hostile.py.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from support import micropython
from support.hostile_broker import Behaviour, HostileBroker, Session, packet, publish

SCRIPT = Path(__file__).with_name("mp_mqtt_cases.py")


async def keep_pids(session: Session) -> None:
    await session.accept()
    pids = [int.from_bytes((await session.read_until(0x30))[25:27], "big") for _ in range(3)]
    assert pids == [65535, 1, 2]
    session.send(packet(0x40, b"\x00\x02"))
    await session.until_gone()


async def keep_one_waiting(session: Session) -> None:
    await session.accept()
    waiting = [await session.read_until(0x30) for _ in range(16)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(session.reader.readexactly(1), 0.2)
    for body in waiting:
        session.answer(0x32, body)
    await session.serve()


async def acknowledge_nothing(session: Session) -> None:
    await session.accept()
    await session.until_gone()


async def take_nothing(session: Session) -> None:
    session.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(60)


async def send_one(session: Session) -> None:
    await session.accept()
    session.send(publish("a", b"", 5))
    await session.until_gone()
    assert [head for head, _ in session.packets] == [0x10], "a failed message was acknowledged"


async def send_three(session: Session) -> None:
    await session.accept()
    session.send(publish("a/号", b"", 5))
    session.send(publish("b", b"x" * 2000, None, 1))
    session.send(publish("c", b"\x00\xff", 6, 8))
    await session.serve()


async def serve(session: Session) -> None:
    await session.accept()
    await session.serve()


async def say_nothing(session: Session) -> None:
    await session.until_gone()


BROKERS: dict[str, Behaviour] = {
    "a_packet_id_in_use_is_not_given_again": keep_pids,
    "a_publish_waits_for_room": keep_one_waiting,
    "waiting_for_room_ends_with_the_connection": acknowledge_nothing,
    "a_broker_that_takes_nothing": take_nothing,
    "a_silent_connection_is_kept_alive": serve,
    "a_handler_that_fails": send_one,
    "the_handler_gets_what_was_sent": send_three,
    "a_message_too_long_to_send": serve,
    "cancelled_while_connecting": say_nothing,
    "cancelled_while_connected": serve,
    "a_timing_that_does_not_exist": serve,
}


def test_each_case_has_its_broker() -> None:
    assert re.findall(r"^async def case_(\w+)", SCRIPT.read_text(), re.MULTILINE) == list(BROKERS)


class BrokerAlone(HostileBroker):
    """Without the gateway's part: payloads here are no events."""

    def take(self, session: Session, topic: str, payload: bytes) -> None:
        pass


@pytest.mark.parametrize("case", BROKERS)
async def test_case(case: str) -> None:
    async with BrokerAlone([BROKERS[case]]) as broker:
        await asyncio.to_thread(micropython.run, SCRIPT, case, str(broker.port), timeout=20)
        await broker.wait(lambda: True)  # raises what an assertion of the broker's side raised
        if case == "a_silent_connection_is_kept_alive":
            pings = sum(head == 0xC0 for head, _ in broker.sessions[0].packets)
            assert 4 <= pings <= 7, "one in each half of 300 ms, for 1 s"
