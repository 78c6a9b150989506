"""What halls promised, held against what the back office has: events, rows, sums.

Here: the comparison, and reading PostgreSQL for it. Not here: where the promises come from
(halls.py), who made the rows (hall_fleet).

The sums are computed here a second time, from the events alone and another way than hall_fleet's.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, LiteralString

import psycopg

Json = dict[str, Any]
_SHOWN = 20

_ROWS: LiteralString = (
    "SELECT id, type, source, subject, time, clock, data::text FROM hall.events WHERE hall = %s"
)
_SUMS = ("events", "taken", "calls", "entered", "departed", "quarantined")
_MARKS = ("mark1", "mark2", "mark3", "mark4", "mark5")


@dataclass
class Account:
    """`promised` events and `stored` rows; what is wrong, each as a line of text, at most so many
    as one can read, and how many there were in all."""

    promised: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    other: int = 0
    """Rows that nobody promised or that differ from the promise, and sums that differ."""
    wrong: list[str] = field(default_factory=list[str])

    @property
    def right(self) -> bool:
        return not (self.lost or self.doubled or self.other)

    def note(self, what: str) -> None:
        if len(self.wrong) < _SHOWN:
            self.wrong.append(what)


def compare(
    account: Account, hall: str, promised: Mapping[str, bytes], rows: Iterable[Json]
) -> None:
    """Add to `account` what the rows of `hall` are beside what it promised. Each row has the
    CloudEvent's attributes by their names."""
    found: Counter[str] = Counter()
    for row in rows:
        id = str(row["id"])
        found[id] += 1
        body = promised.get(id)
        if body is None:
            account.other += 1
            account.note(f"{hall} {id}: a row that was never promised")
        elif (wrong := _difference(json.loads(body), row)) is not None:
            account.other += 1
            account.note(f"{hall} {id}: {wrong}")
    for id, count in found.items():
        if count > 1:
            account.doubled += 1
            account.note(f"{hall} {id}: {count} rows")
    for id in promised.keys() - found.keys():
        account.lost += 1
        account.note(f"{hall} {id}: promised, and no row")
    account.promised += len(promised)
    account.stored += found.total()


def _difference(event: Json, row: Json) -> str | None:
    """What of the row is not as it was promised."""
    wanted = {**event, "clock": event["clockquality"], "time": _moment(event["time"])}
    for name in ("type", "source", "subject", "clock", "time", "data"):
        if row[name] != wanted[name]:
            return f"{name} is {row[name]!r:.100} and was promised as {wanted[name]!r:.100}"
    return None


def sums(promised: Mapping[str, bytes]) -> dict[date, Counter[str]]:
    """Some sums of a hall's days, as docs/figures.md has them: a day begins at 3 on the hall's
    clock, which is 8 hours ahead of UTC; a rating is of the day on which its service ended, and a
    press that does not count after all of that on which it was pressed."""
    days: dict[date, Counter[str]] = defaultdict(Counter)
    for body in promised.values():
        event = json.loads(body)
        data = event["data"]
        days[_day(event["time"])]["events"] += 1
        day = days[_day(data.get("ended_at") or data.get("pressed_at") or event["time"])]
        match event["type"]:
            case "hall.ticket.taken":
                day["taken"] += 1
            case "hall.ticket.called":
                day["calls"] += 1
            case "hall.count.passage":
                day["entered" if data["direction"] == "in" else "departed"] += 1
            case "hall.rating.quarantined":
                day["quarantined"] += 1
            case "hall.rating.given":
                day[f"mark{data['mark']}"] += 1
            case _:
                pass
    return dict(days)


def _day(time: str) -> date:
    return (_moment(time) + timedelta(hours=8 - 3)).date()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def check(dsn: str, promises: Mapping[str, Mapping[str, bytes]], *, alone: bool = True) -> Account:
    """All halls' promises against the tables at `dsn`, as hall_console or who may read more.
    `alone`: there are no other halls.

    Raises psycopg.Error.
    """
    account = Account()
    with psycopg.connect(dsn) as connection:
        for hall, promised in promises.items():
            compare(account, hall, promised, _rows(connection, hall))
            _check_sums(account, connection, hall, promised)
        query = "SELECT DISTINCT hall FROM hall.events"
        for (hall,) in connection.execute(query):
            if alone and hall not in promises:
                account.other += 1
                account.note(f"{hall}: rows of a hall that promised nothing")
    return account


def _rows(connection: psycopg.Connection[Any], hall: str) -> Iterable[Json]:
    names = ("id", "type", "source", "subject", "time", "clock", "data")
    for values in connection.execute(_ROWS, (hall,)):
        row = dict(zip(names, values, strict=True))
        yield {**row, "data": json.loads(row["data"]), "time": row["time"].astimezone(UTC)}


def _check_sums(
    account: Account,
    connection: psycopg.Connection[Any],
    hall: str,
    promised: Mapping[str, bytes],
) -> None:
    names = (*_SUMS, *_MARKS)
    wanted = sums(promised)
    query = "SELECT day, events, taken, calls, entered, departed, quarantined, mark1, mark2, "
    query += "mark3, mark4, mark5 FROM hall.days WHERE hall = %s"
    found = {
        day: dict(zip(names, values, strict=True))
        for day, *values in connection.execute(query, (hall,))
    }
    for day in sorted(wanted.keys() | found.keys()):
        ours = {name: wanted.get(day, Counter())[name] for name in names}
        theirs = {name: int(found.get(day, {}).get(name, 0)) for name in names}
        if ours != theirs:
            account.other += 1
            wrong = [f"{n} {theirs[n]}, not {ours[n]}" for n in names if ours[n] != theirs[n]]
            account.note(f"{hall} {day}: the sums have {', '.join(wrong)}")
