"""Rolling a release out: which device is told when, when the next ring begins, and when it stops.

Here: pure steps from one state to the next, with the time handed in. Not here: the states
(rollout_model.py), what carries a step out (updates.py), a release's files (release_store.py).

Rings are so many per cent of the devices. A ring begins when every device of those before it has
confirmed the release: it runs it, the gateway has acked something of it, and it has been well for a
minute. One that refuses, goes back to what it ran before, or says nothing stops all of it, and only
a person starts it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from hall_gateway.rollout_model import Member, RollOut, Seen, Tell

RINGS = (5, 25, 100)
"""Per cent of the devices that have the release when a ring is through."""
CONFIRM_MS = 45 * 60_000
"""From the command to the confirmation: the device itself gives up a trial after 30 minutes."""
ABSENT_MS = 45 * 60_000
"""A device that is away so long changes places with one of a later ring that is there."""
REPEAT_MS = 5 * 60_000
"""A device that shows no sign of the command for so long has lost it: it has started anew."""

LATE, NO_ANSWER, UNCONFIRMED, BY_HAND = "late", "no_answer", "unconfirmed", "by_hand"
_AT_WORK = ("fetch", "wait", "trial")
_TRIAL, _CONFIRMED = "trial", "confirmed"


def rings(devices: Iterable[tuple[str, bool]], release: str) -> dict[str, int]:
    """The ring of each (device, online), from 0 without a gap: few devices have fewer rings. Who is
    there comes first; otherwise it is another order for each release, so that not always the same
    devices are the first."""

    def place(device: tuple[str, bool]) -> tuple[bool, bytes]:
        name, online = device
        return not online, sha256(f"{release}/{name}".encode()).digest()

    ordered = sorted(devices, key=place)
    ends = sorted({-(-len(ordered) * percent // 100) for percent in RINGS})
    return {
        name: next(ring for ring, end in enumerate(ends) if at < end)
        for at, (name, _) in enumerate(ordered)
    }


def decide(
    rollout: RollOut, seen: Mapping[str, Seen], until: int | None, now: int, listening: int = 0
) -> tuple[RollOut, list[Tell]]:
    """What follows from how the devices are at unix ms `now`. `seen` has the devices that are still
    in the hall; `until` is when the hours for updates end, None outside of them; `listening` is
    since when the gateway has heard its devices without a break."""
    here = tuple(member for member in rollout.members if member.device in seen)
    if len(here) != len(rollout.members):
        rollout = replace(rollout, members=here)
    if rollout.state == "done":
        return rollout, []
    rollout = _with(rollout, [_read(m, seen[m.device], rollout, now) for m in here])
    if rollout.state == "stopped":
        return _call_off(rollout, seen)
    for member in rollout.members:
        at_it = member.phase not in ("confirmed", "failed") and member.began
        if at_it and now - max(member.began, listening) > CONFIRM_MS:
            return _failed(rollout, member, UNCONFIRMED, now), []
    rollout = _next_ring(rollout, now)
    if rollout.state == "done":
        return rollout, []
    if until is None:
        return _closed(rollout), []
    if rollout.turn is None:
        rollout = replace(rollout, turn=now)
    rollout = _swapped(rollout, seen, now)
    return _told(rollout, seen, until, now)


def rests(rollout: RollOut, until: int | None) -> bool:
    """Whether nothing follows from how the devices are: all wait for a person, or for the night."""
    left = [m for m in rollout.members if m.phase not in ("confirmed", "failed")]
    if any(m.phase != "waiting" or m.began for m in left):
        return False
    if rollout.state == "stopped":
        return rollout.alerted or rollout.why == BY_HAND
    return until is None and bool(left) and rollout.turn is None


def heard(rollout: RollOut, device: str, verb: str, version: str, why: str, now: int) -> RollOut:
    """After a device's own event: `verb` staged, confirmed, refused or reverted."""
    member = next((m for m in rollout.members if m.device == device), None)
    if member is None or rollout.state == "done":
        return rollout
    if verb == "confirmed" and member.phase == "staged":
        # Whatever the application calls itself: it is what was staged, for one follows the other.
        return _with(rollout, [_confirmed(member)])
    if version not in ("", rollout.version):
        return rollout
    at_it = member.phase in ("ordered", "staged")
    match verb:
        case "staged" if member.phase in ("waiting", "ordered"):
            began = member.began or now
            return _with(rollout, [replace(member, phase="staged", began=began)])
        case "confirmed":
            return _with(rollout, [_confirmed(member)])
        case "refused" if why == LATE:
            return _with(rollout, [_waiting(member)] if at_it else [])
        case "refused" if why == NO_ANSWER:
            # The gateway was away; how long that may last is limited all the same.
            return _with(rollout, [replace(member, phase="waiting")] if at_it else [])
        case "refused" if at_it:
            return _failed(rollout, member, why, now)
        case "reverted" if at_it or member.phase == "confirmed" or version:
            return _failed(rollout, member, why, now)
        case _:
            return rollout


def refused(rollout: RollOut, device: str, why: str, now: int) -> RollOut:
    """After a device answered the command with an error."""
    member = next((m for m in rollout.members if m.device == device), None)
    if member is None or rollout.state != "running" or member.phase != "ordered" or why == _TRIAL:
        return rollout
    return _failed(rollout, member, why, now)


def stopped(rollout: RollOut, by: str, now: int) -> RollOut:
    """Stopped by a person."""
    return replace(rollout, state="stopped", why=BY_HAND, stopped_by=by, device=None, ended=now)


def resumed(rollout: RollOut, now: int) -> RollOut:
    """Going on after a stop: who failed has another turn."""
    members = [
        replace(m, began=now) if m.phase == "staged" else _waiting(m)
        for m in rollout.members
        if m.phase != "confirmed"
    ]
    running = replace(
        rollout,
        state="running",
        turn=None,
        why="",
        device=None,
        stopped_by=None,
        ended=None,
        alerted=False,
    )
    return _with(running, members)


def moved(rollout: RollOut, by: int) -> RollOut:
    """After the clock was moved by so many ms."""
    members = [
        replace(m, began=m.began and m.began + by, sent=m.sent and m.sent + by)
        for m in rollout.members
    ]
    turn = None if rollout.turn is None else rollout.turn + by
    return _with(replace(rollout, turn=turn), members)


def _read(member: Member, seen: Seen, rollout: RollOut, now: int) -> Member:
    """What the device's reported state says of it; its events say it too, but may be behind."""
    if seen.version != rollout.version:
        return member
    if seen.says == _CONFIRMED and member.phase in ("ordered", "staged"):
        return _confirmed(member)
    if seen.says == _TRIAL and member.phase in ("waiting", "ordered"):
        return replace(member, phase="staged", began=member.began or now)
    return member


def _next_ring(rollout: RollOut, now: int) -> RollOut:
    left = [m.ring for m in rollout.members if m.phase != "confirmed"]
    if not left:
        return replace(rollout, state="done", ended=now)
    if min(left) > rollout.ring:
        return replace(rollout, ring=min(left), turn=None)
    return rollout


def _closed(rollout: RollOut) -> RollOut:
    """Outside of the hours: whoever has not switched does not any more, and is told again."""
    back = [_waiting(member) for member in rollout.members if member.phase == "ordered"]
    return _with(replace(rollout, turn=None), back)


def _swapped(rollout: RollOut, seen: Mapping[str, Seen], now: int) -> RollOut:
    """Nobody waits for ever for a device that is switched off: it goes to the end, and one that is
    there comes in its place, for a ring without devices would say nothing."""
    last = len(RINGS) - 1
    if rollout.turn is None or now - rollout.turn < ABSENT_MS:
        return rollout
    here = [m for m in rollout.members if m.phase == "waiting" and seen[m.device].online]
    later = [m for m in here if m.ring > rollout.ring]
    away = [
        m
        for m in rollout.members
        if m.ring == rollout.ring < last and m.phase == "waiting" and not seen[m.device].online
    ]
    pairs = list(zip(away, later, strict=False))
    swapped = [replace(absent, ring=last) for absent, _ in pairs]
    return _with(rollout, [*swapped, *(replace(m, ring=rollout.ring) for _, m in pairs)])


def _told(
    rollout: RollOut, seen: Mapping[str, Seen], until: int, now: int
) -> tuple[RollOut, list[Tell]]:
    due = [m for m in rollout.members if m.ring <= rollout.ring and _due(m, seen[m.device], now)]
    tells = [Tell(m.device, rollout.targets[m.family], until) for m in due]
    ordered = [replace(m, phase="ordered", began=m.began or now, sent=now) for m in due]
    return _with(rollout, ordered), tells


def _due(member: Member, seen: Seen, now: int) -> bool:
    if not seen.online:
        return False
    lost = seen.says not in _AT_WORK and now - member.sent >= REPEAT_MS
    return member.phase == "waiting" or (member.phase == "ordered" and lost)


def _call_off(rollout: RollOut, seen: Mapping[str, Seen]) -> tuple[RollOut, list[Tell]]:
    """No further device switches after a stop; one that is away is told when it comes."""
    off = [m for m in rollout.members if m.phase == "ordered" and seen[m.device].online]
    return _with(rollout, map(_waiting, off)), [Tell(m.device) for m in off]


def _failed(rollout: RollOut, member: Member, why: str, now: int) -> RollOut:
    """One that fails stops it; of several, the first is told."""
    failed = _with(rollout, [replace(member, phase="failed", why=why)])
    if rollout.state != "running":
        return failed
    return replace(failed, state="stopped", why=why, device=member.device, ended=now)


def _waiting(member: Member) -> Member:
    return replace(member, phase="waiting", began=0, sent=0, why="")


def _confirmed(member: Member) -> Member:
    return replace(member, phase="confirmed", why="")


def _with(rollout: RollOut, changed: Iterable[Member]) -> RollOut:
    """`rollout` with those members in place of those of the same device."""
    by = {member.device: member for member in changed}
    if not by:
        return rollout
    members: Sequence[Member] = [by.get(m.device, m) for m in rollout.members]
    return replace(rollout, members=tuple(members))
