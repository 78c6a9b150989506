"""A look at a store that another process may own: nothing is locked, changed or left behind.

Here: what an operator wants to know of it, read in one short transaction. Not here: opening a store
for work (schema.py).
"""

import fcntl
import json
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hall_gateway.schema import PAGE_BYTES

CHECK_S = 20.0
"""How long the pages of a store are checked; meanwhile the gateway cannot shorten its log."""


class LookError(Exception):
    """The store cannot be read; the text says why, in a few words."""


@dataclass(frozen=True)
class DeviceLook:
    """A device as the store knows it. `seen`: unix ms, None for never."""

    online: bool
    seen: int | None
    firmware: str | None


@dataclass(frozen=True)
class StoreLook:
    """`problem`: what SQLite's quick_check found, None when the file is whole, or was as far as it
    was `checked`."""

    problem: str | None
    bytes_used: int
    devices: dict[str, DeviceLook]
    checked: bool = True


def look(path: Path, check_s: float = CHECK_S) -> StoreLook:
    """The store at `path`, which exists, checked for at most `check_s`. Raises LookError."""
    # Without a log nobody has it open; then SQLite would make one, and leave it.
    alone = not path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.resolve().as_uri()}?{'immutable=1' if alone else 'mode=ro'}"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            pages, free = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count")
            )
            rows = connection.execute("SELECT device, online, seen, state FROM devices").fetchall()
            found = _check(connection, check_s)
    except sqlite3.OperationalError as error:
        raise LookError(str(error)) from None
    except sqlite3.DatabaseError as error:
        return StoreLook(str(error), 0, {})
    if found not in (None, "ok"):
        return StoreLook(found.splitlines()[0], 0, {})
    devices = {name: DeviceLook(bool(on), seen, _firmware(state)) for name, on, seen, state in rows}
    return StoreLook(None, (pages - free) * PAGE_BYTES, devices, checked=found == "ok")


def _check(connection: sqlite3.Connection, seconds: float) -> str | None:
    """What quick_check says; None when the time was over before it was done."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        timer.cancel()
        timer.join()


def owner(path: Path) -> str | None:
    """The process id of the gateway that has the store open now; None when there is none.

    Raises LookError.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return file.read(20).decode("ascii", "replace").strip() or "unknown"
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LookError(f"{lock}: {error.strerror}") from None
    return None


def _firmware(state: str | None) -> str | None:
    """What the device last said of its version."""
    if state is None:
        return None
    told: Any = json.loads(state)
    version: Any = cast("dict[str, Any]", told).get("fw") if isinstance(told, dict) else None
    return version if isinstance(version, str) else None
