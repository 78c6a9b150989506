"""A device in the place of another: what was the old one's and is still going on becomes its own.

Here: texts, calls and open rating sessions, when the plan names another device than the state.
Pure, `now` is unix ms. Not here: what a device should be (views.py), and history: events and
verdicts keep the id of the device that they came from.
"""

from dataclasses import replace

from hall_gateway import ratings
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.state import Display, HallState, Outcome, Rating
from hall_gateway.views import Views


def take_over(plan: Plan, state: HallState, views: Views, outcome: Outcome, now: int) -> None:
    """Bring `state` in line with who replaces whom. Doing it again changes nothing."""
    for new, old in plan.replaced.items():
        if plan.devices[new].role == "call_display":
            _display(plan.devices[new], old, state, views, outcome, now)
    for rating in list(state.ratings.values()):
        if rating.closed is not None or rating.device in plan.devices:
            continue
        if keypad := plan.keypad(rating.window):
            _rating(plan, rating, keypad, state, views, outcome, now)


def _display(
    device: PlannedDevice,
    old: str,
    state: HallState,
    views: Views,
    outcome: Outcome,
    now: int,
) -> None:
    """The text and the calls of `old`: a call that it has shown is not announced as shown again."""
    was = state.displays.get(old)
    if was is None or not (was.text or was.calls):
        return
    outcome.keep(state, replace(was, device=device.id))
    outcome.keep(state, Display(old, shown=was.shown))
    if desired := state.desired.get(old):
        views.inherit(device, desired, outcome, now)


def _rating(
    plan: Plan,
    rating: Rating,
    keypad: PlannedDevice,
    state: HallState,
    views: Views,
    outcome: Outcome,
    now: int,
) -> None:
    """The customer is still asked, by the new keypad, unless the session was over on the old one:
    somebody had pressed, or the next customer was called. What the old keypad has not delivered
    will not come."""
    desired = state.desired.get(rating.device)
    session = desired.view.get("session") if desired and desired.rev == rating.session else None
    if rating.presses or session is None or state.windows[rating.window].ticket is not None:
        ratings.end(plan, state, rating, "next_call", outcome)
        return
    rev = views.ask(keypad, session, outcome, now)
    outcome.keep(state, replace(rating, closed="moved"))
    outcome.keep(state, replace(rating, device=keypad.id, session=rev))
