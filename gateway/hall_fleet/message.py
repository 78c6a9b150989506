"""A message of the stream of events, as the event that it is, or why it is none.

Here: the CloudEvent in binary mode and every bound on it; pure. Not here: what an event adds to a
day (sums.py, which is asked), where it goes (record.py), and how a hall writes it
(hall_gateway.jetstream_message).

Whatever a hall may have sent, read() returns an event that PostgreSQL takes or raises NoEventError.
It is called for every event, so it looks closer only where there is something to be seen.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, NoReturn, cast
from urllib.parse import unquote

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.limits import Limits
from hall_gateway.wire import one_line

from hall_fleet.positions import Span, span
from hall_fleet.sums import Add, DataError, adds

Reason = Literal["form", "hall", "time", "old", "size", "data", "refused"]
"""Why a message is no event; docs/reference/fleet-schema.md says what each means."""

MAX_DATA = 64 * 1024
"""Bytes of an event's data; the largest that a gateway writes has some 10,000."""
EARLIEST = datetime(2024, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""So far a hall's clock may be ahead of ours."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_NAME = "[a-z0-9][a-z0-9-]{0,31}"
_ID = re.compile(f"({_NAME})/[0-9a-f]{{8}}/[1-9][0-9]{{0,9}}")
_SOURCE = re.compile(f"/hall/({_NAME})/({_NAME})")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_ABOUT = re.compile(f"hall|zone/{_NAME}|window/.{{1,8}}")


class Event(NamedTuple):
    """A row of hall.events. `time` as PostgreSQL reads it, `at` the same in unix ms; `data` is the
    JSON as it came; `adds`: what it adds to which day."""

    hall: str
    id: str
    type: str
    source: str
    subject: str
    time: str
    clock: str
    data: str
    at: int
    adds: list[Add]
    span: Span | None = None


class NoEventError(ValueError):
    """Why a message is no event, in one line; `claimed`: of which hall it says it is."""

    def __init__(self, reason: Reason, detail: str, claimed: str | None = None) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail
        self.claimed = claimed


def read(
    subject: str, headers: Mapping[str, str], body: bytes, now: datetime, limits: Limits
) -> Event:
    """The event that came on `subject`; raises NoEventError. `limits`: how long a service may
    take."""
    place = subjects.read_event(subject)
    if place is None:
        raise NoEventError("form", "the subject is not that of an event")
    source = _attribute(headers, "ce-source")
    claimed, device = _said_by(source, place.hall)
    try:
        if len(body) > MAX_DATA:
            raise NoEventError(
                "size", f"{len(body)} bytes of data; an event has at most {MAX_DATA}"
            )
        if _attribute(headers, "ce-specversion") != "1.0":
            raise NoEventError("form", "ce-specversion: not 1.0")
        id = _attribute(headers, "ce-id")
        if (found := _ID.fullmatch(id)) is None:
            raise NoEventError("form", f"ce-id: {one_line(id)} is not device/epoch-hex/seq")
        if found[1] != device:
            raise NoEventError("form", f"ce-id: {one_line(id)} is not of the source's device")
        type = _attribute(headers, "ce-type")
        if type != place.type:
            raise NoEventError("form", f"ce-type: {one_line(type)} on the subject of {place.type}")
        about = _attribute(headers, "ce-subject")
        if not _ABOUT.fullmatch(about) or not about.isprintable():
            raise NoEventError("form", f"ce-subject: {one_line(about)} is no place in a hall")
        clock = _attribute(headers, "ce-clockquality")
        if clock not in ("synced", "estimated"):
            raise NoEventError("form", f"ce-clockquality: {one_line(clock)}")
        time = moment(_attribute(headers, "ce-time"), now, "ce-time")
        stands = span(headers)
        if stands is None and subjects.POSITION_HEADER in headers:
            text = one_line(headers[subjects.POSITION_HEADER], 60)
            raise NoEventError(
                "form", f"{subjects.POSITION_HEADER}: {text} is not store/after/position"
            )
        text, data = _data(body)
        at = (time - _EPOCH) // _MS
        try:
            sums = adds(type, data, at, about, limits)
        except DataError as error:
            raise NoEventError("data", str(error)) from None
        return Event(
            *(place.hall, id, type, source, about, time.isoformat(), clock, text, at, sums),
            stands,
        )
    except NoEventError as error:
        error.claimed = claimed
        raise


def moment(text: str, now: datetime, what: str) -> datetime:
    """An RFC 3339 time at which an event can have been; raises NoEventError."""
    if not _TIME.fullmatch(text):
        raise NoEventError("form", f"{what}: {one_line(text)} is no time as RFC 3339 has it")
    try:
        found = datetime.fromisoformat(text)
        if not EARLIEST <= found <= now + AHEAD:
            raise NoEventError("time", f"{what}: {text} is before 2024 or more than a day ahead")
    except (ValueError, OverflowError) as error:
        if isinstance(error, NoEventError):
            raise
        raise NoEventError("form", f"{what}: {one_line(text)} is no time") from None
    return found.astimezone(UTC)


def json_text(body: bytes) -> tuple[str, dict[str, Any]]:
    """A JSON object as text and as what it says; raises NoEventError for one that is none, or that
    no jsonb can hold."""
    return _data(body)


def _attribute(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if value is None:
        raise NoEventError("form", f"the header {name} is missing")
    if "%" in value:
        try:
            return unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise NoEventError("form", f"{name}: percent-encoded, but not UTF-8") from None
    return value


def _said_by(source: str, hall: str) -> tuple[str, str]:
    """(hall, device) of a source; both must be of `hall`, on whose subject it came."""
    found = _SOURCE.fullmatch(source)
    if found is None:
        what = f"ce-source: {one_line(source)} is not /hall/{{hall}}/{{device}}"
        raise NoEventError("form", what, one_line(source))
    if found[1] != hall:
        raise NoEventError("hall", f"ce-source: {source} on a subject of {hall}", found[1])
    return found[1], found[2]


def _data(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        text = body.decode()
        data: object = _DECODER.decode(text)
        if "\\u" in text:
            _storable(data)
    except UnicodeDecodeError:
        raise NoEventError("form", "the data are not UTF-8") from None
    except UnicodeEncodeError:
        raise NoEventError("form", "a text has half a surrogate pair") from None
    except RecursionError:
        raise NoEventError("form", "the data are nested too deeply") from None
    except ValueError as error:
        raise NoEventError("form", f"the data are not JSON: {one_line(str(error), 100)}") from None
    if not isinstance(data, dict):
        raise NoEventError("form", "the data are no JSON object")
    return text, cast(dict[str, Any], data)


def _refused(number: str) -> NoReturn:
    raise ValueError(f"{number} is no finite number")


def _finite(number: str) -> float:
    """A number of moderate length that is neither infinite nor too small to be told from 0."""
    value = float(number)
    vanished = value == 0 and re.search("[1-9]", re.split("[eE]", number)[0]) is not None
    if len(number) > 300 or vanished or not math.isfinite(value):
        raise ValueError(f"{number[:30]} is too large, too small or too long")
    return value


def _storable(value: object) -> None:
    """What an escape can say and text in PostgreSQL cannot: NUL, and half a surrogate pair."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text has a NUL")
        value.encode()  # UnicodeEncodeError, a ValueError
    elif isinstance(value, dict):
        for key, each in cast("dict[str, object]", value).items():
            _storable(key)
            _storable(each)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            _storable(each)


_DECODER = json.JSONDecoder(parse_constant=_refused, parse_float=_finite)
