"""A release as one file, to be carried: a manifest for each family of chips, and their files.

Here: that file's layout, read with bounds and checked as a whole. Not here: the manifest
(release.py), who signs it (hall_tools.update), where the gateway keeps it (release_store.py).

A ZIP without compression and without times, so the same release is the same bytes:
`{family}/manifest`, then `blobs/{sha256}`, each once.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hall_gateway.release import (
    MAX_BYTES,
    MAX_FILE_BYTES,
    MAX_FILES,
    Manifest,
    ManifestError,
    PublicKey,
    SignatureError,
    read_manifest,
    verify,
)

SUFFIX = ".release"
MAX_FAMILIES = 8
MAX_BUNDLE_BYTES = 16 * 1024 * 1024

_MANIFEST = re.compile(r"([a-z0-9]{1,16})/manifest")
_BLOB = re.compile(r"blobs/([0-9a-f]{64})")
_TIME = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16
_UNIX = 3


class BundleError(Exception):
    """A file that is no whole release: what is wrong with it."""


@dataclass(frozen=True)
class Bundle:
    """`manifests` by family of chips; `blobs`: what they list, by SHA-256."""

    manifests: Mapping[str, Manifest]
    blobs: Mapping[str, bytes]

    @property
    def version(self) -> str:
        return next(iter(self.manifests.values())).version

    @property
    def counter(self) -> int:
        return next(iter(self.manifests.values())).counter

    def family(self, chip: str) -> str | None:
        """The family of `chip`; None when the release is not for it."""
        for name, manifest in self.manifests.items():
            if chip in manifest.hardware:
                return name
        return None

    def slot(self, family: str) -> dict[str, bytes]:
        """The files of a slot of that family, content by path."""
        return {each.path: self.blobs[each.sha256] for each in self.manifests[family].files}

    def verified(self, keys: Iterable[PublicKey]) -> set[PublicKey]:
        """The keys that signed its manifests. Raises SignatureError unless each is signed."""
        trusted = list(keys)
        signers: set[PublicKey] = set()
        for family, manifest in self.manifests.items():
            try:
                signers.add(verify(manifest, trusted))
            except SignatureError as error:
                raise SignatureError(f"{family}: {error}") from None
        return signers

    def content(self) -> bytes:
        """The file's bytes: the same for the same release."""
        entries = {f"{name}/manifest": each.content for name, each in self.manifests.items()}
        entries |= {f"blobs/{sha256}": blob for sha256, blob in self.blobs.items()}
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(entries):
                entry = zipfile.ZipInfo(name, _TIME)
                entry.create_system, entry.external_attr = _UNIX, _READABLE
                archive.writestr(entry, entries[name])
        return file.getvalue()


def bundle_of(manifests: Mapping[str, Manifest], slots: Iterable[Mapping[str, bytes]]) -> Bundle:
    """A bundle of those manifests; `slots` have their files' contents. Raises BundleError."""
    blobs = {hashlib.sha256(each).hexdigest(): each for slot in slots for each in slot.values()}
    made = Bundle(dict(sorted(manifests.items())), dict(sorted(blobs.items())))
    _check(made)
    return made


def read_bundle_file(path: Path) -> Bundle:
    """The bundle in the file at `path`. Raises OSError; BundleError, which names the file."""
    with path.open("rb") as file:
        content = file.read(MAX_BUNDLE_BYTES + 1)
    try:
        return read_bundle(content)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def read_bundle(content: bytes) -> Bundle:
    """The bundle that `content` is: whole, and every file as its manifest says; whether it is
    signed says Bundle.verified(). Raises BundleError."""
    if len(content) > MAX_BUNDLE_BYTES:
        raise BundleError(f"more than {MAX_BUNDLE_BYTES:,} bytes; no release is that large")
    manifests: dict[str, Manifest] = {}
    blobs: dict[str, bytes] = {}
    for name, body in _entries(content):
        if family := _MANIFEST.fullmatch(name):
            try:
                manifests[family[1]] = read_manifest(body)
            except ManifestError as error:
                raise BundleError(f"{name}: {error}") from None
        elif blob := _BLOB.fullmatch(name):
            blobs[blob[1]] = body
        else:
            raise BundleError(f"{name!r} has no place in a release")
    bundle = Bundle(manifests, blobs)
    _check(bundle)
    if bundle.content() != content:
        raise BundleError("not written by hall update build: its parts are right, its form is not")
    return bundle


def _entries(content: bytes) -> list[tuple[str, bytes]]:
    """Names and contents, each name once; nothing is unpacked, so sizes are what they say."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_FAMILIES * (MAX_FILES + 1):
                raise BundleError(f"{len(entries):,} parts; no release has that many")
            if len({entry.filename for entry in entries}) != len(entries):
                raise BundleError("a part is there twice")
            for entry in entries:
                most = MAX_BYTES if entry.filename.endswith("/manifest") else MAX_FILE_BYTES
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > most:
                    raise BundleError(f"{entry.filename!r} is compressed, or larger than {most:,}")
            if sum(entry.file_size for entry in entries) > len(content):
                raise BundleError("its parts lie over each other")
            return [(entry.filename, archive.read(entry)) for entry in entries]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, RuntimeError) as error:
        raise BundleError(f"damaged, or no release: {error}") from None


def _check(bundle: Bundle) -> None:
    manifests = bundle.manifests.values()
    if not 1 <= len(manifests) <= MAX_FAMILIES:
        raise BundleError(f"{len(manifests)} manifests; right: 1 to {MAX_FAMILIES}")
    if len({(each.version, each.counter, each.core) for each in manifests}) != 1:
        raise BundleError("its manifests differ in version, counter or core")
    chips = [chip for each in manifests for chip in each.hardware]
    if len(set(chips)) != len(chips):
        raise BundleError("a chip is in two manifests")
    listed = {(each.sha256, each.size) for manifest in manifests for each in manifest.files}
    hashes = {sha256 for sha256, _ in listed}
    if missing := hashes - bundle.blobs.keys():
        raise BundleError(f"{len(missing)} of its files are missing, first {min(missing)}")
    if unlisted := bundle.blobs.keys() - hashes:
        raise BundleError(f"{len(unlisted)} files are in no manifest, first {min(unlisted)}")
    for sha256, size in sorted(listed):
        blob = bundle.blobs[sha256]
        if len(blob) != size or hashlib.sha256(blob).hexdigest() != sha256:
            raise BundleError(f"blobs/{sha256}: damaged: it is not what its manifest says")
