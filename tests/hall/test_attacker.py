"""Somebody on the devices' network with the key of one device, and nothing else.

By TLS-PSK at the real mosquitto as `hall gateway setup` writes it, and by UDP at the CoAP port. Not
here: who has no key (tests/contract/test_gateway_setup.py), the limits themselves
(tests/unit/test_quarantine.py).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import time
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.publish as publish_once
import pytest
from hall_gateway.config import load_config
from hall_gateway.config_links import BrokerConfig
from hall_gateway.console.devices import devices
from hall_tools.bench.gateway_wire import packet
from hall_tools.gateway_setup.firewall import BURST_KB, RATE_KB
from hall_tools.ports import free_port
from support.installed import Installation
from support.limited import Limit, limited
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.psk_tunnel import (
    CONNACK,
    PINGRESP,
    PUBLISH,
    SUBACK,
    ClosedError,
    Tunnel,
    connect,
    publish,
    subscribe,
    tunnel,
)

HONEST = [f"count-{number}" for number in range(1, 11)]
RUBBISH = 100_000
PER_S = 20
"""Events of an honest device: people come through a wide door."""
CALM_S, AFTER_S = 3.0, 3.0
DROPPED = 'hallkit_device_dropped_total{device="kp-1"}'
LASTS_S = 5.0
LATE_S = 1.0
"""What is promised of others' events, at the 99th percentile."""
SLOWER = 5
"""And so much more as an event takes without an attacker: 10 to 20 ms on two quiet cores, which the
attacker, mosquitto, the gateway and ten devices share here; 500 ms where eight others want them."""
READS = 4
"""Without the firewall, so many times what mosquitto takes to read the flood: before that it does
not hear that the gateway wants none of it, and the gateway has half of it to throw away."""
RESEND_S = 5.0
WINDOW = 8
DEADLINE_S = 60.0

TABLES = (
    '[[window]]\nid = "1"\n[[device]]\nid = "kp-1"\nprofile = "keypad-5"\nwindow = "1"\n'
    + "".join(
        f'[[device]]\nid = "{device}"\nprofile = "people-counter-beams"\nzone = "door"\n'
        for device in HONEST
    )
)


class Hall(NamedTuple):
    """An installation; its ports of /metrics and of the hall system's broker."""

    installation: Installation
    http: int
    upstream: int


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    kinds = {"kp-1": "keypad-5", **dict.fromkeys(HONEST, "people-counter-beams")}
    with Mosquitto(tmp_path / "upstream") as upstream:
        port = free_port()
        tables = f"[http]\nport = {port}\n{TABLES}"
        made = Installation(
            tmp_path / "root", monkeypatch, upstream.port, tables=tables, devices=kinds
        )
        yield Hall(made, port, upstream.port)


class Counter:
    """A people counter by script: what the contract asks of a device, and when each event of it was
    acked. `latencies` are s, from the first time it was sent to its down/ack."""

    def __init__(self, device: str, connection: Tunnel) -> None:
        self.device = device
        self.latencies: list[float] = []
        self.resent = 0
        self._connection = connection
        self._born: list[float] = []
        self._sent = 0
        self._acked = 0
        self._moved = asyncio.Event()
        self._mid = 0
        self._ending = False

    @property
    def seq(self) -> int:
        """Of its last event."""
        return len(self._born)

    async def begin(self) -> None:
        root = f"device/v1/{self.device}"
        await self._connection.ask(connect(self.device), CONNACK)
        await self._connection.ask(subscribe([f"{root}/down/ack"]), SUBACK)
        await self._publish("online", b"1", retain=True)

    async def live(self, per_s: float, rng: random.Random) -> None:
        """Until finish(): people come, and everything is acked in the end."""
        async with asyncio.TaskGroup() as group:
            hearing = group.create_task(self._hear())
            await self._send(per_s, rng)
            hearing.cancel()

    def finish(self) -> None:
        self._ending = True

    async def _send(self, per_s: float, rng: random.Random) -> None:
        due = time.monotonic() + rng.random() / per_s
        while not self._ending or self._acked < self.seq:
            if not self._ending and time.monotonic() >= due:
                self._born.append(time.monotonic())
                due += 1 / per_s
            while self._sent < min(self.seq, self._acked + WINDOW):
                self._sent += 1
                await self._publish("event", self._event(self._sent))
            self._moved.clear()
            waits = 0.1 if self._ending else max(0.0, due - time.monotonic())
            acked = self._acked
            with suppress(TimeoutError):
                async with asyncio.timeout(waits):
                    await self._moved.wait()
            overdue = self._acked < self._sent and self._acked == acked
            if overdue and time.monotonic() - self._born[self._acked] > RESEND_S:
                self.resent += self._sent - self._acked
                self._born_again(self._acked)

    def _born_again(self, acked: int) -> None:
        self._sent = acked

    async def _hear(self) -> None:
        while True:
            first, body = await self._connection.next()
            if first >> 4 != PUBLISH:
                continue
            size = 2 + int.from_bytes(body[:2], "big")
            if first & 6:
                await self._connection.send(packet(0x40, body[size : size + 2]))
                size += 2
            seq, now = json.loads(body[size:])["seq"], time.monotonic()
            self.latencies += [now - born for born in self._born[self._acked : seq]]
            self._acked = max(self._acked, seq)
            self._moved.set()

    def _event(self, seq: int) -> bytes:
        event = {"epoch": 9, "seq": seq, "boot": 1, "up": 1000 + seq, "t": None}
        return json.dumps({**event, "kind": "passage", "data": {"dir": "in"}}).encode()

    async def _publish(self, leaf: str, payload: bytes, *, retain: bool = False) -> None:
        self._mid = self._mid % 60_000 + 1
        topic = f"device/v1/{self.device}/up/{leaf}"
        await self._connection.send(publish(topic, payload, self._mid, retain=retain))


@asynccontextmanager
async def connected(
    installation: Installation, device: str, port: int | None = None
) -> AsyncGenerator[Tunnel]:
    """At mosquitto's own port, or by another that leads there."""
    psk = installation.psk(device)
    async with tunnel(port or installation.psk_port, device, psk) as connection:
        yield connection


def rubbish(rng: random.Random) -> list[bytes]:
    """A thousand packets: noise, half an event, events of nobody, topics that are none; at QoS 0
    and 1."""
    root = "device/v1/kp-1/up"
    press = {"epoch": 1, "boot": 1, "up": 5, "t": None, "kind": "press", "data": {"key": 1}}
    made: list[bytes] = []
    for mid in range(1, 1001):
        payload = rng.choice(
            (
                rng.randbytes(rng.randrange(1, 900)),
                b'{"epoch":1,"seq":',
                json.dumps({**press, "seq": mid}).encode(),
                json.dumps({**press, "seq": mid, "kind": "bomb"}).encode(),
                b"{" * 900,
            )
        )
        leaf = rng.choice(("event", "event", "event", "state", "reply", "online", "x/y", "boom"))
        made.append(publish(f"{root}/{leaf}", payload, mid * rng.randrange(2)))
    return made


async def flood(installation: Installation, count: int, rng: random.Random) -> tuple[float, str]:
    """Send so many as fast as mosquitto takes them, and come back when thrown out; s until it has
    them all, and what was done."""
    block = b"".join(rubbish(rng))
    began, left, thrown = time.monotonic(), count // 1000, 0
    while left:
        with suppress(ClosedError):
            async with connected(installation, "kp-1") as connection:
                await connection.ask(connect("kp-1"), CONNACK)
                while left:
                    await connection.send(block)
                    left -= 1
                await connection.ask(packet(0xC0, b""), PINGRESP)
                break
        thrown += 1
    took = time.monotonic() - began
    return took, f"{count} messages in {took:.1f} s, thrown out {thrown} times"


async def limited_flood(
    installation: Installation, seconds: float, rng: random.Random
) -> tuple[float, str]:
    """Send for so long as fast as the kernel lets one address, and come back when thrown out."""
    block = b"".join(rubbish(rng))
    limit = Limit(RATE_KB * 1024, BURST_KB * 1024)
    began, thrown = time.monotonic(), -1
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), limited(installation.psk_port, limit) as port:
            while True:
                thrown += 1
                with suppress(ClosedError):
                    async with connected(installation, "kp-1", port) as connection:
                        await connection.ask(connect("kp-1"), CONNACK)
                        while True:
                            await connection.send(block)
    took, count = time.monotonic() - began, limit.passed * 1000 // len(block)
    return took, f"{count} messages in {took:.1f} s, thrown out {thrown} times"


def metrics(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@pytest.mark.parametrize("firewall", [True, False], ids=["with the firewall", "without"])
async def test_a_hundred_thousand_messages_of_rubbish_harm_nobody_else(
    site: Hall, tmp_path: Path, firewall: bool
) -> None:
    """As a hall is set up, with the kernel's limit for each address, events are late by less than a
    second however long it lasts. Without, mosquitto itself reads what comes by TLS before it looks
    at anybody else, so that they are late by as long as it needs for that, too."""
    rng = random.Random(7)
    installation = site.installation
    gateway = installation.gateway(tmp_path / "gateway")
    with (
        installation.broker,
        gateway,
        PlainClient(site.upstream, ["hall/#"], name="watcher") as hall,
    ):
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            counters: list[Counter] = []
            tunnels = [connected(installation, device) for device in HONEST]
            for device, entered in zip(HONEST, tunnels, strict=True):
                counter = Counter(device, await entered.__aenter__())
                await counter.begin()
                counters.append(counter)
            lives = [
                group.create_task(each.live(PER_S, random.Random(i)))
                for i, each in enumerate(counters)
            ]
            await asyncio.sleep(CALM_S)
            calm = [each for counter in counters for each in counter.latencies]
            done = {counter.device: len(counter.latencies) for counter in counters}
            if firewall:
                took, what = await limited_flood(installation, LASTS_S, rng)
            else:
                took, what = await flood(installation, RUBBISH, rng)
            await asyncio.sleep(AFTER_S)
            told = metrics(site.http)
            for counter in counters:
                counter.finish()
            await asyncio.wait(lives)
            for entered in tunnels:
                await entered.__aexit__(None, None, None)
        hit = [each for c in counters for each in c.latencies[done[c.device] :]]
        before, p99 = percentile(calm, 0.99), percentile(hit, 0.99)
        print(
            f"\n{what}; events: p99 {before * 1000:.0f} ms before, {p99 * 1000:.0f} ms with it "
            f"({len(hit)} events, at most {max(hit) * 1000:.0f} ms, "
            f"{sum(c.resent for c in counters)} sent again); "
            f"{told[DROPPED]:.0f} of the attacker's came to the "
            f"gateway and were dropped; load {os.getloadavg()[0]:.1f}"
        )
        stored = gateway.rows(
            "SELECT device, count(*), max(seq) FROM events WHERE device != 'kp-1' GROUP BY device"
        )
        assert {name: (n, last) for name, n, last in stored} == {
            c.device: (c.seq, c.seq) for c in counters
        }
        assert p99 < LATE_S + SLOWER * before + (0.0 if firewall else READS * took)
        assert told['hallkit_device_kept_out{device="kp-1"}'] == 1
        assert sum(v for k, v in told.items() if k.startswith("hallkit_device_kept_out")) == 1
        with sqlite3.connect(gateway.store) as connection:
            lines = devices(connection, load_config(gateway.config), time.time_ns() // 1_000_000)
        assert {line.id for line in lines if line.word == "kept_out"} == {"kp-1"}
        status = json.loads(hall.on_topic("hall/v1/demo/state/gateway")[-1].payload)
        assert list(status["kept_out"]) == ["kp-1"]
        fault = next(e for e in map(json.loads, faults(hall)) if e["data"]["code"] == "nonsense")
        assert fault["data"] == {
            "device": "kp-1",
            "code": "nonsense",
            "until": fault["data"]["until"],
        }
        assert "listened" in json.dumps(http_health(site.http))


def faults(hall: PlainClient) -> list[bytes]:
    return [message.payload for message in hall.on_topic("hall/v1/demo/event/device/fault")]


def http_health(port: int) -> object:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
        return json.load(answer)


def as_gateway(login: BrokerConfig, topic: str) -> None:
    publish_once.single(
        topic,
        b"1",
        1,
        port=login.port,
        auth={"username": "gateway", "password": login.password() or ""},
    )


async def heard(connection: Tunnel) -> list[str]:
    """The topics of all that has come, up to the answer to a ping that is sent now."""
    await connection.send(packet(0xC0, b""))
    topics: list[str] = []
    while True:
        first, body = await connection.next()
        if first >> 4 == PINGRESP:
            return topics
        if first >> 4 == PUBLISH:
            topics.append(body[2 : 2 + int.from_bytes(body[:2], "big")].decode())


async def test_one_key_reads_writes_and_disturbs_nothing_of_another(
    site: Hall, tmp_path: Path
) -> None:
    installation = site.installation
    login = load_config(installation.config).broker
    victim = "device/v1/count-1"
    forged = json.dumps(
        {
            "epoch": 9,
            "seq": 1,
            "boot": 1,
            "up": 1,
            "t": None,
            "kind": "passage",
            "data": {"dir": "in"},
        }
    )
    targets = [
        *(f"{victim}/up/{leaf}" for leaf in ("event", "state", "online", "reply", "fetch")),
        *(f"{victim}/down/{leaf}" for leaf in ("ack", "desired", "cmd", "chunk")),
        *(f"device/v1/kp-1/down/{leaf}" for leaf in ("ack", "desired", "cmd")),
        *("device/v1/kp-1", "device/v1/kp-1/up/firmware", "device/v1/gateway/up/event"),
        *("hall/v1/demo/command/call", "hall/v1/demo/event/rating/given", "hall/v1/demo/online"),
        *(
            "$SYS/broker/version",
            "$CONTROL/dynamic-security/v1",
            "$share/a/device/v1/count-1/up/event",
        ),
    ]
    filters = [
        "#",
        "+/+/+/#",
        "device/#",
        f"{victim}/#",
        f"{victim}/down/ack",
        "hall/#",
        "$SYS/#",
        "$share/x/#",
    ]
    gateway = installation.gateway(tmp_path / "gateway")
    with installation.broker, gateway:
        async with connected(installation, "count-1") as honest:
            counter = Counter("count-1", honest)
            await counter.begin()
            # As whoever it says that it is, and with a last will in another's name.
            for name in ("count-1", "hallkit-demo-devices", "gateway", "", "x" * 60_000):
                will = (f"{victim}/up/online", b"0")
                async with connected(installation, "kp-1") as connection:
                    with suppress(ClosedError):
                        await connection.send(connect(name, will, retain=True))
                        await connection.until(CONNACK)
            async with connected(installation, "kp-1") as attacker:
                await attacker.ask(connect("count-1"), CONNACK)
                await attacker.send(subscribe(filters))
                for mid, topic in enumerate(targets, 2):
                    for retain in (False, True):
                        await attacker.send(publish(topic, forged.encode(), mid, retain=retain))
                        await attacker.send(publish(topic, b"", retain=retain))
                for topic in ("device/v1/kp-1/down/cmd", f"{victim}/down/cmd"):
                    as_gateway(login, topic)
                life = asyncio.create_task(counter.live(PER_S, random.Random(1)))
                await asyncio.sleep(5 / PER_S)
                counter.finish()
                await life  # nobody has ended its connection: it would not come to its end
                own = {"device/v1/kp-1/down/cmd", "device/v1/kp-1/down/desired"}
                assert set(await heard(attacker)) <= own
            # A wildcard in the topic of a message: the broker ends the connection at once.
            async with connected(installation, "kp-1") as attacker:
                await attacker.ask(connect("kp-1"), CONNACK)
                await attacker.send(publish("device/v1/+/up/online", b"0", 1, retain=True))
                with pytest.raises(ClosedError):
                    await attacker.until(PINGRESP)
        rows = gateway.rows("SELECT device, count(*) FROM events GROUP BY device")
        assert rows == [("count-1", counter.seq)]
        assert ("count-1", 1) in gateway.rows("SELECT device, online FROM devices")
        told = metrics(site.http)
    assert told['hallkit_refused_total{reason="topic"}'] == 0, "the broker lets no other topic in"
