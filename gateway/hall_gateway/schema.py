"""Opening a store: one owner, whole, and brought up to date before anything reads it.

Here: the lock, the integrity check, migrations and the backup before them. Not here: what is done
with an open store (store.py).

A migration runs on a copy that then takes the store's place in one rename, and the store as it was
stays beside it as `<store>.before-<migration>`. So a kill at any moment leaves either the old store
or the new one, and yoyo's own lock row, which a kill would leave behind, never reaches the store.
"""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import yoyo  # pyright: ignore[reportMissingTypeStubs]
from yoyo.backends.core.sqlite3 import SQLiteBackend  # pyright: ignore[reportMissingTypeStubs]
from yoyo.connections import DatabaseURI  # pyright: ignore[reportMissingTypeStubs]

from hall_gateway.migration_log import PlainLog

MIGRATIONS = "package:hall_gateway:migrations"
PAGE_BYTES = 4096

_YOYO: Any = yoyo


class StoreOpenError(Exception):
    """The store cannot be used: what is wrong and what to do, in one line."""


class _Backend(PlainLog, SQLiteBackend):
    """yoyo's SQLite for any path."""

    def connect(self, dburi: Any) -> sqlite3.Connection:
        return sqlite3.connect(dburi.database, isolation_level=None)


@contextmanager
def owned(path: Path) -> Generator[None]:
    """Own the store at `path`: no second gateway can, until this one is done or dead.

    Raises StoreOpenError.
    """
    try:
        # Unbuffered: closing it writes nothing, so a full disk is met here and nowhere else.
        # Not through a link: root does this too, in a folder of the gateway's user.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = open(os.open(f"{path}.lock", flags, 0o660), "r+b", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise _unusable(path, error.strerror) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            owner = lock.read().decode().strip() or "unknown"
            raise StoreOpenError(
                f"{path}: another gateway (process {owner}) has this store open; stop it first"
            ) from None
        try:
            lock.truncate(0)
            lock.write(str(os.getpid()).encode())
        except OSError as error:
            raise _unusable(path, error.strerror) from None
        yield


def open_store(path: Path, max_mb: int, migrations: str = MIGRATIONS) -> sqlite3.Connection:
    """The store at `path`, whole and up to date; the caller owns it (see owned()).

    The file and its log together never take more than `max_mb` MiB. Raises StoreOpenError.
    """
    try:
        _bring_up_to_date(path, migrations)
        connection = sqlite3.connect(path, isolation_level=None)
        pages = max_mb * 1024 * 1024 // PAGE_BYTES
        wal_pages = min(1000, pages // 4)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            # What a savepoint would take back, else in a file for every larger transaction.
            "temp_store = MEMORY",
            # In a small store one transaction takes as much again as half of the log.
            f"wal_autocheckpoint = {min(1000, pages // 8)}",
            f"journal_size_limit = {wal_pages * PAGE_BYTES}",
            f"max_page_count = {pages - wal_pages}",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.OperationalError as error:
        raise _unusable(path, error) from None
    except OSError as error:
        raise _unusable(path, error.strerror) from None
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from None
    return connection


def _bring_up_to_date(path: Path, migrations: str) -> None:
    known = _YOYO.read_migrations(migrations)
    applied: set[str] = set()
    if path.exists():
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise _damaged(path, found)
            applied = _applied(connection)
    if newer := sorted(applied - {cast(str, migration.id) for migration in known}):
        raise StoreOpenError(
            f"{path}: a newer hallkit wrote it (it has {newer[-1]}); "
            f"install that version, or move {path.name}.before-{newer[0]} into its place"
        )
    missing = sorted(cast(str, m.id) for m in known if m.id not in applied)
    if missing:
        _migrate(path, known, missing[0])


def _applied(connection: sqlite3.Connection) -> set[str]:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if "_yoyo_migration" not in tables:
        return set()
    return {row[0] for row in connection.execute("SELECT migration_id FROM _yoyo_migration")}


def _migrate(path: Path, known: Any, first: str) -> None:
    copy = path.with_name(f"{path.name}.migrating")
    for leftover in (copy, *_side_files(copy)):
        leftover.unlink(missing_ok=True)
    with closing(sqlite3.connect(copy)) as target:
        if path.exists():
            with closing(sqlite3.connect(path)) as source:
                # Its log must be empty: one that outlived the file it belongs to would be
                # replayed into the new file.
                source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                source.backup(target)
        # One file, so that one rename moves all of it.
        target.execute("PRAGMA journal_mode = DELETE")
    backend: Any = _Backend(
        DatabaseURI("sqlite", None, None, None, None, str(copy), {}), "_yoyo_migration"
    )
    with backend:
        backend.init_database()
        with backend.lock():
            backend.apply_migrations(backend.to_apply(known))
    _sync(copy)
    if path.exists():
        backup = path.with_name(f"{path.name}.before-{first}")
        shutil.copy2(path, backup)
        _sync(backup)
        for side in _side_files(path):
            side.unlink(missing_ok=True)
    os.replace(copy, path)
    _sync(path.parent)


def _side_files(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unusable(path: Path, found: object) -> StoreOpenError:
    return StoreOpenError(f"{path}: {found}; check the disk, the folder and its rights")


def _damaged(path: Path, found: str) -> StoreOpenError:
    found = found.splitlines()[0]
    return StoreOpenError(
        f"{path}: damaged ({found}); move it away and start again: devices send what they hold"
    )
