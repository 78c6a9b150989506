"""What is an event and what is none, and what an event adds; without any server."""

from datetime import date
from typing import Any

import pytest
from hall_fleet.batch import Message, Row, Sums, events_copy
from hall_fleet.message import Event, NoEventError, read
from hall_fleet.sums import COLUMNS, bin_of, day_date, day_number
from hall_gateway.hall_clock import MINUTE_MS
from hall_gateway.limits import Limits
from support.record import NOW, Json, event, message, reply

ENDED: Json = {
    "ticket": "A001",
    "window": "1",
    "staff": None,
    "business": "缴费",
    "queued_ms": 60_000,
    "waited_ms": 1000,
    "served_ms": None,
    "reason": "no_show",
}


def taken(told: Json, **headers: str | None) -> Event:
    came = message(told, hall="demo")
    changed = {**came.headers, **headers}
    kept = {name: value for name, value in changed.items() if value is not None}
    return read(came.subject, kept, came.body, NOW, Limits())


def added(told: Json) -> dict[tuple[str, str], int]:
    """(day, sum) with how much."""
    found: dict[tuple[str, str], int] = {}
    for day, name, n in taken(told).adds:
        where = (day_date(day).isoformat(), name)
        found[where] = found.get(where, 0) + n
    return found


def test_an_event_is_as_the_hall_wrote_it() -> None:
    told = event(subject="window/咨%询", time="2025-11-21T09:00:00.123+08:00")
    found = taken(told, **{"ce-unknown": "x"})
    assert (found.hall, found.subject, found.time) == (
        "demo",
        "window/咨%询",
        "2025-11-21T01:00:00.123000+00:00",
    )
    line = events_copy([Row(found, message(told))]).decode()
    assert line.split("\t")[:3] == ["0", "demo", "gateway/0badcafe/1"]


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"ce-id": None}, "form", "the header ce-id is missing"),
        ({"ce-id": "gateway/0badcafe/0"}, "form", "ce-id: gateway/0badcafe/0 is not device/"),
        ({"ce-id": "kp-1/0badcafe/1"}, "form", "ce-id: kp-1/0badcafe/1 is not of the source's"),
        ({"ce-source": "/hall/rich/gateway"}, "hall", "ce-source: /hall/rich/gateway on a subject"),
        ({"ce-source": "a\nb"}, "form", "ce-source: a\\nb is not /hall/{hall}/{device}"),
        ({"ce-type": "hall.rating.given"}, "form", "ce-type: hall.rating.given on the subject of"),
        ({"ce-specversion": "0.3"}, "form", "ce-specversion: not 1.0"),
        ({"ce-subject": "window/%00"}, "form", "ce-subject: window/\\x00 is no place in a hall"),
        ({"ce-subject": "window/%FF"}, "form", "ce-subject: percent-encoded, but not UTF-8"),
        ({"ce-clockquality": "good"}, "form", "ce-clockquality: good"),
        ({"ce-time": "2025-11-21 01:00:00Z"}, "form", "ce-time: 2025-11-21 01:00:00Z is no time"),
        ({"ce-time": "2025-02-29T01:00:00Z"}, "form", "ce-time: 2025-02-29T01:00:00Z is no time"),
        ({"ce-time": "2023-12-31T23:59:59Z"}, "time", "ce-time: 2023-12-31T23:59:59Z is before"),
        ({"ce-time": "2025-11-22T12:00:01Z"}, "time", "ce-time: 2025-11-22T12:00:01Z is before"),
        ({"ce-time": "0001-01-01T00:00:00+14:00"}, "time", "ce-time: 0001-01-01T00:00:00+14:00"),
    ],
)
def test_wrong_attributes_are_named(change: dict[str, Any], reason: str, detail: str) -> None:
    with pytest.raises(NoEventError) as raised:
        taken(event(), **change)
    assert (raised.value.reason, raised.value.detail[: len(detail)]) == (reason, detail)
    claims = {"/hall/rich/gateway": "rich", "a\nb": "a\\nb"}
    assert raised.value.claimed == claims.get(str(change.get("ce-source")), "demo")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"\xff", "the data are not UTF-8"),
        (b"[]", "the data are no JSON object"),
        (b'{"a":NaN}', "the data are not JSON: NaN is no finite number"),
        (b'{"a":1e999}', "the data are not JSON: 1e999 is too large, too small or too long"),
        (b'{"a":1e-9999}', "the data are not JSON: 1e-9999 is too large, too small or too long"),
        (b'{"a":"\\u0000"}', "the data are not JSON: a text has a NUL"),
        (b'{"a":[{"\\ud800":1}]}', "a text has half a surrogate pair"),
        (b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "the data are nested too deeply"),
        (b'{"a":"' + b"x" * 70_000 + b'"}', "70008 bytes of data; an event has at most 65536"),
    ],
)
def test_data_that_no_jsonb_can_hold_are_refused(body: bytes, detail: str) -> None:
    came = message(event())
    with pytest.raises(NoEventError) as raised:
        read(came.subject, came.headers, body, NOW, Limits())
    assert raised.value.detail == detail


def test_what_looks_odd_and_is_json_is_kept() -> None:
    for body in (b'{"a":"\\\\u0000"}', b'{"a":"\\ud83d\\ude00"}', b'{"a":0.0,"a":1e-30}'):
        came = message(event())
        assert read(came.subject, came.headers, body, NOW, Limits()).data == body.decode()


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"served_ms": -1}, "data: served_ms is no duration in ms"),
        ({"served_ms": True}, "data: served_ms is no duration in ms"),
        ({"queued_ms": 10**12}, "data: queued_ms is no duration in ms"),
        ({"waited_ms": 400 * 86_400_000, "served_ms": 400 * 86_400_000}, "data: they are about a"),
        ({"business": 7, "served_ms": 5}, "data: business is no text"),
    ],
)
def test_data_that_cannot_be_added_up_are_told(change: Json, detail: str) -> None:
    with pytest.raises(NoEventError) as raised:
        taken(event(type="hall.service.ended", subject="window/1", data={**ENDED, **change}))
    assert (raised.value.reason, raised.value.detail[: len(detail)]) == ("data", detail)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(NoEventError, match="data: mark is missing"):
        taken(event(type="hall.rating.given", data={}))


def test_a_no_show_takes_its_wait_back_on_the_day_of_its_call() -> None:
    """However long the window forgot about it."""
    data = ENDED | {"waited_ms": 24 * 60 * MINUTE_MS}
    assert added(event(type="hall.service.ended", subject="window/1", data=data)) == {
        ("2025-11-21", "events"): 1,
        ("2025-11-20", "no_shows"): 1,
        ("2025-11-20", "waits"): -1,
        ("2025-11-20", "wait_ms"): -60_000,
        ("2025-11-20", "w0"): -1,
        ("2025-11-20", "no_show_waits"): 1,
        ("2025-11-20", "no_show_wait_ms"): 60_000,
    }


def test_an_end_that_does_not_say_the_wait_leaves_it_where_it_is() -> None:
    """As gateways told it before `queued_ms`."""
    data = {name: value for name, value in ENDED.items() if name != "queued_ms"}
    names = {name for _, name in added(event(type="hall.service.ended", data=data))}
    assert names == {"events", "no_shows"}


def test_a_type_of_a_newer_hall_is_an_event() -> None:
    assert set(added(event(type="hall.robot.greeted", data={}))) == {("2025-11-21", "events")}


def test_an_alert_that_is_said_again_is_no_other() -> None:
    data: Json = {"alert": 1, "rule": "wet", "level": "critical", "times": 1}
    first = added(event(type="hall.alert.raised", data=data))
    assert first["2025-11-21", "alert critical"] == first["2025-11-21", "raised"] == 1
    again = added(event(type="hall.alert.raised", data=data | {"times": 2}))
    assert set(again) == {("2025-11-21", "events")}


def test_the_day_begins_at_three_in_the_morning() -> None:
    at = 1_763_665_200_000  # 2025-11-20T19:00:00Z
    assert [day_date(day_number(at + ms)) for ms in (-1, 0)] == [
        date(2025, 11, 20),
        date(2025, 11, 21),
    ]


def test_an_edge_belongs_to_the_bin_below_it() -> None:
    assert [bin_of(ms) for ms in (0, MINUTE_MS, MINUTE_MS + 1)] == [0, 0, 1]
    assert [bin_of(240 * MINUTE_MS + ms) for ms in (0, 1)] == [22, 23]


def test_sums_are_written_as_copy_reads_them() -> None:
    sums = Sums()
    sums.add("demo", [(0, "events", 2), (0, "events", 1), (0, 'fault a\\"b', 4)])
    hall, day, *values = sums.copy().decode().rstrip("\n").split("\t")
    assert (hall, day, len(values)) == ("demo", "1970-01-01", len(COLUMNS) + 1)
    assert (values[0], values[-1]) == ("3", '{"fault a' + "\\" * 4 + "\\\\" + '"b":4}')


def test_a_message_knows_its_place_with_and_without_a_domain() -> None:
    plain = reply(12).split(".")
    domain = [*plain[:2], "hub", "ACCOUNT", *plain[2:], "token"]
    for tokens in (plain, domain):
        found = Message("s", {}, b"", ".".join(tokens))
        assert (found.stream, found.sequence, found.stored) == ("HALL_EVENTS", 12, NOW)
