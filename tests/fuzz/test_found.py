"""What the fuzz found on the way, as it was found: never again."""

import base64
import json
import struct
import tarfile

import pytest
from hall_gateway.console import sessions
from hall_tools.flash.image_file import UserError, read_image
from support import micropython_base

from fuzz import targets_device, targets_files, targets_fleet, targets_gateway
from fuzz.target import bounded
from fuzz.targets import TARGETS

FRAME = b"\xaa\xff\x03\x00" + bytes(24) + b"\x55\xcc"
WHO = [[1, {"device": "d-1", "guarded": True}], [2, {"nonce": "00" * 8, "n": 1}]]


def journal(text: bytes, first: int = 1) -> bytes:
    """A journal whose first event is `text`, and whose header says that it begins at `first`."""
    image = bytearray(targets_device.stage.journal_of(9))
    struct.pack_into("<I", image, 20, first)
    image[2 * 64 + 19 : 2 * 64 + 19 + len(text)] = text
    return bytes(image)


def moved() -> bytes:
    """A journal whose newest events stand in an older sector, where they check as anywhere."""
    image = bytearray(targets_device.stage.journal_of(60))
    newest = image[3 * 64 : 7 * 64]
    image[2 * 512 + 4 * 64 : 3 * 512] = newest
    image[3 * 64 : 8 * 64] = bytes(5 * 64)
    return bytes(image)


def reported(name: str, value: str) -> bytes:
    """up/state with this text in it."""
    return json.dumps({**json.loads(targets_device.examples("up.state")[0]), name: value}).encode()


def deep_token() -> bytes:
    (right,) = targets_fleet.creds_seeds()
    token = right.split(b"\n")[1]
    deep = base64.urlsafe_b64encode(b"[" * 100_000).rstrip(b"=")
    return right.replace(token, b"e30." + deep + b".e30")


def linked() -> bytes:
    """A backup whose manifest is a link to nothing."""
    member = tarfile.TarInfo("manifest.json")
    member.type = tarfile.LNKTYPE
    return member.tobuf() + bytes(1024)


def cut_off() -> bytes:
    """A boot loader without its last byte, the checksum, and what is behind it."""
    return targets_files.gathered(micropython_base.image("esp32", bytes(1000))[:1039])


def wide_font() -> bytes:
    """A font whose sign for what it has not is wider than can be drawn."""
    (right,) = targets_files.font_seeds()
    head, glyph = right.split(b"STARTCHAR")[:2]
    wide = glyph.replace(b"DWIDTH 8", b"DWIDTH 65535").replace(b"CHARS 3", b"CHARS 1")
    return head + b"STARTCHAR" + wide + b"ENDFONT\n"


def slept(**other: object) -> bytes:
    """What a device has kept over a sleep, but for these."""
    return json.dumps({**json.loads(targets_device.sleep.seeds()[0]), **other}).encode()


FOUND: dict[str, dict[str, bytes]] = {
    "journal": {"events after the newest one": moved()},
    "journal-sealed": {
        "an event that is no UTF-8 held up all behind it": journal(b"\xffress"),
        "no sector with an event": journal(b"press", 0),
    },
    "ident-content": {
        "a key that is no text": b'{"device":"d-1","wifi":[],"psk":[1]}',
        "a key that is not in hex": b'{"device":"d-1","wifi":[],"psk":"0x1"}',
        "no object": b'"d-1"',
        "no device": b"{}",
        "no JSON": b"\xff{",
        "too deep": b"[" * 3900,
    },
    "device-slot": {
        "a boot without an end: infinitely many attempts": b'{"attempts":1e999}',
        "a boot without an end: no number to keep the hall waiting by": b'{"rounds":"x"}',
        "a boot without an end: less than no rounds": b'{"rounds":-1}',
        "a boot without an end: nothing that could be told": b'{"reverted":3}',
        "fields that nobody knows, for ever": b'{"x":"%s"}' % (b"y" * 200),
    },
    "device-slept": {
        "stopped for a technician": slept(clock="x"),
        "a number below the first": slept(piv=[-5, 8]),
        "it never talks again": slept(talk=[None, 1 << 47, 1 << 47, 0]),
        "errors that are none": slept(errors={}),
    },
    "nats-told": {
        "a NUL in a device's state kept its hall's from the record": reported("fw", "\0")
    },
    "nats-written": {
        "a NUL in the name of a device's profile, in an event": json.dumps(
            [["kp-1/state", json.loads(reported("profile", "a\0"))]]
        ).encode()
    },
    "nats-answer": {
        "a line break in a server's words": b'["a",{},{"error":{"description":"a\\nb"}}]',
        "a stream without a name": b'["a",{},{"stream":["\\u0000"]}]',
    },
    "nats-reply": {"too deep": b"[" * 100_000},
    "creds": {"too deep": deep_token()},
    "creds-claims": {
        "all is allowed": b'{"nats":{"pub":{"allow":true}}}',
        "a name that steers a terminal": b'{"name":"\\u001b[2J"}',
    },
    "backup": {"a manifest that is a link": linked()},
    "micropython": {"cut off before the checksum": cut_off()},
    "font": {"a glyph of thousands of pixels": wide_font()},
    "staff-file": {
        "a part of the key as a field's name": b'{"key":"%s","00112233":1}' % (b"00112233" * 4),
        "too deep": b"[" * 100_000,
    },
    "users-file": {"too deep": b"[" * 100_000},
    "boards-file": {"too deep": b"[" * 100_000},
    "release-folder": {"an empty file that was taken for one of a release": b""},
    "radar": {"more than is looked at filled the heap": FRAME * 60},
    "mqtt-3": {
        "a length of five bytes": b"\x32\xff\xff\xff\xff\x7f\x00\x01a",
        "an empty topic": b"\x32\x06\x00\x00\x00\x01ab",
    },
    "mqtt-properties": {
        "a reply to a topic with a wildcard": b"\x09\x08\x00\x06apps/#",
        "a line break in a topic that is refused": b"\x07\x08\x00\x04a\nb\r",
    },
    "commands": {
        "a line break in a command's name": b'[["call\\nconnected to the broker",{}]]',
        "half a character in a command's name": b'[["\\ud800",{"id":"c-1"}]]',
    },
    "control-body": {"a line break in a field's name": b'{"by":"lin","\\n":1}'},
    "settings": {
        "a thousand brackets": b"hall = " + b"[" * 5000,
        "a number of 5000 digits": b"hall = " + b"9" * 5000,
        "one in hex": b"hall = 0x" + b"f" * 5000,
        "thousands of errors": b"[[device]]\nx=1\n" * 1000,
    },
    "console-answers": {
        "four thousand million pieces": json.dumps([*WHO, {"ok": 2**32 - 1}]).encode(),
        "pieces of no object": b'[[1,"text"],{"ok":1}]',
        "a number that is none": b'[[1,{"nonce":"00000000","n":"x"}],{"ok":1}]',
        "a path for a name": b'[[1,{"device":"../../etc/x","nonce":"00000000"}],{"ok":1}]',
        "locked for nothing": b'[{"error":"locked for "}]',
    },
    "vfs": {"no file system": bytes(300)},
    "console-form": {
        "no boundary": b"\x03--x",
        "a charset without characters": b"\x04--x",
        "half a character": b"\x02csrf=\\ud800",
        "no UTF-8": b"\x00csrf=\xff\xfe",
        "a cookie that is no UTF-8": b"\x00\xff\xff\xff",
    },
    "object": {"no ELF": b"\x7fELF", "nothing": b""},
}


@pytest.mark.parametrize(
    ("name", "what"), [(name, what) for name, found in FOUND.items() for what in found]
)
def test_it_is_found_no_more(name: str, what: str) -> None:
    with bounded():
        TARGETS[name].run(FOUND[name][what])


def test_an_empty_topic_reaches_nobody() -> None:
    assert targets_gateway.broker311(FOUND["mqtt-3"]["an empty topic"]) is False


def test_a_token_that_nobody_can_say() -> None:
    assert not sessions.LoginForms().fits("\udcff", "\udcff")


def test_an_image_that_is_none(tmp_path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"\xff" * 4 * 1024 * 1024)
    with pytest.raises(UserError, match="another partition table"):
        read_image(file)
