"""Rating sessions: which press counts, and what a service's rating is.

Here: the rules, as pure functions of events and state. Not here: when a session opens
(sessions.py), and the time inside a session, which is the keypad's own: presses are judged by the
keypad's uptime, never by when they arrived.

One verdict a session. The last press within 3 s of the first wins; no press is `none`, never
"good". A press that cannot count is quarantined with its reason, never dropped.
"""

from dataclasses import replace

from hall_profiles import MARKS

from hall_gateway.models import CloseData, PressData
from hall_gateway.plan import PlannedDevice
from hall_gateway.state import Emit, HallState, Json, Outcome, Press, Rating
from hall_gateway.wire import rfc3339

LOCK_MS = 3_000
"""A press this long after the first, or later, is locked out (DESIGN.md, What a rating is)."""

PENDING_MS = 24 * 3600 * 1000
"""A session whose keypad says nothing for this long was not prompted."""

KEPT_CLOSED = 16
"""Closed sessions remembered for each keypad, to tell a late press from a stray one."""

# What a keypad's `close` means when nobody pressed. A lock follows a press, so a lock without one
# means that the press was lost with an overflowed journal.
_NONE_REASON = {
    "end": "timeout",
    "next": "next_call",
    "late": "not_prompted",
    "lock": "press_lost",
}


def press(
    state: HallState, device: PlannedDevice, boot: int, up: int, data: PressData, at: int
) -> Outcome:
    """A press is either `pressed` or `quarantined`. `up` is ms since boot `boot`, `at` unix ms."""
    outcome = Outcome()
    rating = None if data.session is None else state.ratings.get((device.id, data.session))
    mark = device.mark(data.key)
    told = _service(rating) if rating else {"ticket": None, "window": device.window}
    told |= {"session": data.session, "key": data.key, "mark": mark}
    if rating is None:
        reason = "out_of_session"
    elif mark is None:
        reason = "unknown_key"
    else:
        reason = _refusal(rating, boot, up)
        if reason is None:
            pressed = Press(data.key, mark, boot, up, at)
            outcome.keep(state, replace(rating, presses=(*rating.presses, pressed)))
            outcome.emits.append(Emit("hall.rating.pressed", device.subject, told, own=False))
            return outcome
    told["reason"] = reason
    outcome.emits.append(Emit("hall.rating.quarantined", device.subject, told, own=False))
    return outcome


def _refusal(rating: Rating, boot: int, up: int) -> str | None:
    """Why a press of this session does not count; None when it does."""
    if rating.closed is not None:
        return "locked" if rating.closed == "given" else "late"
    if rating.presses:
        first = rating.presses[0]
        if boot != first.boot or not 0 <= up - first.up < LOCK_MS:
            return "locked"
    return None


def close(state: HallState, device: PlannedDevice, data: CloseData) -> Outcome:
    """The keypad closed a session: its verdict; and no older one can be prompted any more."""
    outcome = Outcome()
    for rating in _open(state, device.id):
        if rating.session < data.session:
            end(state, rating, "not_prompted", outcome)
    rating = state.ratings.get((device.id, data.session))
    if rating and rating.closed is None:
        _decide(state, rating, _NONE_REASON[data.why], outcome, own=False)
    _forget(state, device.id)
    return outcome


def expire(state: HallState, outcome: Outcome, now: int) -> None:
    """End the sessions that have been pending for 24 h at unix ms `now`."""
    for rating in list(state.ratings.values()):
        if rating.closed is None and now - rating.opened >= PENDING_MS:
            end(state, rating, "not_prompted", outcome)


def end(state: HallState, rating: Rating, reason: str, outcome: Outcome) -> None:
    """The gateway itself ends a session that its keypad will not close.

    What was pressed in time still is the verdict: the events of one device come in order, so
    nothing that could change it is under way.
    """
    _decide(state, rating, reason, outcome, own=True)


def never_opened(rating: Rating, reason: str) -> Emit:
    """The verdict of a service for which no keypad could ask."""
    data = _service(rating) | {"session": None, "reason": reason}
    return Emit("hall.rating.none", f"window/{rating.window}", data)


def _decide(state: HallState, rating: Rating, reason: str, outcome: Outcome, own: bool) -> None:
    subject, told = f"window/{rating.window}", _service(rating) | {"session": rating.session}
    if rating.presses:
        last = rating.presses[-1]
        told |= {
            "key": last.key,
            "mark": last.mark,
            "label": MARKS[last.mark].zh,
            "presses": len(rating.presses),
            "pressed_at": rfc3339(last.at),
        }
        outcome.emits.append(Emit("hall.rating.given", subject, told, own))
        outcome.keep(state, replace(rating, closed="given"))
    else:
        told["reason"] = reason
        outcome.emits.append(Emit("hall.rating.none", subject, told, own))
        outcome.keep(state, replace(rating, closed=reason))


def _service(rating: Rating) -> Json:
    return {
        "ticket": rating.ticket,
        "window": rating.window,
        "staff": rating.staff,
        "business": rating.business,
    }


def _open(state: HallState, device: str) -> list[Rating]:
    found = [r for r in state.ratings.values() if r.device == device and r.closed is None]
    return sorted(found, key=lambda rating: rating.session)


def _forget(state: HallState, device: str) -> None:
    """Drop the keypad's oldest closed sessions from memory; the store keeps them."""
    closed = [r.session for r in state.ratings.values() if r.device == device and r.closed]
    for session in sorted(closed)[:-KEPT_CLOSED]:
        del state.ratings[device, session]
