"""Updates: what a device asks for and is answered, releases that are brought, roll-outs.

Here: both ends of it, and that they agree. Not here: a manifest alone (targets_device.py).
"""

import asyncio
import atexit
import hashlib
import io
import itertools
import json
import shutil
import tempfile
import zipfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hall_gateway import bundle, payload, release, release_keys, update_fetch, updates_api
from hall_gateway.control_api import MAX_BODY, ApiError, Asked
from hall_gateway.release_store import ReleaseStore
from hall_gateway.rollout_model import RollOut
from hall_gateway.state import RefusedError
from hall_gateway.wire import compact
from support.core_hall import NOON

from fuzz.target import Target
from fuzz.targets_device import MANIFEST_WORDS, commands, update
from fuzz.targets_files import put
from fuzz.targets_gateway import DEVICES, UNSURE, Inside, trap

NIGHT = NOON + 12 * 3_600_000
"""Within the hours for updates."""


@dataclass(frozen=True)
class Anybody(release.PublicKey):
    """A key whose signature is right, whatever it is: what is behind it must hold all the same."""

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        return True


KEY = Anybody(3 << 3070)
FILES = {"hall/app.mpy": bytes(range(256)) * 5, "hall/empty.mpy": b"", "scan.mpy": b"M\x06" * 40}


@cache
def brought() -> bundle.Bundle:
    """A release for all chips."""
    return made("0.2.0", 7, FILES)


def made(version: str, counter: int, files: dict[str, bytes]) -> bundle.Bundle:
    families = {"riscv": ("esp32c3",), "xtensa": ("esp32", "esp32s3")}
    manifests = {
        name: release.manifest_of(chips, version, counter, "1.29.0", files).with_signature(
            KEY, bytes(384)
        )
        for name, chips in families.items()
    }
    return bundle.bundle_of(manifests, [files])


SHARED_MEMORY = Path("/dev/shm")


@contextmanager
def store(max_bytes: int = 4000) -> Iterator[ReleaseStore]:
    """An empty one, in a folder of its own; not on a disk, where each file has to be waited for."""
    where = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="hall-fuzz-", dir=where) as folder:
        yield ReleaseStore(Path(folder) / "releases", [KEY], max_bytes)


@cache
def kept() -> ReleaseStore:
    """One with brought() in it, which nobody changes."""
    folder = tempfile.mkdtemp(prefix="hall-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made_ = ReleaseStore(Path(folder) / "releases", [KEY])
    made_.take(brought())
    return made_


@cache
def contents() -> dict[str, bytes]:
    """Whatever a device may ask for, by SHA-256."""
    manifests = [each.content for each in brought().manifests.values()]
    return {hashlib.sha256(each).hexdigest(): each for each in (*FILES.values(), *manifests)}


# Devices


@cache
def fetches() -> update_fetch.Fetches:
    return update_fetch.Fetches(kept(), itertools.count().__next__)


def fetch(data: bytes) -> bool:
    """up/fetch: what is answered fits a message, and the device takes it for what it is."""
    answer = asyncio.run(fetches().answer("kp-1", data))
    if answer is None:
        return False
    told, asked = json.loads(answer), payload.parse(update_fetch.FetchRequest, data)
    assert len(answer) <= payload.MAX_PAYLOAD
    assert (told["sha256"], told["at"]) == (asked.sha256, asked.at)
    content = contents().get(asked.sha256)
    size = 1 if content is None else len(content)
    piece, asks = update.piece([answer], asked.sha256, asked.at, size)
    assert payload.parse(update_fetch.FetchRequest, asks) == asked
    if "error" in told:
        assert piece == "no_answer", piece
        return False
    assert content is not None and told["size"] == len(content)
    right = content[asked.at : asked.at + update_fetch.PIECE]
    assert b64decode(told["data"], validate=True) == right
    assert piece == (right or "size"), piece
    return True


def chunk_both(data: bytes) -> bool:
    """down/chunk: an answer of the gateway's form brings the device what it says."""
    taken = update.chunk(data)
    if not taken:
        return False
    piece, _ = update.piece(data.split(b"\n"))
    try:
        told = json.loads(data)
        same = compact({name: told[name] for name in ("sha256", "at", "size", "data")}) == data
        right = b64decode(told["data"], validate=True)
    except (ValueError, TypeError, KeyError):
        return taken
    assert not same or piece == right, (piece, right)
    return taken


# Releases


def bundle_file(data: bytes) -> bool:
    """A release's bytes, which are what they are read as, to the last one."""
    try:
        found = bundle.read_bundle(data)
    except bundle.BundleError as error:
        assert str(error).isprintable(), error
        return False
    assert found.content() == data
    return True


def bundle_sealed(data: bytes) -> bool:
    """{"manifests": {family: [line, ...]}, "blobs": [text, ...]}, where `{0}` in a line stands for
    hash and size of the first blob: with everything right that a hash or a signature would tell.
    The gateway keeps it as a whole, or not at all; what devices still ask for stays."""
    try:
        found = bundle.read_bundle(sealed(data))
    except bundle.BundleError as error:
        assert str(error).isprintable(), error
        return False
    with store() as releases:
        used = releases.take(made("0.1.0", 1, {"a": b"1" * 2000}))
        releases.take(made("0.1.1", 2, {"a": b"2" * 1000}))
        try:
            ids = releases.take(found, used.values())
        except release.SignatureError:
            return False
        there = releases.manifests()
        assert {*ids.values(), *used.values()} <= there.keys()
        assert all(releases.has(id) for id in there)
        for sha256, blob in found.blobs.items():
            assert releases.content(sha256) == blob
        again = ReleaseStore(releases.folder, [KEY])
        assert (
            again.manifests() == there
            and found.content() == bundle.read_bundle(found.content()).content()
        )
    return True


def sealed(data: bytes) -> bytes:
    try:
        said = json.loads(data)
        lines = {
            str(name): [str(each) for each in told] for name, told in said["manifests"].items()
        }
        blobs = [str(each).encode("utf-8", "replace") for each in said["blobs"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        lines, blobs = {"xtensa": data.decode("utf-8", "replace").split("\n")}, [b"M\x06"]
    hashes = [hashlib.sha256(each).hexdigest() for each in blobs]
    entries = {f"blobs/{name}": blob for name, blob in zip(hashes, blobs, strict=True)}
    for name, told in lines.items():
        text = "\n".join(["hallkit-release 1", "product hallkit", *told, ""])
        for number, blob in enumerate(blobs):
            text = text.replace(f"{{{number}}}", f"{hashes[number]} {len(blob)}")
        entries[f"{name}/manifest"] = text.encode("utf-8", "replace")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name[:60000])
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, entries[name])
    return file.getvalue()


def release_folder(data: bytes) -> bool:
    """A file in the store's folder that the disk, or a newer gateway, has left there."""
    with store() as releases:
        releases.take(made("0.1.0", 1, {"a": b"1" * 100}))
        id = hashlib.sha256(data).hexdigest()
        (releases.folder / "manifests" / id).write_bytes(data)
        found = releases.manifests()
        whole = releases.has(id)
        try:
            updates_api._offer(releases, [id])  # pyright: ignore[reportPrivateUsage]
        except ApiError as error:
            assert error.status == 404 and not whole
        else:
            assert whole and id in found
        ids = releases.take(brought())
        assert all(releases.has(each) for each in ids.values())
    trap().caught.clear()  # it says that the file is none
    return id in found


def release_key(data: bytes) -> bool:
    """A .pub of hall update keys."""
    file = put("release.pub", data)
    try:
        return release_keys.public_key_of(file).modulus > 1
    except release_keys.ReleaseKeyError as error:
        assert str(error).isprintable(), error
        return False


# Roll-outs


def roll_out(data: bytes) -> bool:
    """[[what, body], ...]: requests on the control socket, what devices say, and time that goes by.
    Whatever is told to a device is an order that it takes."""
    try:
        steps = [(str(what), body) for what, body in json.loads(data)]
    except (ValueError, TypeError, RecursionError):
        steps = [("begin", data.decode("utf-8", "replace"))]
    taken, now = False, NIGHT
    with Inside() as heart:
        for what, body in steps[:30]:
            text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
            now += 61_000
            if what == "wait":
                now += min(body, 86_400_000) if isinstance(body, int) and body > 0 else 0
            else:
                taken |= _step(heart, what, text, now)
            heart.tick(now)
            heart.updates.tick(now, 0)
            _check(heart)
    return taken


def _step(heart: Any, what: str, body: bytes, now: int) -> bool:
    device, _, kind = what.partition("/")
    if device in DEVICES:
        if kind == "online":
            heart.online(device, body == b"1", now, False)
        elif kind == "state":
            heart.state(device, body, now, False)
        elif kind == "reply":
            heart.reply(device, body, now)
        else:
            heart.event(device, body, now)
        return False
    try:
        if what == "stop":
            heart.updates.stop(payload.parse(Asked, body, limit=MAX_BODY).by, now)
        elif what == "resume":
            heart.updates.resume(payload.parse(Asked, body, limit=MAX_BODY).by, now)
        else:
            asked = payload.parse(updates_api.RollOutAsked, body, limit=MAX_BODY)
            offer = updates_api._offer(  # pyright: ignore[reportPrivateUsage]
                kept(), asked.releases
            )
            heart.updates.begin(offer, asked.devices, asked.by, now)
    except (payload.PayloadError, RefusedError, ApiError) as error:
        assert str(error).isprintable(), error
        return False
    return True


def _check(heart: Any) -> None:
    rollouts: list[RollOut] = heart.updates.all()
    compact([updates_api.shown(each) for each in rollouts])
    compact(heart.updates.reported())
    for rollout in rollouts:
        assert rollout.state in ("running", "stopped", "done"), rollout
        assert all(member.family in rollout.targets for member in rollout.members)
        assert (rollout.state == "done") <= all(m.phase == "confirmed" for m in rollout.members)
    for order in heart._store.hall.take_orders():
        asked = json.loads(order.body)
        if asked["do"] == "update":
            assert len(order.body) <= payload.MAX_PAYLOAD
            assert update.args(compact(asked["args"])), order


# Seeds


def asks() -> list[bytes]:
    places = [(name, at) for name, body in contents().items() for at in (0, 576) if at <= len(body)]
    return [b'{"sha256":"%s","at":%d}' % (name.encode(), at) for name, at in places]


def chunks() -> list[bytes]:
    piece = {"sha256": update.DIGEST, "at": update.AT, "size": update.SIZE}
    whole = compact({**piece, "data": "QUJD" * 192})
    short = compact({**piece, "data": "QQ=="})
    wrong = compact({"sha256": update.DIGEST, "at": update.AT, "error": "not here"})
    stale = compact({**piece, "at": 0, "data": "QUJD" * 192})
    return [whole, short, wrong, stale + b"\n" + whole]


def orders() -> list[bytes]:
    told = {"release": "0" * 64, "size": 900, "until": NOON}
    return [compact(told), b'{"release":null}', commands()[0]]


def key_files() -> list[bytes]:
    from binascii import hexlify

    mine = hexlify(update.mp_flash.MODULUS).decode()
    return [compact({"keys": [mine]}), compact({"keys": ["d" + "0" * 767, mine]})]


def bundles() -> list[bytes]:
    return [made("0.2.0", 7, {"a": b"M\x06"}).content()]


def sealed_seeds() -> list[bytes]:
    end = f"signature {KEY.id} {'0' * 768}"
    head = ["version 0.2.0", "counter 7", "core 1.29.0"]
    files = ["file {0} hall/app.mpy", "file {1} scan.mpy"]
    missing = f"file {'0' * 64} 1 scan.mpy"
    one = {"xtensa": ["hardware esp32 esp32s3", *head, *files, end]}
    two = {**one, "riscv": ["hardware esp32c3", *head, files[0], "file {2} scan.mpy", end]}
    return [
        compact({"manifests": one, "blobs": ["M\x06" * 30, ""]}),
        compact({"manifests": two, "blobs": ["M\x06" * 700, "x", "of another machine"]}),
        compact({"manifests": two, "blobs": ["in", "no", "manifest", "at all"]}),
        compact({"manifests": {**two, "riscv": [*two["riscv"][:4], missing, end]}, "blobs": ["x"]}),
    ]


def folder_seeds() -> list[bytes]:
    listed = {"a": b"1" * 100}
    return [each.content for each in made("0.3.0", 8, listed).manifests.values()]


def release_keys_seeds() -> list[bytes]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    key = RSAPublicNumbers(65537, KEY.modulus + 1).public_key()
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return [key.public_bytes(serialization.Encoding.PEM, kind)]


def roll_outs() -> list[bytes]:
    ids = [each.id for each in brought().manifests.values()]
    xtensa = brought().manifests["xtensa"].id
    came: list[list[Any]] = [[f"{device}/online", 1] for device in DEVICES]
    begin = ["begin", {"by": "lin", "releases": ids}]
    event = {"epoch": 7, "seq": 1, "boot": 1, "up": 500, "t": None, "kind": "update"}
    well = [
        ["kp-1/event", {**event, "data": {"s": "staged", "v": "0.2.0"}}],
        ["kp-1/event", {**event, "seq": 2, "data": {"s": "confirmed", "v": "0.2.0"}}],
    ]
    ill = [["kp-1/event", {**event, "data": {"s": "signature", "v": "0.2.0"}}]]
    by = {"by": "lin"}
    return [
        json.dumps(each).encode()
        for each in (
            [begin],
            [*came, begin, *well, ["wait", 900_000]],
            [*came, begin, *ill, ["resume", by], ["stop", by], ["stop", by]],
            [*came, ["begin", {"by": "lin", "releases": [xtensa], "devices": ["kp-1"]}], *well],
            [
                *came,
                begin,
                ["wait", 43_200_000],
                ["disp-1/reply", {"id": "update-1-1", "ok": False}],
            ],
        )
    ]


ZIP_WORDS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07", b"\xff\xff\xff\xff")
CHUNK_WORDS = (b'"data":"', b'"error":', b"\n", b"=", b"null", b'"size":')

TARGETS = (
    Target("fetch", fetch, asks, "json", UNSURE),
    Target("device-chunk", chunk_both, chunks, "json", CHUNK_WORDS),
    Target("device-order", update.order, orders, "json"),
    Target("device-update-args", update.args, orders, "json"),
    Target("device-keys", update.keys, key_files, "json"),
    Target("bundle", bundle_file, bundles, words=ZIP_WORDS),
    Target("bundle-sealed", bundle_sealed, sealed_seeds, "json", MANIFEST_WORDS, 60),
    Target("release-folder", release_folder, folder_seeds, words=MANIFEST_WORDS, examples=60),
    Target("release-key", release_key, release_keys_seeds),
    Target("roll-out", roll_out, roll_outs, "json", UNSURE, 40),
)
