"""A window in words and as data.

Here: what follows from one window alone. Not here: how it becomes another one (sessions.py).
"""

from hall_gateway.state import Json, Window


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
