"""Device events into the store, each exactly once and each with its effect in order of its seq.

Here: identity, duplicates, conflicts, holes and the contiguous mark that acks a device's events.
Not here: the effect of an event (effects.py).

An event has its effect when the mark passes it: everything before it is stored, or known to be
lost. So a device's events are acted on in their order, however they arrived.
"""

import logging
from collections import Counter
from collections.abc import Generator
from hashlib import sha256
from typing import Literal

import hall_profiles

from hall_gateway.effects import POISON, BootTimes, Effects
from hall_gateway.models import KINDS, DeviceEvent, EventData, GapData, JournalReport
from hall_gateway.payload import PayloadError, identity, parse, parse_data
from hall_gateway.plan import PlannedDevice
from hall_gateway.store import Store
from hall_gateway.store_events import StoredEvent
from hall_gateway.wire import compact

MAX_AHEAD = 1024
"""Events stored beyond the mark: more than a journal of 64 KB with slots of 64 bytes can hold."""

MAX_EPOCHS = 16
"""Epochs known of one device. It gets a new one when its journal is formatted."""

_CHUNK = 64

_log = logging.getLogger(__name__)

Fate = Literal["stored", "duplicate", "conflict", "refused"]


class Accept:
    """Events of registered devices into `store`; `counts` says what became of them."""

    def __init__(
        self, store: Store, effects: Effects, times: BootTimes, counts: Counter[str]
    ) -> None:
        self._events = store.events
        self._effects = effects
        self._times = times
        self._counts = counts

    def event(self, device: PlannedDevice, payload: bytes, now: int) -> tuple[int, int] | None:
        """Take one up/event. (epoch, mark) to ack; None when there is nothing to ack yet."""
        try:
            event = parse(DeviceEvent, payload)
            data = _data(device, event)
            body, digest = compact(event.data).decode(), event.digest()
        except PayloadError as error:
            return self._poison(device, payload, str(error), now)
        except Exception as error:
            # A defect of ours: the device must not send this one event for ever.
            _log.exception("%s: an event that could not be read", device.id)
            return self._poison(device, payload, f"not read: {type(error).__name__}", now)
        self._times.heard(device.id, event.epoch, event.boot, event.up, now)
        if isinstance(data, GapData):
            self._gap(device, event.epoch, data, now)
        else:
            stored = StoredEvent(event.seq, event.boot, event.up, event.t, now, event.kind, body)
            self._take(device, event.epoch, stored, digest, payload, data)
        return self._ack(device, event.epoch)

    def state(self, device: PlannedDevice, journal: JournalReport, now: int) -> tuple[int, int]:
        """Where the device says its journal stands: what it has acked was acked by this store, or
        by one before it. (epoch, mark) to ack."""
        self._know(device, journal.epoch, now)
        for epoch in self._events.epochs(device.id):
            if epoch != journal.epoch:
                self._abandon(device, epoch, now)
        mark = self._events.mark(device.id, journal.epoch)
        if mark is None or mark < journal.acked:
            self._cover(device, journal.epoch, journal.acked, "acked_by_earlier_store", now)
        return journal.epoch, self._events.mark(device.id, journal.epoch) or 0

    def unreadable(self, device: PlannedDevice, payload: bytes, fault: str, now: int) -> None:
        """A payload that no event can be told from: kept and counted."""
        self._quarantine(device, None, fault, payload, now)
        self._counts["refused.unreadable"] += 1
        self._counts[f"nonsense.{device.id}"] += 1

    def _ack(self, device: PlannedDevice, epoch: int) -> tuple[int, int] | None:
        mark = self._events.mark(device.id, epoch)
        return None if mark is None else (epoch, mark)

    def _take(
        self,
        device: PlannedDevice,
        epoch: int,
        event: StoredEvent,
        hash: bytes,
        payload: bytes,
        data: EventData | None = None,
    ) -> Fate:
        fate = self._fate(device, epoch, event, hash, data)
        match fate:
            case "stored":
                self._counts["stored"] += 1
            case "duplicate":
                self._counts["duplicates"] += 1
            case "conflict":
                details = {"epoch": epoch, "seq": event.seq}
                reason = "same identity, different body"
                if self._quarantine(device, (epoch, event.seq), reason, payload, event.received):
                    self._effects.alarm(device, "identity_conflict", details, event.received)
            case "refused":
                pass
        return fate

    def _fate(
        self,
        device: PlannedDevice,
        epoch: int,
        event: StoredEvent,
        hash: bytes,
        data: EventData | None,
    ) -> Fate:
        mark = self._events.mark(device.id, epoch)
        if mark == event.seq - 1 and self._events.last(device.id, epoch) < event.seq:
            # Its turn, and nothing waits for it: as nearly always.
            self._events.add(device.id, epoch, event, hash)
            self._effects.event(device, epoch, event, event.received, data)
            self._events.put_mark(device.id, epoch, event.seq, event.received)
            return "stored"
        known = self._events.hash(device.id, epoch, event.seq)
        if known is not None:
            return "duplicate" if known == hash else "conflict"
        if mark is not None and event.seq <= mark:
            if not self._events.fill_hole(device.id, epoch, event.seq):
                return "duplicate"  # its row has been forgotten since
            self._events.add(device.id, epoch, event, hash)
            self._effects.event(device, epoch, event, event.received)
            return "stored"
        if mark is None:
            self._know(device, epoch, event.received)
        ahead = event.seq > (mark or 0) + 1
        if ahead and self._events.waiting(device.id, epoch) >= MAX_AHEAD:
            self._counts["refused.too_far_ahead"] += 1
            return "refused"
        self._events.add(device.id, epoch, event, hash)
        if mark is None and event.seq == 1:
            mark = 0
        self._advance(device, epoch, mark, event.received)
        return "stored"

    def _know(self, device: PlannedDevice, epoch: int, now: int) -> None:
        """Make room for a new epoch: the one used longest ago is given up."""
        epochs = self._events.epochs(device.id)
        if epoch not in epochs and len(epochs) >= MAX_EPOCHS:
            self._abandon(device, epochs[0], now)
            self._events.forget_epoch(device.id, epochs[0])

    def _advance(self, device: PlannedDevice, epoch: int, mark: int | None, now: int) -> None:
        """Move the mark over the events that follow it without a gap; each has its effect."""
        if mark is not None:
            for event in self._following(device, epoch, mark):
                self._effects.event(device, epoch, event, now)
                mark = event.seq
        self._events.put_mark(device.id, epoch, mark, now)

    def _following(self, device: PlannedDevice, epoch: int, mark: int) -> Generator[StoredEvent]:
        """The stored events after the mark, up to the first that is missing."""
        while True:
            chunk = self._events.between(device.id, epoch, mark + 1, mark + _CHUNK)
            for event in chunk:
                if event.seq != mark + 1:
                    return
                yield event
                mark = event.seq
            if len(chunk) < _CHUNK:
                return

    def _cover(self, device: PlannedDevice, epoch: int, last: int, reason: str, now: int) -> int:
        """Move the mark to `last` and beyond; returns how many events up to `last` are missing.

        What is stored up to there has its effect; what is not becomes a hole.
        """
        mark = self._events.mark(device.id, epoch) or 0
        missing = 0
        following = mark + 1
        for event in self._events.between(device.id, epoch, mark + 1, last):
            if event.seq > following:
                self._events.add_hole(device.id, epoch, following, event.seq - 1, reason, now)
                missing += event.seq - following
            self._effects.event(device, epoch, event, now)
            following = event.seq + 1
        if following <= last:
            self._events.add_hole(device.id, epoch, following, last, reason, now)
            missing += last + 1 - following
        self._advance(device, epoch, max(mark, last), now)
        return missing

    def _gap(self, device: PlannedDevice, epoch: int, gap: GapData, now: int) -> None:
        """The journal overflowed: the events of the range that are not stored are lost."""
        mark = self._events.mark(device.id, epoch)
        if mark is None:
            self._know(device, epoch, now)
        if mark is None or mark < gap.first - 1:
            self._cover(device, epoch, gap.first - 1, "acked_by_earlier_store", now)
        if (self._events.mark(device.id, epoch) or 0) >= gap.last:
            self._counts["duplicates"] += 1
            return
        lost = self._cover(device, epoch, gap.last, "journal_overflow", now)
        if lost:
            self._counts["lost"] += lost
            details = {"epoch": epoch, "from": gap.first, "to": gap.last, "lost": lost}
            self._effects.alarm(device, "journal_overflow", details, now)

    def _abandon(self, device: PlannedDevice, epoch: int, now: int) -> None:
        """The device's journal was formatted: what is missing of the old one will not come."""
        waiting = self._events.last(device.id, epoch)
        mark = self._events.mark(device.id, epoch)
        if waiting <= (mark or 0):
            return
        if mark is None:
            first = self._events.first(device.id, epoch)
            self._cover(device, epoch, first - 1, "acked_by_earlier_store", now)
        lost = self._cover(device, epoch, waiting, "journal_replaced", now)
        if lost:
            self._counts["lost"] += lost
            details = {"epoch": epoch, "lost": lost}
            self._effects.alarm(device, "journal_replaced", details, now)

    def _poison(
        self, device: PlannedDevice, payload: bytes, fault: str, now: int
    ) -> tuple[int, int] | None:
        """A payload that cannot be taken. With a readable identity it counts as covered, so that
        the device can move on."""
        which = identity(payload)
        if which is None:
            self.unreadable(device, payload, fault, now)
            return None
        event = StoredEvent(which.seq, 0, 0, None, now, POISON, "")
        digest = sha256(payload).digest()
        fate = self._take(device, which.epoch, event, digest, payload)
        if fate == "stored":
            self._counts[f"nonsense.{device.id}"] += 1
            self._effects.poison(device, which.epoch, which.seq, fault, payload, now)
        return self._ack(device, which.epoch)

    def _quarantine(
        self,
        device: PlannedDevice,
        identity: tuple[int, int] | None,
        reason: str,
        payload: bytes,
        now: int,
    ) -> bool:
        self._counts["quarantined"] += 1
        return self._events.add_quarantine(device.id, identity, now, reason, payload)


def _data(device: PlannedDevice, event: DeviceEvent) -> EventData:
    kinds = KINDS[device.role]
    model = kinds.get(event.kind)
    if model is None:
        raise PayloadError(
            f"kind: {event.kind} is not one of a {device.role}'s: {', '.join(kinds)}"
        )
    data = parse_data(model, event.data)
    try:
        hall_profiles.validate_event(device.profile, event.kind, event.data)
    except hall_profiles.PayloadError as error:
        raise PayloadError(str(error)) from None
    if isinstance(data, GapData) and data.last != event.seq:
        raise PayloadError("data.to: a gap ends with the event's own seq")
    return data
