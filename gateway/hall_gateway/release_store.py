"""The releases that the gateway has for its devices: files by their SHA-256, beside the store.

Here: taking a release in, handing pieces out, and letting the oldest go. Not here: what a release
is (release.py, bundle.py), which device asks for it and why (update_fetch.py, rollout.py).

`manifests/{id}` and `blobs/{sha256}`: a file's name is the hash of its content, so what the disk
has damaged is never handed out. A manifest is written after all that it lists and removed before:
one that is there is whole. It blocks, so it runs in a thread, but for at_hand().
"""

import hashlib
import logging
import os
import re
from collections import OrderedDict
from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Lock

from hall_gateway.bundle import Bundle
from hall_gateway.files import FileError, put_file, sync_folder
from hall_gateway.release import Manifest, ManifestError, PublicKey, read_manifest

FOLDER = "releases"
"""Beside the store, unless the settings say otherwise."""
MAX_BYTES = 64 * 1024 * 1024
CACHE_BYTES = 4 * 1024 * 1024
"""Of files handed out lately: the devices of a ring ask for the same ones."""

_HASH = re.compile(r"[0-9a-f]{64}")
_READABLE = 0o644

log = logging.getLogger(__name__)


class ReleaseStore:
    """Releases in `folder`, which is made when the first one comes. `keys`: who may sign them."""

    def __init__(
        self, folder: Path, keys: Collection[PublicKey], max_bytes: int = MAX_BYTES
    ) -> None:
        self.folder = folder
        self.keys = tuple(keys)
        self._max_bytes = max_bytes
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()  # of the cache: several threads read
        self._taking = Lock()  # what one release brings is not yet listed when another makes room
        self._damaged: set[str] = set()

    def take(self, bundle: Bundle, used: Collection[str] = ()) -> dict[str, str]:
        """Keep the release; the ids of its manifests by family. Of the others, those go that are
        the oldest and none of `used` when there is no room.

        Raises release.SignatureError; OSError and files.FileError when it cannot be written: what
        was there before still is.
        """
        bundle.verified(self.keys)
        ids = {family: manifest.id for family, manifest in bundle.manifests.items()}
        with self._taking:
            manifests, blobs = self._folders()
            for folder in (self.folder, manifests, blobs):
                folder.mkdir(parents=True, exist_ok=True)
            new = [id for id in ids.values() if self._whole(manifests / id) is None]
            try:
                for sha256, blob in bundle.blobs.items():
                    self._put(blobs / sha256, blob)
                for family, manifest in bundle.manifests.items():
                    self._put(manifests / ids[family], manifest.content)
                    os.utime(manifests / ids[family])
            except (OSError, FileError):
                # Nothing of it stays: the disk may be full, and the store lies on it, too.
                for id in new:
                    (manifests / id).unlink(missing_ok=True)
                self._remove_unlisted()
                raise
            self._make_room({*ids.values(), *used})
        return ids

    def manifests(self) -> dict[str, Manifest]:
        """What is there, by id, the newest first. Raises OSError."""
        folder, _ = self._folders()
        return {id: read for id in _newest(folder) if (read := self._manifest(id))}

    def has(self, id: str) -> bool:
        """Whether the release is there, whole as far as names tell. Raises OSError."""
        manifest = self._manifest(id)
        _, blobs = self._folders()
        return manifest is not None and all((blobs / f.sha256).is_file() for f in manifest.files)

    def content(self, sha256: str) -> bytes | None:
        """The manifest or the file of that hash; None when it is not there, or damaged, which is
        logged. Raises OSError."""
        if (kept := self.at_hand(sha256)) is not None:
            return kept
        found = self._read(sha256)
        if found is not None:
            with self._lock:
                self._cache[sha256] = found
                while sum(map(len, self._cache.values())) > CACHE_BYTES:
                    self._cache.popitem(last=False)
        return found

    def at_hand(self, sha256: str) -> bytes | None:
        """content() of what was handed out lately; None otherwise. Does not block."""
        with self._lock:
            if (kept := self._cache.get(sha256)) is not None:
                self._cache.move_to_end(sha256)
            return kept

    def _read(self, sha256: str) -> bytes | None:
        if not _HASH.fullmatch(sha256):
            return None
        for folder in self._folders():
            if (content := self._whole(folder / sha256)) is not None:
                return content
        return None

    def _whole(self, path: Path) -> bytes | None:
        """The file that is called by its hash; None when it is not there, or damaged."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content).hexdigest() == path.name:
            return content
        self._bad(path, "damaged; hand the release in again")
        return None

    def _bad(self, path: Path, why: str) -> None:
        """Told once, however often devices and people ask."""
        if path.name not in self._damaged:
            self._damaged.add(path.name)
            log.error("%s: %s", path, why)

    def _manifest(self, id: str) -> Manifest | None:
        path = self._folders()[0] / id
        content = self._whole(path)
        try:
            return None if content is None else read_manifest(content)
        except ManifestError as error:
            self._bad(path, f"no manifest: {error}; delete it")
            return None

    def _folders(self) -> tuple[Path, Path]:
        return self.folder / "manifests", self.folder / "blobs"

    def _put(self, path: Path, content: bytes) -> None:
        if self._whole(path) is None:
            put_file(path, content, _READABLE, os.geteuid(), os.getegid())
            self._damaged.discard(path.name)

    def _make_room(self, stay: Collection[str]) -> None:
        """Remove the oldest releases that are above the limit, and what no manifest lists."""
        manifests, _ = self._folders()
        kept: dict[str, int] = {}
        total = 0
        for id, manifest in self.manifests().items():
            more = {f.sha256: f.size for f in manifest.files if f.sha256 not in kept}
            if id in stay or total + sum(more.values()) <= self._max_bytes:
                kept |= more
                total += sum(more.values())
            else:
                (manifests / id).unlink()
                log.info("release %s, %s, made room for a newer one", manifest.version, id)
        sync_folder(manifests)
        self._remove_unlisted()

    def _remove_unlisted(self) -> None:
        _, blobs = self._folders()
        listed = {f.sha256 for manifest in self.manifests().values() for f in manifest.files}
        for name in _newest(blobs):
            if name not in listed:
                (blobs / name).unlink(missing_ok=True)


def _newest(folder: Path) -> list[str]:
    """Names of hashes in `folder`, the newest file first; none when it is not there."""
    try:
        found: Mapping[str, float] = {
            entry.name: entry.stat().st_mtime
            for entry in os.scandir(folder)
            if _HASH.fullmatch(entry.name)
        }
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda name: (-found[name], name))
