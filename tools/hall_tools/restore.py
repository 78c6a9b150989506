"""A backup put back: the store, the settings and the keys as they were.

Here: what makes way, what takes its place, and in which order. Not here: what is in the file
(backup.py), the store's part (hall_gateway.store_backup).

Nothing is deleted: what was there is moved into `before-restore-<time>` beside it. Everything is
written and checked beside its place first, so what can fail fails before anything has moved. A kill
between two moves leaves all files in one of the two places, and doing it again ends it.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory

from hall_gateway.config import GatewayConfig
from hall_gateway.files import sync_folder
from hall_gateway.schema import StoreOpenError, owned
from hall_gateway.store_backup import BackupError, contents, known_migrations, make_ready
from hall_gateway.toml_input import ConfigError, parse_toml

from hall_tools.backup import CONFIG, STORE, Backup, Entry, Manifest, opened
from hall_tools.errors import UserError
from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.machine import Machine


@dataclass(frozen=True)
class Restored:
    """What was done: the backup, where the store is, and where what was there has gone."""

    manifest: Manifest
    store: Path
    aside: tuple[Path, ...]


def restore(file: Path, config: Path, now_ms: int) -> Restored:
    """Put the backup in `file` back, with its settings file as `config`.

    Raises UserError: a gateway works with the store, the backup is not whole, or of a newer
    Hallkit.
    """
    folder = config.resolve().parent
    known = known_migrations()  # now, for the gateway's user may not read all of Python
    stamp = f"before-restore-{datetime.fromtimestamp(now_ms / 1000, UTC):%Y%m%dT%H%M%SZ}"
    try:
        with opened(file) as backup, _beside(config) as work:
            store = _unpack(backup, work, config)
            stamp = _unused(stamp, store.parent, folder)
            # The gateway's user could put links into its folder: what root did by a name there
            # would be done wherever they lead.
            with _as_owner(store.parent), _beside(store) as other:
                copy = _unpack_store(backup, other, known)
                with owned(store):
                    aside = [_make_way([store, *_side_files(store)], store.parent / stamp)]
                    with _as_owner(folder):
                        aside.append(_make_way(_present(work / CONFIG, config), folder / stamp))
                    copy.replace(store)
                    sync_folder(store.parent)
                    with _as_owner(folder):
                        for path in sorted((work / CONFIG).iterdir()):
                            path.replace(folder / path.name)
                        sync_folder(folder)
            return Restored(backup.manifest, store, tuple(path for path in aside if path))
    except StoreOpenError as error:
        raise UserError(f"{error}; nothing was done", os.EX_TEMPFAIL) from None
    except BackupError as error:
        raise UserError(f"{file}: {error}; nothing was done") from None
    except OSError as error:
        what = f"{error.filename or config}: {error.strerror}"
        raise UserError(f"{what}; mend that, and restore again", os.EX_IOERR) from None


def _unpack(backup: Backup, work: Path, config: Path) -> Path:
    """Write all but the store below `work`, each with its owner and mode; returns where the store
    belongs."""
    manifest = backup.manifest
    staged = work / CONFIG
    staged.mkdir(mode=0o700)
    for entry in manifest.files:
        if entry.name != STORE:
            path = work / entry.name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            backup.extract(entry, path)
            _own(path, entry)
            if path.parent != staged:
                _own(path.parent, entry, 0o700)
    try:
        own = (staged / manifest.config).rename(staged / config.name)
        settings = parse_toml(own.read_text(encoding="utf-8-sig"), GatewayConfig, own)
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise UserError(
            f"the settings in the backup cannot be used: {error}\nnothing was done", os.EX_CONFIG
        ) from None
    store = settings.store.path
    if store.is_relative_to(staged):
        return config.resolve().parent / store.relative_to(staged)
    return store


def _unpack_store(backup: Backup, work: Path, known: set[str]) -> Path:
    """The backup's store, whole and ready to be one again."""
    entry = next((entry for entry in backup.manifest.files if entry.name == STORE), None)
    if entry is None:
        raise BackupError("it has no store")
    copy = work / STORE
    backup.extract(entry, copy)
    newest = contents(copy).migration
    if newest not in known:
        made = backup.manifest.hallkit
        raise BackupError(f"a newer hallkit ({made}) made it ({newest}); install that first")
    make_ready(copy)
    _own(copy, entry)
    return copy


def _own(path: Path, entry: Entry, mode: int | None = None) -> None:
    """The owner that it had, when root does this and there is such a user."""
    account = Machine().account(entry.owner) if os.geteuid() == 0 else None
    if account is not None:
        os.chown(path, account.uid, account.gid)
    path.chmod(entry.mode & 0o755 if mode is None else mode)


@contextmanager
def _as_owner(folder: Path) -> Generator[None]:
    """Be whom `folder` belongs to, when root does this."""
    if os.getuid() != 0:
        yield
        return
    before = os.geteuid(), os.getegid(), os.getgroups()
    owner = folder.stat()
    _become(owner.st_uid, owner.st_gid, [owner.st_gid])
    try:
        yield
    finally:
        _become(*before)


def _become(uid: int, gid: int, groups: list[int]) -> None:
    os.seteuid(0)
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)


@contextmanager
def _beside(path: Path) -> Generator[Path]:
    with TemporaryDirectory(prefix=".hallkit-", dir=path.resolve().parent) as folder:
        yield Path(folder)


def _present(staged: Path, config: Path) -> list[Path]:
    """What is in the settings' folder now in the place of what comes, and all keys and trials."""
    folder = config.resolve().parent
    coming = {path.name for path in staged.iterdir()} | {str(layout.KEYS)}
    trial = set(folder.glob(f"{config.name}.trial*"))
    return sorted({folder / name for name in coming} | trial)


def _side_files(store: Path) -> list[Path]:
    return [store.with_name(f"{store.name}{suffix}") for suffix in ("-wal", "-shm", "-journal")]


def _unused(name: str, *folders: Path) -> str:
    """`name`, or `name`-2 and so on: in none of the folders, as two restores may share a second."""
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(
        each for each in names if not any(os.path.lexists(folder / each) for folder in folders)
    )


def _make_way(paths: list[Path], aside: Path) -> Path | None:
    """Move those of `paths` that are there into the new folder `aside`; None for none."""
    there = [path for path in paths if path.exists()]
    if not there:
        return None
    aside.mkdir(mode=0o700, exist_ok=True)
    for path in there:
        path.rename(aside / path.name)
    sync_folder(aside)
    return aside
