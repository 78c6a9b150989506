"""The device's readers under CPython, and where the gateway or a tool reads the same.

Here: seeds, and that both ends agree. Not here: what must hold on the device alone (mp_wire.py,
mp_flash.py).
"""

import json
import struct
import sys
import zlib
from functools import cache
from importlib import resources
from typing import Any

import cbor2
from hall_gateway import cbor_input, models, payload, release
from hall_tools.diag import frames
from hall_tools.image import ident as host_ident

from fuzz import firmware
from fuzz.target import Target

READERS = firmware.load()
wire, flash, update, boot, sleep = READERS
stage: Any = sys.modules["mp_stage"]

CBOR_WORDS = (b"\xf9\x3c\x00", b"\xfa\x47\xc3\x50\x00", b"\x9f", b"\xff", b"\xc1", b"\x42ab")
CBOR_WORDS += (
    b"\x9b\x00\x00\x00\x01\x00\x00\x00\x00",
    b"\x1b" + b"\xff" * 8,
    b"\x3b" + b"\xff" * 8,
)


@cache
def recorded() -> dict[str, list[Any]]:
    """The examples of the contract: messages of a hall that worked."""
    text = (resources.files("hall_gateway.contract") / "recorded.json").read_text(encoding="utf-8")
    return json.loads(text)


def examples(*kinds: str) -> list[bytes]:
    """Those whose kind begins with one of these, as they were on the wire."""
    return [
        json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode()
        for kind, found in recorded().items()
        if kind.startswith(kinds)
        for each in found
    ]


def told() -> list[tuple[str, bytes]]:
    """What the device has said since."""
    said = list(stage.told)
    stage.told.clear()
    return said


# Where two read the same


def cbor_both(data: bytes) -> bool:
    """What both the device and the gateway take means the same to them."""
    taken = wire.cbor_item(data)
    try:
        value = cbor_input.decode(data)
    except cbor_input.CborError:
        return taken
    if taken:
        cbor: Any = sys.modules["hall.cbor"]
        assert repr(cbor.loads(data)) == repr(value) == repr(cbor2.loads(data))
    return taken


def command_both(data: bytes) -> bool:
    """The gateway takes every reply to a command of its own."""
    taken = wire.down_cmd(data)
    for _, said in told():
        reply = json.loads(said)
        try:
            id = payload.parse(models.CommandIdOnly, said).id
        except payload.PayloadError:
            continue  # of a command that the gateway never gave
        assert payload.parse(models.DeviceReply, said).id == id == reply["id"]
    return taken


def console_both(data: bytes) -> bool:
    """A technician's tool finds in the answer just the frames that the device wrote."""
    return _judged(wire.console_bytes(data))


def console_asked(data: bytes) -> bool:
    return _judged(wire.console_asked(data))


def _judged(taken: bool) -> bool:
    said = [line for _, line in told()]
    found = [
        each for each in frames.Lines().feed(b"".join(said)) if not isinstance(each, frames.Log)
    ]
    ids = [line[1:].split(b" ")[0] for line in said]
    named = [id for id in ids if id.isalnum() and len(id) <= 16]
    assert len(found) >= len(named) - 1, (said, found)
    return taken


def ident_both(data: bytes) -> bool:
    """Whom the device takes itself for, the installer's tool takes it for."""
    return _same_identity(data[: len(data) // 2], data[len(data) // 2 :])


def ident_content_both(data: bytes) -> bool:
    return _same_identity(flash.copy_of(data[:4000]), b"")


def _same_identity(*copies: bytes) -> bool:
    found = flash.identity(copies)
    image = b"".join(copy[:4096].ljust(4096, b"\xff") for copy in copies)
    device = host_ident.device_in(image)
    assert found is None or found["device"] == device, (found, device)
    return found is not None


def manifest_both(data: bytes) -> bool:
    """What the gateway hands out as a manifest is one to the device."""
    taken = flash.manifest(data)
    try:
        read = release.read_manifest(data)
    except release.ManifestError:
        return taken
    if read.signature is not None and read.key == read_key():
        found = flash.accepted(data)
        assert found != "manifest", data
        assert isinstance(found, str) or found == (read.version, read.counter)
    return taken


def read_key() -> str:
    return release.PublicKey(int.from_bytes(flash.MODULUS, "big")).id


# Seeds


def desired() -> list[bytes]:
    more = (
        {"rev": 8, "view": "call", "ticket": "A015", "window": "12", "ttl_s": 90, "name": "综合"},
        {"rev": 9, "view": "text", "text": "请带好证件，到右边排队。Thank you"},
        {"rev": 10, "view": "caution", "text": "小心地滑"},
        {"rev": 11, "view": "closed"},
        {"rev": 12, "view": "test"},
        {
            "rev": 13,
            "session": {"ticket": "A1", "until": stage.NOON + 9000, "window_s": 30},
            "pin_key": "00112233445566778899aabbccddeeff",
            "free": True,
        },
    )
    return examples("down.desired") + [
        json.dumps(each, ensure_ascii=False).encode() for each in more
    ]


def commands() -> list[bytes]:
    more = (
        {"id": "c-1", "do": "config", "args": {"calibrate": "dry"}},
        {"id": "c-2", "do": "login", "args": {"ok": True}},
        {"id": "c-3", "do": "identify"},
    )
    return examples("down.cmd") + [json.dumps(each).encode() for each in more]


ACK = json.dumps({"epoch": 99, "seq": 0, "now": 1_795_339_979_853}).encode()


def publish(topic: str, message: bytes, pid: int = 1) -> bytes:
    """A PUBLISH with QoS 1, shorter than 16 KiB."""
    name = b"device/v1/d-1/down/" + topic.encode()
    body = struct.pack(">H", len(name)) + name + struct.pack(">H", pid) + message
    return bytes((0x32, len(body) & 127 | 128, len(body) >> 7)) + body


def broker() -> list[bytes]:
    """What a broker says after CONNECT: CONNACK, SUBACK, messages, PUBACKs, PINGRESP."""
    begin = b"\x20\x02\x00\x00" + b"\x90\x05\x00\x01\x01\x01\x01"
    down = (
        publish("ack", ACK) + publish("desired", desired()[0], 2) + publish("cmd", commands()[0], 3)
    )
    return [begin + down + b"\x40\x02\x00\x02" + b"\xd0\x00" + b"\x40\x02\x00\x03", begin + down]


def responses() -> list[bytes]:
    """To a battery device."""
    said = {"epoch": 99, "seq": 0, "now": stage.NOON}
    more = {**said, "desired": json.loads(desired()[0]), "cmd": [json.loads(commands()[0])]}
    return [cbor2.dumps(each) for each in (said, {"now": stage.NOON}, more)]


def cbor_items() -> list[bytes]:
    numbers = cbor2.dumps([0, 23, 24, 256, 65536, 1 << 32, -1, -(1 << 40), 1.1, None, True, "号"])
    return [*responses(), numbers, b"\xa2\x61a\xf9\x3e\x00\x61b\xfa\x47\xc3\x50\x00", b"\x42ab"]


def coap() -> list[bytes]:
    module: Any = sys.modules["hall.coap"]
    options = [(9, b""), (11, b"v1"), (12, b"\x3c"), (252, b"echo" * 70)]
    body = responses()[0]
    return [
        module.encode(module.ACK, 0x44, 7, b"\x01\x02\x03\x04", options, body),
        module.encode(module.CON, 0x45, 7, b"\x01", [(14, b"\x3c")], b"text"),
        module.encode(module.ACK, 0, 7),
    ]


def inside() -> list[bytes]:
    module: Any = sys.modules["hall.coap"]
    return [b"\x44" + module.encode_body([(12, b"\x3c")], each) for each in responses()]


def protected() -> list[bytes]:
    genuine = [b"\x00" + wire.protected(each) for each in inside()]
    return [*genuine, b"\x03\x09\x05\x01" + wire.protected(inside()[0])]


def console_lines() -> list[bytes]:
    asked = [(b"a1", b"id"), (b"a2", b"health"), (b"a3", b"sensor")]
    lines = [wire.frame(b"%s %s {}" % each) for each in asked]
    key = frames.console_key(stage.CLAIM)
    body = frames.signed(key, stage.console._nonce, "b1", "events", 1, {"after": 0})
    noise = b"[123] log line\nrst:0x1 (POWERON_RESET)\r\n\x00\xff>>> "
    lines += [wire.frame(b"x"), wire.frame(b"a4 id")]
    return [*lines, noise + lines[0], frames.encode("b1", "events", body), b"".join(lines)]


def console_requests() -> list[bytes]:
    asked: list[tuple[str, dict[str, Any]]] = [
        ("events", {"after": 0}),
        ("config", {}),
        ("config", {"calibrate": "dry"}),
        ("sensor", {"ms": 100}),
        ("selftest", {}),
        ("reboot", {}),
        ("repl", {}),
    ]
    return [json.dumps(each).encode() for each in asked]


def journals() -> list[bytes]:
    return [stage.journal_of(events) for events in (0, 3, 9, 20, 60)]


IDENT = {
    "device": "floor-1",
    "psk": "00" * 16,
    "claim": "11" * 16,
    "wifi": [["hall", "secret"]],
    "oscore": {"secret": "22" * 16, "salt": "33" * 8, "id": "01", "gateway_id": "", "start": 8},
}


def identities() -> list[bytes]:
    """Two copies of different devices, end to end, without the blank flash behind each."""
    copies = [
        flash.copy_of(json.dumps({**IDENT, "device": f"floor-{generation}"}).encode(), generation)
        for generation in (1, 2)
    ]
    return [copies[0] + copies[1], copies[1] + copies[0]]


def glyph_packs() -> list[bytes]:
    """The shipped one's beginning would do for no glyph, so it is one of four."""
    codes = (0x20, 0x41, 0x4E00, 0x8BF7)
    body = struct.pack("<4H", *codes) + bytes(range(32)) + bytes(range(64))
    return [b"HKG1" + struct.pack("<HHI", 2, 2, zlib.crc32(body)) + body]


def configs() -> list[bytes]:
    from hall_profiles import compile_config, load

    names = ("call-display-p10-64x16", "keypad-5", "wet-floor-battery")
    made = [
        compile_config(load(name), device="d-1", hall="h", broker_host="10.0.0.1", broker_port=8883)
        for name in names
    ]
    return [json.dumps(each).encode() for each in made]


def radar_frames() -> list[bytes]:
    head, tail = b"\xaa\xff\x03\x00", b"\x55\xcc"
    one = head + struct.pack("<4H", 0x8000 | 300, 0x8000 | 2000, 10, 360) + bytes(16) + tail
    none = head + bytes(24) + tail
    return [one + none + one, b"\x00\xaa\xff" + one, none * 12, none * 60]


def cards() -> list[bytes]:
    """Bits of a card of 26 and of a key."""
    code = 0x123456
    bits = [code >> at & 1 for at in range(23, -1, -1)]
    frame = [sum(bits[:12]) & 1, *bits, sum(bits[12:]) + 1 & 1]
    return [bytes(frame), bytes((0, 1, 0, 1))]


def slots() -> list[bytes]:
    """/slot.json."""
    running: dict[str, object] = {"slot": "b", "spare": "a", "counter": 7}
    more = (
        running,
        {**running, "turn": 1, "attempts": 12, "rounds": 3},
        {**running, "trial": ["a", "0.3.0", 8, 3]},
        {**running, "reverted": ["0.3.0", "no_service"]},
        {"reverted": ["", "hang"], "attempts": 4, "bench": False},
    )
    return [json.dumps(each).encode() for each in more]


def manifests() -> list[bytes]:
    """Of a slot with two files, signed or not."""
    files = {"hall/app.mpy": b"M\x06", "hall/roles/keypad.mpy": b"M\x06" + bytes(99)}
    made = release.manifest_of(("esp32", "esp32s3"), "0.2.0", 7, "1.29.0", files)
    key = release.PublicKey(int.from_bytes(flash.MODULUS, "big"))
    return [made.with_signature(key, bytes(384)).content, made.content]


MANIFEST_WORDS = (b"file " + b"0" * 64 + b" 1 a\n", b"..", b"/", b"\n", b" ", b"0", b"a" * 70)
MANIFEST_WORDS += (b"esp32", b"hallkit", b"counter 99999999999999999999\n", b"a/" * 60)
WIRE_WORDS = (b"\x32", b"\x00\x00", b"\xff\xff\xff\xff", b"\x80\x80\x80\x80", b"\xd0\x00")
CONSOLE_WORDS = (b"@", b"*", b"\n", b" ", b"@a id {}*", b'{"s":"00112233","n":9,"args":{}}')

TARGETS = (
    Target("device-mqtt", wire.packets, broker, words=WIRE_WORDS),
    Target("device-desired", wire.down_desired, desired, "json"),
    Target("device-ack", wire.down_ack, lambda: [ACK], "json"),
    Target("device-command", command_both, commands, "json"),
    Target("device-response", wire.response, responses, "cbor", words=CBOR_WORDS),
    Target("device-coap", wire.coap_message, coap),
    Target("device-oscore", wire.oscore_response, protected),
    Target("device-oscore-inside", wire.oscore_inside, inside),
    Target("cbor", cbor_both, cbor_items, words=CBOR_WORDS),
    Target("console-device", console_both, console_lines, words=CONSOLE_WORDS),
    Target("console-asked", console_asked, console_requests, "json"),
    Target("journal", flash.journal, journals, examples=100),
    Target("journal-sealed", flash.journal_sealed, journals, examples=100),
    Target("ident", ident_both, identities),
    Target("ident-content", ident_content_both, lambda: [json.dumps(IDENT).encode()], "json"),
    Target("manifest", manifest_both, manifests, words=MANIFEST_WORDS),
    Target("glyphs", flash.glyph_pack, glyph_packs),
    Target("device-config", flash.config_file, configs, "json"),
    Target("device-kept", flash.kept_file, lambda: [b'{"dry_ohms": 450000}'], "json"),
    Target("radar", wire.radar, radar_frames),
    Target("card", wire.card, cards),
    Target("device-slot", boot.slot, slots, "json", examples=100),
    Target("device-slept", sleep.slept, sleep.seeds, "json", examples=60),
)
