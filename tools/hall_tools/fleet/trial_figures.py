"""How far a trial is, and whether its record is what its halls have told.

Here: counting in PostgreSQL, and the comparison. Not here: the truth,
which the simulated halls write (simulated.py).
"""

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import psycopg

from hall_tools.errors import UserError
from hall_tools.fleet.postgres import Postgres

STILL_S = 30.0
"""The record is judged when it has what is true, or has not grown for so long."""
_LOOK_S = 0.5
_WAITING = "SELECT stream_pending FROM hall.workers ORDER BY seen DESC LIMIT 1"
"""As the worker has it that said something last, some seconds ago."""


@dataclass(frozen=True)
class Figures:
    """`waiting`: events in the stream that no worker has taken yet; None: no worker could say."""

    events: int
    halls: int
    poison: int
    waiting: int | None

    def __str__(self) -> str:
        waiting = "?" if self.waiting is None else f"{self.waiting:,}"
        return (
            f"{self.events:,} events of {self.halls} halls in PostgreSQL, {waiting} waiting in "
            f"NATS, {self.poison} refused"
        )


@dataclass(frozen=True)
class Judgement:
    """Events by hall and in all, as the halls have told them and as the record has them."""

    told: int
    recorded: int
    lost: int
    unexpected: int
    refused: int
    undelivered: int

    @property
    def true(self) -> bool:
        return not (self.lost or self.unexpected or self.refused or self.undelivered)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def figures(postgres: Postgres) -> Figures | None:
    """None while PostgreSQL does not answer."""
    try:
        async with await _connect(postgres) as connection:
            events = await _one(
                connection, "SELECT coalesce(sum(events), 0)::bigint FROM hall.days"
            )
            halls = await _one(connection, "SELECT count(*) FROM hall.seen")
            poison = await _one(connection, "SELECT count(*) FROM hall.poison")
            waiting = await _value(connection, _WAITING)
    except psycopg.OperationalError:
        return None
    return Figures(events, halls, poison, waiting)


async def judge(postgres: Postgres, truth: Path) -> Judgement:
    """Once the workers have taken all that the halls delivered. UserError: there is no truth."""
    halls, undelivered = _told(truth)
    loop = asyncio.get_running_loop()
    recorded: dict[str, int] = {}
    grown = loop.time()
    while recorded != halls and loop.time() - grown < STILL_S:
        await asyncio.sleep(_LOOK_S)
        found = await _recorded(postgres)
        if found != recorded:
            recorded, grown = found, loop.time()
    async with await _connect(postgres) as connection:
        refused = await _one(connection, "SELECT count(*) FROM hall.poison")
    both = [(halls.get(hall, 0), recorded.get(hall, 0)) for hall in {*halls, *recorded}]
    return Judgement(
        told=sum(halls.values()),
        recorded=sum(recorded.values()),
        lost=sum(max(0, true - found) for true, found in both),
        unexpected=sum(max(0, found - true) for true, found in both),
        refused=refused,
        undelivered=undelivered,
    )


def _told(truth: Path) -> tuple[dict[str, int], int]:
    try:
        told = json.loads(truth.read_bytes())
        halls = cast(dict[str, int], told["halls"])
        return {hall: count for hall, count in halls.items() if count}, int(told["waiting"])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{truth}: the halls have not written what is true: {error!r}") from None


async def _recorded(postgres: Postgres) -> dict[str, int]:
    async with await _connect(postgres) as connection:
        found = await connection.execute("SELECT hall, count(*) FROM hall.events GROUP BY hall")
        return dict(await found.fetchall())


async def _connect(postgres: Postgres) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(postgres.dsn("hall_owner"), connect_timeout=5)


async def _one(connection: psycopg.AsyncConnection, query: str) -> int:
    value = await _value(connection, query)
    assert value is not None
    return value


async def _value(connection: psycopg.AsyncConnection, query: str) -> int | None:
    row = await (await connection.execute(query.encode())).fetchone()
    return None if row is None or row[0] is None else int(row[0])
