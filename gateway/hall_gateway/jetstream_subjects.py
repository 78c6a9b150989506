"""The subjects, streams and headers by which many halls and their back office speak over NATS.

Here: their names, written and read; pure, for both sides. Not here: what a message holds
(jetstream_message.py), the connection (jetstream.py), streams' limits (the back office's setup).

A subject is `hall.v1.{hall}.…`; a hall's id has no dots, so a server can confine each hall to its
own subjects (`may_publish`, `may_subscribe`).
"""

import re
from typing import NamedTuple

ROOT = "hall.v1"
EVENTS_STREAM = "HALL_EVENTS"
STATES_STREAM = "HALL_STATES"
EVENTS = f"{ROOT}.*.event.>"
"""What the stream of events takes."""
STATES = f"{ROOT}.*.state"
"""What the stream of states takes: the last one of each hall."""

EXPIRES_HEADER = "Hall-Expires"
"""Of a command: unix ms after which it must not be done any more."""
MAX_TTL_MS = 3_600_000
"""A command may be valid for at most so long."""
MESSAGE_ID_HEADER = "Nats-Msg-Id"
"""By which a stream tells a message that it has already."""
POSITION_HEADER = "Hall-Position"
"""Of an event: `{store}/{after}/{position}`, where it stands in the outbox of which store, and that
its sink wants no row after position `after` and before it."""

TELL_AGAIN = "tell_again"
"""The command by which the back office asks for events that its servers took and lost."""

_EVENT = re.compile(r"hall\.v1\.([a-z0-9][a-z0-9-]{0,31})\.event\.([a-z_]+)\.([a-z_]+)")
_STATE = re.compile(r"hall\.v1\.([a-z0-9][a-z0-9-]{0,31})\.state")


class EventSubject(NamedTuple):
    """Whose event of which type a subject is for."""

    hall: str
    noun: str
    verb: str

    @property
    def type(self) -> str:
        return f"hall.{self.noun}.{self.verb}"


def event(hall: str, noun: str, verb: str) -> str:
    """Where a hall's events of type `hall.{noun}.{verb}` go."""
    return f"{ROOT}.{hall}.event.{noun}.{verb}"


def state(hall: str) -> str:
    """Where a hall tells how it is."""
    return f"{ROOT}.{hall}.state"


def command(hall: str, name: str) -> str:
    """Where a hall takes the command `name`; `*` for all of them."""
    return f"{ROOT}.{hall}.command.{name}"


def reply(hall: str, id: str) -> str:
    """Where a hall answers the command `id`. An id may have dots, which part a subject's tokens:
    they are written as `%2E`."""
    return f"{ROOT}.{hall}.reply.{id.replace('.', '%2E')}"


def inbox(hall: str) -> str:
    """The beginning of the subjects at which a hall's connection gets its answers, without a dot
    at its end."""
    return f"_INBOX.{hall}"


def may_publish(hall: str) -> list[str]:
    """All that a hall's credentials let it publish."""
    return [f"{ROOT}.{hall}.event.>", state(hall), f"{ROOT}.{hall}.reply.>"]


def may_subscribe(hall: str) -> list[str]:
    """All that a hall's credentials let it read."""
    return [f"{ROOT}.{hall}.command.>", f"{inbox(hall)}.>"]


def read_event(subject: str) -> EventSubject | None:
    """What event() wrote; None for any other subject."""
    found = _EVENT.fullmatch(subject)
    return EventSubject(*found.groups()) if found else None


def read_state(subject: str) -> str | None:
    """The hall of what state() wrote; None for any other subject."""
    found = _STATE.fullmatch(subject)
    return found[1] if found else None
