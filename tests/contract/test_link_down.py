"""What comes down: desired states by rev, commands done once, and nonsense that must cost nothing
but a counter. The real link in the real MicroPython."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from support.hostile_broker import HostileBroker, Session
from support.link_device import LinkDevice

RETAINED = 1
DUP = 8


class Pair:
    """A device whose link is up, and the broker it is connected to."""

    def __init__(self, broker: HostileBroker, device: LinkDevice) -> None:
        self.broker = broker
        self.device = device

    @property
    def session(self) -> Session:
        return self.broker.sessions[-1]

    def desire(self, flags: int = RETAINED, **desired: object) -> None:
        self.session.down("desired", json.dumps(desired).encode(), flags)

    async def command(self, **command: object) -> dict[str, object]:
        """Send a command; its reply."""
        count = len(self.broker.replies)
        self.session.down("cmd", json.dumps(command).encode())
        await self.broker.wait(lambda: len(self.broker.replies) > count)
        return self.broker.replies[count]


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    often = {"state": 100}
    async with (
        HostileBroker() as broker,
        LinkDevice(broker.port, tmp_path, timings=often) as device,
    ):
        await broker.wait(lambda: len(broker.states) == 1)
        yield Pair(broker, device)


async def test_a_desired_state_is_applied_and_reported(pair: Pair) -> None:
    pair.desire(rev=1763700000, text="请A015号")
    await pair.broker.wait(lambda: pair.broker.states[-1]["rev"] == 1763700000)
    assert pair.broker.states[-1]["shows"] == {"text": "请A015号"}


async def test_only_a_newer_rev_is_applied(pair: Pair) -> None:
    pair.desire(rev=5, text="five")
    pair.desire(rev=4, text="four")
    pair.desire(rev=5, text="five again, as after a reconnect")
    pair.desire(rev=6, text="six")
    pair.desire(rev=1, text="one")
    await pair.broker.wait(lambda: pair.broker.states[-1]["rev"] == 6)
    report = await pair.device.until(lambda report: report["stats"]["stale"] == 2)
    assert report["stats"]["repeated"] == 1
    await pair.broker.wait(lambda: pair.broker.states[-1]["health"]["stale"] == 2)
    assert pair.broker.states[-1]["shows"] == {"text": "six"}


async def test_a_desired_state_that_the_role_refuses(pair: Pair) -> None:
    pair.desire(rev=5, text="five")
    pair.desire(rev=6, word="text is missing here")
    report = await pair.device.until(lambda report: report["stats"]["desired_refused"] == 1)
    assert report["rev"] == 5
    assert report["errors"][-1][2] == "down/desired 6: ValueError: text is missing"
    pair.desire(rev=7, text="seven")
    await pair.device.until(lambda report: report["rev"] == 7)
    await pair.broker.wait(lambda: pair.broker.states[-1]["health"]["refused"] == 1)
    assert len(pair.broker.sessions) == 1


async def test_commands_are_answered(pair: Pair) -> None:
    assert await pair.command(id="a", do="selftest", args={}) == {
        "id": "a",
        "ok": True,
        "result": {"lamp": True},
    }
    assert await pair.command(id="b", do="identify") == {"id": "b", "ok": True, "result": None}
    assert await pair.command(id="c", do="identify", args={}, ttl_s=30) == {
        "id": "c",
        "ok": True,
        "result": None,
    }


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (
            {"do": "dance"},
            "unknown command; known are identify, selftest, reboot, update, config, login",
        ),
        ({"do": 7}, "unknown command"),
        ({"do": ["identify"]}, "unknown command"),
        ({}, "unknown command"),
        ({"do": "identify", "args": []}, "args must be an object"),
        ({"do": "identify", "args": None}, "args must be an object"),
        ({"do": "config", "args": {"huge": True}}, "does not fit a reply"),
        ({"do": "reboot", "args": {}}, "KeyError: missing"),
    ],
)
async def test_a_command_that_cannot_be_done(
    command: dict[str, object], error: str, pair: Pair
) -> None:
    reply = await pair.command(id="x", **command)
    assert (reply["id"], reply["ok"]) == ("x", False)
    assert error in str(reply["error"])
    report = await pair.device.report()
    assert report["stats"]["commands_failed"] == 1
    assert len(pair.broker.sessions) == 1


async def test_a_repeated_command_is_answered_and_not_done_again(pair: Pair) -> None:
    first = await pair.command(id="a", do="selftest", args={})
    payload = json.dumps({"id": "a", "do": "identify", "args": {}}).encode()
    pair.session.down("cmd", payload, DUP)
    await pair.broker.wait(lambda: len(pair.broker.replies) == 2)
    assert pair.broker.replies[1] == first
    report = await pair.device.report()
    assert report["done"] == {"selftest": 1}
    assert report["stats"]["duplicates"] == 1


async def test_a_command_is_remembered_over_a_reconnect(pair: Pair) -> None:
    first = await pair.command(id="a", do="selftest", args={})
    pair.session.writer.close()
    await pair.broker.wait(lambda: len(pair.broker.states) > 1 and len(pair.broker.sessions) == 2)
    assert await pair.command(id="a", do="selftest", args={}) == first
    assert (await pair.device.report())["done"] == {"selftest": 1}


async def test_sixteen_commands_are_remembered(pair: Pair) -> None:
    for n in range(17):
        await pair.command(id=str(n), do="identify")
    await pair.command(id="1", do="identify")
    assert (await pair.device.report())["stats"]["duplicates"] == 1
    await pair.command(id="0", do="identify")
    report = await pair.device.report()
    assert report["stats"]["duplicates"] == 1
    assert report["done"] == {"identify": 18}


async def test_a_flood_of_commands(pair: Pair) -> None:
    """Each is done; the replies that 16 places cannot hold are counted as dropped."""
    for n in range(200):
        pair.session.down("cmd", json.dumps({"id": str(n), "do": "identify"}).encode())
    report = await pair.device.until(lambda report: report["done"] == {"identify": 200})
    dropped = report["stats"]["replies_dropped"]
    await pair.broker.wait(lambda: len(pair.broker.replies) == 200 - dropped)
    assert pair.broker.replies[-1]["id"] == "199"
    assert report["stats"]["failures"] == 0


ACK = {"epoch": 1, "seq": 0, "now": 1763700000000}


def changed(**fields: object) -> bytes:
    return json.dumps(ACK | fields).encode()


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("ack", b""),
        ("ack", b"{"),
        ("ack", b"\xff\xfe"),
        ("ack", b"[]"),
        ("ack", b"7"),
        ("ack", b"null"),
        ("ack", b'{"epoch":1}'),
        ("ack", b'{"epoch":1,"seq":1,"now":1} x'),
        ("ack", b"[" * 1000),
        ("ack", changed(seq=True)),
        ("ack", changed(seq="1")),
        ("ack", changed(seq=1.0)),
        ("ack", changed(seq=None)),
        ("ack", changed(seq=-1)),
        ("ack", changed(seq=1 << 32)),
        ("ack", changed(epoch=-1)),
        ("ack", changed(epoch=1 << 32)),
        ("ack", changed(epoch=10**300)),
        ("ack", changed(now=0)),
        ("ack", changed(now=-5)),
        ("ack", changed(now=1 << 48)),
        ("ack", changed(now=False)),
        ("ack", changed(padding="x" * 1000)),
        ("desired", b"nonsense"),
        ("desired", b"{}"),
        ("desired", b'{"rev":null}'),
        ("desired", b'{"rev":true}'),
        ("desired", b'{"rev":"7"}'),
        ("desired", b'{"rev":0}'),
        ("desired", b'{"rev":-3}'),
        ("desired", b'{"rev":7.5}'),
        ("desired", b'{"rev":10000000000}'),
        ("desired", b'{"rev":7,"text":"' + b"x" * 1100 + b'"}'),
        ("cmd", b"{}"),
        ("cmd", b"identify"),
        ("cmd", b'{"id":7,"do":"identify"}'),
        ("cmd", b'{"id":"","do":"identify"}'),
        ("cmd", b'{"id":null,"do":"identify"}'),
        ("cmd", b'{"id":"' + b"x" * 65 + b'","do":"identify"}'),
        ("cmd", '{"id":"号","do":"identify"}'.encode()),
        ("cmd", b'{"id":"\\ud800","do":"identify"}'),
        ("update", b"{}"),
        ("ack/deeper", b"{}"),
    ],
)
async def test_nonsense_is_counted_and_costs_nothing(name: str, payload: bytes, pair: Pair) -> None:
    pair.session.down(name, payload)
    report = await pair.device.until(lambda report: report["stats"]["malformed"] == 1)
    assert report["errors"][-1][2].startswith(f"down/{name}: ")
    assert report["rev"] is None
    assert report["done"] == {}
    last = await pair.device.append(1)
    await pair.broker.wait_committed(last)
    assert len(pair.broker.sessions) == 1
    await pair.broker.wait(lambda: pair.broker.states[-1]["health"]["refused"] == 1)


@pytest.mark.parametrize(
    ("name", "payload"),
    [("cmd", b'{"id":"a","do":"reboot","args":{}}'), ("ack", changed())],
)
async def test_only_desired_may_be_retained(name: str, payload: bytes, pair: Pair) -> None:
    """A retained reboot would come again at every start, for ever."""
    pair.session.down(name, payload, RETAINED)
    report = await pair.device.until(lambda report: report["stats"]["malformed"] == 1)
    assert report["done"] == {}
    assert report["errors"][-1][2] == f"down/{name}: must not be retained"


async def test_another_device_s_topic_is_refused(pair: Pair) -> None:
    pair.session.client_id = "kp-2"
    pair.desire(rev=9, text="not for us")
    report = await pair.device.until(lambda report: report["stats"]["malformed"] == 1)
    assert report["rev"] is None


async def test_errors_that_repeat_take_one_place(pair: Pair) -> None:
    pair.session.down("ack", b"[]")
    for _ in range(40):
        pair.session.down("desired", b"[]")
    report = await pair.device.until(lambda report: report["stats"]["malformed"] == 41)
    assert [(count, text) for _, count, text in report["errors"]] == [
        (1, "down/ack: not a JSON object"),
        (40, "down/desired: not a JSON object"),
    ]
    await pair.broker.wait(lambda: pair.broker.states[-1]["health"]["refused"] == 41)
    assert "x40: down/desired: not a JSON object" in pair.broker.states[-1]["health"]["errors"][1]
