"""What anybody may send to the CoAP port: refused with the right code, counted, no harm done."""

import random
import socket
from pathlib import Path
from typing import Any

import cbor2
import pytest
from aiocoap.numbers import codes
from hall_gateway import coap_gate, devices_coap
from hall_gateway.keys import DeviceKeys
from support.battery import Battery, DeviceSide, ask, client, datagram, protected, said
from support.battery_hall import CoapHall, coap_hall, enrolled
from support.udp import Sender


def keys_of(folder: Path, device: str) -> DeviceKeys:
    keys = enrolled(folder).get(device)
    assert keys is not None
    return keys


def side(keys: DeviceKeys, number: int, **other: str) -> DeviceSide:
    assert keys.oscore is not None
    return DeviceSide({**keys.oscore.of_device(), **other}, number)


async def settled(hall: CoapHall, coap: Any, device: str) -> Battery:
    """A device that has spoken, so that it need not be challenged any more."""
    battery = Battery(coap, keys_of(hall.folder, device), hall.port)
    said(await battery.post(events=[battery.events.wet()], state=battery.events.state()))
    return battery


async def goes_on(hall: CoapHall, battery: Battery, stored: int) -> None:
    """An honest device is served, and nothing but its events is stored."""
    answer = said(await battery.post(events=[battery.events.dry()]))
    assert answer["seq"] == battery.events.seq
    assert hall.core.health()["stored"] == stored + 1


UNPROTECTED = cbor2.dumps({"events": [{"epoch": 1, "seq": 1}]})


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        (datagram(UNPROTECTED), codes.UNAUTHORIZED, "unprotected"),
        (datagram(code=codes.GET), codes.UNAUTHORIZED, "unprotected"),
        (datagram(path=(".well-known", "core"), code=codes.GET), codes.UNAUTHORIZED, "unprotected"),
        (datagram(b"\xf5\x01", path=(".well-known", "edhoc")), codes.UNAUTHORIZED, "unprotected"),
        (datagram(b"x" * 1200), codes.UNAUTHORIZED, "unprotected"),
        (datagram(b"x" * 20, oscore=b""), codes.BAD_OPTION, "malformed"),
        (datagram(b"x" * 20, oscore=b"\x09"), codes.BAD_OPTION, "malformed"),
        (datagram(b"x" * 20, oscore=b"\x19\x01"), codes.BAD_OPTION, "malformed"),
        (datagram(b"x" * 20, oscore=b"\x0f\x01\x01\x01\x01\x01\x01\x01k"), codes.BAD_OPTION, None),
        (datagram(b"x" * 20, oscore=b"\x29\x01k"), codes.BAD_OPTION, "malformed"),
        (datagram(b"x" * 20, oscore=b"\xe9\x01k"), codes.BAD_OPTION, "malformed"),
        (datagram(b"x" * 20, oscore=b"\x08k"), codes.BAD_OPTION, "malformed"),
        (
            datagram(b"x" * 20, oscore=b"\x09\x01k", code=codes.FETCH),
            codes.METHOD_NOT_ALLOWED,
            None,
        ),
        (datagram(b"x" * 20, oscore=b"\x09\x01kkkk"), codes.UNAUTHORIZED, "unknown_key"),
        (datagram(b"x" * 20, oscore=b"\x09\x01"), codes.UNAUTHORIZED, "unknown_key"),
    ],
    # Each datagram has a random token, which would be in a name made from it.
    ids=[
        "an event",
        "a GET",
        "a discovery",
        "a key exchange",
        "too long",
        "an empty option",
        "an option cut after its flags",
        "an option without its context",
        "a sequence number of seven bytes",
        "a reserved flag",
        "an extended flag",
        "no sequence number",
        "a FETCH",
        "a long unknown key id",
        "an empty key id",
    ],
)
async def test_what_has_no_key(tmp_path: Path, sent: bytes, code: Any, reason: str | None) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        battery = await settled(hall, coap, "floor-1")
        assert (await ask(hall.port, sent)).code is code
        assert hall.refused() == {reason or "malformed": 1}
        await goes_on(hall, battery, 1)


async def test_a_recording_is_refused_wherever_it_comes_from(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        battery = await settled(hall, coap, "floor-1")
        recorded = protected(battery.side, cbor2.dumps({"events": [battery.events.dry()]}))
        first = await ask(hall.port, recorded)
        assert first.opt.oscore is not None, "the response is protected"
        for _ in range(3):
            again = await ask(hall.port, recorded)
            assert (again.code, again.opt.max_age) == (codes.UNAUTHORIZED, 0)
        assert hall.refused() == {"replayed": 3}
        assert hall.core.health()["duplicates"] == 0
        await goes_on(hall, battery, 2)


async def test_what_was_altered_at_any_byte_is_refused(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        battery = await settled(hall, coap, "floor-1")
        true = protected(battery.side, cbor2.dumps({"events": [battery.events.dry()]}))
        payload = true.index(b"\xff") + 1
        for at in range(payload, len(true)):
            altered = bytearray(true)
            altered[at] ^= 1 << at % 8
            assert (await ask(hall.port, bytes(altered))).code is codes.BAD_REQUEST
        assert hall.refused() == {"not_genuine": len(true) - payload}
        assert (await ask(hall.port, true)).opt.oscore is not None, "its number is not used up"
        await goes_on(hall, battery, 2)


async def test_another_key_under_a_known_id(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        battery = await settled(hall, coap, "floor-1")
        thief = side(keys_of(tmp_path, "floor-1"), 500, secret="00" * 16)
        body = cbor2.dumps({"events": [battery.events.dry()]})
        battery.events.seq -= 1
        assert (await ask(hall.port, protected(thief, body))).code is codes.BAD_REQUEST
        assert hall.refused() == {"not_genuine": 1}
        await goes_on(hall, battery, 1)


async def test_nobody_speaks_for_another_device(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1", "floor-2")
    async with coap_hall(tmp_path, "floor-1", "floor-2") as hall, client() as coap:
        one = await settled(hall, coap, "floor-1")
        two = await settled(hall, coap, "floor-2")
        # Its own key, and another's name: inside, and as the kid.
        response = await one.post(device="floor-2", events=[one.events.event("dry", {"ohms": 1})])
        assert response.code is codes.UNAUTHORIZED
        one.events.seq -= 1
        keys = keys_of(tmp_path, "floor-2")
        assert keys.oscore is not None
        mixed = side(keys_of(tmp_path, "floor-1"), 700, id=keys.oscore.recipient_id)
        answer = await ask(hall.port, protected(mixed, cbor2.dumps({"events": []})))
        assert answer.code is codes.BAD_REQUEST
        assert hall.refused() == {"wrong_device": 1, "not_genuine": 1}
        await goes_on(hall, one, 2)
        await goes_on(hall, two, 3)


async def test_a_device_of_another_transport_has_no_say(tmp_path: Path) -> None:
    """Whoever has the key of a device that hall.toml has as one of MQTT now."""
    store = enrolled(tmp_path, "floor-1", "mains")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        battery = await settled(hall, coap, "floor-1")
        keys = store.get("mains")
        assert keys is not None
        mains = Battery(coap, keys, hall.port)
        refused = await ask(hall.port, protected(mains.side, cbor2.dumps({"events": []})))
        assert refused.code is codes.UNAUTHORIZED
        assert hall.refused() == {"unknown_key": 1}
        await goes_on(hall, battery, 1)


BOMBS = {
    "empty": b"",
    "no map": cbor2.dumps([1, 2]),
    "deep": b"\x81" * 1000 + b"\x00",
    "deep maps": b"\xa1\x61a" * 300 + b"\x00",
    "a long array": b"\xa1\x66events\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
    "a long map": b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
    "a long text": b"\x7b\xff\xff\xff\xff\xff\xff\xff\xff",
    "no end": b"\xbf\x66events\x9f",
    "a date": cbor2.dumps({"events": []}) + b"\xc0",
    "a tag": b"\xa1\x66events\xc1\x00",
    "a cycle": b"\xd8\x1c\x81\xd8\x1d\x00",
    "a pattern": b"\xd8\x23\x6a(a+)+$aaaa",
    "bytes": b"\xa1\x66events\x81\x41\x00",
    "a number for a key": b"\xa1\x01\x02",
    "a key twice": b"\xa2\x61a\x01\x61a\x02",
    "not UTF-8": b"\xa1\x61\xff\x01",
    "too much": cbor2.dumps({"events": []}) + b"\x00",
    "events no array": cbor2.dumps({"events": {"epoch": 1}}),
    "replies no array": cbor2.dumps({"replies": 1}),
    "JSON": b'{"events": []}',
}


@pytest.mark.parametrize("name", BOMBS)
async def test_what_a_device_says_may_be_anything(tmp_path: Path, name: str) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        battery = await settled(hall, coap, "floor-1")
        answer = await battery.send(BOMBS[name])
        assert answer.code is codes.BAD_REQUEST
        assert hall.refused() == {"unreadable": 1}
        assert hall.core.health()["quarantined"] == 1
        await goes_on(hall, battery, 1)


async def test_too_large_a_request(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        battery = await settled(hall, coap, "floor-1")
        for size in (1153, 1200, 1230):
            sent = protected(battery.side, cbor2.dumps({"pad": "x" * (size - 8)}))
            answer = await ask(hall.port, sent)
            assert answer.opt.oscore is not None
        assert hall.refused() == {"too_large": 3}
        async with Sender(hall.port) as sender:  # of which no device could be told
            for size in (1300, 3000, 5000):
                sender.send(protected(battery.side, b"x" * size))
        blocks = protected(battery.side, cbor2.dumps({"events": []}), block1=(0, True, 6))
        await ask(hall.port, blocks)
        assert hall.refused() == {"too_large": 3, "unparsable": 3, "malformed": 1}
        await goes_on(hall, battery, 1)


async def test_other_resources_and_methods(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        battery = await settled(hall, coap, "floor-1")
        assert (await battery.post("/v1/other")).code is codes.NOT_FOUND
        assert (await battery.post("/.well-known/core")).code is codes.NOT_FOUND
        text = await battery.send(b"{}", content_format=50)
        assert text.code is codes.UNSUPPORTED_CONTENT_FORMAT
        assert hall.refused() == {"no_such_resource": 2, "unreadable": 1}
        await goes_on(hall, battery, 1)


async def test_noise_of_any_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Datagrams of noise, and true ones with some bytes changed; none is dropped unseen."""
    monkeypatch.setattr(coap_gate, "BURST", 1e6)
    monkeypatch.setattr(coap_gate, "OTHERS_BURST", 1e6)
    monkeypatch.setattr(devices_coap, "WEIGHT", 0)
    enrolled(tmp_path, "floor-1")
    luck = random.Random(8613)
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        battery = await settled(hall, coap, "floor-1")
        true = protected(battery.side, cbor2.dumps({"events": []}))
        for count in range(4_000):
            noise = bytearray(true if count % 2 else luck.randbytes(luck.randrange(1, 200)))
            for _ in range(luck.randrange(1, 4)):
                noise[luck.randrange(len(noise))] = luck.randrange(256)
            if noise[:1] and noise[0] >> 4 != 4 and count % 3:
                noise[0] = noise[0] & 0x0F | 0x40
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                own.sendto(bytes(noise), ("127.0.0.1", hall.port))
            if count % 20 == 0:  # the gateway takes what is in its buffer, then this
                said(await battery.post(state=battery.events.state(acked=1)))
        await goes_on(hall, battery, 1)
        assert hall.refused().get("defect", 0) == 0
        assert hall.refused()["unparsable"] > 100
        assert hall.refused()["not_genuine"] > 100
