"""From messages to rows: each is an event, or poison with its reason, and none is in another's way.

Here: what is done with a batch. Not here: what makes an event (message.py), SQL (record.py),
fetching and acknowledging (worker.py).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.limits import Limits

from hall_fleet.batch import Message, Poison, Row, once
from hall_fleet.message import NoEventError, read
from hall_fleet.record import Record, RefusedError


@dataclass
class Stored:
    """What became of a batch."""

    events: int = 0
    duplicates: int = 0
    poison: Counter[str] = field(default_factory=Counter[str])


async def store(
    record: Record, messages: Sequence[Message], now: datetime, limits: Limits
) -> Stored:
    """Commit all of them; then they may be acknowledged. Raises AwayError: some may be committed,
    and when they come again they change nothing."""
    stored = Stored()
    rows: list[Row] = []
    poison: list[Poison] = []
    for message in messages:
        try:
            rows.append(Row(read(*message[:3], now, limits), message))
        except NoEventError as error:
            place = subjects.read_event(message.subject)
            poison.append(
                Poison(message, place and place.hall, error.claimed, error.reason, error.detail)
            )
    first, twice = once(rows)
    stored.duplicates += len(twice)
    await _put(record, first, poison, stored, twice)
    return stored


async def _put(
    record: Record,
    rows: list[Row],
    poison: list[Poison],
    stored: Stored,
    twice: Sequence[Row] = (),
) -> None:
    rows, old = await _by_age(record, rows)
    poison = poison + old
    try:
        again = await record.put(rows, poison, twice)
    except RefusedError as error:
        await _apart(record, rows, poison, stored, error)
        return
    stored.events += len(rows) - again
    stored.duplicates += again
    stored.poison.update(each.reason for each in poison)


async def _apart(
    record: Record, rows: list[Row], poison: list[Poison], stored: Stored, error: RefusedError
) -> None:
    """Half by half, until what PostgreSQL does not take is alone."""
    if poison and rows:
        await _put(record, [], poison, stored)
    if len(rows) > 1:
        middle = len(rows) // 2
        await _put(record, rows[:middle], [], stored)
        await _put(record, rows[middle:], [], stored)
    elif rows:
        event, message = rows[0]
        refused = Poison(message, event.hall, event.hall, "refused", f"{error.code}: {error}")
        await _put(record, [], [refused], stored)
    else:
        raise error


async def _by_age(record: Record, rows: list[Row]) -> tuple[list[Row], list[Poison]]:
    """Those whose month has a partition, and the others."""
    months = {row.event.time[:7] for row in rows}
    dates = {month: date(int(month[:4]), int(month[5:]), 1) for month in months}
    kept = await record.kept(sorted(dates.values()))
    if all(kept.values()):
        return rows, []
    old = [row for row in rows if not kept[dates[row.event.time[:7]]]]
    detail = "its month was dropped: hall ingest retain"
    return (
        [row for row in rows if kept[dates[row.event.time[:7]]]],
        [Poison(row.message, row.event.hall, row.event.hall, "old", detail) for row in old],
    )
