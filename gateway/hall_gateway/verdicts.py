"""The verdict of a rating session, and how presses that do not count after all are told.

Here: `hall.rating.given`, `hall.rating.none` and what they count as. Not here: which presses may
decide a session (ratings.py).
"""

from dataclasses import replace

from hall_profiles import MARKS

from hall_gateway.keypads import count, memory, ran
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.state import Emit, HallState, Json, Keypad, Outcome, Press, Rating
from hall_gateway.wire import rfc3339

NOBODY = ""
"""In place of a clerk, where none is known."""

FREE = 0
"""The session of a rating that nobody asked for. A real one is a rev, and above 0."""


def never_opened(state: HallState, rating: Rating, reason: str, outcome: Outcome) -> None:
    """The verdict of a service for which no keypad could ask."""
    told = of(rating) | {"session": None, "reason": reason, "prompted": False}
    told["ended_at"] = rfc3339(rating.opened)
    outcome.emits.append(Emit("hall.rating.none", f"window/{rating.window}", told))
    if rating.device:
        keypad = memory(state, rating.device, rating.opened)
        outcome.keep(state, count(keypad, "none", reason))


def decide(
    plan: Plan,
    state: HallState,
    rating: Rating,
    reason: str,
    outcome: Outcome,
    own: bool,
    prompted: bool,
) -> None:
    """End `rating`: given by its last press, or none for `reason`. `prompted`: the keypad asked."""
    keypad = memory(state, rating.device, rating.opened)
    if rating.presses:
        keypad, run = _run(plan, keypad, rating)
        if 0 < plan.rules.fast_run <= run:
            presses = rating.presses
            rating, keypad = spoil(rating, keypad, presses, "fast_best_run", outcome)
    told = of(rating) | {"session": rating.session or None, "ended_at": ended_at(rating)}
    if rating.presses:
        last = rating.presses[-1]
        told |= {
            "key": last.key,
            "mark": last.mark,
            "label": MARKS[last.mark].zh,
            "presses": len(rating.presses),
            "pressed_at": rfc3339(last.at),
        }
        keypad = count(keypad, "accepted")
        keypad = count(keypad, "corrected", by=len(rating.presses) - 1)
        outcome.emits.append(Emit("hall.rating.given", f"window/{rating.window}", told, own))
        rating = replace(rating, closed="given")
    else:
        reason = rating.refused or reason
        if rating.session != FREE:
            told |= {"reason": reason, "prompted": prompted}
            keypad = count(keypad, "none", reason)
            outcome.emits.append(Emit("hall.rating.none", f"window/{rating.window}", told, own))
        rating = replace(rating, closed=reason)
    outcome.keep(state, rating)
    outcome.keep(state, keypad)


def _run(plan: Plan, keypad: Keypad, rating: Rating) -> tuple[Keypad, int]:
    """The keypad with this rating in its clerk's run, and how long the run is by it."""
    if rating.session == FREE:
        return keypad, 0
    asked_for = rating.presses[0].at - rating.opened
    fast = asked_for < plan.rules.fast_s * 1000
    # Who is not logged in is taken for one clerk, or logging out would be the way around.
    return ran(keypad, rating.staff or NOBODY, fast and rating.presses[-1].best)


def spoil(
    rating: Rating, keypad: Keypad, presses: tuple[Press, ...], reason: str, outcome: Outcome
) -> tuple[Rating, Keypad]:
    """Presses that were told as `pressed` do not count after all, and that is told too."""
    for each in presses:
        told = of(rating) | {"session": rating.session or None, "key": each.key}
        told |= {"mark": each.mark, "press": each.id, "pressed_at": rfc3339(each.at)}
        told["reason"] = reason
        outcome.emits.append(Emit("hall.rating.quarantined", f"window/{rating.window}", told))
        keypad = count(keypad, "quarantined", reason)
    left = tuple(press for press in rating.presses if press not in presses)
    return replace(rating, presses=left, refused=reason if presses else rating.refused), keypad


def ended_at(rating: Rating) -> str | None:
    """When the service ended whose rating it is: by that and the window it is found again."""
    if rating.session == FREE:
        return None
    return rfc3339(rating.opened if rating.ended is None else rating.ended)


def of(rating: Rating | None, device: PlannedDevice | None = None) -> Json:
    """Whose rating it is; without one, at which window."""
    if rating is None:
        return {"ticket": None, "window": device.window if device else None}
    return {
        "ticket": rating.ticket,
        "window": rating.window,
        "staff": rating.staff,
        "business": rating.business,
    }
