"""Floods at the CoAP port: with a device's own key, with a key of nobody, and without any.

Not here: the same over MQTT (test_attacker.py), what is wrong with one request
(tests/unit/test_coap_hostile.py).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import cbor2
import pytest
from hall_gateway import coap_gate
from hall_gateway.keys import KeyStore
from support import battery as batteries
from support.battery import Battery, DeviceSide, client, datagram, protected, said
from support.battery_hall import coap_hall, enrolled

WAKES = 8
PAUSE_S = 0.05
SHORT = 500
"""Different datagrams of a flood, which are sent over and over."""
PER_S = 20_000
"""Datagrams, each of some 60 bytes: what a hall's Wi-Fi takes of one machine, and more."""
FLOODER = """
import socket, sys, time
port, size, per_s = map(int, sys.argv[1:])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.2", 0))
sock.connect(("127.0.0.1", port))
data = sys.stdin.buffer.read()
slots = [data[at : at + size] for at in range(0, len(data), size)]
each = [slot[2 : 2 + int.from_bytes(slot[:2], "big")] for slot in slots]
print("begins", flush=True)
began, sent = time.monotonic(), 0
while True:
    due = int((time.monotonic() - began) * per_s)
    while sent < due:
        try:
            sock.send(each[sent % len(each)])
        except OSError:
            pass
        sent += 1
    time.sleep(0.005)
"""
SLOT = 1500


@contextmanager
def flood(port: int, datagrams: list[bytes]) -> Generator[None]:
    """Another machine that sends these as fast as it can."""
    content = b"".join((len(d).to_bytes(2, "big") + d).ljust(SLOT, b"\0") for d in datagrams)
    process = subprocess.Popen(
        [sys.executable, "-c", FLOODER, str(port), str(SLOT), str(PER_S)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(content)
        process.stdin.close()
        assert process.stdout.readline() == b"begins\n"
        yield
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.mark.parametrize("kind", ["own key", "no key", "unprotected"])
async def test_a_device_gets_its_ack_while_somebody_floods(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It repeats a request four times, as any device does (RFC 7252, section 4.2).
    monkeypatch.setattr(batteries, "ANSWER_S", 93.0)
    store = enrolled(tmp_path, "floor-1", "floor-2")
    async with coap_hall(tmp_path, "floor-1", "floor-2") as hall, client() as coap:
        honest = battery(coap, store, "floor-1", hall.port)
        attacker = battery(coap, store, "floor-2", hall.port)
        said(await honest.post(events=[honest.events.wet()]))
        sent = await asyncio.to_thread(datagrams, kind, attacker)
        keeping = asyncio.create_task(hall.kept_out.run())
        took: list[float] = []
        with flood(hall.port, sent):
            for _ in range(WAKES):
                began = time.monotonic()
                told = said(await honest.post(events=[honest.events.dry(), honest.events.wet()]))
                took.append(time.monotonic() - began)
                assert told["seq"] == honest.events.seq
                await asyncio.sleep(PAUSE_S)
        keeping.cancel()
        dropped = hall.refused()["flood"]
        print(
            f"\n{kind}: {dropped} dropped in {sum(took) + PAUSE_S * WAKES:.1f} s; {WAKES} wakes: "
            f"{1000 * sorted(took)[WAKES // 2]:.0f} ms, at most {1000 * max(took):.0f} ms; "
            f"load {os.getloadavg()[0]:.1f}"
        )
        assert dropped > 1000
        assert set(hall.kept_out.quarantine.held) <= {"floor-2"}
        assert sum(hall.refused().values()) - dropped < 2 * coap_gate.OTHERS_BURST + 100 * sum(took)


def battery(coap: object, store: KeyStore, device: str, port: int) -> Battery:
    keys = store.get(device)
    assert keys is not None
    return Battery(coap, keys, port)


def datagrams(kind: str, attacker: Battery) -> list[bytes]:
    events = attacker.events
    if kind == "unprotected":
        return [datagram(cbor2.dumps({"events": [events.wet()]})) for _ in range(SHORT)]
    side = attacker.side
    if kind == "no key":
        side = DeviceSide({"id": "aaaa", "gateway_id": "00", "secret": "11" * 16, "salt": "22" * 8})
    return [protected(side, cbor2.dumps({"events": [events.wet()]})) for _ in range(SHORT)]
