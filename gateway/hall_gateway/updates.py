"""The roll-out of a release, carried out: commands to devices, what they tell, alerts, the store.

Here: putting the pure steps (rollout.py) into effect, in the store's thread. Not here: a release's
files (release_store.py), who may begin one (updates_api.py).

A step and the commands that follow from it are in one transaction: a gateway that starts again in
the middle goes on from there, and nothing is told twice that was told.
"""

import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from hall_profiles.model import Board

from hall_gateway import rollout as steps
from hall_gateway.clock_jump import Jump
from hall_gateway.commands import MAX_ORDERS
from hall_gateway.effects import Effects, Published
from hall_gateway.models import DeviceReply
from hall_gateway.payload import PayloadError, parse
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.rollout_model import Member, Phase, RollOut, Seen, Target, Tell
from hall_gateway.rules_alerts import AlertBook, Raise
from hall_gateway.state import Json, RefusedError
from hall_gateway.store import Store
from hall_gateway.values import DeviceOrder
from hall_gateway.wire import compact

ORDER_S = 60
"""A device has so long to answer the command; the download goes on by itself."""
RULE = "firmware-update"
"""Of the alert."""
_PLACE = "hall"
_PREFIX = "hall.update."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Offer:
    """A release that is in the release store: what each chip takes of it, and its family."""

    version: str
    counter: int
    targets: Mapping[str, Target]
    chips: Mapping[str, str]


class Updates:
    """Roll-outs of one hall."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        effects: Effects,
        alerts: AlertBook,
        counts: Counter[str],
    ) -> None:
        self._plan = plan
        self._store = store
        self._rows = store.roll_outs
        self._effects = effects
        self._alerts = alerts
        self._counts = counts

    def begin(self, offer: Offer, devices: Collection[str], by: str, now: int) -> RollOut:
        """Roll a release out to all devices that it fits, or to `devices` alone, which are then one
        ring. Raises RefusedError."""
        self._check(offer)
        chosen = self._chosen(offer, devices)
        targets = {family: offer.targets[family] for family in set(chosen.values())}
        key = ",".join(sorted(target.id for target in offer.targets.values()))
        online = [(device, bool(self._store.hall.device(device).online)) for device in chosen]
        ring = dict.fromkeys(chosen, 0) if devices else steps.rings(online, key)
        members = tuple(
            Member(device, chosen[device], ring[device])
            for device in sorted(chosen, key=lambda name: (ring[name], name))
        )
        id = self._rows.next_id()
        begun = RollOut(id, offer.version, offer.counter, targets, members, by, now)
        self._over(now)
        self._put(begun)
        _log.info("release %s is rolled out to %d devices (%s)", offer.version, len(members), by)
        return begun

    def stop(self, by: str, now: int) -> RollOut:
        """Raises RefusedError."""
        current = self._current()
        if current.state == "stopped":
            raise RefusedError(f"the roll-out of {current.version} is stopped already")
        _log.warning("the roll-out of %s is stopped by %s", current.version, by)
        return self._put(steps.stopped(current, by, now))

    def resume(self, by: str, now: int) -> RollOut:
        """Raises RefusedError."""
        current = self._current()
        if current.state != "stopped":
            raise RefusedError(f"the roll-out of {current.version} is not stopped; nothing to do")
        self._over(now)
        _log.warning("the roll-out of %s goes on (%s)", current.version, by)
        return self._put(steps.resumed(current, now))

    def used(self) -> list[str]:
        """Ids of manifests that devices may still ask for."""
        current = self._rows.current()
        return [target.id for target in current.targets.values()] if current else []

    def all(self) -> list[RollOut]:
        """What is remembered of roll-outs, the newest first."""
        return self._rows.all()

    def reported(self) -> list[Json]:
        """Each device's firmware, as it has reported it."""
        rows = {device: self._store.hall.device(device) for device in self._plan.devices}
        return [
            {"device": device, "online": bool(row.online), "update": update_of(row.state) or None}
            for device, row in rows.items()
        ]

    def tick(self, now: int, listening: int) -> Json:
        """What the time, and how the devices are now, lead to. `listening`: unix ms at which the
        gateway started. Returns the figures of what is going on."""
        current = self._rows.current()
        if current is None:
            return _figures(None)
        until = self._plan.updates.until(self._plan.occupancy.clock, now)
        if steps.rests(current, until):
            return _figures(current)
        seen = {m.device: self._seen(m.device) for m in current.members if self._has(m.device)}
        after, tells = steps.decide(current, seen, until, now, listening)
        if after.state == "stopped" and not after.alerted and after.why != steps.BY_HAND:
            self._raise(after, now)
            after = replace(after, alerted=True)
        if after != current:
            self._put(after)
        for tell in tells:
            self._tell(after, tell, now)
        return _figures(after)

    def happened(self, published: Published, now: int) -> None:
        """A CloudEvent went out: a device's own about its update counts here."""
        emit = published.emit
        if not emit.type.startswith(_PREFIX) or (current := self._rows.current()) is None:
            return
        device, verb = published.id.partition("/")[0], emit.type.removeprefix(_PREFIX)
        version, why = emit.data["version"] or "", emit.data.get("reason", "")
        self._after(current, steps.heard(current, device, verb, version, why, now))

    def answered(self, device: str, payload: bytes, now: int) -> None:
        """A device has answered a command that was this one's: an error means that it will not."""
        try:
            reply = parse(DeviceReply, payload)
        except PayloadError:
            return
        current = self._rows.current()
        if current is None or reply.ok or not reply.id.startswith(_orders_of(current)):
            return
        why = _plain((reply.error or "").partition(":")[0]) or "refused"
        self._after(current, steps.refused(current, device, why, now))

    def clock_jumped(self, jump: Jump) -> None:
        """The roll-out's times go along with the clock."""
        if (current := self._rows.current()) is not None:
            self._put(steps.moved(current, jump.by))

    def _after(self, before: RollOut, after: RollOut) -> None:
        if after != before:
            self._put(after)

    def _put(self, rollout: RollOut) -> RollOut:
        self._rows.put(rollout)
        self._effects.touched.news.add("updates")
        return rollout

    def _current(self) -> RollOut:
        current = self._rows.current()
        if current is None:
            raise RefusedError("no release is being rolled out; begin with: hall update roll-out")
        return current

    def _check(self, offer: Offer) -> None:
        current = self._rows.current()
        if current is not None and current.state == "running":
            raise RefusedError(
                f"version {current.version} is being rolled out; stop that first: hall update stop"
            )
        for other in self._rows.all():
            differs = any(offer.targets.get(f, t) != t for f, t in other.targets.items())
            if other.version == offer.version and differs:
                raise RefusedError(
                    f"another release with the version {offer.version} was rolled out before; "
                    "devices tell them apart by it: build this one with another"
                )
            taken = any(member.phase == "confirmed" for member in other.members)
            if taken and other.counter > offer.counter:
                raise RefusedError(
                    f"its counter is {offer.counter}, but devices have taken version "
                    f"{other.version} with {other.counter}, and take none that is lower; build it "
                    f"with --counter {other.counter} or more"
                )

    def _chosen(self, offer: Offer, named: Collection[str]) -> dict[str, str]:
        """The family of each device that the release is for."""
        for device in named:
            if device not in self._plan.devices:
                known = ", ".join(self._plan.devices) or "none"
                raise RefusedError(f"device: {device} is not in this hall; give one of {known}")
            if why := _unfit(self._plan.devices[device], offer):
                raise RefusedError(f"device: {device}: {why}")
        wanted = [self._plan.devices[device] for device in named or self._plan.devices]
        fit = [device for device in wanted if not _unfit(device, offer)]
        if not fit:
            raise RefusedError("no device of this hall can take the release")
        return {device.id: offer.chips[_chip(device)] for device in fit}

    def _has(self, device: str) -> bool:
        return device in self._plan.devices

    def _seen(self, device: str) -> Seen:
        row = self._store.hall.device(device)
        reported = update_of(row.state)
        return Seen(bool(row.online), reported.get("s"), reported.get("v"))

    def _tell(self, rollout: RollOut, tell: Tell, now: int) -> None:
        hall = self._store.hall
        if hall.orders(tell.device) >= MAX_ORDERS:
            self._counts["refused.order"] += 1
            return
        args: Json = {"release": None}
        if tell.release is not None:
            args = {"release": tell.release.id, "size": tell.release.size, "until": tell.until}
        id = f"{_orders_of(rollout)}{self._store.next_own_seq()}"
        body = compact({"id": id, "do": "update", "args": args, "ttl_s": ORDER_S})
        hall.add_order(DeviceOrder(id, tell.device, body), now + ORDER_S * 1000)
        self._effects.touched.device_commands = True

    def _raise(self, rollout: RollOut, now: int) -> None:
        device, why = rollout.device, rollout.why
        _log.error("the roll-out of %s is stopped: %s: %s", rollout.version, device, why)
        title = {"zh": "固件更新已停止", "en": "The firmware update has stopped"}
        text = {
            "zh": f"{rollout.version}：设备 {device}（{why}）。检查后继续：hall update resume",
            "en": f"{rollout.version}: device {device} ({why}). When that is seen to: "
            "hall update resume",
        }
        self._alerts.begin(Raise(RULE, _PLACE, "hall", "critical", title, text, 0), now)

    def _over(self, now: int) -> None:
        """Nothing to be alarmed about any more."""
        if (standing := self._store.alerts.standing(RULE, _PLACE)) is not None:
            self._alerts.clear(standing.id, now)


def update_of(state: str | None) -> dict[str, Any]:
    """`update` of a reported state: `v`, `slot`, `s` and `p` as far as they are what a device of
    ours says, for people read them on a terminal; nothing of a device that reports none."""
    found: object = json.loads(state).get("update") if state else None
    if not isinstance(found, dict):
        return {}
    said = cast("dict[str, object]", found)
    words = {name: word for name in ("v", "slot", "s") if isinstance(word := said.get(name), str)}
    percent = {"p": part} if isinstance(part := said.get("p"), int) else {}
    return {name: _plain(word) for name, word in words.items()} | percent


def _plain(text: str) -> str:
    """What can be shown of a device's own words."""
    return "".join(c for c in text if c.isprintable()).strip()[:32]


def _figures(current: RollOut | None) -> Json:
    phases = Counter(dict.fromkeys(get_args(Phase), 0))
    phases.update(member.phase for member in (current.members if current else ()))
    stopped = current is not None and current.state == "stopped"
    return {"stopped": int(stopped), "phases": phases}


def _orders_of(rollout: RollOut) -> str:
    return f"update-{rollout.id}-"


def _chip(device: PlannedDevice) -> str:
    board = device.profile.board
    return board.chip if isinstance(board, Board) else ""


def _unfit(device: PlannedDevice, offer: Offer) -> str | None:
    """Why a device cannot take the release over the network; None when it can."""
    if device.profile.transport == "coap":
        return "it sleeps on its battery; update it over the cable: hall flash"
    if device.profile.transport == "gateway":
        return "it is a part of this gateway"
    if _chip(device) not in offer.chips:
        return f"the release has nothing for its chip, {_chip(device)}"
    return None
