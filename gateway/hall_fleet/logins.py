"""Who logs in to the back office's NATS servers, and what each may do there.

Here: the logins' names, their inboxes, and their rights; pure. Not here: their keys
(hall_tools.fleet.credentials), the subjects' names (hall_gateway.jetstream_subjects).

A login's own inboxes begin where no other login may read (`inbox`): give it to the client as its
inbox prefix. A hall's is `_INBOX.{hall}`; those of the back office's own logins are in capitals,
which no hall's id has.
"""

from dataclasses import dataclass
from typing import Literal

from hall_gateway import jetstream_subjects as subjects

EVENTS_CONSUMER = "ingest"
"""The durable consumer of the stream of events that all workers share."""
STATES_CONSUMER = "ingest-states"

Role = Literal["backoffice", "ingest", "console"]

MAX_PAYLOAD = 128 * 1024
"""Of what a hall publishes, in bytes: a state has at most 64 KiB, an event far less."""
MAX_SUBSCRIPTIONS = 16
"""Of a hall: its commands and its inbox."""


@dataclass(frozen=True)
class Rights:
    """Subjects that a login may publish and subscribe, and how much; -1: as the server allows."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    max_payload: int = -1
    max_subscriptions: int = -1


def inbox(role: Role) -> str:
    """The beginning of the inboxes of one of the back office's own logins, without a dot."""
    return f"_INBOX.{role.upper()}"


def hall_rights(hall: str) -> Rights:
    """A hall speaks for itself, and reads only what is for it."""
    return Rights(
        tuple(subjects.may_publish(hall)),
        tuple(subjects.may_subscribe(hall)),
        MAX_PAYLOAD,
        MAX_SUBSCRIPTIONS,
    )


def role_rights(role: Role) -> Rights:
    """What one of the back office's own logins may do.

    `backoffice` makes the streams, commands halls and backs up; `ingest` fetches and acknowledges
    what the two consumers give it, and asks halls to tell again what is missing; `console` asks
    how far the streams are.
    """
    own = f"{inbox(role)}.>"
    match role:
        case "backoffice":
            everything = f"{subjects.ROOT}.>"
            return Rights(
                (everything, "$JS.API.>", "$JS.ACK.>", "$JS.SNAPSHOT.>"), (everything, own)
            )
        case "ingest":
            again = subjects.command("*", "tell_again")
            return Rights((*_looks(), *_work(), again), (own, subjects.reply("*", "*")))
        case "console":
            return Rights(_looks(), (own,))


_CONSUMERS = (
    (subjects.EVENTS_STREAM, EVENTS_CONSUMER),
    (subjects.STATES_STREAM, STATES_CONSUMER),
)


def _looks() -> tuple[str, ...]:
    """Reading how the streams and the consumers are, but not what is in them."""
    return tuple(
        subject
        for stream, consumer in _CONSUMERS
        for subject in (
            f"$JS.API.STREAM.INFO.{stream}",
            f"$JS.API.CONSUMER.INFO.{stream}.{consumer}",
        )
    )


def _work() -> tuple[str, ...]:
    return tuple(
        subject
        for stream, consumer in _CONSUMERS
        for subject in (
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}",
            f"$JS.ACK.{stream}.{consumer}.>",
        )
    )
