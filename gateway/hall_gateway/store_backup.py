"""A whole copy of a store, also of one that a gateway works with, and a copy that becomes a store.

Here: SQL over all of it. Not here: what else a backup has, and its file (hall_tools.backup).
"""

import fcntl
import sqlite3
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hall_gateway.store_contexts import Contexts

STEP_PAGES = 2000
"""Of 4 KiB, between two reports of how far it is."""


class BackupError(Exception):
    """A store that cannot be copied, or a copy that cannot become one: why, in one line."""


@dataclass(frozen=True)
class Contents:
    """What a copy has. `migration`: the newest that made it; `last_position`: of the outbox."""

    migration: str
    events: int
    last_position: int


def snapshot(path: Path, copy: Path, told: Callable[[int, int], object]) -> Contents:
    """Write the store at `path`, as it is at one moment, to the empty file `copy`: one file, whole.

    A gateway goes on meanwhile; its log is not shortened until this is done. Without a gateway none
    can start until then. `told` gets the pages done and all pages. Raises BackupError.
    """
    try:
        with _reading(path) as source, closing(sqlite3.connect(copy)) as target:
            # One transaction for all of it: what is committed meanwhile is not in the copy.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(
                target,
                pages=STEP_PAGES,
                progress=lambda _, left, pages: told(pages - left, pages),
            )
            target.execute("PRAGMA journal_mode = DELETE")
        return contents(copy)
    except (sqlite3.Error, OSError) as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        why = "no room for it on the disk where the backup goes" if full else error
        raise BackupError(f"{path}: cannot be copied: {why}") from None


def contents(copy: Path) -> Contents:
    """What is in a copy that nobody has open. Raises BackupError when it is not whole."""
    try:
        uri = f"{copy.resolve().as_uri()}?immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as found:
            fault = found.execute("PRAGMA quick_check(1)").fetchone()[0]
            if fault != "ok":
                raise BackupError(f"{copy}: damaged: {fault.splitlines()[0]}")
            newest = found.execute("SELECT max(migration_id) FROM _yoyo_migration").fetchone()[0]
            events = found.execute("SELECT count(*) FROM events").fetchone()[0]
            last = found.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"{copy}: is no store of a gateway: {error}") from None
    return Contents(str(newest), int(events), int(last[0]) if last else 0)


def known_migrations() -> set[str]:
    """Those that this Hallkit has."""
    names = (path.name for path in files("hall_gateway.migrations").iterdir())
    return {name.removesuffix(".sql") for name in names if name.endswith(".sql")}


def make_ready(copy: Path) -> None:
    """Let a copy become a store again: what it remembers of battery devices' numbers is from then,
    so each of them is challenged first; and it is another store than the one that it was copied
    from, which has gone on since. Raises BackupError."""
    try:
        with closing(sqlite3.connect(copy)) as connection, connection:
            Contexts(connection).forget_windows()
            connection.execute("DELETE FROM meta WHERE key = 'store'")
    except sqlite3.Error as error:
        raise BackupError(f"{copy}: {error}") from None


@contextmanager
def _reading(path: Path) -> Generator[sqlite3.Connection]:
    """A connection that changes nothing and leaves nothing behind."""
    with ExitStack() as stack:
        mode = "immutable=1"
        # The file is there since there has been a gateway; it is not ours to make.
        with suppress(FileNotFoundError):
            lock = stack.enter_context(path.with_name(f"{path.name}.lock").open("rb"))
            try:
                # Without a gateway: hold the place of one, for SQLite would not notice its coming.
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                mode = "mode=ro"
        if path.with_name(f"{path.name}-wal").exists():
            mode = "mode=ro"
        uri = f"{path.resolve().as_uri()}?{mode}"
        yield stack.enter_context(closing(sqlite3.connect(uri, uri=True, isolation_level=None)))
