"""The record, read by the console: a few connections that can change nothing.

Here: connecting, its bounds, and what goes wrong with it in words. Not here: what is read
(*_query.py).
"""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from hall_gateway.console.reading import ReadError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

log = logging.getLogger(__name__)

Row = DictRow
Connection = psycopg.Connection[Row]

STATEMENT_S = 5
"""A statement that takes longer is ended by PostgreSQL: none of ours takes a second."""

WAIT_S = 4.0
"""For a connection."""

MOST = 4
"""Connections: what many browsers ask for is read one after the other (once.py)."""

_CHECK: Any = ConnectionPool.check_connection
"""A connection that PostgreSQL has ended is replaced before it is used."""

_OPTIONS = (
    f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_S}s "
    "-c idle_in_transaction_session_timeout=10s -c jit=off -c timezone=UTC"
)


class Database:
    """The record at `dsn`. `open()` before, `close()` after; between them it comes and goes."""

    def __init__(self, dsn: str) -> None:
        self._pool = ConnectionPool(
            dsn,
            connection_class=psycopg.Connection[Row],
            min_size=1,
            max_size=MOST,
            open=False,
            timeout=WAIT_S,
            reconnect_timeout=30.0,
            max_waiting=64,
            check=_CHECK,
            kwargs={
                "row_factory": dict_row,
                "options": _OPTIONS,
                "application_name": "hall fleet console",
                "connect_timeout": 5,
            },
        )

    def open(self) -> None:
        """Connect in the background: the console serves, and says so, while PostgreSQL is away."""
        self._pool.open(wait=False)

    def close(self) -> None:
        self._pool.close(timeout=2.0)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """The record as it is at one moment. Raises ReadError."""
        try:
            with self._pool.connection() as connection:
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                yield connection
        except PoolTimeout:
            raise ReadError("PostgreSQL does not answer; see [postgres] in fleet.toml") from None
        except psycopg.errors.QueryCanceled:
            raise ReadError(f"PostgreSQL needed more than {STATEMENT_S} s; try again") from None
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            told = str(error).partition("\n")[0]
            raise ReadError(f"{told}; run hall ingest migrate") from None
        except psycopg.errors.InsufficientPrivilege as error:
            told = str(error).partition("\n")[0]
            raise ReadError(
                f"{told}; connect as hall_console, and run hall ingest migrate"
            ) from None
        except psycopg.Error as error:
            log.warning("PostgreSQL: %s", " ".join(str(error).split()))
            raise ReadError("PostgreSQL went away while it was asked; try again") from None


def rows(connection: Connection, query: LiteralString, values: Mapping[str, Any]) -> list[Row]:
    """What `query` finds."""
    return connection.execute(query, values).fetchall()


def row(connection: Connection, query: LiteralString, values: Mapping[str, Any]) -> Row | None:
    """The first that `query` finds."""
    return connection.execute(query, values).fetchone()
