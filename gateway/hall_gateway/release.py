"""A release's manifest: which files an application slot holds, and who signed that.

Here: its text, its checks and its signature's, pure; docs/updates.md has the format. Not here:
where a release lies (bundle.py, release_store.py), who makes one and signs it (hall_tools.update).

What a device runs is decided by these bytes alone, so they are read strictly: exactly these lines
in this order, single blanks, and nothing that says the same in another way.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

MAX_BYTES = 16 * 1024
MAX_FILES = 128
MAX_FILE_BYTES = 1024 * 1024
MAX_SLOT_BYTES = 2 * 1024 * 1024
MAX_COUNTER = 999_999_999
MAX_PATH = 64
KEY_BYTES = 384
"""RSA-3072."""
EXPONENT = 65537

MAX_VERSION = 10
"""Characters: a device's journal has no room for more."""

VERSION = re.compile(r"(0|[1-9][0-9]{0,3})(\.(0|[1-9][0-9]{0,3})){2}")
_HEAD = (
    "hallkit-release 1",
    "product hallkit",
)
_VERSION_RULE = f"three numbers of at most {MAX_VERSION} characters in all, e.g. 0.2.0"
_HARDWARE = re.compile(r"[a-z0-9]{1,16}( [a-z0-9]{1,16})*")
_COUNTER = re.compile(r"0|[1-9][0-9]{0,8}")
_FILE = re.compile(r"file ([0-9a-f]{64}) (0|[1-9][0-9]{0,6}) ([a-z0-9_./-]{1,64})")
_SIGNATURE = re.compile(r"signature ([0-9a-f]{16}) ([0-9a-f]{768})")

_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""DigestInfo of SHA-256 before the digest: RFC 8017, section 9.2, note 1."""


class ManifestError(Exception):
    """A text that is no manifest: which line, and what would be right."""


class SignatureError(Exception):
    """A manifest that nobody trusted has signed: why."""


@dataclass(frozen=True, order=True)
class SlotFile:
    """One file of a slot. `size` in bytes, `sha256` in hex, `path` below the slot's folder."""

    path: str
    size: int
    sha256: str

    @classmethod
    def of(cls, path: str, content: bytes) -> "SlotFile":
        return cls(path, len(content), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class PublicKey:
    """Who may sign: `modulus` of an RSA key of 3072 bits with the exponent 65537."""

    modulus: int

    @property
    def hex(self) -> str:
        """As devices have it."""
        return f"{self.modulus:0{2 * KEY_BYTES}x}"

    @property
    def id(self) -> str:
        """The first 16 hex digits of the modulus's SHA-256."""
        return hashlib.sha256(self.modulus.to_bytes(KEY_BYTES, "big")).hexdigest()[:16]

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2.2): the whole block is compared."""
        number = int.from_bytes(signature, "big")
        if len(signature) != KEY_BYTES or number >= self.modulus:
            return False
        block = pow(number, EXPONENT, self.modulus).to_bytes(KEY_BYTES, "big")
        digest = _SHA256_INFO + hashlib.sha256(signed).digest()
        right = b"\x00\x01" + b"\xff" * (KEY_BYTES - 3 - len(digest)) + b"\x00" + digest
        return hmac.compare_digest(block, right)


@dataclass(frozen=True)
class Manifest:
    """What a slot of one family of chips holds. Made by manifest_of() or read_manifest(), which
    check it; `key` and `signature` are both None, or both there."""

    hardware: tuple[str, ...]
    version: str
    counter: int
    core: str
    files: tuple[SlotFile, ...]
    key: str | None = None
    signature: bytes | None = None

    @property
    def signed(self) -> bytes:
        """What a signature is over."""
        lines = [
            *_HEAD,
            f"hardware {' '.join(self.hardware)}",
            f"version {self.version}",
            f"counter {self.counter}",
            f"core {self.core}",
            *(f"file {each.sha256} {each.size} {each.path}" for each in self.files),
        ]
        return "".join(f"{line}\n" for line in lines).encode("ascii")

    @property
    def content(self) -> bytes:
        """The whole file, with its signature when it has one."""
        if self.signature is None:
            return self.signed
        return self.signed + f"signature {self.key} {self.signature.hex()}\n".encode("ascii")

    @property
    def id(self) -> str:
        """What a roll-out calls the release: the SHA-256 of `content`, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    def with_signature(self, key: PublicKey, signature: bytes) -> "Manifest":
        return replace(self, key=key.id, signature=signature)


def manifest_of(
    hardware: Iterable[str], version: str, counter: int, core: str, files: Mapping[str, bytes]
) -> Manifest:
    """The manifest of `files`, content by path, without a signature. Raises ManifestError."""
    listed = (SlotFile.of(path, files[path]) for path in sorted(files))
    made = Manifest(tuple(sorted(hardware)), version, counter, core, tuple(listed))
    try:
        return read_manifest(made.content)
    except UnicodeEncodeError:
        raise ManifestError("a manifest is ASCII; so are its versions and paths") from None


def read_manifest(content: bytes) -> Manifest:
    """The manifest that `content` is, signed or not; whether a signature is right says verify().
    Raises ManifestError."""
    if len(content) > MAX_BYTES:
        raise ManifestError(f"{len(content):,} bytes; a manifest has at most {MAX_BYTES:,}")
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise ManifestError(f"byte {error.start}: a manifest is ASCII") from None
    if not text.endswith("\n"):
        raise ManifestError("cut off: the last line has no line feed")
    lines = text[:-1].split("\n")
    for number, right in enumerate(_HEAD):
        if number >= len(lines) or lines[number] != right:
            raise ManifestError(f"line {number + 1}: right: {right}")
    fields = _Lines(lines, len(_HEAD))
    hardware = tuple(fields.value("hardware", _HARDWARE, "chips by their names").split(" "))
    if list(hardware) != sorted(set(hardware)):
        raise ManifestError("hardware: each chip once, in ascending order")
    version = fields.value("version", VERSION, _VERSION_RULE)
    if len(version) > MAX_VERSION:
        raise ManifestError(f"version: right: {_VERSION_RULE}")
    counter = int(fields.value("counter", _COUNTER, f"a number from 0 to {MAX_COUNTER}"))
    core = fields.value("core", VERSION, "MicroPython's version, e.g. 1.29.0")
    files = fields.files()
    key, signature = fields.signature()
    return Manifest(hardware, version, counter, core, files, key, signature)


def verify(manifest: Manifest, keys: Iterable[PublicKey]) -> PublicKey:
    """The one of `keys` that signed the manifest. Raises SignatureError."""
    known = {key.id: key for key in keys}
    if manifest.signature is None:
        raise SignatureError("not signed; sign it first: hall update sign")
    if (key := known.get(manifest.key or "")) is None:
        trusted = ", ".join(known) or "none"
        raise SignatureError(
            f"signed with the key {manifest.key}; the keys trusted here: {trusted}"
        )
    if not key.verifies(manifest.signature, manifest.signed):
        raise SignatureError(
            f"the signature of the key {key.id} does not fit: the manifest was changed after it "
            "was signed, or damaged on its way"
        )
    return key


class _Lines:
    """The lines after the head, each read once and in its order."""

    def __init__(self, lines: list[str], at: int) -> None:
        self._lines = lines
        self._at = at

    def value(self, name: str, shape: re.Pattern[str], right: str) -> str:
        line = self._lines[self._at] if self._at < len(self._lines) else ""
        self._at += 1
        if not line.startswith(f"{name} ") or not shape.fullmatch(line, len(name) + 1):
            raise ManifestError(f"line {self._at}: right: {name}, a blank, and {right}")
        return line[len(name) + 1 :]

    def files(self) -> tuple[SlotFile, ...]:
        found: list[SlotFile] = []
        while self._at < len(self._lines) and self._lines[self._at].startswith("file "):
            line = _FILE.fullmatch(self._lines[self._at])
            self._at += 1
            if line is None or not _path_will_do(line[3]) or int(line[2]) > MAX_FILE_BYTES:
                raise ManifestError(
                    f"line {self._at}: right: file, SHA-256 in lower-case hex, size up to "
                    f"{MAX_FILE_BYTES}, and a relative path of a-z, 0-9, '_', '-', '.' and '/'"
                )
            found.append(SlotFile(line[3], int(line[2]), line[1]))
        _check_together(found)
        return tuple(found)

    def signature(self) -> tuple[str, bytes] | tuple[None, None]:
        if self._at == len(self._lines):
            return None, None
        line = _SIGNATURE.fullmatch(self._lines[self._at])
        if line is None or self._at + 1 != len(self._lines):
            raise ManifestError(
                f"line {self._at + 1}: right: a file, or at the end: signature, the key's id, and "
                f"{2 * KEY_BYTES} hex digits"
            )
        return line[1], bytes.fromhex(line[2])


def _path_will_do(path: str) -> bool:
    parts = path.split("/")
    return all(part.strip(".") for part in parts) and path != "manifest"


def _check_together(files: list[SlotFile]) -> None:
    if not 1 <= len(files) <= MAX_FILES:
        raise ManifestError(f"{len(files)} files; a slot has 1 to {MAX_FILES}")
    paths = [each.path for each in files]
    if paths != sorted(set(paths)):
        raise ManifestError("files: each path once, in ascending order")
    folders = {path[:at] for path in paths for at, sign in enumerate(path) if sign == "/"}
    if both := folders.intersection(paths):
        raise ManifestError(f"files: {min(both)} is a file and a folder")
    total = sum(each.size for each in files)
    if total > MAX_SLOT_BYTES:
        raise ManifestError(f"files: {total:,} bytes; a slot has at most {MAX_SLOT_BYTES:,}")
