"""What is too old goes, in whole months.

Here: dropping partitions and old poison. Not here: the sums of days, which stay, and what halls
keep of their own (hall_gateway.store_figures).

First the month is written down from which events are kept, so that nothing of before comes again;
then each partition is detached beside the workers' work, and dropped. Interrupted anywhere, the
next run goes on with it.
"""

from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql


class RetentionError(Exception):
    """What is too old could not be dropped: why, in one line."""


@dataclass(frozen=True)
class Dropped:
    """A month's events: how many they were as PostgreSQL last estimated them, None when it had
    not, and their bytes on disk with indexes."""

    month: str
    events: int | None
    bytes: int


@dataclass(frozen=True)
class Retained:
    """Events are kept from `since` on."""

    since: date
    dropped: list[Dropped]
    poison: int


_TABLES = """
    SELECT c.relname, nullif(c.reltuples::bigint, -1), pg_total_relation_size(c.oid),
        coalesce(i.inhdetachpending, false), i.inhrelid IS NOT NULL
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
    WHERE n.nspname = 'hall' AND c.relkind = 'r' AND c.relname ~ '^events_[0-9]{4}_[0-9]{2}$'
    ORDER BY c.relname
"""


def first_kept(today: date, months: int) -> date:
    """The first day of the oldest month that is kept: this one and `months` before it."""
    number = today.year * 12 + today.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def retain(dsn: str, since: date) -> Retained:
    """Drop what is before `since`, as the owner; raises RetentionError."""
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as owner:
            row = owner.execute(
                "UPDATE hall.kept SET since = greatest(since, %s) RETURNING since", (since,)
            ).fetchone()
            kept: date = row[0] if row else since
            dropped = [
                _drop(owner, *found)
                for found in owner.execute(_TABLES).fetchall()
                if _month(found[0]) < kept
            ]
            poison = owner.execute("DELETE FROM hall.poison WHERE received < %s", (kept,))
            owner.execute("DELETE FROM hall.workers WHERE seen < now() - interval '1 day'")
            return Retained(kept, dropped, poison.rowcount)
    except psycopg.Error as error:
        raise RetentionError(" ".join(str(error).split())) from None


def _drop(
    owner: psycopg.Connection,
    table: str,
    rows: int | None,
    size: int,
    pending: bool,
    attached: bool,
) -> Dropped:
    name = sql.Identifier("hall", table)
    if attached:
        how = sql.SQL("FINALIZE" if pending else "CONCURRENTLY")
        owner.execute(sql.SQL("ALTER TABLE hall.events DETACH PARTITION {} {}").format(name, how))
    owner.execute(sql.SQL("DROP TABLE {}").format(name))
    return Dropped(_month(table).isoformat()[:7], rows, size)


def _month(table: str) -> date:
    _, year, month = table.split("_")
    return date(int(year), int(month), 1)
