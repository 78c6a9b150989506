"""The names that a rule's expressions may use: what is known of a place, and of an event.

Here: each name with its type and what it means, for the language (rules_language.py), the checks
(rules_file.py) and the documents. Not here: their values (rules_facts.py, and the events' data).

A name stands for a text, a number or true/false; `?` behind its type says that it can be null.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

from hall_gateway.models import Role
from hall_gateway.state import WindowState

Kind = Literal["text", "number", "truth"]
Each = Literal["hall", "zone", "window", "service", "device"]
Scope = Literal["hall", "zone", "window"]


@dataclass(frozen=True)
class Word:
    """A name's type, whether it can be null, and what it says. `values`: all that a text can be;
    empty where that is not known."""

    kind: Kind
    null: bool = False
    says: str = ""
    values: tuple[str, ...] = ()


Words = Mapping[str, Word]


def _word(kind: str, says: str = "", values: tuple[str, ...] = ()) -> Word:
    kinds: dict[str, Kind] = {"text": "text", "number": "number", "truth": "truth"}
    return Word(kinds[kind.removesuffix("?")], kind.endswith("?"), says, values)


_ZONE = _word("text?", "the zone it stands in, null for none")
_BUSINESS = _word("text?", "as the hall system named it")
_STAFF = _word("text?", "who is logged in")

EACH: dict[Each, Words] = {
    "hall": {
        "waiting": _word("number", "tickets that were taken and not called yet"),
        "longest_wait_s": _word("number", "how long the first of them waits, 0 for nobody"),
        "longest_wait_min": _word("number", "the same in whole minutes, for a text"),
        "p90_wait_s": _word("number", "what nine of ten of them wait at most, 0 for nobody"),
        "windows_open": _word("number", "windows that are not paused"),
        "inside": _word("number", "people in the hall, as the counters add up"),
        "wet": _word("truth", "a floor in the hall is wet"),
        "rain": _word("truth", "a rain sensor is wet"),
    },
    "zone": {
        "zone": _word("text", "its id"),
        "inside": _word("number", "people in it, where it is an area with counters of its own"),
        "wet": _word("truth", "its floor is wet, by any of its sensors"),
        "rain": _word("truth", "a rain sensor in it is wet"),
    },
    "window": {
        "window": _word("text", "its id"),
        "zone": _ZONE,
        "state": _word("text", "idle, called, serving or paused", get_args(WindowState)),
        "ticket": _word("text?", "the ticket there"),
        "business": _BUSINESS,
        "staff": _STAFF,
        "called_s": _word("number", "since the ticket was called, 0 without one"),
        "serving_s": _word("number", "since the service started, 0 without one"),
    },
    "service": {
        "window": _word("text", "where it takes place"),
        "zone": _ZONE,
        "ticket": _word("text", "whose it is"),
        "business": _BUSINESS,
        "staff": _word("text?", "who serves"),
        "serving_s": _word("number", "since it started"),
        "limit_min": _word("number", "minutes that its business may take, by [figures]"),
    },
    "device": {
        "device": _word("text", "its id"),
        "role": _word("text", "call_display, keypad, people_counter or wet_floor", get_args(Role)),
        "profile": _word("text", "its device profile"),
        "window": _word("text?", "the window it stands at, null for none"),
        "zone": _word("text?", "the zone it stands in, or its window does"),
        "online": _word("truth?", "null until it was heard of"),
        "silent_s": _word("number", "since it was last heard of, 0 before that"),
        "wet": _word("truth", "a floor sensor: the floor is wet"),
        "rain": _word("truth", "a floor sensor: its rain sensor is wet"),
    },
}
"""What is known of each place, at every tick."""


def _event(fields: str) -> Words:
    """`name` is a text, `name#` a number, `name!` true or false; `?` behind that: or null."""
    words: dict[str, Word] = {}
    for field in fields.split():
        name, null = field.removesuffix("?"), field.endswith("?")
        kind: Kind = "number" if name[-1] == "#" else "truth" if name[-1] == "!" else "text"
        words[name.rstrip("#!")] = Word(kind, null)
    return words


_RATED = "ticket? window staff? business? session#? key# mark#"

EVENTS: dict[str, Words] = {
    "hall.call.shown": _event("rev# ticket? window? called_at?"),
    "hall.service.started": _event("ticket window staff? business? waited_ms#"),
    "hall.service.ended": _event(
        "ticket window staff? business? queued_ms#? waited_ms# served_ms#? reason"
    ),
    "hall.ticket.taken": _event("ticket business? priority#"),
    "hall.ticket.cancelled": _event("ticket business? priority# taken_at queued_ms#"),
    "hall.ticket.abandoned": _event("ticket business? priority# taken_at queued_ms#"),
    "hall.ticket.called": _event(
        "ticket window staff? business? priority#? queued_ms#? transferred!"
    ),
    "hall.rating.given": _event(f"{_RATED} label presses# pressed_at"),
    "hall.rating.none": _event("ticket window staff? business? session#? reason prompted!"),
    "hall.rating.pressed": _event(f"{_RATED} press"),
    "hall.rating.quarantined": _event(
        "ticket? window? staff? business? session#? key# mark#? press reason pressed_at?"
    ),
    "hall.rating.reason": _event(f"{_RATED} reason press"),
    "hall.staff.login": _event("window staff by"),
    "hall.staff.logout": _event("window staff by"),
    "hall.staff.refused": _event("window? by reason"),
    "hall.count.passage": _event("direction"),
    "hall.count.occupancy": _event("inside#"),
    "hall.count.repaired": _event("added# reason"),
    "hall.count.reset": _event("removed# repaired# late#"),
    "hall.floor.wet": _event("ohms#"),
    "hall.floor.dry": _event("ohms#"),
    "hall.floor.fault": _event("code"),
    "hall.floor.escalated": _event("minutes#"),
    "hall.floor.attended": _event(""),
    "hall.rain.started": _event(""),
    "hall.rain.ended": _event(""),
    "hall.device.started": _event("cause"),
    "hall.device.online": _event("device"),
    "hall.device.offline": _event("device"),
    "hall.device.fault": _event("code device?"),
    "hall.update.staged": _event("version?"),
    "hall.update.confirmed": _event("version?"),
    "hall.update.refused": _event("version? reason"),
    "hall.update.reverted": _event("version? reason"),
}
"""The data of the events that rules can be about. What rules themselves tell (alerts, tasks, …) is
not among them, so no rule can start another one, or itself. The counts' `in` and `out` are left
out: `in` is an operator."""

ANY_EVENT: Words = {
    "type": _word("text", "the event's type"),
    "subject": _word("text", "window/…, zone/… or hall"),
}


def matching(pattern: str) -> list[str]:
    """The event types that `pattern` (with * for any characters) means."""
    return [name for name in EVENTS if fnmatchcase(name, pattern)]


def of_events(types: Iterable[str]) -> Words:
    """The names of events of these types; one that not all of them have can be null. A name that
    means different kinds of things in them is none."""
    tables = [EVENTS[name] for name in types]
    words = dict(ANY_EVENT)
    for name in dict.fromkeys(name for table in tables for name in table):
        found = [table[name] for table in tables if name in table]
        if len({word.kind for word in found}) == 1:
            null = len(found) < len(tables) or any(word.null for word in found)
            words[name] = Word(found[0].kind, null)
    return words
