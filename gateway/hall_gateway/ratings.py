"""Rating sessions: which press counts, and what a service's rating is.

Here: the rules, as pure functions of events and state. Not here: when a session opens
(sessions.py), rules about more than one press (keypads.py), and the time inside a session, which is
the keypad's own: presses are judged by the keypad's uptime, never by when they arrived.

One verdict a session. The last press within 3 s of the first wins; no press is `none`, never
"good". A press that cannot count is quarantined with its reason, never dropped; one that was told
as `pressed` before is told again, by its id. Where nobody asks (Plan.free), a press opens a rating
of its own, session 0, which the keypad closes.
"""

from dataclasses import replace

from hall_gateway.keypads import NO_BOOT, Heard, count, in_boot, memory, note, spoiled
from hall_gateway.models import CloseData, PressData, ReasonData
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.state import Emit, HallState, Keypad, Outcome, Press, Rating
from hall_gateway.verdicts import FREE, decide, ended_at, of, spoil

LOCK_MS = 3_000
"""A press this long after the first, or later, is locked out (DESIGN.md, What a rating is)."""

CALL_SLACK_MS = 2_000
"""A press so long after the next call still counts: the keypad's clock is set by acks, so it is not
exact, and the news of the call has a way to go. Later ones are not the last customer's."""

PENDING_MS = 24 * 3600 * 1000
"""A session whose keypad says nothing for this long was not prompted."""

KEPT_CLOSED = 16
"""Closed sessions remembered for each keypad, to tell a late press from a stray one."""

BAD = 2
"""A mark that asks for a reason is this one or worse."""

# What a keypad's `close` means when nobody pressed. A lock follows a press, so a lock without one
# means that the press was lost with an overflowed journal.
_NONE_REASON = {
    "end": "timeout",
    "next": "next_call",
    "late": "not_prompted",
    "lock": "press_lost",
}


def press(
    plan: Plan, state: HallState, device: PlannedDevice, heard: Heard, data: PressData
) -> Outcome:
    """A press is either `pressed` or `quarantined`; it may spoil earlier ones."""
    outcome = Outcome()
    noted = note(memory(state, device.id, heard.at), heard, data.key, data.n is not None)
    keypad = count(noted.keypad, "pressed")
    rating = _rating(plan, state, device, heard, data)
    mark = device.mark(data.key)
    since = noted.mashing_since
    reason = _refusal(plan, keypad, rating, mark, heard, since)
    told = of(rating, device) | {"session": data.session, "key": data.key, "mark": mark}
    told["press"] = heard.id
    kept = rating
    if kept and kept.closed is None and reason == "mashing" and since is not None:
        bad = spoiled(kept.presses, heard, since)
        kept, keypad = spoil(kept, keypad, bad, reason, outcome)
    if reason is None:
        assert kept is not None
        assert mark is not None
        best = mark == max(device.marks)
        pressed = Press(data.key, mark, heard.boot, heard.up, heard.at, best, heard.id)
        kept = replace(kept, presses=(*kept.presses, pressed))
        outcome.emits.append(Emit("hall.rating.pressed", device.subject, told, own=False))
    else:
        told["reason"] = reason
        outcome.emits.append(Emit("hall.rating.quarantined", device.subject, told, own=False))
        keypad = count(keypad, "quarantined", reason)
        if kept and kept.closed is None and mark is not None:
            kept = replace(kept, refused=reason)
    if kept and kept is not rating:
        if kept.session == FREE and not kept.presses:
            # One that nobody asked for begins with a press that counts, and is over without.
            kept = replace(kept, closed=reason) if rating and rating.presses else None
        if kept:
            outcome.keep(state, kept)
    outcome.keep(state, keypad)
    return outcome


def _rating(
    plan: Plan, state: HallState, device: PlannedDevice, heard: Heard, data: PressData
) -> Rating | None:
    """The rating that a press is meant for; None when there is none."""
    if data.session is not None:
        return state.ratings.get((device.id, data.session))
    if device.window is None or device.window not in plan.free:
        return None
    rating = state.ratings.get((device.id, FREE))
    if rating and rating.closed is None:
        return rating
    window = state.windows.get(device.window)
    staff = window.staff if window else None
    return Rating(device.id, FREE, device.window, None, staff, None, heard.at)


def _refusal(
    plan: Plan,
    keypad: Keypad,
    rating: Rating | None,
    mark: int | None,
    heard: Heard,
    mashing_since: int | None,
) -> str | None:
    """Why a press does not count; None when it does."""
    if mark is None:
        return "unknown_key"
    if rating is None:
        called = keypad.replaced
        recent = called is not None and 0 <= heard.up - called < plan.window_s * 1000
        return "next_call" if recent else "out_of_session"
    if rating.closed is not None:
        return "locked" if rating.closed == "given" else "late"
    if mashing_since is not None:
        return "mashing"
    if rating.presses:
        first = rating.presses[0]
        if heard.boot != first.boot or not 0 <= heard.up - first.up < LOCK_MS:
            return "locked"
    if rating.called is not None and heard.at > rating.called + CALL_SLACK_MS:
        return "next_call"
    if rating.short:
        return "service_too_short"
    if rating.session == FREE and not rating.presses and keypad.rated is not None:
        since = heard.up - keypad.rated
        return "too_soon" if 0 <= since < plan.rules.interval_s * 1000 else None
    return None


def close(
    plan: Plan, state: HallState, device: PlannedDevice, heard: Heard, data: CloseData
) -> Outcome:
    """The keypad closed a session: its verdict; and no older one can be prompted any more."""
    outcome = Outcome()
    if data.why == "next":
        keypad = in_boot(memory(state, device.id, heard.at), heard.boot)
        outcome.keep(state, replace(keypad, replaced=heard.up))
    if data.session is None:
        if free := _free(state, device):
            decide(plan, state, free, "", outcome, own=False, prompted=False)
            if state.ratings[device.id, FREE].closed == "given":
                keypad = in_boot(memory(state, device.id, heard.at), heard.boot)
                outcome.keep(state, replace(keypad, rated=heard.up))
        return outcome
    for rating in _open(state, device.id):
        if rating.session < data.session:
            end(plan, state, rating, "not_prompted", outcome)
    rating = state.ratings.get((device.id, data.session))
    if rating and rating.closed is None:
        reason, prompted = _NONE_REASON[data.why], data.why != "late"
        decide(plan, state, rating, reason, outcome, own=False, prompted=prompted)
    _forget(state, device.id)
    return outcome


def stuck(state: HallState, device: PlannedDevice, heard: Heard, key: int) -> Outcome:
    """Key `key` was never released: its last press was nobody's choice."""
    outcome = Outcome()
    keypad = in_boot(memory(state, device.id, heard.at), heard.boot)
    pressed = (key, heard.boot, keypad.last.get(str(key)))
    for rating in [*_open(state, device.id), _free(state, device)]:
        held = [p for p in rating.presses if (p.key, p.boot, p.up) == pressed] if rating else []
        if rating and held:
            rating, keypad = spoil(rating, keypad, (held[-1],), "stuck_key", outcome)
            outcome.keep(state, rating)
            outcome.keep(state, keypad)
    return outcome


def restarted(plan: Plan, state: HallState, device: PlannedDevice, heard: Heard) -> Outcome:
    """The keypad has started again: it will not close what it had opened by itself. A new journal
    counts its boots from 1 again: no uptime from before this start is compared with a later one."""
    outcome = Outcome()
    if keypad := state.keypads.get(device.id):
        outcome.keep(state, replace(in_boot(keypad, NO_BOOT), boot=heard.boot))
    if free := _free(state, device):
        end(plan, state, free, "", outcome)
    return outcome


def reason(state: HallState, device: PlannedDevice, heard: Heard, data: ReasonData) -> Outcome:
    """Why a customer gave a bad mark: told with the session whose rating it belongs to."""
    outcome = Outcome()
    rating = state.ratings.get((device.id, FREE if data.session is None else data.session))
    told = of(rating, device) | {"session": data.session, "key": data.key}
    label = device.reason(data.key)
    fits = rating is not None and rating.closed == "given" and rating.reason is None
    if rating is None or label is None or not fits or rating.presses[-1].mark > BAD:
        told |= {"mark": None, "press": heard.id, "reason": "no_rating"}
        outcome.emits.append(Emit("hall.rating.quarantined", device.subject, told, own=False))
        return outcome
    told |= {"mark": rating.presses[-1].mark, "reason": label, "press": rating.presses[-1].id}
    told["ended_at"] = ended_at(rating)
    outcome.keep(state, replace(rating, reason=data.key))
    outcome.emits.append(Emit("hall.rating.reason", device.subject, told, own=False))
    return outcome


def called(state: HallState, window: str, outcome: Outcome, now: int) -> None:
    """The next ticket is called at `window` at unix ms `now`."""
    for rating in list(state.ratings.values()):
        asked = rating.closed is None and rating.session != FREE
        if asked and rating.window == window and rating.called is None:
            outcome.keep(state, replace(rating, called=now))


def expire(plan: Plan, state: HallState, outcome: Outcome, now: int) -> None:
    """End the sessions that have been pending for 24 h at unix ms `now`."""
    for rating in list(state.ratings.values()):
        if rating.closed is None and now - rating.opened >= PENDING_MS:
            end(plan, state, rating, "not_prompted", outcome)


def end(plan: Plan, state: HallState, rating: Rating, reason: str, outcome: Outcome) -> None:
    """The gateway itself ends a session that its keypad will not close.

    What was pressed in time still is the verdict: the events of one device come in order, so
    nothing that could change it is under way.
    """
    prompted = bool(rating.presses or rating.refused)
    decide(plan, state, rating, reason, outcome, own=True, prompted=prompted)


def _open(state: HallState, device: str) -> list[Rating]:
    """The open sessions of a keypad that somebody asked for, oldest first."""
    found = [r for r in state.ratings.values() if r.device == device and r.closed is None]
    return sorted((r for r in found if r.session != FREE), key=lambda rating: rating.session)


def _free(state: HallState, device: PlannedDevice) -> Rating | None:
    """The open rating that nobody asked for, if there is one."""
    rating = state.ratings.get((device.id, FREE))
    return rating if rating and rating.closed is None else None


def _forget(state: HallState, device: str) -> None:
    """Drop the keypad's oldest closed sessions from memory; the store keeps them."""
    closed = [r.session for r in state.ratings.values() if r.device == device and r.closed]
    for session in sorted(session for session in closed if session != FREE)[:-KEPT_CLOSED]:
        del state.ratings[device, session]
