"""What follows from an accepted event or command, as rows: outbox, hall state, desired state.

Here: carrying out what the state machine decides, with identity and time for every CloudEvent. Not
here: deciding it (sessions.py), accepting events (accept.py), committing (writer.py).
"""

import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from hall_gateway.config import GATEWAY_ID
from hall_gateway.events import Quality, cloud_event, event_id, reported, topic
from hall_gateway.keypads import Heard
from hall_gateway.models import (
    KINDS,
    BootData,
    CardData,
    CloseData,
    EventData,
    FaultData,
    PassageData,
    PinData,
    PressData,
    ReasonData,
    ShownData,
)
from hall_gateway.occupancy import Occupancies
from hall_gateway.payload import PayloadError, parse_data
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.sessions import RefusedError, Sessions
from hall_gateway.state import (
    Desired,
    Emit,
    HallState,
    Json,
    Kept,
    Keypad,
    Order,
    Outcome,
    identity,
)
from hall_gateway.store import Store
from hall_gateway.store_events import StoredEvent
from hall_gateway.values import DeviceOrder
from hall_gateway.wire import compact

MAX_OWN_ORDERS = 8
"""Answers that a device may owe before the gateway orders nothing of its own accord."""

ORDER_MS = 10_000
"""A device has so long to do what the gateway orders of its own accord."""

POISON = ""
"""Stored in place of the kind of an event that is in quarantine: it has no effect."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


class BootTimes:
    """When each device's boots began, as far as the gateway can tell.

    For events of a device whose clock was not set: an event cannot have happened after it was
    received, so the smallest difference of received time and uptime is the best guess.
    """

    _BOOTS = 4

    def __init__(self) -> None:
        self._began: dict[str, dict[tuple[int, int], int]] = {}

    def heard(self, device: str, epoch: int, boot: int, up: int, now: int) -> None:
        """Something with uptime `up` ms arrived at unix ms `now`."""
        boots = self._began.setdefault(device, {})
        began = min(now - up, boots.pop((epoch, boot), now - up))
        boots[epoch, boot] = began
        while len(boots) > self._BOOTS:
            del boots[next(iter(boots))]

    def time(self, device: str, epoch: int, event: StoredEvent) -> tuple[int, Quality]:
        """Unix ms of the event, and how good that is."""
        if event.t is not None:
            return event.t, "synced"
        began = self._began.get(device, {}).get((epoch, event.boot))
        guess = event.received if began is None else min(began + event.up, event.received)
        return max(guess, 0), "estimated"


@dataclass
class Touched:
    """What a batch changed, for those who wait for it; `news` are further signals' names."""

    desired: dict[str, bytes] = field(default_factory=dict[str, bytes])
    devices: set[str] = field(default_factory=set[str])
    outbox: bool = False
    device_commands: bool = False
    replies: bool = False
    news: set[str] = field(default_factory=set[str])
    answers: dict[str, bytes] = field(default_factory=dict[str, bytes])


class Published(NamedTuple):
    """A CloudEvent that was just put into the outbox, for the first time. `time` is unix ms."""

    id: str
    emit: Emit
    time: int
    quality: Quality


Follower = Callable[[Published, int], None]
"""Called with what was published and now (unix ms), in the transaction that publishes it."""


class Effects:
    """Carries outcomes out in `store`, and notes in `touched` what changed.

    `followers` see every CloudEvent, each once; what they keep outside of the store and the
    hall's state must bear being told again, for a transaction can be taken back.
    """

    def __init__(
        self, plan: Plan, store: Store, state: HallState, times: BootTimes, counts: Counter[str]
    ) -> None:
        self.touched = Touched()
        self.followers: list[Follower] = []
        self.sessions = Sessions(plan, state)
        self.occupancies = Occupancies(plan.occupancy, state)
        self._hall = plan.hall
        self._state = state
        self._store = store
        self._times = times
        self._counts = counts
        self._own_epoch = store.own_epoch
        self._together = False
        self._kept: dict[object, Kept] = {}
        """While several events have their effect together: what is to be kept in the end."""

    def event(
        self,
        device: PlannedDevice,
        epoch: int,
        event: StoredEvent,
        now: int,
        data: EventData | None = None,
    ) -> None:
        """The effect of a stored event whose turn it is: all of it, or that it is in quarantine.
        `data`: the event's, where it was read already.

        No defect in one event may stop its device for ever. Raises only sqlite3.Error.
        """
        if event.kind == POISON:
            return
        if self._together:
            self._act(device, epoch, event, now, data)
            return
        counts = dict(self._counts)
        self._store.savepoint("effect")
        try:
            self._act(device, epoch, event, now, data)
        except sqlite3.Error:
            raise
        except (PayloadError, RefusedError) as error:
            self._take_back("effect", counts)
            self.poison(device, epoch, event.seq, str(error), event.data.encode(), now)
        except Exception as error:
            _log.exception("%s, seq %d: no effect", device.id, event.seq)
            self._take_back("effect", counts)
            fault = f"no effect: {type(error).__name__}"
            self.poison(device, epoch, event.seq, fault, event.data.encode(), now)
        self._store.release("effect")

    def attempt(self, work: Callable[[], T]) -> T:
        """What `work` returns. When it raises, all that it did is taken back, in memory too, and
        nothing else; with a sqlite3.Error the whole transaction has to be."""
        self._write_kept()
        counts = dict(self._counts)
        self._store.savepoint("effect")
        try:
            done = work()
        except sqlite3.Error:
            raise
        except Exception:
            self._take_back("effect", counts)
            self._store.release("effect")
            raise
        self._store.release("effect")
        return done

    def poison(
        self, device: PlannedDevice, epoch: int, seq: int, fault: str, body: bytes, now: int
    ) -> None:
        """An event that is covered without effect: kept, counted and told."""
        self._counts["quarantined"] += 1
        self._counts["refused.poison"] += 1
        self._store.events.add_quarantine(device.id, (epoch, seq), now, fault, body)
        details = {"epoch": epoch, "seq": seq, "reason": fault}
        self.alarm(device, "refused_event", details, now)

    def together(self, work: Callable[[], None]) -> bool:
        """Whether `work` was done, in which events have their effect without a savepoint for each:
        SQLite copies every page that is written after one. When one of them cannot have its
        effect, all that `work` did is taken back; do it again without this. Raises sqlite3.Error.
        """
        counts = dict(self._counts)
        self._store.savepoint("together")
        self._together = done = True
        try:
            work()
            self._write_kept()
        except sqlite3.Error:
            raise
        except Exception as error:
            _log.debug("each by itself: %r", error)
            self._take_back("together", counts)
            done = False
        finally:
            self._together = False
        self._store.release("together")
        return done

    def _write_kept(self) -> None:
        for kept in self._kept.values():
            self._store.hall.keep(kept)
        self._kept.clear()

    def _take_back(self, savepoint: str, counts: dict[str, int]) -> None:
        """Undo what was done since the savepoint, in memory too."""
        self._store.take_back(savepoint)
        self._kept.clear()
        self._state.become(self._store.hall.load())
        desired = self._state.desired
        self.touched.desired = {
            id: desired[id].body() for id in self.touched.desired if id in desired
        }
        self._counts.clear()
        self._counts.update(counts)

    def _act(
        self,
        device: PlannedDevice,
        epoch: int,
        event: StoredEvent,
        now: int,
        data: EventData | None,
    ) -> None:
        if data is None:
            model = KINDS[device.role].get(event.kind)
            if model is None:  # the registry has given this id to another kind of device
                raise PayloadError(f"kind: {event.kind} is not one of a {device.role}'s")
            data = parse_data(model, json.loads(event.data))
        time, quality = self._times.time(device.id, epoch, event)
        id = event_id(device.id, epoch, event.seq)
        heard = Heard(event.boot, event.up, time, id)
        outcome = self._meaning(device, event, data, heard, now)
        self.carry_out(outcome, now)
        for emit in outcome.emits:
            if not emit.own:
                self._publish(id, emit, time, quality, now)

    def carry_out(self, outcome: Outcome, now: int) -> None:
        """Store what changed, and publish what the gateway itself has to say."""
        for kept in outcome.kept:
            if self._together:
                self._kept[identity(kept)] = kept
            else:
                self._store.hall.keep(kept)
            if isinstance(kept, Desired):
                self.touched.desired[kept.device] = kept.body()
            elif isinstance(kept, Keypad):
                self.touched.devices.add(kept.device)
        for order in outcome.orders:
            self._order(order, now)
        for emit in outcome.emits:
            if emit.own:
                seq = self._store.next_own_seq()
                self._publish(event_id(GATEWAY_ID, self._own_epoch, seq), emit, now, "synced", now)

    def _order(self, order: Order, now: int) -> None:
        """A device that owes many answers is not asked for more: what it should do is for now."""
        if self._store.hall.orders(order.device) >= MAX_OWN_ORDERS:
            self._counts["refused.order"] += 1
            return
        id = f"{GATEWAY_ID}-{self._own_epoch:x}-{self._store.next_own_seq()}"
        body: Json = {"id": id, "do": order.do, "args": order.args}
        whole = compact(body | {"ttl_s": ORDER_MS // 1000})
        self._store.hall.add_order(DeviceOrder(id, order.device, whole), now + ORDER_MS)
        self.touched.device_commands = True

    def alarm(self, device: PlannedDevice, code: str, details: Json, now: int) -> None:
        """hall.device.fault about a device, from the gateway."""
        data = {"device": device.id, "code": code, **details}
        self.carry_out(Outcome([Emit("hall.device.fault", device.subject, data)]), now)

    def online(self, device: PlannedDevice, online: bool, now: int, retained: bool) -> None:
        """up/online; only a change is published, and for a new device only that it came."""
        row = self._store.hall.device(device.id)
        if row.online == online:
            return
        seen = row.seen if retained else now
        self._store.hall.put_device(device.id, replace(row, online=online, seen=seen))
        self.touched.devices.add(device.id)
        if online or row.online is not None:
            verb = "online" if online else "offline"
            emit = Emit(f"hall.device.{verb}", device.subject, {"device": device.id})
            self.carry_out(Outcome([emit]), now)

    def _meaning(
        self,
        device: PlannedDevice,
        event: StoredEvent,
        data: EventData,
        heard: Heard,
        now: int,
    ) -> Outcome:
        match data:
            case PassageData():
                outcome = self.occupancies.passage(device.subject, data, heard.at, now)
            case PressData():
                return self.sessions.press(device, heard, data)
            case CloseData():
                return self.sessions.close(device, heard, data, now)
            case ReasonData():
                return self.sessions.reason(device, heard, data)
            case CardData():
                return self.sessions.login(device, heard, f"{data.bits}:{data.code}", now)
            case PinData():
                return self.sessions.login(device, heard, f"pin:{data.code}", now)
            case ShownData():
                return self.sessions.shown(device, data)
            case FaultData(code="key_stuck", value=int(key)):
                outcome = self.sessions.stuck(device, heard, key)
            case BootData() if device.role == "keypad":
                outcome = self.sessions.restarted(device, heard)
            case _:
                outcome = Outcome()
        emit = reported(device.role, event.kind, data, device.subject)
        if emit is not None:
            outcome.emits.append(emit)
        return outcome

    def _publish(self, id: str, emit: Emit, time: int, quality: Quality, now: int) -> None:
        body = cloud_event(self._hall, id, emit, time, quality)
        added = self._store.sinks.add(id, topic(emit.type), body, now)
        self._counts[f"published.{emit.type}" if added else "published_before"] += 1
        self.touched.outbox = True
        if added:
            for follower in self.followers:
                follower(Published(id, emit, time, quality), now)
