"""Everything behind the core, in the writer's thread: the store, the state, and who acts on them.

Here: putting the parts together, again after a failed commit. Not here: the parts; what is told of
a commit (snapshot.py); threads (writer.py); asyncio (core.py).
"""

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hall_gateway.accept import Accept
from hall_gateway.clock_jump import ORDER_MS, Jump, moved
from hall_gateway.commands import Commands
from hall_gateway.durations import Durations
from hall_gateway.effects import BootTimes, Effects, Touched
from hall_gateway.models import DeviceState
from hall_gateway.mqtt5 import Response
from hall_gateway.payload import PayloadError, command_id, parse
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.projection import Projection
from hall_gateway.rules import Rules
from hall_gateway.rules_file import RuleSet
from hall_gateway.schema import StoreOpenError, owned
from hall_gateway.snapshot import Snapshot, committed, health
from hall_gateway.state import HallState, Json
from hall_gateway.store import CROWDED, FULL, Store
from hall_gateway.store_contexts import ReplayWindow, Taken
from hall_gateway.store_dead_letters import DeadLetters
from hall_gateway.store_rules import Alert
from hall_gateway.store_sinks import Sinks
from hall_gateway.updates import Updates
from hall_gateway.values import DeviceOrder, OutboxRow, Reply, StoreFullError
from hall_gateway.wire import compact, one_line

FORGET_EVERY_MS = 60_000
"""How often old rows are looked for while the store has room."""

MAX_STRANGERS = 100
"""So many unknown devices are logged by name; all are counted."""

_log = logging.getLogger(__name__)


class Sent(NamedTuple):
    """up/event payloads of a device, in their order, received at unix ms `now`."""

    device: str
    payloads: Sequence[bytes]
    now: int


class Heart:
    """The writer's target. `publish` is called with a snapshot after every commit."""

    def __init__(
        self,
        plan: Plan,
        path: Path,
        max_mb: int,
        clock: Callable[[], int],
        publish: Callable[[Snapshot], None],
    ) -> None:
        self._plan = plan
        self._path = path
        self._max_mb = max_mb
        self._clock = clock
        self._publish = publish
        self.commits = Durations()
        self._snapshot = Snapshot()
        self._plan_before = plan  # of the last commit
        self._exit = ExitStack()
        self._times = BootTimes()
        self._counts: Counter[str] = Counter()
        self._counts_before = self._counts.copy()
        self._full = False
        self._stale = True
        self._forgot = 0
        self._listening = clock()  # since when devices are heard
        self.roll_out: Json = {}
        """Figures of the roll-out that is going on, as of the last tick."""
        self._ruleset: RuleSet | None = None
        self._strangers: set[str] = set()  # device ids that are refused, each logged once
        self._mistaken: set[str] = set()  # devices that report another profile, each told once

    # The writer's target.

    def open(self) -> None:
        """Raises StoreOpenError."""
        with ExitStack() as stack:
            stack.enter_context(owned(self._path))
            self._store = Store.open(self._path, self._max_mb)
            stack.callback(self._store.close)
            try:
                self._settle()
            except sqlite3.Error as error:
                raise StoreOpenError(f"{self._path}: {error}; check the disk") from None
            self._exit = stack.pop_all()

    def _settle(self) -> None:
        self.begin()
        self._follow_plan(self._clock())
        self.commit()

    def _follow_plan(self, now: int) -> None:
        """What devices should be may have changed with the plan, and who is heard."""
        self._store.events.release(self._plan.devices)
        self._effects.carry_out(self._effects.sessions.settle(now), now)
        for device in self._plan.revoked.values():
            if self._store.hall.device(device.id).online:
                self._effects.online(device, False, now, False)
        touched = self._effects.touched
        for device in self._plan.devices.keys() & self._state.desired.keys():
            touched.desired[device] = self._state.desired[device].body()
        touched.devices.update(self._plan.devices, self._plan.revoked)

    def begin(self) -> None:
        self._counts_before = self._counts.copy()
        self._store.begin()
        if self._stale:
            self._load()
            self._stale = False

    def commit(self) -> None:
        began = time.perf_counter()
        self._store.commit()
        self.commits.took(time.perf_counter() - began)
        if self._plan is not self._plan_before:
            self._plan_before = self._plan
            self._snapshot = Snapshot()
        self._tell()

    def rollback(self) -> None:
        """Forget the transaction; memory is loaded again before the next one."""
        self._stale = True
        self._plan = self._plan_before
        self._mistaken.clear()
        self._counts.clear()
        self._counts.update(self._counts_before)
        self._counts["failed_commits"] += 1
        try:
            self._store.rollback()
        except sqlite3.Error as error:
            _log.error("the store cannot roll back either: %s", error)
        health = {**self._snapshot.health, "failed_commits": self._counts["failed_commits"]}
        self._snapshot = replace(self._snapshot, health=health, news=(), answers={})
        self._publish(self._snapshot)

    def full(self) -> bool:
        full = self._store.used() >= FULL
        # No event waits at its device because of what has been reported long ago.
        while full and self._store.figures.forget_oldest_day(self._plan.occupancy.clock):
            full = self._store.used() >= FULL
        if full != self._full:
            self._full = full
            limit = f"{self._path}, limit {self._max_mb} MiB"
            if full:
                _log.error("the store is full (%s); nothing new is acked until it is not", limit)
            else:
                _log.warning("the store has room again (%s)", limit)
        return full

    def refuse(self) -> StoreFullError:
        self._counts["refused.store_full"] += 1
        return StoreFullError(f"{self._path} is at its limit of {self._max_mb} MiB")

    def close(self) -> None:
        self._exit.close()

    # Jobs: each runs in a transaction. `now` is unix ms.

    def follow(self, plan: Plan, now: int) -> None:
        """Another plan, from here on."""
        for id in self._plan.devices.keys() - plan.devices.keys():
            if self._store.hall.device(id).online:
                self._effects.online(self._plan.devices[id], False, now, False)
        touched = self._effects.touched  # by the jobs before this one in the transaction
        self._plan = plan
        self._strangers.clear()
        self._load()
        self._effects.touched = touched
        self._follow_plan(now)

    def event(self, device: str, payload: bytes, now: int) -> tuple[int, int] | None:
        planned = self._known(device)
        return planned and self._accept.event(planned, payload, now)

    def events(self, sent: Sequence[Sent]) -> list[dict[int, int]]:
        """For each that sent some the mark by epoch, in the order in which the epochs were heard of
        last. When one event cannot have its effect, only its own device's are taken one by one."""
        marks: list[dict[int, int]] = []

        def take() -> None:
            marks[:] = [self._marks(each) for each in sent]

        if self._effects.together(take):
            return marks
        if len(sent) > 1:
            return [mark for each in sent for mark in self.events([each])]
        take()
        return marks

    def _marks(self, sent: Sent) -> dict[int, int]:
        marks: dict[int, int] = {}
        for payload in sent.payloads:
            if mark := self.event(sent.device, payload, sent.now):
                marks.pop(mark[0], None)
                marks[mark[0]] = mark[1]
        return marks

    def state(
        self, device: str, payload: bytes, now: int, retained: bool
    ) -> tuple[int, int] | None:
        planned = self._known(device)
        if planned is None:
            return None
        try:
            report = parse(DeviceState, payload)
            journal, health = report.journal, report.health
            if journal.acked >= journal.next:
                raise PayloadError("journal.acked: it is not before next")
        except PayloadError as error:
            self._counts["refused.state"] += 1
            self._counts[f"nonsense.{device}"] += 1
            _log.warning("%s: up/state refused: %s", device, error)
            return None
        if not retained and health.up_s is not None and health.boot is not None:
            self._times.heard(device, journal.epoch, health.boot, health.up_s * 1000, now)
        row = replace(self._store.hall.device(device), state=payload.decode())
        if not retained:
            row = replace(row, seen=now)
            self.rules.reported(planned, payload, now)
        self._store.hall.put_device(device, row)
        self._effects.touched.devices.add(device)
        self._check_profile(planned, report.profile, now)
        if report.rev is not None:
            applied = self._effects.sessions.applied(planned, report.rev, now)
            self._effects.carry_out(applied, now)
        return self._accept.state(planned, journal, now)

    def online(self, device: str, online: bool, now: int, retained: bool) -> None:
        if planned := self._known(device):
            self._effects.online(planned, online, now, retained)

    def heard(self, device: str, now: int) -> None:
        if planned := self._known(device):
            row = replace(self._store.hall.device(device), seen=now)
            self._store.hall.put_device(device, row)
            self._effects.touched.devices.add(device)
            self._effects.online(planned, True, now, False)

    def unreadable(self, device: str, payload: bytes, fault: str, now: int) -> None:
        if planned := self._known(device):
            self._accept.unreadable(planned, payload, fault, now)

    def kept_out(self, device: str, code: str, until: int, now: int) -> None:
        """A device is not listened to until unix ms `until`."""
        if planned := self._plan.devices.get(device):
            self._effects.alarm(planned, code, {"until": until}, now)

    def take_context(self, device: str, key: str, now: int) -> Taken:
        return self._store.contexts.take(device, key, now)

    def keep_context(self, device: str, key: str, window: ReplayWindow, now: int) -> None:
        self._store.contexts.keep(device, key, window, now)

    def reply(self, device: str, payload: bytes, now: int) -> str | None:
        answered = self._commands.device_reply(device, payload) if self._known(device) else None
        if answered is not None:
            self.updates.answered(device, payload, now)
        return answered

    def command(self, name: str, payload: bytes, now: int, by: str | None = None) -> Reply | None:
        return self._commands.command(name, payload, now, by)

    def clock_jumped(self, jump: Jump) -> None:
        """What this run told by its clock goes with it."""
        _log.warning("the clock jumped by %d s; what is underway goes with it", jump.by // 1000)
        self._counts["clock_jumps"] += 1
        self._effects.carry_out(moved(self._state, jump), jump.before + jump.by)
        self._store.hall.move_orders(jump.by, jump.began, jump.before + ORDER_MS)
        self.rules.clock_jumped(jump)
        self.updates.clock_jumped(jump)
        self._listening += jump.by

    def tick(self, now: int, settled: bool = True) -> None:
        """`settled`: the clock is no newer than what it may delete by."""
        self._effects.carry_out(self._effects.sessions.tick(now), now)
        self._effects.carry_out(self._effects.occupancies.tick(now), now)
        self._commands.tick(now)
        self.rules.tick(now)
        self.roll_out = self.updates.tick(now, self._listening)
        if not 0 <= now - self._forgot < FORGET_EVERY_MS or self._store.used() >= CROWDED:
            self._forgot = now
            self._counts["forgotten"] += self._store.forget(now if settled else 0)
            if settled:
                self._store.figures.forget(now, self._plan.occupancy.clock)

    def follow_rules(self, ruleset: RuleSet) -> None:
        """Other rules from here on, kept as the last good ones."""
        self._ruleset = ruleset
        self._store.rule_states.put_file(ruleset.file, ruleset.text)
        self.rules.follow(ruleset)

    def last_rules(self) -> tuple[str, str] | None:
        """(name, text) of the last good rule file."""
        return self._store.rule_states.file()

    def take_device_commands(self) -> list[DeviceOrder]:
        return self._store.hall.take_orders()

    def request(
        self,
        name: str,
        payload: bytes,
        response: Response | None,
        expired: bool,
        now: int,
        link: str | None = None,
    ) -> Reply | None:
        """A command over MQTT 5 with where its reply goes, or one over another `link`. One that has
        expired is not carried out, and told so; when it was carried out before, it gets the reply
        of then. A late reply goes over the link that took the command first."""
        id = command_id(payload)
        known = id is not None and self._store.hall.command(id) is not None
        if id is not None and expired and not known:
            self._counts["commands.expired"] += 1
            error = "it has expired on its way; nothing was done"
            return Reply(id, compact({"id": id, "ok": False, "error": error}))
        reply = self._commands.command(name, payload, now)
        if reply is None and id is not None:
            if response is not None:
                self._store.hall.respond_at(id, response.topic, response.correlation)
            if link is not None and not known:
                self._store.hall.taken_by(id, link)
        return reply

    def replies(self, limit: int, link: str | None = None) -> list[Reply]:
        return self._store.hall.waiting_replies(limit, link)

    def replied(self, command_id: str) -> None:
        self._store.hall.reply_delivered(command_id)

    def outbox(self, sink: str, limit: int, after: int = 0) -> list[OutboxRow]:
        return self._store.sinks.outbox(sink, limit, after)

    def advance(self, sink: str, position: int, now: int) -> None:
        self._store.sinks.advance(sink, position, now)

    def alerts(self) -> list[Alert]:
        """Those that stand, the newest first."""
        return self._store.alerts.open()

    @property
    def hall_now(self) -> HallState:
        """The hall's state; for looking at, in the store's thread."""
        return self._state

    @property
    def store_id(self) -> str:
        """See Store.id."""
        return self._store.id

    @property
    def sinks(self) -> Sinks:
        return self._store.sinks

    def sink_trouble(self, sink: str, trouble: str | None, now: int) -> None:
        """Why a sink takes nothing, None while nothing is wrong."""
        if trouble is None:
            self.sinks.well(sink)
        else:
            self.sinks.failed(sink, trouble, None, now)
        self.tell("sinks")

    @property
    def dead_letters(self) -> DeadLetters:
        """Whoever changes them says so by tell("sinks")."""
        return self._store.dead_letters

    def tell(self, name: str) -> None:
        """There is news of that name when this transaction is committed."""
        self._effects.touched.news.add(name)

    def _load(self) -> None:
        self._state = self._store.hall.load()
        self._effects = Effects(self._plan, self._store, self._state, self._times, self._counts)
        self._effects.followers.append(Projection(self._store.figures, self._counts))
        self._accept = Accept(self._store, self._effects, self._times, self._counts)
        self._commands = Commands(self._plan, self._store.hall, self._effects, self._counts)
        self.rules = Rules(
            self._plan, self._store, self._state, self._effects, self._ruleset, self._counts
        )
        self.updates = Updates(
            self._plan, self._store, self._effects, self.rules.alerts, self._counts
        )
        self._effects.followers.append(self.updates.happened)

    def _known(self, device: str) -> PlannedDevice | None:
        planned = self._plan.devices.get(device)
        if planned is None:
            revoked = device in self._plan.revoked
            self._counts[f"refused.{'revoked' if revoked else 'unknown'}_device"] += 1
            if device not in self._strangers and len(self._strangers) < MAX_STRANGERS:
                self._strangers.add(device)
                why = "revoked" if revoked else "not in the gateway's settings"
                _log.warning("%s: refused: this device is %s", one_line(device), why)
        return planned

    def _check_profile(self, device: PlannedDevice, reported: str | None, now: int) -> None:
        """A board with another model's firmware in this place is told once, until it is right."""
        wanted = device.profile.name
        if reported in (None, wanted):
            self._mistaken.discard(device.id)
        elif device.id not in self._mistaken:
            self._mistaken.add(device.id)
            told = one_line(str(reported))
            _log.warning("%s: reports profile %s; the settings say %s", device.id, told, wanted)
            details: Json = {"reported": told, "expected": wanted}
            self._effects.alarm(device, "wrong_profile", details, now)

    def _tell(self) -> None:
        """Publish what the last transaction changed."""
        touched, self._effects.touched = self._effects.touched, Touched()
        figures = health(self._store, self._counts, self._full, self._clock())
        self._snapshot = committed(self._snapshot, touched, self._store, self._state, figures)
        self._publish(self._snapshot)
