"""The gateway's store, read by another process.

Here: opening it so that nothing is changed, locked or left behind. Not here: what is read (the
tables' classes).

In WAL mode a reader maps the `-shm` file that the gateway made. Where the reader may only read it,
SQLite takes the shared locks it needs all the same, as long as the gateway has the store open (WAL
documentation, "Read-Only Databases"). When nobody has it open there is no log: then the file is
whole as it stands, and is read as immutable. So each reading opens the store anew, which takes less
than a millisecond.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

_BUSY_S = 1.0


class ReadError(Exception):
    """The store cannot be read: why, and what to do, in one line."""


@contextmanager
def reading(path: Path) -> Generator[sqlite3.Connection]:
    """The store at `path`, as it is at one moment. Raises ReadError."""
    if not path.exists():
        raise ReadError(f"{path}: is not there; the gateway makes it when it first starts")
    try:
        with closing(_open(path)) as connection:
            connection.execute("BEGIN")
            yield connection
    except sqlite3.OperationalError as error:
        told = str(error)
        if told.startswith(("no such table", "no such column")):
            raise ReadError(
                f"{path}: {told}: another version of hallkit wrote it; restart the gateway"
            ) from None
        raise ReadError(f"{path}: {told}; may the console's user read it?") from None
    except sqlite3.DatabaseError as error:
        raise ReadError(f"{path}: {error}; hall doctor says what to do") from None


def _open(path: Path) -> sqlite3.Connection:
    alone = not path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.resolve().as_uri()}?{'immutable=1' if alone else 'mode=ro'}"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)
    connection.execute("PRAGMA query_only = 1")
    return connection
