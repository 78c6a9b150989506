"""What the hall system received, read off the wire as a stranger would: from the contract alone.

Here: CloudEvents to reports, the latest states, what arrived and when. Not here: whether it is true
(truth.py).
"""

import json
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hall_tools.demo.truth import Report, What

_WINDOW_TICKET = ("window", "ticket")
_WHAT: dict[str, tuple[str, ...]] = {
    "window.opened": ("window",),
    "ticket.taken": ("ticket",),
    "ticket.called": _WINDOW_TICKET,
    "call.shown": ("device", "ticket"),
    "service.started": _WINDOW_TICKET,
    "service.ended": (*_WINDOW_TICKET, "reason"),
    "rating.given": (*_WINDOW_TICKET, "mark"),
    "rating.none": _WINDOW_TICKET,
    "rating.pressed": ("device", "key"),
    "rating.quarantined": ("device", "key"),
    "count.occupancy": ("inside",),
}
"""Which fields say what an event is about; `device` stands in its source. Others: the device."""

_PRESSES = "rating.pressed", "rating.quarantined."
_BY_RULES = "alert.", "task.", "rule.", "replay.", "service.overtime"
"""What the hall's rules make of other events: nothing happened in the hall beside those."""


@dataclass(frozen=True)
class Event:
    """A CloudEvent with the monotonic time of its arrival in s."""

    type: str
    device: str
    subject: str
    data: dict[str, Any]
    report: Report


class Inbox:
    """Everything that came from the gateway. `changed` is called after each message."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.latest: deque[Event] = deque(maxlen=100)
        self.arrived = 0
        """How many events have come."""
        self.counts: Counter[str] = Counter()
        self.states: dict[str, dict[str, Any]] = {}
        self.presses = 0
        """Presses as they came from the keypads, whatever became of them."""
        self.press_delays: deque[float] = deque(maxlen=200)
        self.gateway_online = False
        self.inside = 0
        """How many people are in the hall, as it was told last."""
        self._last: dict[str, tuple[float, int]] = {}
        self._newest: dict[tuple[str, str], int] = {}
        self.changed: Callable[[], None] = lambda: None
        self._unix_at_zero = time.time() - time.monotonic()

    def take(self, topic: str, payload: bytes, now: float) -> None:
        """One message on `topic` below `hall/v1/{hall}/`, arrived at monotonic `now`."""
        branch, _, rest = topic.partition("/")
        if branch == "online":
            self.gateway_online = payload == b"1"
        elif branch == "state":
            self.states[rest] = json.loads(payload)
        elif branch == "event":
            event = read_event(json.loads(payload), now, self._unix_at_zero)
            self.latest.append(event)
            self.arrived += 1
            if event.report.kind == "count.occupancy":
                # A sum that is told now and then: what counts is what it comes to in the end.
                self.inside = event.data["inside"]
                self.changed()
                return
            if event.report.kind.startswith(_BY_RULES):
                self.changed()
                return
            self.reports.append(event.report)
            self.counts[event.report.kind] += 1
            origin, _, seq = event.report.id.split("/")
            self._newest[event.device, event.report.kind] = self.arrived
            if origin == event.device:
                self._last[event.device] = now, int(seq)
                self.presses += event.report.kind.startswith(_PRESSES)
            if event.report.kind == "rating.pressed":
                self.press_delays.append(now - event.report.happened)
        self.changed()

    def online(self, device: str) -> bool:
        """Whether the gateway says so."""
        return self.states.get(device, {}).get("online") is True

    def reported(self, device: str) -> dict[str, Any]:
        """The state that the device last reported."""
        return self.states.get(device, {}).get("state") or {}

    def newest(self, device: str, *kinds: str) -> str | None:
        """Which of `kinds` the device told last; None before the first."""
        told = {
            self._newest[device, kind]: kind for kind in kinds if (device, kind) in self._newest
        }
        return told[max(told)] if told else None

    def quarantined(self) -> dict[str, int]:
        """How many presses did not count, by reason, the most frequent first."""
        return {
            kind.rpartition(".")[2]: number
            for kind, number in self.counts.most_common()
            if kind.startswith("rating.quarantined.")
        }

    def waiting(self, device: str) -> int:
        """Events that were in the device's journal at its last report and have not arrived yet."""
        journal = self.reported(device).get("journal")
        if not journal:
            return 0
        _, newest = self._last.get(device, (0.0, 0))
        return max(0, journal["next"] - 1 - max(journal["acked"], newest))

    def age(self, device: str, now: float) -> float | None:
        """Seconds since the device's last event arrived; None before the first."""
        last = self._last.get(device)
        return None if last is None else now - last[0]


def read_event(body: dict[str, Any], now: float, unix_at_zero: float) -> Event:
    """`body` is a CloudEvents 1.0 structured JSON; `unix_at_zero` is unix s at monotonic 0."""
    data: dict[str, Any] = body.get("data") or {}
    kind = str(body["type"]).removeprefix("hall.")
    source = str(body["source"]).rpartition("/")[2]
    # A press that does not count after all is told by the gateway, with the id of the press.
    source = str(data.get("press", source)).partition("/")[0]
    device = str(data.get("device", source))
    happened = datetime.fromisoformat(body["time"]).timestamp() - unix_at_zero
    named = {**data, "device": device}
    what: What = tuple(named.get(name, "?") for name in _WHAT.get(kind, ("device",)))
    if kind == "count.passage":
        kind = f"{kind}.{data.get('direction')}"
    elif kind == "rating.quarantined":
        kind = f"{kind}.{data.get('reason')}"
    report = Report(kind, what, str(body["id"]), happened, now)
    return Event(str(body["type"]), device, str(body.get("subject")), data, report)
