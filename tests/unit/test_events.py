"""CloudEvents: the exact bytes, and the rules of the specification."""

import json
import re
from datetime import datetime

import pytest
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from hall_gateway.effects import BootTimes
from hall_gateway.events import Quality, cloud_event, event_id, reported, topic
from hall_gateway.models import BootData, EventData, FaultData, FloorData, PassageData, Role
from hall_gateway.state import Emit
from hall_gateway.store_events import StoredEvent
from hypothesis import given
from hypothesis import strategies as st
from support.core_hall import NOON

GOLDEN = (
    '{"specversion":"1.0","id":"kp-1/0000beef/42","source":"/hall/demo/kp-1",'
    '"type":"hall.rating.given","subject":"window/1","time":"2027-01-15T08:00:00.000Z",'
    '"datacontenttype":"application/json","clockquality":"synced",'
    '"data":{"ticket":"A015","label":"非常满意"}}'
)


def test_the_exact_bytes() -> None:
    emit = Emit("hall.rating.given", "window/1", {"ticket": "A015", "label": "非常满意"})
    body = cloud_event("demo", event_id("kp-1", 0xBEEF, 42), emit, NOON, "synced")
    assert body.decode() == GOLDEN


@given(
    device=st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True),
    epoch=st.integers(0, 2**32 - 1),
    seq=st.integers(1, 2**32 - 1),
    time=st.integers(0, 4_102_444_800_000),
    quality=st.sampled_from(["synced", "estimated"]),
    data=st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=9)),
)
def test_the_specification_holds(
    device: str, epoch: int, seq: int, time: int, quality: Quality, data: dict[str, object]
) -> None:
    """CloudEvents 1.0.2: required attributes, naming (3.1), RFC 3339 time, JSON format (3)."""
    emit = Emit("hall.count.passage", "zone/entrance", data)
    body = cloud_event("demo", event_id(device, epoch, seq), emit, time, quality)
    event = json.loads(body)
    assert event["specversion"] == "1.0"
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in event)
    assert all(event[name] for name in ("id", "source", "type", "subject"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
    assert round(datetime.fromisoformat(event["time"]).timestamp() * 1000) == time
    assert event["id"] == f"{device}/{epoch:08x}/{seq}"
    assert event["source"] == f"/hall/demo/{device}"
    assert event["data"] == data
    read = JSONFormat().read(None, body)
    assert (read.get_data(), read.get_extension("clockquality")) == (data, quality)


def test_what_the_specification_forbids_is_refused() -> None:
    with pytest.raises(CloudEventValidationError):
        cloud_event("demo", "kp-1/0/1", Emit("hall.rating.given", "", {}), NOON, "synced")


def test_the_topic_of_a_type() -> None:
    assert topic("hall.rating.given") == ("rating", "given")


@pytest.mark.parametrize(
    ("role", "kind", "data", "type", "told"),
    [
        ("keypad", "boot", BootData(cause="soft"), "hall.device.started", {"cause": "soft"}),
        (
            "people_counter",
            "passage",
            PassageData(dir="in"),
            "hall.count.passage",
            {"direction": "in"},
        ),
        ("wet_floor", "wet", FloorData(ohms=40_000), "hall.floor.wet", {"ohms": 40_000}),
        ("wet_floor", "dry", FloorData(ohms=300_000), "hall.floor.dry", {"ohms": 300_000}),
        (
            "wet_floor",
            "fault",
            FaultData(code="probe_open", value=30_000_000),
            "hall.floor.fault",
            {"code": "probe_open", "value": 30_000_000},
        ),
        (
            "keypad",
            "fault",
            FaultData(code="key_stuck", value=2),
            "hall.device.fault",
            {"code": "key_stuck", "value": 2},
        ),
    ],
)
def test_what_devices_report_as_it_is(
    role: Role, kind: str, data: EventData, type: str, told: dict[str, object]
) -> None:
    assert reported(role, kind, data, "zone/a") == Emit(type, "zone/a", told, own=False)


def _event(up: int, received: int, boot: int = 1, t: int | None = None) -> StoredEvent:
    return StoredEvent(1, boot, up, t, received, "press", "{}")


def test_a_set_clock_is_believed() -> None:
    times = BootTimes()
    times.heard("kp-1", 1, 1, 5000, NOON)
    assert times.time("kp-1", 1, _event(5000, NOON, t=NOON - 9)) == (NOON - 9, "synced")


def test_the_best_guess_of_a_boot_is_the_earliest() -> None:
    times = BootTimes()
    times.heard("kp-1", 1, 1, 1_000, NOON + 60_000)  # a backlog: sent long after it happened
    times.heard("kp-1", 1, 1, 90_000, NOON + 90_000)  # and one that is fresh
    assert times.time("kp-1", 1, _event(1_000, NOON + 60_000)) == (NOON + 1_000, "estimated")
    other_boot = _event(1_000, NOON + 60_000, boot=2)
    assert times.time("kp-1", 1, other_boot) == (NOON + 60_000, "estimated")


def test_no_event_is_later_than_its_arrival() -> None:
    times = BootTimes()
    times.heard("kp-1", 1, 1, 0, NOON)
    assert times.time("kp-1", 1, _event(10_000, NOON + 5_000)) == (NOON + 5_000, "estimated")
