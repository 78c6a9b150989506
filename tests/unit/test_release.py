"""Releases: built the same each time, signed, and refused when a single bit is different."""

import hashlib
import io
import json
import random
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hall_gateway.bundle import Bundle, BundleError, read_bundle, read_bundle_file
from hall_gateway.files import FileError, put_file, write_secret
from hall_gateway.release import (
    KEY_BYTES,
    ManifestError,
    PublicKey,
    SignatureError,
    manifest_of,
    read_manifest,
    verify,
)
from hall_gateway.release_keys import ReleaseKeyError, public_key_of
from hall_gateway.release_store import ReleaseStore
from hall_tools.cli import app
from hall_tools.errors import UserError
from hall_tools.update.build import base_version, build, firmware_version
from hall_tools.update.sign import sign
from hypothesis import given, settings
from hypothesis import strategies as some
from support import releases
from typer.testing import CliRunner

PROPERTY = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@pytest.fixture(scope="module")
def release() -> Bundle:
    return releases.release("0.2.0", 7)


def hall(*arguments: object, input: str | None = None) -> Any:
    return CliRunner().invoke(app, ["update", *map(str, arguments)], input=input)


def error_of(*arguments: object) -> str:
    result = hall(*arguments)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def test_the_firmware_makes_the_same_bytes_each_time() -> None:
    first, second = build(7), build(7)
    assert first.content() == second.content()
    assert (first.version, first.counter) == (firmware_version(), 7)
    xtensa, riscv = first.manifests["xtensa"], first.manifests["riscv"]
    assert (xtensa.hardware, riscv.hardware) == (("esp32", "esp32s3"), ("esp32c3",))
    assert xtensa.core == base_version()
    assert {"scan_xtensawin.mpy", "hall/app.mpy"} <= set(first.slot("xtensa"))
    assert len(xtensa.content) < 16 * 1024 - 800, "no room for a signature"
    assert read_bundle(first.content()) == first


def test_a_manifest_reads_as_the_protocol_has_it() -> None:
    files = {"hall/b.mpy": b"b", "hall/a.mpy": b""}
    manifest = manifest_of(["esp32s3", "esp32"], "0.2.0", 7, "1.29.0", files)
    a, b = (hashlib.sha256(content).hexdigest() for content in (b"", b"b"))
    assert manifest.content.decode() == (
        "hallkit-release 1\nproduct hallkit\nhardware esp32 esp32s3\nversion 0.2.0\ncounter 7\n"
        f"core 1.29.0\nfile {a} 0 hall/a.mpy\nfile {b} 1 hall/b.mpy\n"
    )
    assert read_manifest(manifest.content) == manifest
    with pytest.raises(SignatureError, match="not signed"):
        verify(manifest, [releases.public_key()])


def test_a_signature_is_what_others_verify_too(release: Bundle) -> None:
    """OpenSSL's opinion of ours, and ours of OpenSSL's."""
    key = releases.private_key()
    for manifest in release.manifests.values():
        assert manifest.signature is not None
        signed = manifest.signed
        key.public_key().verify(manifest.signature, signed, padding.PKCS1v15(), hashes.SHA256())
        assert manifest.content == signed + (
            f"signature {releases.public_key().id} {manifest.signature.hex()}\n".encode()
        )
        assert verify(manifest, [releases.public_key("other"), releases.public_key()])


def test_a_whole_release_is_taken(release: Bundle) -> None:
    """What the properties below change one bit of."""
    assert read_bundle(release.content()).verified([releases.public_key()]) == {
        releases.public_key()
    }


@PROPERTY
@given(some.data())
def test_one_bit_changed_anywhere_in_a_manifest_is_refused(data: some.DataObject) -> None:
    content = bytearray(releases.release("0.2.0", 7).manifests["xtensa"].content)
    place = data.draw(some.integers(0, 8 * len(content) - 1))
    content[place // 8] ^= 1 << place % 8
    with pytest.raises((ManifestError, SignatureError)):
        verify(read_manifest(bytes(content)), [releases.public_key()])


@PROPERTY
@given(some.data())
def test_one_bit_changed_anywhere_in_a_bundle_is_refused(data: some.DataObject) -> None:
    content = bytearray(releases.release("0.2.0", 7).content())
    place = data.draw(some.integers(0, 8 * len(content) - 1))
    content[place // 8] ^= 1 << place % 8
    with pytest.raises((BundleError, SignatureError)):
        read_bundle(bytes(content)).verified([releases.public_key()])


@PROPERTY
@given(some.data())
def test_a_truncated_manifest_or_bundle_is_refused(data: some.DataObject) -> None:
    release = releases.release("0.2.0", 7)
    manifest, bundle = release.manifests["xtensa"].content, release.content()
    cut = manifest[: data.draw(some.integers(0, len(manifest) - 1))]
    with pytest.raises((ManifestError, SignatureError)):
        verify(read_manifest(cut), [releases.public_key()])
    with pytest.raises(BundleError):
        read_bundle(bundle[: data.draw(some.integers(0, len(bundle) - 1))])


@PROPERTY
@given(some.binary(max_size=400))
def test_whatever_comes_as_a_release_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(ManifestError):
        read_manifest(content)
    with pytest.raises(BundleError):
        read_bundle(content)


def test_every_bit_of_a_signature_counts(release: Bundle) -> None:
    manifest, key = release.manifests["riscv"], releases.public_key()
    assert manifest.signature is not None
    for place in range(0, 8 * KEY_BYTES, 61):
        bad = bytearray(manifest.signature)
        bad[place // 8] ^= 1 << place % 8
        assert not key.verifies(bytes(bad), manifest.signed)
    number = int.from_bytes(manifest.signature, "big")
    assert not key.verifies(manifest.signature[1:], manifest.signed)
    if (above := number + key.modulus).bit_length() <= 8 * KEY_BYTES:
        assert not key.verifies(above.to_bytes(KEY_BYTES, "big"), manifest.signed)


def test_a_block_that_only_ends_right_is_refused() -> None:
    """Padding is compared whole: as in Bleichenbacher's forgery, a digest is not searched for."""
    key = releases.private_key()
    numbers = key.private_numbers()
    modulus = numbers.public_numbers.n
    info = bytes.fromhex("3031300d060960864801650304020105000420")
    digest = info + hashlib.sha256(b"signed").digest()
    good = b"\x00\x01" + b"\xff" * (KEY_BYTES - 3 - len(digest)) + b"\x00" + digest
    short = b"\x00\x01" + b"\xff" * 8 + b"\x00" + digest
    left = KEY_BYTES - len(short)
    no_null = digest.replace(b"\x05\x00\x04", b"\x04", 1)
    blocks = {
        good: True,
        short + random.Random(1).randbytes(left): False,
        b"\x00\x01" + b"\xff" * (KEY_BYTES - 3 - len(no_null)) + b"\x00" + no_null: False,
        b"\x00\x02" + good[2:]: False,
    }
    for block, right in blocks.items():
        assert len(block) == KEY_BYTES
        signature = pow(int.from_bytes(block, "big"), numbers.d, modulus)
        public = PublicKey(modulus)
        assert public.verifies(signature.to_bytes(KEY_BYTES, "big"), b"signed") is right


HEAD = "hallkit-release 1\nproduct hallkit\nhardware esp32\nversion 0.2.0\ncounter 7\ncore 1.29.0\n"
HASH = "ab" * 32
FILE = f"file {HASH} 5 hall/a.mpy\n"
WRONG = {
    "another product": HEAD.replace("hallkit\nh", "oven\nh") + FILE,
    "no file": HEAD,
    "two blanks": HEAD.replace("counter 7", "counter  7") + FILE,
    "a counter with a zero before it": HEAD.replace("counter 7", "counter 07") + FILE,
    "a counter beyond its range": HEAD.replace("counter 7", "counter 1000000000") + FILE,
    "a counter below nought": HEAD.replace("counter 7", "counter -1") + FILE,
    "a version of two numbers": HEAD.replace("0.2.0", "0.2") + FILE,
    "a version too long": HEAD.replace("0.2.0", "1000.200.20") + FILE,
    "chips out of order": HEAD.replace("esp32\n", "esp32s3 esp32\n") + FILE,
    "a chip twice": HEAD.replace("esp32\n", "esp32 esp32\n") + FILE,
    "lines in another order": HEAD.replace("counter 7\ncore 1.29.0", "core 1.29.0\ncounter 7"),
    "a path that leaves": HEAD + FILE.replace("hall/a", "hall/../a"),
    "an absolute path": HEAD + FILE.replace("hall/a", "/hall/a"),
    "a folder": HEAD + FILE.replace("hall/a.mpy", "hall/"),
    "a hidden step": HEAD + FILE.replace("hall/a", "hall//a"),
    "the manifest itself": HEAD + FILE.replace("hall/a.mpy", "manifest"),
    "capitals": HEAD + FILE.replace("hall/a", "hall/A"),
    "a hash in capitals": HEAD + FILE.replace(HASH, HASH.upper()),
    "a size too large": HEAD + FILE.replace(" 5 ", " 1048577 "),
    "a path twice": HEAD + FILE + FILE,
    "a file that is a folder": HEAD + FILE.replace("hall/a.mpy", "hall") + FILE,
    "descending paths": HEAD + FILE + FILE.replace("hall/a", "hall/A".lower()[:5] + "0"),
    "something after the files": HEAD + FILE + "more\n",
    "no line feed at the end": HEAD + FILE.rstrip(),
    "carriage returns": (HEAD + FILE).replace("\n", "\r\n"),
    "too many files": HEAD + "".join(f"file {HASH} 5 hall/{at:03}.mpy\n" for at in range(129)),
    "too much in all": HEAD + "".join(f"file {HASH} 1048576 hall/{at}.mpy\n" for at in range(3)),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_manifest_has_one_form_only(text: str) -> None:
    assert read_manifest((HEAD + FILE).encode())
    with pytest.raises(ManifestError):
        read_manifest(text.encode())


def test_a_bundle_has_exactly_what_its_manifests_list(release: Bundle) -> None:
    blobs = dict(release.blobs)
    some_hash = next(iter(blobs))
    extra = hashlib.sha256(b"extra").hexdigest()
    one = {"xtensa": release.manifests["xtensa"]}
    wrong = {
        "are missing": Bundle(
            release.manifests, {h: b for h, b in blobs.items() if h != some_hash}
        ),
        "are in no manifest": Bundle(release.manifests, {**blobs, extra: b"extra"}),
        "damaged": Bundle(release.manifests, {**blobs, some_hash: blobs[some_hash] + b"!"}),
        "0 manifests": Bundle({}, {}),
        "differ in version": Bundle(
            {**one, "r": releases.release("0.3.0").manifests["riscv"]}, blobs
        ),
        "in two manifests": Bundle({**one, "again": one["xtensa"]}, blobs),
    }
    for words, bundle in wrong.items():
        with pytest.raises(BundleError, match=words):
            read_bundle(bundle.content())


def test_parts_that_share_their_bytes_are_refused() -> None:
    """A small file could otherwise be read as a gigabyte."""
    names = [f"blobs/{at:064x}".encode() for at in range(3)]
    heads = [struct.pack("<4s5H3L2H", b"PK\3\4", *[0] * 8, 70, 0) + name for name in names]
    body = b"".join(heads) + bytes(1000)
    listed, at = b"", 0
    for name, head in zip(names, heads, strict=True):
        content = body[at + len(head) :]  # all that follows, with the heads of the others
        sizes = (zlib.crc32(content), len(content), len(content))
        listed += struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 6, *sizes, 70, *[0] * 5, at) + name
        at += len(head)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 3, 3, len(listed), len(body), 0)
    with pytest.raises(BundleError, match="over each other"):
        read_bundle(body + listed + end)


def test_a_bundle_is_stored_plainly(release: Bundle, tmp_path: Path) -> None:
    """A ZIP can say much in other ways: folded, compressed, twice. None of them is taken."""

    def zipped(compression: int, *more: tuple[str, bytes]) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            with zipfile.ZipFile(io.BytesIO(release.content())) as source:
                for entry in source.infolist():
                    archive.writestr(entry.filename, source.read(entry))
            for name, content in more:
                archive.writestr(name, content)
        return file.getvalue()

    with pytest.raises(BundleError, match="compressed"):
        read_bundle(zipped(zipfile.ZIP_DEFLATED))
    with pytest.raises(BundleError, match="its parts are right, its form is not"):
        read_bundle(zipped(zipfile.ZIP_STORED))
    with pytest.raises(BundleError, match="no place"):
        read_bundle(zipped(zipfile.ZIP_STORED, ("../../etc/passwd", b"x")))
    with pytest.raises(BundleError, match="its form is not"):
        read_bundle(release.content() + b"more")
    huge = tmp_path / "huge.release"
    huge.touch()
    with huge.open("r+b") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    with pytest.raises(BundleError, match=r"huge.release: more than 16,777,216 bytes"):
        read_bundle_file(huge)


def test_keys_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    write_secret(tmp_path / "pass", b"geheim\n")
    told = json.loads(hall("keys", tmp_path / "release", "--json").output)
    assert told["encrypted"] is False
    recovery = hall("keys", tmp_path / "recovery", "--passphrase-file", tmp_path / "pass")
    assert "geheim" not in recovery.output
    for name, encrypted in (("release", False), ("recovery", True)):
        file = tmp_path / f"{name}.key"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert (b"ENCRYPTED" in file.read_bytes()) is encrypted
    assert public_key_of(tmp_path / "release.pub").id == told["id"]
    assert "never written over" in error_of("keys", tmp_path / "release")

    file = tmp_path / "new.release"
    file.write_bytes(releases.unsigned().content())
    assert "needs its passphrase" not in hall("show", file).output
    assert "not signed" in error_of("show", file, "--key", tmp_path / "release.pub")
    assert hall("sign", file, "--key", tmp_path / "release.key").exit_code == 0
    first = file.read_bytes()
    assert hall("sign", file, "--key", tmp_path / "release.key").exit_code == 0
    assert file.read_bytes() == first, "one key, one signature"
    shown = hall("show", file, "--key", tmp_path / "release.pub").output
    assert shown.endswith(f"signed with {told['id']}, verified\n")
    assert "trusted here" in error_of("show", file, "--key", tmp_path / "recovery.pub")
    # Another signature goes in its place only when somebody says so.
    other = ("sign", file, "--key", tmp_path / "recovery.key")
    write_secret(tmp_path / "wrong", b"falsch\n")
    said = error_of(*other, "--passphrase-file", tmp_path / "wrong")
    assert said == f"{tmp_path}/recovery.key: the passphrase is wrong"
    with_it = ("--passphrase-file", tmp_path / "pass")
    assert "signed with the key" in error_of(*other, *with_it)
    assert file.read_bytes() == first
    assert hall(*other, *with_it, "--replace").exit_code == 0
    assert hall("show", file, "--key", tmp_path / "recovery.pub").exit_code == 0
    asked = hall(*other, input="geheim\n")
    assert asked.exit_code == 0, asked.output
    # A signed release is never built over.
    assert "never written over" in error_of("build", "--counter", 1, "--out", file)


def test_a_key_that_others_could_read_is_refused(tmp_path: Path) -> None:
    hall("keys", tmp_path / "release")
    (tmp_path / "release.key").chmod(0o640)
    file = releases.write_release(tmp_path / "new.release")
    assert "chmod 600" in error_of("sign", file, "--key", tmp_path / "release.key")


def test_a_public_key_file_holds_one_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "release.pub"
    with pytest.raises(ReleaseKeyError, match="No such file"):
        public_key_of(file)
    small = rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM
    wrong = {
        "2048 bits": small.public_key().public_bytes(
            pem, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "a private key": small.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        "no RSA public key": b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    }
    for words, content in wrong.items():
        file.write_bytes(content)
        with pytest.raises(ReleaseKeyError, match=words) as caught:
            public_key_of(file)
        assert "BEGIN" not in str(caught.value)


def test_the_store_keeps_what_is_signed_and_lets_the_oldest_go(tmp_path: Path) -> None:
    bundles = [releases.release(f"0.{at}.0", at) for at in range(1, 5)]
    size = sum(file.size for file in bundles[0].manifests["xtensa"].files) + 100
    store = ReleaseStore(tmp_path / "releases", [releases.public_key()], 2 * size)
    with pytest.raises(SignatureError):
        store.take(releases.unsigned())
    with pytest.raises(SignatureError, match="trusted here"):
        store.take(releases.release(key="other"))
    assert store.manifests() == {}
    ids = [store.take(bundle) for bundle in bundles[:1]]
    ids += [store.take(bundle, used=ids[0].values()) for bundle in bundles[1:]]
    assert set(store.manifests()) >= {*ids[0].values(), *ids[3].values()}
    assert not set(store.manifests()) & set(ids[1].values())
    for at in (0, 3):
        assert all(map(store.has, ids[at].values()))
        for sha256, blob in bundles[at].blobs.items():
            assert store.content(sha256) == blob
    gone = set(bundles[1].blobs) - set(bundles[0].blobs) - set(bundles[3].blobs)
    assert gone
    assert [store.content(sha256) for sha256 in gone] == [None] * len(gone)
    assert store.content("../../hall.db") is None
    # A damaged file is written anew when the release is handed in again.
    again = ReleaseStore(tmp_path / "releases", [releases.public_key()])
    sha256 = bundles[3].manifests["riscv"].files[0].sha256
    (tmp_path / "releases" / "blobs" / sha256).write_bytes(b"damaged")
    assert again.content(sha256) is None
    again.take(bundles[3])
    assert again.content(sha256) == bundles[3].blobs[sha256]


def test_a_release_that_the_disk_has_no_room_for_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "releases"
    store = ReleaseStore(folder, [releases.public_key()])
    store.take(releases.release("0.1.0"))
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    for room in range(4):
        writes = iter([True] * room)

        def full(path: Path, *more: Any, left: Iterator[bool] = writes) -> None:
            if not next(left, False):
                raise FileError(f"{path}: cannot write it: No space left on device")
            put_file(path, *more)

        monkeypatch.setattr("hall_gateway.release_store.put_file", full)
        with pytest.raises(FileError, match="No space left"):
            store.take(releases.release("0.2.0"))
        assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


def test_another_signature_is_another_release() -> None:
    one, other = releases.release("0.2.0", 7), releases.release("0.2.0", 7, "other")
    assert one.blobs == other.blobs
    assert one.manifests["xtensa"].id != other.manifests["xtensa"].id
    with pytest.raises(UserError, match="--replace"):
        sign(one, releases.private_key("other"))
