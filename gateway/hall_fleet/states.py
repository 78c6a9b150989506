"""What halls say of themselves, into hall.halls and hall.stores.

Here: reading a state, and its row. Not here: how a hall writes it (hall_gateway.jetstream_state),
fetching and acknowledging (consumer.py).

Only the last state of a hall is kept: that which the stream took last, whatever the hall's clock
says. One that is no state is poison like an event that is none.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.config_base import Id
from hall_gateway.wire import one_line
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hall_fleet.batch import Message, Poison
from hall_fleet.message import NoEventError, json_text, moment
from hall_fleet.positions import MOST
from hall_fleet.record import Record, RefusedError

MAX_STATE = 64 * 1024
"""Bytes; a gateway writes no more."""

_Text = Annotated[str, Field(max_length=1000)]
_Number = Annotated[int, Field(ge=0, le=2**53)]
_Position = Annotated[int, Field(ge=0, le=MOST)]


class _Said(BaseModel):
    """A newer gateway may say more than is known here."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Device(_Said):
    id: _Text
    profile: _Text | None = None
    where: _Text | None = None
    online: bool
    fw: _Text | None = None
    error: _Text | None = None


class _Title(_Said):
    zh: str
    en: str


class _Alert(_Said):
    id: _Number
    rule: _Text
    level: _Text
    title: _Title | _Text
    since: _Text


class _Sink(_Said):
    """How far the hall's sink is in the outbox of its store."""

    store: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    began: _Position
    to: _Position


class State(_Said):
    """The payload of a hall's state."""

    hall: Id
    at: _Text
    version: _Text
    status: _Text
    problems: list[_Text] = Field(max_length=5)
    devices: list[_Device] = Field(max_length=200)
    outbox: _Number
    alerts: list[_Alert] = Field(max_length=20)
    name: Annotated[str, Field(max_length=64)] | None = None
    hall_class: Literal["A", "B", "C", "D"] | None = Field(default=None, alias="class")
    areas: list[Id] = Field(default=[], max_length=50)
    told: _Sink | None = None


class Row(NamedTuple):
    """What hall.halls takes of a state, and the message that it came as."""

    state: State
    text: str
    at: datetime
    message: Message


_UPSERT = """
    INSERT INTO hall.halls AS h (hall, name, class, areas, version, status, problems, alerts,
        devices, devices_online, outbox, state, state_at, state_stored)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (hall) DO UPDATE SET name = excluded.name, class = excluded.class,
        areas = excluded.areas, version = excluded.version, status = excluded.status,
        problems = excluded.problems, alerts = excluded.alerts, devices = excluded.devices,
        devices_online = excluded.devices_online, outbox = excluded.outbox,
        state = excluded.state, state_at = excluded.state_at,
        state_stored = excluded.state_stored
    WHERE h.state_stored IS NULL OR h.state_stored < excluded.state_stored
"""

_CLAIM = """
    INSERT INTO hall.stores AS s (hall, store, began, claimed)
    SELECT hall, store, began, claimed
    FROM (VALUES (%s, %s, %s::bigint, %s::bigint)) AS said (hall, store, began, claimed)
    WHERE hall.has_room(hall, store)
    ON CONFLICT (hall, store) DO UPDATE SET began = excluded.began,
        claimed = greatest(s.claimed, excluded.claimed)
    WHERE s.began IS DISTINCT FROM excluded.began OR s.claimed < excluded.claimed
"""


def read(message: Message, now: datetime) -> Row:
    """The state that came; raises NoEventError."""
    hall = subjects.read_state(message.subject)
    if hall is None:
        raise NoEventError("form", "the subject is not that of a state")
    if len(message.body) > MAX_STATE:
        raise NoEventError("size", f"{len(message.body)} bytes; a state has at most {MAX_STATE}")
    text, _ = json_text(message.body)
    try:
        state = State.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NoEventError("form", one_line(f"{where}: {first['msg']}", 300)) from None
    if state.hall != hall:
        raise NoEventError("hall", f"a state of {state.hall} on the subject of {hall}", state.hall)
    return Row(state, text, moment(state.at, now, "at"), message)


async def store(record: Record, messages: Sequence[Message], now: datetime) -> Counter[str]:
    """Commit all of them; returns how many are "states", and poison by its reason. Raises
    AwayError."""
    rows: dict[str, Row] = {}
    poison: list[Poison] = []
    for message in messages:
        try:
            row = read(message, now)
        except NoEventError as error:
            hall = subjects.read_state(message.subject)
            poison.append(Poison(message, hall, error.claimed, error.reason, error.detail))
        else:
            newest = rows.setdefault(row.state.hall, row)
            if newest.message.stored < row.message.stored:
                rows[row.state.hall] = row
    poison += await _put(record, [rows[hall] for hall in sorted(rows)])
    if poison:
        await record.put([], poison)
    done = Counter[str](each.reason for each in poison)
    done["states"] = len(messages) - len(poison)
    return done


async def _put(record: Record, rows: Sequence[Row]) -> list[Poison]:
    """Those that PostgreSQL does not take. Together, for a commit waits for the disk; and when one
    of them cannot be stored, each by itself."""
    try:
        await record.run_each(_UPSERT, [_values(row) for row in rows])
        await record.run_each(_CLAIM, [claim for row in rows for claim in _claims(row)])
    except RefusedError as error:
        if len(rows) > 1:
            return [poison for row in rows for poison in await _put(record, [row])]
        (row,) = rows
        why = f"{error.code}: {error}"
        return [Poison(row.message, row.state.hall, row.state.hall, "refused", why)]
    return []


def _claims(row: Row) -> list[tuple[object, ...]]:
    sink = row.state.told
    return [] if sink is None else [(row.state.hall, sink.store, sink.began, sink.to)]


def _values(row: Row) -> tuple[object, ...]:
    state = row.state
    online = sum(device.online for device in state.devices)
    return (
        *(state.hall, state.name, state.hall_class, state.areas, state.version, state.status),
        *(len(state.problems), len(state.alerts), len(state.devices), online, state.outbox),
        *(row.text, row.at, row.message.stored),
    )
