"""A window in words and as data.

Here: what follows from one window alone, and when it is open. Not here: how it becomes another one
(sessions.py).

A window is open while a clerk is logged in there and it is not paused. Two pairs of events tell
that: opened and closed, whether a clerk is there, and paused and resumed. Nobody logs out at night:
then closed says until when something last happened at the window, and it is opened again by the
first thing that happens there. It is closed and opened at once when the clock is set.
"""

from dataclasses import replace

from hall_gateway.state import Emit, HallState, Json, Outcome, Window
from hall_gateway.wire import rfc3339


def emptied(window: Window) -> Window:
    """`window` after its ticket; a pause that waited for it begins."""
    return Window(window.id, "paused" if window.pausing else "idle", window.staff)


def doing(window: Window) -> str:
    """What a window is doing, for a sentence: "serving A015"."""
    words = f"{window.state} {window.ticket}" if window.ticket else window.state
    return f"{words} and about to pause" if window.pausing else words


def service(window: Window) -> Json:
    """Whose service it is: the clerk's who was logged in when it started, or else is now."""
    return {
        "ticket": window.ticket,
        "window": window.id,
        "staff": window.served_by or window.staff,
        "business": window.business,
    }


def status(window: Window) -> Json:
    """`window` as a command is answered."""
    return {
        "window": window.id,
        "state": window.state,
        "ticket": window.ticket,
        "staff": window.staff,
        "pausing": window.pausing,
    }


def attended(before: Window, after: Window, now: int) -> tuple[Window, list[Emit]]:
    """`after`, which `before` becomes at unix ms `now`, with what is told of its being open."""
    emits: list[Emit] = []
    since = before.attended
    if since is not None and after.staff is None:
        emits.append(_closed(before, "logout", now))
        since = None
    elif after.staff is not None and (since is None or after.staff != before.staff):
        since = now
        emits.append(_event("opened", after))
    if before.state != "paused" == after.state:
        emits.append(_event("paused", after))
    elif before.state == "paused" != after.state:
        emits.append(_event("resumed", after))
    return replace(after, attended=since, active=now), emits


def night(state: HallState, began: int) -> Outcome:
    """Where nothing has happened since unix ms `began`, when the hall's day began, nobody is."""
    outcome = Outcome()
    for window in list(state.windows.values()):
        if window.attended is not None and window.active < began:
            outcome.keep(state, replace(window, attended=None))
            outcome.emits.append(_closed(window, "night", window.active))
    return outcome


def clock_set(window: Window, until: int) -> list[Emit]:
    """The clock was set at unix ms `until` while `window` was open: told as two times, or it would
    seem to have been open for as long as the clock jumped."""
    return [_closed(window, "clock", until), _event("opened", window)]


def _closed(window: Window, reason: str, until: int) -> Emit:
    return _event("closed", window, reason=reason, until=rfc3339(until))


def _event(verb: str, window: Window, **more: str) -> Emit:
    data: Json = {"window": window.id, "staff": window.staff, **more}
    return Emit(f"hall.window.{verb}", f"window/{window.id}", data)
