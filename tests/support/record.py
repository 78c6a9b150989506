"""The record of many halls for tests: a database of its own for each test, and messages for it.

Here: a real PostgreSQL that does not wait for the disk, and CloudEvents as a stream hands them out.
Not here: NATS (support.back_office), what a test is about.
"""

import itertools
import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from hall_fleet import roles
from hall_fleet.batch import Message
from hall_fleet.migrate import migrate
from hall_fleet.record import Record
from hall_gateway import jetstream_subjects as subjects
from hall_gateway.cloud_event_headers import binary
from hall_gateway.wire import compact
from hall_tools.fleet.postgres import Postgres

from support.office import office_folder

NOW = datetime(2025, 11, 21, 12, tzinfo=UTC)

Json = dict[str, Any]
_numbers = itertools.count(1)


class Databases:
    """Each with the record's tables in it."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def make(self) -> "Database":
        name = f"record_{next(_numbers)}"
        await self._postgres.create_database(name)
        database = Database(self._postgres, name)
        for statement in roles.statements(name):
            if not statement.startswith("CREATE"):
                database.rows(statement)
        migrate(database.dsn("hall_owner"))
        return database


class Database:
    def __init__(self, postgres: Postgres, name: str) -> None:
        self._postgres = postgres
        self.name = name

    def dsn(self, role: Any) -> str:
        return self._postgres.dsn(role, self.name)

    def record(self, name: str = "test") -> Record:
        return Record(self.dsn("hall_ingest"), name)

    def empty(self) -> None:
        """Nothing has come in."""
        for table in ("events", "days", "seen", "poison", "halls", "stores"):
            self.rows(f"DELETE FROM hall.{table}")

    def rows(self, query: str, values: Sequence[object] = (), role: str = "postgres") -> list[Any]:
        """What a role reads; by default the superuser."""
        with psycopg.connect(self.dsn(role), autocommit=True) as connection:
            found = connection.execute(query.encode(), values)
            return found.fetchall() if found.description else []

    def named(self, query: str, values: Sequence[object] = ()) -> list[Json]:
        """The same as dicts."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
            return cursor.execute(query.encode(), values).fetchall()


@asynccontextmanager
async def databases() -> AsyncGenerator[Databases]:
    """In a PostgreSQL that runs inside."""
    with office_folder() as folder:
        async with Postgres(folder / "postgres", durable=False) as postgres:
            yield Databases(postgres)


def reply(sequence: int, stream: str = subjects.EVENTS_STREAM, stored_ms: int = 0) -> str:
    """As JetStream says where a message is to be acknowledged."""
    stored = (int(NOW.timestamp() * 1000) + stored_ms) * 1_000_000
    return f"$JS.ACK.{stream}.ingest.1.{sequence}.{sequence}.{stored}.0"


def event(sequence: int = 1, **changes: Any) -> Json:
    """A structured CloudEvent, with `changes`."""
    return {
        "specversion": "1.0",
        "id": f"gateway/0badcafe/{sequence}",
        "source": "/hall/demo/gateway",
        "type": "hall.ticket.taken",
        "subject": "hall",
        "time": "2025-11-21T01:00:00.000Z",
        "datacontenttype": "application/json",
        "clockquality": "synced",
        "data": {"ticket": "A001", "business": None, "priority": 0},
        **changes,
    }


def message(told: Json, sequence: int = 1, hall: str | None = None) -> Message:
    """`told` as the sink of a hall writes it; on the subject of its own hall, or of `hall`."""
    headers, content_type, data = binary(compact(told))
    _, noun, verb = told["type"].split(".")
    of = hall or told["source"].split("/")[2]
    headers = {**headers, "ce-datacontenttype": content_type, "content-type": content_type}
    return Message(subjects.event(of, noun, verb), headers, data, reply(sequence))


def messages(told: Iterable[Json]) -> list[Message]:
    return [message(each, sequence) for sequence, each in enumerate(told, 1)]


def state(hall: str = "demo", **changes: Any) -> Json:
    """What a hall says of itself, with `changes`."""
    told: Json = {
        "hall": hall,
        "at": "2025-11-21T01:00:00.000Z",
        "version": "0.1.0",
        "status": "ok",
        "problems": [],
        "devices": [
            {
                "id": "kp-1",
                "profile": "keypad-6",
                "where": "window/1",
                "online": True,
                "fw": None,
                "error": None,
            }
        ],
        "outbox": 0,
        "alerts": [],
    }
    return told | changes


def state_message(told: Json, sequence: int = 1, hall: str | None = None, at: int = 0) -> Message:
    """Stored `at` ms after NOW."""
    where = reply(sequence, subjects.STATES_STREAM, at)
    return Message(subjects.state(hall or told["hall"]), {}, json.dumps(told).encode(), where)
