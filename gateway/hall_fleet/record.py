"""The record in PostgreSQL, as a worker fills it: all the SQL of a batch.

Here: one transaction for each batch, partitions, and which errors mean what. Not here: what is in a
batch (batch.py, states.py), and what is done about an error (worker.py).

Workers never wait for each other in a circle: each transaction touches events in the order of their
key, then days, then what was seen, then stores, each in the order of the hall.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, LiteralString, cast

import psycopg
from hall_gateway.wire import one_line
from psycopg import AsyncConnection, errors, sql

from hall_fleet.batch import Poison, Row, Sums, events_copy
from hall_fleet.positions import Span, accounted, span
from hall_fleet.sums import COLUMNS

CONNECT_S = 10
_LOCAL = (
    # What hangs ends with an error, and the batch comes again.
    "SET statement_timeout = '60s'",
    "SET lock_timeout = '30s'",
    "SET idle_in_transaction_session_timeout = '60s'",
    "CREATE TEMP TABLE event_batch (number integer, hall text, id text, type text, source text,"
    " subject text, time timestamptz, clock text, data jsonb) ON COMMIT DELETE ROWS",
    "CREATE TEMP TABLE day_batch (LIKE hall.days INCLUDING DEFAULTS) ON COMMIT DELETE ROWS",
)

_INSERT_EVENTS = """
    WITH put AS (
        INSERT INTO hall.events (hall, id, type, source, subject, time, clock, data)
        SELECT hall, id, type, source, subject, time, clock, data FROM event_batch
        ORDER BY hall, id, time
        ON CONFLICT DO NOTHING RETURNING hall, id, time
    )
    SELECT number FROM event_batch AS b
    WHERE NOT EXISTS (SELECT FROM put WHERE (put.hall, put.id, put.time) = (b.hall, b.id, b.time))
"""

_SEEN = """
    INSERT INTO hall.seen AS s (hall, first_event, last_event, last_received)
    SELECT hall, min(time), max(time), now() FROM event_batch GROUP BY hall ORDER BY hall
    ON CONFLICT (hall) DO UPDATE SET first_event = least(s.first_event, excluded.first_event),
        last_event = greatest(s.last_event, excluded.last_event),
        last_received = greatest(s.last_received, excluded.last_received)
"""

_ACCOUNTED = """
    INSERT INTO hall.stores AS s (hall, store, accounted)
    SELECT hall, store, accounted::int8multirange
    FROM unnest(%s::text[], %s::text[], %s::text[]) AS came (hall, store, accounted)
    WHERE hall.has_room(hall, store) ORDER BY hall, store
    ON CONFLICT (hall, store) DO UPDATE SET accounted = s.accounted + excluded.accounted,
        gone = s.gone - excluded.accounted,
        again = s.again + hall.size(excluded.accounted * s.asked - s.accounted)
    WHERE NOT s.accounted @> excluded.accounted OR s.gone && excluded.accounted
"""

POISON = """
    INSERT INTO hall.poison (stream, sequence, stored, hall, claimed, subject, headers, body, size,
        reason, detail)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (stream, sequence, stored) DO NOTHING
"""


def _days_sql() -> tuple[sql.Composed, sql.Composed]:
    """COPY into the batch of days, and from there into the table."""
    names = [sql.Identifier(name) for name in COLUMNS]
    listed = sql.SQL(", ").join(names)
    added = sql.SQL(", ").join(sql.SQL("{0} = d.{0} + excluded.{0}").format(n) for n in names)
    copy = sql.SQL("COPY day_batch (hall, day, {}, counts) FROM STDIN").format(listed)
    upsert = sql.SQL(
        "INSERT INTO hall.days AS d (hall, day, {0}, counts) "
        "SELECT hall, day, {0}, counts FROM day_batch ORDER BY hall, day "
        "ON CONFLICT (hall, day) DO UPDATE SET {1}, counts = hall.plus(d.counts, excluded.counts)"
    ).format(listed, added)
    return copy, upsert


_COPY_DAYS, _UPSERT_DAYS = _days_sql()


class RefusedError(Exception):
    """PostgreSQL does not take something in a batch: `code` is its SQLSTATE."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(one_line(" ".join(str(error).split()), 300))
        self.code = error.sqlstate or ""


class AwayError(Exception):
    """PostgreSQL takes nothing at present, or not from us; the same may work later."""


class Record:
    """One connection, made when it is needed."""

    def __init__(self, dsn: str, name: str) -> None:
        self._dsn = dsn
        self._name = name
        self._connection: AsyncConnection | None = None
        self._months: dict[date, bool] = {}

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def ready(self) -> None:
        """There is a connection; raises AwayError."""
        await self._connected()

    async def kept(self, months: Sequence[date]) -> dict[date, bool]:
        """Which of these months (their first day) have a partition, which is made when it is
        missing. False: events of that month were dropped. Raises AwayError."""
        for month in months:
            if month not in self._months:
                try:
                    connection = await self._connected()
                    found = await connection.execute("SELECT hall.ensure_month(%s)", (month,))
                    row = await found.fetchone()
                    await connection.commit()
                except psycopg.Error as error:
                    raise await self._lost(error) from error
                self._months[month] = bool(row and row[0])
        return {month: self._months[month] for month in months}

    async def put(
        self, rows: Sequence[Row], poison: Sequence[Poison], twice: Sequence[Row] = ()
    ) -> int:
        """All of it in one transaction; returns how many of the events were there before.

        `rows`: each event once; `twice`: those that are among them already. Raises RefusedError
        when something in it cannot be stored, and AwayError.
        """
        try:
            connection = await self._connected()
            async with connection.transaction():
                again = await self._put_events(connection, rows) if rows else 0
                async with connection.cursor() as cursor:
                    for each in sorted(poison, key=lambda each: each.message.sequence):
                        await cursor.execute(POISON, each.row())
                    if (stores := accounted(_came((*rows, *twice), poison)))[0]:
                        await cursor.execute(_ACCOUNTED, stores, prepare=True)
        except (errors.DataError, errors.IntegrityError) as error:
            self._months.clear()  # one may have been dropped meanwhile
            raise RefusedError(error) from error
        except psycopg.Error as error:
            raise await self._lost(error) from error
        return again

    async def run(self, statement: LiteralString, values: Sequence[object] = ()) -> None:
        """One statement in a transaction of its own; raises RefusedError and AwayError."""
        await self.run_each(statement, [values])

    async def rows(
        self, statement: LiteralString, values: Sequence[object] | Mapping[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        """What one statement in a transaction of its own gives; raises AwayError."""
        try:
            connection = await self._connected()
            async with connection.transaction():
                return await (await connection.execute(statement, values)).fetchall()
        except psycopg.Error as error:
            raise await self._lost(error) from error

    async def run_each(self, statement: LiteralString, rows: Sequence[Sequence[object]]) -> None:
        """One statement for each of `rows`, all in one transaction; raises RefusedError when one
        of them cannot be stored, and AwayError."""
        try:
            connection = await self._connected()
            async with connection.transaction(), connection.cursor() as cursor:
                await cursor.executemany(statement, rows)
        except (errors.DataError, errors.IntegrityError) as error:
            raise RefusedError(error) from error
        except psycopg.Error as error:
            raise await self._lost(error) from error

    async def _put_events(self, connection: AsyncConnection, rows: Sequence[Row]) -> int:
        async with connection.cursor() as cursor:
            async with cursor.copy("COPY event_batch FROM STDIN") as copy:
                await copy.write(events_copy(rows))
            await cursor.execute(_INSERT_EVENTS, prepare=True)
            again = {cast(int, number) for (number,) in await cursor.fetchall()}
            sums = Sums()
            for number, (event, _) in enumerate(rows):
                if number not in again:
                    sums.add(event.hall, event.adds)
            if sums.sums:
                async with cursor.copy(_COPY_DAYS) as copy:
                    await copy.write(sums.copy())
                await cursor.execute(_UPSERT_DAYS, prepare=True)
            await cursor.execute(_SEEN, prepare=True)
        return len(again)

    async def _connected(self) -> AsyncConnection:
        if self._connection is None:
            try:
                connection = await AsyncConnection.connect(
                    self._dsn,
                    autocommit=False,
                    connect_timeout=CONNECT_S,
                    application_name=f"hall-ingest {self._name}",
                )
            except psycopg.Error as error:
                raise AwayError(_said(error)) from error
            try:
                for statement in _LOCAL:
                    await connection.execute(statement)
                await connection.commit()
            except psycopg.Error as error:
                await connection.close()
                raise AwayError(_said(error)) from error
            self._connection = connection
        return self._connection

    async def _lost(self, error: psycopg.Error) -> AwayError:
        """Another connection next time: after most errors this one is of no use."""
        await self.close()
        return AwayError(_said(error))


def _came(rows: Sequence[Row], poison: Sequence[Poison]) -> Iterator[tuple[str, Span]]:
    """Of poison as well: told again it would be no better."""
    for event, _ in rows:
        if event.span is not None:
            yield event.hall, event.span
    for each in poison:
        if each.hall is not None and (stands := span(each.message.headers)) is not None:
            yield each.hall, stands


def _said(error: psycopg.Error) -> str:
    text = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(
        error, errors.UndefinedTable | errors.UndefinedFunction | errors.InvalidSchemaName
    ):
        return f"{text}; run hall ingest migrate"
    return text
