"""The keypad with everything, in the real MicroPython: keys in a matrix, card reader, PIN pad."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.sim import Watched, config_of, running
from support.standin_gateway import StandinGateway

KEY = "00112233445566778899aabbccddeeff"


class Keypad:
    """The device, and what its gateway has heard of it."""

    def __init__(self, device: Watched, gateway: StandinGateway, client: PlainClient) -> None:
        self.device = device
        self.gateway = gateway
        self.client = client

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        bodies = [json.loads(body) for _, body in sorted(self.gateway.bodies.items())]
        return [body["data"] for body in bodies if body["kind"] in kinds]

    async def until(self, held: Callable[[], bool]) -> None:
        await asyncio.to_thread(self.gateway.wait, held)

    async def desire(self, **fields: Any) -> None:
        """A desired state, once the keypad has taken it."""
        rev = int(time.time()) + len(self.client.received)
        body = {"rev": rev, "session": None, "window": "1"} | fields
        self.client.publish("device/v1/kp-1/down/desired", json.dumps(body), retain=True)
        await self.until(lambda: self.gateway.states.get("kp-1", {}).get("rev") == rev)


@pytest.fixture
async def keypad(tmp_path: Path) -> AsyncIterator[Keypad]:
    with (
        Mosquitto(tmp_path / "broker") as broker,
        StandinGateway(broker.port) as gateway,
        PlainClient(broker.port, ["device/v1/kp-1/up/reply"], name="hall") as client,
    ):
        config = config_of("keypad-6", broker.port, "kp-1")
        async with running(config, tmp_path / "kp-1") as device:
            await asyncio.to_thread(gateway.wait, lambda: "kp-1" in gateway.committed)
            yield Keypad(device, gateway, client)


async def test_keys_lamps_and_ghosts_of_a_matrix(keypad: Keypad) -> None:
    for key in range(1, 7):
        before = len(keypad.device.said)
        await keypad.device.device.send({"press": key, "ms": 100})
        await keypad.device.until(
            lambda line, key=key: (line.get("pin"), line.get("value")) == (f"lamp_{key}", 1),
            after=before,
        )
        await asyncio.sleep(0.2)
    # Keys 1, 2 and 4 stand in a rectangle with 5: two are seen, and the third may be two others.
    for key in (1, 2, 4):
        await keypad.device.device.send({"press": key, "ms": 900})
        await asyncio.sleep(0.15)
    await keypad.until(lambda: len(keypad.events("press")) >= 8)
    presses = keypad.events("press")
    assert [data["key"] for data in presses] == [1, 2, 3, 4, 5, 6, 1, 2]
    assert [data.get("n") for data in presses] == [None] * 7 + [2]
    await asyncio.sleep(1)
    assert 5 not in [data["key"] for data in keypad.events("press")[8:]]


async def test_cards_and_pins_of_the_staff(keypad: Keypad) -> None:
    send = keypad.device.device.send
    await keypad.desire(pin_key=KEY)
    await send({"card": 1234567, "bits": 26})
    await keypad.until(lambda: len(keypad.events("card")) == 1)
    await send({"card": 4_000_000_000, "bits": 34})
    await keypad.until(lambda: len(keypad.events("card")) == 2)
    assert keypad.events("card") == [
        {"bits": 26, "code": 1234567},
        {"bits": 34, "code": 4_000_000_000},
    ]
    await send({"digits": "99*0471#"})
    await keypad.until(lambda: len(keypad.events("pin")) == 1)
    digest = hmac.digest(bytes.fromhex(KEY), b"0471", hashlib.sha256)
    assert keypad.events("pin") == [{"code": int.from_bytes(digest[:6], "big")}]
    assert not any("0471" in line.get("log", "") for line in keypad.device.said)


async def test_a_refused_login_is_two_long_beeps(keypad: Keypad) -> None:
    before = len(keypad.device.said)
    order = {"id": "c-1", "do": "login", "args": {"ok": False}}
    keypad.client.publish("device/v1/kp-1/down/cmd", json.dumps(order))
    reply = await asyncio.to_thread(keypad.client.on_topic, "device/v1/kp-1/up/reply")
    assert json.loads(reply[0].payload) == {"id": "c-1", "ok": True, "result": {}}

    def beeps() -> list[float]:
        said = [line for line in keypad.device.said[before:] if line.get("pin") == "buzzer"]
        return [line["t_us"] / 1e6 for line in said]

    await keypad.device.until(lambda _: len(beeps()) == 4, seconds=5)
    on, off, again, end = beeps()
    assert off - on == pytest.approx(0.7, abs=0.1)
    assert end - again == pytest.approx(0.7, abs=0.1)


async def test_a_pin_without_a_key_goes_nowhere(keypad: Keypad) -> None:
    before = len(keypad.device.said)
    await keypad.device.device.send({"digits": "0471#"})
    await keypad.device.until(lambda line: line.get("pin") == "buzzer", after=before)
    await asyncio.sleep(1.5)
    assert keypad.events("pin") == []
