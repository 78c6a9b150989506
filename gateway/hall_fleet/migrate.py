"""The record's numbered migrations: making it, and bringing it up to date.

Here: applying them with yoyo, one program at a time. Not here: what is in them (migrations/), the
roles (roles.py).

yoyo's own lock is a row that a kill leaves behind; a lock of PostgreSQL's, which goes with its
connection, is around it: whoever holds that one may break the other.
"""

from contextlib import closing
from typing import Any, cast

import psycopg
import yoyo  # pyright: ignore[reportMissingTypeStubs]
from hall_gateway.migration_log import PlainLog
from yoyo.backends.core.postgresql import (  # pyright: ignore[reportMissingTypeStubs]
    PostgresqlPsycopgBackend,
)
from yoyo.connections import DatabaseURI  # pyright: ignore[reportMissingTypeStubs]

MIGRATIONS = "package:hall_fleet:migrations"

_YOYO: Any = yoyo
_LOCK = "SELECT pg_try_advisory_lock(hashtext('hallkit migrations'))"


class MigrationError(Exception):
    """The record cannot be brought up to date: why, and what to do, in one line."""


class _Backend(PlainLog, PostgresqlPsycopgBackend):
    """yoyo's PostgreSQL for any connection string."""

    def connect(self, dburi: Any) -> Any:
        return psycopg.connect(dburi.database, autocommit=True, connect_timeout=10)


def migrate(dsn: str, migrations: str = MIGRATIONS) -> list[str]:
    """Apply what is missing, as the owner; returns their names. Raises MigrationError."""
    try:
        with closing(psycopg.connect(dsn, autocommit=True, connect_timeout=10)) as lock:
            row = lock.execute(_LOCK).fetchone()
            if row is None or not row[0]:
                raise MigrationError("another program migrates this record now; try again later")
            return _migrate(dsn, _YOYO.read_migrations(migrations))
    except psycopg.Error as error:
        raise MigrationError(" ".join(str(error).split())) from None


def _migrate(dsn: str, known: Any) -> list[str]:
    uri = DatabaseURI("postgresql+psycopg", None, None, None, None, dsn, {})
    backend: Any = _Backend(uri, "_yoyo_migration")
    with backend:
        backend.init_database()
        backend.break_lock()
        with backend.lock():
            missing = backend.to_apply(known)  # makes yoyo's own tables, too
            names = {cast(str, migration.id) for migration in known}
            found = backend.execute("SELECT migration_id FROM _yoyo_migration").fetchall()
            if newer := sorted({cast(str, row[0]) for row in found} - names):
                raise MigrationError(
                    f"a newer hallkit made this record (it has {newer[-1]}); install that version"
                )
            applied = [cast(str, migration.id) for migration in missing]
            backend.apply_migrations(missing)
            return applied
