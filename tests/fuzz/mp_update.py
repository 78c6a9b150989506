"""Readers of what an update brings: its order, the pieces of its files, the keys that sign it.

Runs in MicroPython and in CPython. Each function is given bytes, returns whether they were taken,
and raises what is wrong with the reader: anything that it does not say it raises, or an assertion.
Not here: a release's manifest (mp_flash.py), and an update as a whole (tests/unit/mp_update_*).
"""

import io
import json
from binascii import hexlify
from hashlib import sha256

import mp_flash
import mp_stage as stage
from hall import download, kept, release, rsa, update

# The piece that is asked for; its file ends with it, or with the one behind it.
DIGEST = "ab" * 32
AT = 576
SIZE = 1600
ORDER = "/update.json"


class ResetError(Exception):
    """The chip was reset: what was asked for is over."""


class _Loop:
    """In asyncio's place: what is not there at once never comes."""

    class TimeoutError(Exception):
        pass

    class Event:
        def __init__(self):
            self._is_set = False

        def set(self):
            self._is_set = True

        def clear(self):
            self._is_set = False

        async def wait(self):
            if not self._is_set:
                raise _Loop.TimeoutError

    def __init__(self):
        self.tasks = 0

    async def sleep_ms(self, ms):
        assert 0 <= ms <= 60_000, ms

    async def wait_for_ms(self, work, ms):
        assert 0 < ms <= 60_000, ms
        return await work

    def create_task(self, work):
        self.tasks += 1
        work.close()
        return self

    def cancel(self):
        pass


loop = _Loop()
download.asyncio = update.asyncio = loop


class _Start:
    slot, trial, state = "a", False, {"slot": "a", "counter": 3}


class Device:
    """What an update uses of app.Device."""

    start = _Start()

    def __init__(self, asked=None):
        self.update = {"s": "idle", "p": 0}
        self.said = []
        self._asked = asked
        self._config = {"chip": "esp32", "transport": "mqtt"}
        self._parts = {}
        self._link = None

    def link_down_ms(self):
        return 0

    def report(self, text):
        stage.errors.report(text)
        self.said.append(text)

    def forget(self, more=()):
        pass

    def _reset(self, why):
        raise ResetError(why)


class _Update:
    since = 0

    def in_time(self):
        pass

    async def rest(self):
        pass


class _Link:
    """The device's link, which gets these payloads as soon as it has asked."""

    take = fetch = None

    def __init__(self, payloads):
        self.payloads = payloads
        self.asked = []

    def kick(self):
        self.asked.append(self.fetch)
        stage.link.take = self.take
        for payload in self.payloads:
            stage.link._on_message("device/v1/d-1/down/chunk", memoryview(payload), False)
        self.payloads = []


def piece(payloads, digest=DIGEST, at=AT, size=SIZE):
    """The bytes that the device takes out of what came for them, or the code of why it gives up;
    and what it has asked with."""
    device = Device()
    device._link = link = _Link(payloads)
    build = download.Download(_Update(), device)
    try:
        found = bytes(stage.drive(build._chunk(digest, at, size)))
    except update.RefusedError as refusal:
        found = str(refusal)
    stage.link.take = None
    assert 1 <= len(link.asked) <= 10
    for line in stage.errors.last:
        json.dumps(line)
    return found, link.asked[0]


def chunk(data):
    """down/chunk, one or, a line each, several: a part of the file, or a reason to go on."""
    found, asked = piece(data.split(b"\n"))
    assert json.loads(asked) == {"sha256": DIGEST, "at": AT}
    if isinstance(found, str):
        assert found in ("no_answer", "size"), found
        return False
    assert 0 < len(found) <= min(576, SIZE - AT), len(found)
    return True


def order(data):
    """/update.json, with which a device was started anew for an update; also the command's args.
    There is an update then, or a start with the role comes next."""
    mp_flash.opened(kept, data)
    try:
        asked = kept.load(ORDER)
    except ValueError as error:
        assert ORDER in str(error)
        return False
    device, loop.tasks = Device(asked), 0
    if not asked:
        return False
    try:
        said = update.take(device, asked)
    except ResetError:
        assert not device._parts.get("update")
        return False
    json.dumps(said)
    assert loop.tasks == 1 and device._parts["update"]
    return True


def args(data):
    """The args of the command: an update that begins or is given up, or a ValueError."""
    try:
        given = json.loads(data)
    except ValueError:
        given = {}
    if not isinstance(given, dict):
        return False
    device = Device()
    try:
        json.dumps(update.take(device, given))
    except ValueError:
        return False
    return bool(device._parts.get("update"))


MANIFEST = b"hallkit-release 1\nproduct hallkit\nhardware esp32\nversion 0.2.0\ncounter 7\n"
MANIFEST += b"core 1.29.0\nfile " + b"0" * 64 + b" 2 hall/app.mpy\nsignature "
MANIFEST += hexlify(sha256(mp_flash.MODULUS).digest()[:8]) + b" " + b"0" * 768 + b"\n"


def keys(data):
    """/keys.json: who may sign. A release that the first of them signed, as far as it can be."""
    release.open = lambda path, mode="r": (
        io.BytesIO(MANIFEST) if "manifest" in path else io.StringIO(str(data, "utf-8"))
    )
    rsa.verify = mp_flash.signed
    try:
        version, counter = stage.drive(release.accept(b"esp32", 3, mp_flash.rest))
    except release.RefusedError as refusal:
        assert str(refusal) in ("no_key", "signature"), refusal
        return False
    assert (version, counter) == ("0.2.0", 7)
    return hexlify(mp_flash.MODULUS) in data.lower()


TARGETS = {
    "device-chunk": chunk,
    "device-order": order,
    "device-update-args": args,
    "device-keys": keys,
}
