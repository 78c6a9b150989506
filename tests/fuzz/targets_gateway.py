"""What devices, the hall system and the gateway's own broker send to the gateway.

Here: events, states, replies, commands, requests in CBOR, MQTT packets. Not here: files and forms
(targets_files.py, targets_http.py).

The core is the real one, over a store in a folder of its own; each input has a transaction that is
rolled back. Whatever comes, the core may refuse it; it may not stumble, which it would only log.
"""

import asyncio
import atexit
import json
import logging
import shutil
import socket
import struct
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import cbor2
import paho.mqtt.client as paho
import pytest
from hall_gateway import (
    coap_server,
    commands,
    devices_coap,
    heart,
    mqtt5,
    mqtt_connection,
    mqtt_message,
    mqtt_packets,
    payload,
)
from hall_gateway.hall_link import HallLink
from hall_gateway.mqtt_socket import BufferedSocket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from support.core_hall import NOON, PLAN

from fuzz.target import Target
from fuzz.targets_device import coap, examples, recorded, wire

import aiocoap  # isort: skip

DEVICES = ("kp-1", "disp-1", "cnt", "wet")
UNSURE = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"\\ud800",
    b'"epoch":1,',
    b"-0.0",
    b"18446744073709551616",
)


class _Trap(logging.Handler):
    """What the gateway logs as a defect, and any line that outside text has broken in two."""

    def __init__(self) -> None:
        super().__init__()
        self.caught: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.levelno >= logging.ERROR or not text.isprintable():
            self.caught.append(text)

    def check(self, expected: str = "the roll-out of ") -> None:
        """What begins so is told to people, and no defect."""
        caught, self.caught = self.caught, []
        defects = [each for each in caught if not each.startswith(expected) or "\n" in each]
        assert not defects, defects[0]


@cache
def trap() -> _Trap:
    handler = _Trap()
    logger = logging.getLogger("hall_gateway")
    logger.addHandler(handler)
    return handler


@cache
def core() -> heart.Heart:
    """The gateway's core, with every kind of device."""
    folder = tempfile.mkdtemp(prefix="hall-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = heart.Heart(PLAN, Path(folder) / "hall.db", 64, lambda: NOON, lambda _snapshot: None)
    made.open()
    order = {"id": "c-6", "device": "kp-1", "do": "selftest"}
    made.begin()
    made.command("device", json.dumps(order).encode(), NOON)
    for ticket, window in (("A001", "1"), ("A002", "2")):
        body = {"id": f"c-{ticket}", "ticket": ticket, "window": window}
        made.command("call", json.dumps(body).encode(), NOON)
    made.commit()
    trap()
    return made


class Inside:
    """A transaction that leaves nothing; what is logged as a defect in it is raised after it."""

    def __enter__(self) -> heart.Heart:
        core().begin()
        return core()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        core().rollback()
        if kind is None:
            trap().check()


def counts() -> Counter[str]:
    return core()._counts  # pyright: ignore[reportPrivateUsage]


def event(data: bytes) -> bool:
    """up/event of each role. What is acked is what the event says it is."""
    stored = False
    with Inside() as heart_:
        for device in DEVICES:
            before = (counts()["stored"], counts()["quarantined"])
            ack = heart_.event(device, data, NOON)
            which = payload.identity(data)
            assert ack is None or (which is not None and ack[0] == which.epoch), (ack, which)
            again = heart_.event(device, data, NOON)
            assert again == ack, (again, ack)
            stored |= before == (counts()["stored"] - 1, counts()["quarantined"])
    return stored


def state(data: bytes) -> bool:
    with Inside() as heart_:
        return heart_.state("kp-1", data, NOON, False) is not None


def reply(data: bytes) -> bool:
    with Inside() as heart_:
        return heart_.reply("kp-1", data, NOON) is not None


def day(data: bytes) -> bool:
    """[[name, body], ...]: commands, and by their device events, or states as `kp-1/state`, one
    after the other. A command that comes again has the same answer."""
    with Inside() as heart_:
        return carried_out(heart_, steps_of(data))


def steps_of(data: bytes) -> list[tuple[str, Any]]:
    try:
        return [(str(name), body) for name, body in json.loads(data)][:30]
    except (ValueError, TypeError, RecursionError):
        return [("call", data.decode("utf-8", "replace"))]


def carried_out(heart_: heart.Heart, steps: list[tuple[str, Any]]) -> bool:
    """Whether any of the commands was done."""
    done = False
    for at, (name, body) in enumerate(steps):
        now = NOON + 2500 * at
        text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        device, _, kind = name.partition("/")
        if device not in DEVICES:
            done |= _commanded(heart_, name, text, now)
        elif kind == "state":
            heart_.state(device, text, now, False)
        else:
            heart_.event(device, text, now)
        heart_.tick(now)
    return done


def _commanded(heart_: heart.Heart, name: str, body: bytes, now: int) -> bool:
    response = mqtt5.Response("apps/x", b"1")
    answer = heart_.request(name, body, response, False, now)
    if answer is None:
        return False
    told = json.loads(answer.body)
    assert told["id"] == answer.id == payload.command_id(body)
    assert ("result" if told["ok"] else "error") in told, told
    again = heart_.request(name, body, None, True, now)
    assert again is not None and json.loads(again.body) == told, (again, told)
    return bool(told["ok"])


def wake(data: bytes) -> bool:
    """What a battery device says, in CBOR, each part of it as JSON to the core."""
    try:
        said = devices_coap._Wake("wet", data)  # pyright: ignore[reportPrivateUsage]
    except devices_coap.CborError:
        return False
    taken = False
    with Inside() as heart_:
        for each in said.events:
            taken |= heart_.event("wet", each, NOON) is not None
        for each in said.replies:
            heart_.reply("wet", each, NOON)
        if said.state is not None:
            taken |= heart_.state("wet", said.state, NOON, False) is not None
    assert said.rev is None or isinstance(said.rev, int)
    return taken


def datagram(data: bytes) -> bool:
    """What both the device's reader and aiocoap take means the same to them; and as many options
    are counted as there are."""
    counted = coap_server._options(data)  # pyright: ignore[reportPrivateUsage]
    try:
        message: Any = aiocoap.Message.decode(data)
    except Exception:  # whatever it says, coap_server.py takes for "no message"
        message = None
    mine = wire.coap_message(data)
    if message is None or not mine:
        return False
    kind, code, mid, token, options, body = wire.coap.decode(data)
    assert counted == min(len(options), coap_server.MAX_OPTIONS + 1)
    same = (int(message.mtype), int(message.code), message.mid, message.token, message.payload)
    assert same == (kind, code, mid, token, body)
    return True


# MQTT


async def _connected(data: bytes, version5: bool) -> list[mqtt_message.Message]:
    """What a connection makes of a broker's bytes. It may end; it may not raise."""
    loop = asyncio.get_running_loop()
    stumbled: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: stumbled.append(context))
    came: asyncio.Queue[Any] = asyncio.Queue()
    connection: Any = mqtt_connection.Connection(came, mqtt_message.Counters())
    connection._accepted.add_done_callback(lambda done: done.exception())
    client = connection._client = connection._make_client("hallkit-demo", version5)
    raw, broker = socket.socketpair()
    with broker:
        raw.setblocking(False)
        broker.sendall(data)
        client._sock = BufferedSocket(raw)
        client._state = paho._ConnectionState.MQTT_CS_CONNECTING
        connection._wire.adopt(client._sock)
        for _ in range(6):  # what there is, what follows from it, and what waited for CONNACK
            await asyncio.sleep(0)
            connection.resume(0)
        connection.close()
        await asyncio.sleep(0)
    raw.close()
    assert not stumbled, stumbled[0]
    return [came.get_nowait()[1] for _ in range(came.qsize())]


def _broker(data: bytes, version5: bool) -> list[mqtt_message.Message]:
    begin = b"\x20\x03\x00\x00\x00" if version5 else b"\x20\x02\x00\x00"
    messages = asyncio.run(_connected(begin + data, version5))
    for message in messages:
        assert isinstance(message.topic, str) and isinstance(message.payload, bytes)
    return messages


def broker5(data: bytes) -> bool:
    return bool(_broker(data, True))


def broker311(data: bytes) -> bool:
    """What is read without paho is what paho reads."""
    found = _broker(data, False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mqtt_packets, "arrived", lambda _packet: None)
        patch.setattr(mqtt_packets, "confirmed", lambda _packet: None)
        by_paho = _broker(data, False)
    mine = [(each.topic, each.payload, each.retain) for each in found]
    assert mine == [(each.topic, each.payload, each.retain) for each in by_paho]
    return bool(found)


def properties(data: bytes) -> bool:
    """The properties of a PUBLISH: what comes of them can be published again, or is refused."""
    found = Properties(PacketTypes.PUBLISH)
    try:
        found.unpack(data)
    except Exception:  # paho's own; a connection's end, see broker5
        return False
    extras = mqtt5.extras(found)
    link = HallLink.__new__(HallLink)
    link._response_topics = ("apps/",)
    link.refused = Counter()
    trap()
    allowed = link._allowed(extras.response)
    trap().check()
    assert isinstance(extras.expired, bool)
    if allowed is not None:
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        with_it = mqtt5.publish_properties(60, allowed.correlation)
        client.publish(allowed.topic, b"", qos=1, properties=with_it)
    return allowed is not None


# Seeds


def days() -> list[bytes]:
    """The contract's commands, each by itself and all in a row; and a customer's way."""
    found = [
        [kind.removeprefix("command."), body]
        for kind, bodies in recorded().items()
        if kind.startswith("command.")
        for body in bodies
    ]
    assert {str(name) for name, _ in found} == set(commands.COMMANDS)
    at = {"epoch": 7, "boot": 1, "t": None}
    served = [
        ["take", {"id": "t-1", "ticket": "B1", "priority": 1}],
        ["end", {"id": "e-0", "window": "1"}],
        ["call", {"id": "k-1", "ticket": "B1", "window": "1", "staff": "王敏"}],
        ["disp-1", {**at, "seq": 1, "up": 1000, "kind": "shown", "data": {"rev": 3}}],
        ["start", {"id": "s-1", "window": "1"}],
        ["end", {"id": "e-1", "window": "1"}],
        ["kp-1", {**at, "seq": 1, "up": 1000, "kind": "press", "data": {"key": 5, "session": 4}}],
        [
            "kp-1",
            {**at, "seq": 2, "up": 5000, "kind": "close", "data": {"session": 4, "why": "lock"}},
        ],
    ]
    other = [
        ["show", {"id": "w-1", "device": "sign", "text": "小心地滑", "seconds": 9}],
        ["device", {"id": "d-1", "device": "kp-1", "do": "selftest", "args": {}, "ttl_s": 30}],
        ["wet", {**at, "seq": 1, "up": 1000, "kind": "wet", "data": {"ohms": 20000}}],
        ["cnt", {**at, "seq": 1, "up": 1000, "kind": "passage", "data": {"dir": "in"}}],
        ["transfer", {"id": "f-1", "window": "2", "to": "1"}],
    ]
    state = json.loads(examples("up.state")[0])
    other.append(["kp-1/state", {**state, "profile": "keypad-3"}])
    rows = [[each] for each in found] + [found, served, other]
    return [json.dumps(each, ensure_ascii=False).encode() for each in rows]


def events() -> list[bytes]:
    one = {"epoch": 7, "seq": 1, "boot": 1, "up": 500, "t": None}
    more = [
        {**one, "kind": "fault", "data": {"code": "key_stuck", "value": 2}},
        {**one, "seq": 9, "kind": "gap", "data": {"from": 1, "to": 9}},
        {**one, "kind": "card", "data": {"bits": 26, "code": 70000}},
        {**one, "kind": "escalate", "data": {"minutes": 10}},
    ]
    return examples("up.event") + [json.dumps(each).encode() for each in more]


def wakes() -> list[bytes]:
    found = recorded()
    wet, state_ = found["up.event.wet"][0], found["up.state"][0]
    said = {"events": [{**wet, "seq": 1}], "state": state_, "replies": []}
    return [cbor2.dumps(said), cbor2.dumps({"events": [], "device": "wet"})]


def _publish(version5: bool) -> bytes:
    topic, body = b"hall/v1/demo/command/call", examples("command.call")[0]
    extra = _properties()[0] if version5 else b""
    content = struct.pack(">H", len(topic)) + topic + b"\x00\x01" + extra + body
    return bytes((0x32, len(content) & 127 | 128, len(content) >> 7)) + content


def _properties() -> list[bytes]:
    response = b"\x08\x00\x06apps/x" + b"\x09\x00\x02xy" + b"\x02\x00\x00\x00\x3c"
    user = b"\x26\x00\x01a\x00\x01b" + b"\x01\x01" + b"\x03\x00\x04json"
    nobodys = b"\x08\x00\x06apps/#"
    return [bytes((len(each),)) + each for each in (response, user + response, nobodys, b"")]


def broker5_seeds() -> list[bytes]:
    acks = b"\x90\x04\x00\x01\x00\x01" + b"\x40\x04\x00\x02\x10\x00" + b"\xd0\x00"
    return [acks + _publish(True), _publish(True), b"\xe0\x02\x8b\x00"]


def broker311_seeds() -> list[bytes]:
    acks = b"\x90\x03\x00\x01\x01" + b"\x40\x02\x00\x02" + b"\xd0\x00"
    return [acks + _publish(False), b"\x32\xff\xff\xff\xff\x7f" + _publish(False)]


_TOPICS = (b"#", b"+", b"apps/", b"\x00", b"\x08\x00\x06apps/#", b"\x0b\x01")

TARGETS = (
    Target("event", event, events, "json", UNSURE, 120),
    Target("state", state, lambda: examples("up.state"), "json", UNSURE),
    Target("reply", reply, lambda: examples("up.reply"), "json", UNSURE),
    Target("commands", day, days, "json", UNSURE, 150),
    Target("wake", wake, wakes, "cbor", examples=150),
    Target("datagram", datagram, coap),
    Target("mqtt-5", broker5, broker5_seeds, words=_TOPICS, examples=150),
    Target("mqtt-3", broker311, broker311_seeds, examples=150),
    Target("mqtt-properties", properties, _properties, words=_TOPICS),
)
