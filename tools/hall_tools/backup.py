"""A gateway's backup: one tar file with its store, its settings and its keys.

Here: which files belong to it, the manifest, writing and reading the file. Not here: the copy of
the store (hall_gateway.store_backup), putting it back (restore.py).

The file has the devices' keys in it: it is for root alone, and belongs under lock where it goes.
"""

import hashlib
import io
import json
import os
import pwd
import stat
import tarfile
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import cast

from hall_gateway.config import GatewayConfig
from hall_gateway.files import FileError, read_plain, sync_folder
from hall_gateway.store_backup import BackupError, Contents, snapshot
from hall_gateway.wire import rfc3339
from pydantic import BaseModel, TypeAdapter, ValidationError

from hall_tools.errors import UserError
from hall_tools.gateway_setup import layout

FORMAT = 1
MANIFEST = "manifest.json"
STORE = "store.db"
CONFIG = "config/"
MAX_MANIFEST = 4 * 1024 * 1024
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


@dataclass(frozen=True)
class Entry:
    """A file in a backup: its name there, and what it was like."""

    name: str
    bytes: int
    sha256: str
    mode: int
    owner: str


@dataclass(frozen=True)
class Manifest:
    """What a backup is. `config`: the settings file's name; `outside`: files that the settings name
    in other folders, which are not in it. Times as RFC 3339 has them."""

    format: int
    hallkit: str
    hall: str
    made: str
    config: str
    store: Contents
    files: tuple[Entry, ...]
    outside: tuple[str, ...]


class _Made(BaseModel):
    """What the manifest of any format has."""

    format: int
    hallkit: str


_MANIFEST = TypeAdapter(Manifest)


def back_up(
    config: Path,
    settings: GatewayConfig,
    target: Path,
    now_ms: int,
    told: Callable[[str], object],
    *,
    force: bool = False,
) -> Manifest:
    """Write a backup of the installation whose settings file is `config` to the new file `target`,
    or with `force` in place of the one that is there.

    A gateway that works goes on. Raises UserError; then `target` is as it was.
    """
    if target.exists() and not force:
        raise UserError(f"{target}: is there already; give another name, or --force", os.EX_USAGE)
    folder = config.resolve().parent
    inside, outside = _files(config.resolve(), settings)
    try:
        with tempfile.TemporaryDirectory(prefix=".hallkit-", dir=target.resolve().parent) as work:
            copy = Path(work, STORE)
            found = snapshot(
                settings.store.path,
                copy,
                lambda done, pages: told(f"copying the store: {done} of {pages} pages"),
            )
            entries = [_entry(STORE, copy, settings.store.path)]
            contents: dict[str, bytes] = {}
            for path in inside:
                name = f"{CONFIG}{path.relative_to(folder)}"
                contents[name] = read_plain(path) or b""
                entries.append(_entry(name, contents[name], path))
            told(f"writing {target}: the store and {len(contents)} files")
            manifest = Manifest(
                FORMAT,
                version("hallkit"),
                settings.hall,
                rfc3339(now_ms),
                config.name,
                found,
                tuple(entries),
                tuple(str(path) for path in outside),
            )
            whole = Path(work, "whole.tar")
            _write(whole, manifest, copy, contents)
            with opened(whole) as backup:
                backup.check()
            _give_name(whole, target, force)
        sync_folder(target.resolve().parent)
    except (BackupError, FileError) as error:
        raise UserError(str(error), os.EX_IOERR) from None
    except FileExistsError:
        raise UserError(f"{target}: has just been made by another", os.EX_CANTCREAT) from None
    except OSError as error:
        what = f"{error.filename or target}: {error.strerror}"
        raise UserError(f"no backup was made: {what}", os.EX_IOERR) from None
    return manifest


def _give_name(whole: Path, target: Path, force: bool) -> None:
    """In one step: never half a backup, and never in place of another file unasked."""
    if not force:
        try:
            os.link(whole, target)
            return
        except OSError as error:  # a USB stick's file system has no links
            if isinstance(error, FileExistsError):
                raise
    whole.replace(target)


def _files(config: Path, settings: GatewayConfig) -> tuple[list[Path], list[Path]]:
    """The files beside the settings that belong to them, and those that lie elsewhere."""
    folder = config.parent
    keys = folder / layout.KEYS
    named = {path.resolve() for path in _named(settings)}
    named -= {settings.store.path.resolve(), settings.broker.pid_file.resolve()}
    own = {config, folder / layout.WIFI, *(keys.iterdir() if keys.is_dir() else ())}
    kept = {path for path in named | own if path.is_file() and not path.name.startswith(".")}
    inside = {path for path in kept if path.is_relative_to(folder)}
    return sorted(inside), sorted(kept - inside)


def _named(value: object) -> Iterator[Path]:
    """Every path in the settings."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _named(getattr(value, name))
    elif isinstance(value, tuple):
        for part in cast("tuple[object, ...]", value):
            yield from _named(part)


def _entry(name: str, content: Path | bytes, kept: Path) -> Entry:
    """`kept`: the file whose mode and owner it has."""
    found = kept.stat()
    if isinstance(content, bytes):
        size, digest = len(content), hashlib.sha256(content).hexdigest()
    else:
        size = content.stat().st_size
        with content.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(name, size, digest, stat.S_IMODE(found.st_mode), _user(found.st_uid))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _write(path: Path, manifest: Manifest, store: Path, contents: dict[str, bytes]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode()
            tar.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))
            with store.open("rb") as content:
                tar.addfile(_member(STORE, store.stat().st_size), content)
            for name, body in contents.items():
                tar.addfile(_member(name, len(body)), io.BytesIO(body))
        file.flush()
        os.fsync(file.fileno())


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


class Backup:
    """A backup's file, open. `name` is what errors call it."""

    def __init__(self, tar: tarfile.TarFile, name: str) -> None:
        self._tar = tar
        self._name = name
        self.manifest = self._read_manifest()

    def check(self) -> None:
        """Every file is there, as the manifest has it. Raises UserError."""
        for entry in self.manifest.files:
            self.extract(entry, None)

    def extract(self, entry: Entry, target: Path | None) -> None:
        """Write a file of it to `target`, new and for its owner alone; with None only read it.

        Raises UserError, OSError.
        """
        try:
            member = self._tar.getmember(entry.name)
            content = self._tar.extractfile(member) if member.type in _PLAIN else None
        except (KeyError, ValueError, tarfile.TarError):
            raise self._wrong(f"{entry.name} is missing") from None
        if content is None or member.size != entry.bytes:
            raise self._wrong(f"{entry.name} is not the file that it was")
        digest = hashlib.sha256()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(target or os.devnull, flags if target else os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            try:
                while chunk := content.read(1 << 20):
                    digest.update(chunk)
                    file.write(chunk)
            except tarfile.TarError:
                raise self._wrong(f"{entry.name} is cut off") from None
            file.flush()
            if target:
                os.fsync(descriptor)
        if digest.hexdigest() != entry.sha256:
            raise self._wrong(f"{entry.name} is not the file that it was")

    def _read_manifest(self) -> Manifest:
        try:
            member = self._tar.next()
            plain = member is not None and member.type in _PLAIN
            content = self._tar.extractfile(member) if member and plain else None
            if member is None or content is None or member.name != MANIFEST:
                raise self._wrong("it has no manifest")
            text = content.read(MAX_MANIFEST)
            made = _Made.model_validate_json(text)
            if made.format != FORMAT:
                raise self._wrong(f"a newer hallkit ({made.hallkit}) made it; install that")
            manifest = _MANIFEST.validate_json(text, strict=True)
        except ValidationError as error:
            at, why = error.errors()[0]["loc"], error.errors()[0]["msg"]
            raise self._wrong(f"its manifest cannot be read: {at}: {why}") from None
        except (tarfile.TarError, ValueError) as error:
            raise self._wrong(f"its manifest cannot be read: {error}") from None
        names = [entry.name for entry in manifest.files]
        for name in names:
            if not _is_inside(name) or names.count(name) > 1:
                raise self._wrong(f"{name!r} is not a name in a backup")
        if f"{CONFIG}{manifest.config}" not in names:
            raise self._wrong(f"the settings file {manifest.config!r} is not in it")
        return manifest

    def _wrong(self, what: str) -> UserError:
        return UserError(
            f"{self._name}: is no whole backup of a gateway: {what}; nothing was done",
            os.EX_DATAERR,
        )


def _is_inside(name: str) -> bool:
    """Whether the name is the store's, or leads below the settings' folder."""
    path = PurePosixPath(name)
    plain = ".." not in path.parts and str(path) == name and "\0" not in name
    return name == STORE or (plain and name.startswith(CONFIG))


@contextmanager
def opened(path: Path) -> Generator[Backup]:
    """The backup at `path`. Raises UserError."""
    try:
        tar = tarfile.open(path, "r:")  # noqa: SIM115 - closed below
    except tarfile.TarError as error:
        raise UserError(f"{path}: is no backup of a gateway: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", os.EX_NOINPUT) from None
    with tar:
        yield Backup(tar, str(path))
