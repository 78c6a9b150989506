"""The streams of the back office and who fetches from them: `hall ingest setup`.

Here: what both streams and both consumers are like, and making them so. Not here: who may use them
(logins.py), the subjects (hall_gateway.jetstream_subjects).

Settings are JetStream's own (https://docs.nats.io/nats-concepts/jetstream/streams), times in ns.
"""

from typing import Any

from hall_gateway import jetstream_subjects as subjects

from hall_fleet import logins
from hall_fleet.ingest_config import NatsConfig
from hall_fleet.link import Link, LinkError

_S = 1_000_000_000
MAX_AGE_S = 7 * 24 * 3600
"""How long workers may be away; halls keep their events longer."""
WINDOW_S = 120
"""In which a stream knows by its id a message that comes again."""
ACK_WAIT_S = 30
MAX_ACK_PENDING = 20_000

_INFO = {
    subjects.EVENTS_STREAM: f"STREAM.INFO.{subjects.EVENTS_STREAM}",
    subjects.STATES_STREAM: f"STREAM.INFO.{subjects.STATES_STREAM}",
    logins.EVENTS_CONSUMER: f"CONSUMER.INFO.{subjects.EVENTS_STREAM}.{logins.EVENTS_CONSUMER}",
    logins.STATES_CONSUMER: f"CONSUMER.INFO.{subjects.STATES_STREAM}.{logins.STATES_CONSUMER}",
}

LEADS, HAS_ALL, BEHIND, AWAY = "leads", "has all", "is behind", "is away"
"""What a server is to a stream or a consumer that several keep."""


def streams(config: NatsConfig) -> list[dict[str, Any]]:
    """What is acknowledged to a hall is never dropped for want of room: then a full stream takes
    nothing more (`discard` new), and halls keep what they have."""
    common = {"storage": "file", "retention": "limits", "num_replicas": config.replicas}
    return [
        {
            **common,
            "name": subjects.EVENTS_STREAM,
            "subjects": [subjects.EVENTS],
            "discard": "new",
            "max_bytes": config.max_gb << 30,
            "max_age": MAX_AGE_S * _S,
            "duplicate_window": WINDOW_S * _S,
        },
        {
            **common,
            "name": subjects.STATES_STREAM,
            "subjects": [subjects.STATES],
            "discard": "old",
            "max_msgs_per_subject": 1,
            "duplicate_window": WINDOW_S * _S,
        },
    ]


def consumers() -> list[tuple[str, dict[str, Any]]]:
    """Each with its stream. All workers share them."""
    common = {
        "ack_policy": "explicit",
        "ack_wait": ACK_WAIT_S * _S,
        "max_ack_pending": MAX_ACK_PENDING,
        "max_deliver": -1,
        "deliver_policy": "all",
        "replay_policy": "instant",
    }
    return [
        (subjects.EVENTS_STREAM, {"durable_name": logins.EVENTS_CONSUMER, **common}),
        (subjects.STATES_STREAM, {"durable_name": logins.STATES_CONSUMER, **common}),
    ]


async def setup(link: Link, config: NatsConfig) -> dict[str, str]:
    """Make what is missing and change what differs; returns what was done with each, by name.

    Raises LinkError, also for what cannot be changed on what is there.
    """
    done: dict[str, str] = {}
    for wanted in streams(config):
        name = wanted["name"]
        done[name] = await _set(
            link, _INFO[name], f"STREAM.CREATE.{name}", f"STREAM.UPDATE.{name}", wanted
        )
    for stream, wanted in consumers():
        name = wanted["durable_name"]
        make = f"CONSUMER.DURABLE.CREATE.{stream}.{name}"
        request = {"stream_name": stream, "config": wanted}
        done[name] = await _set(link, _INFO[name], make, make, wanted, request)
    return done


async def copies(link: Link) -> dict[str, dict[str, str]]:
    """What each server is to each stream and consumer, as its leader sees it; nothing where a
    server is alone. Raises LinkError, also while one of them has no leader."""
    told: dict[str, dict[str, str]] = {}
    for name, subject in _INFO.items():
        info = await link.ask(subject)
        group: dict[str, Any] = info.get("cluster") or {}
        states = {str(other["name"]): _state(other) for other in group.get("replicas", ())}
        if states:
            told[name] = {str(group.get("leader")): LEADS, **states}
    return told


def _state(other: dict[str, Any]) -> str:
    if other.get("offline"):
        return AWAY
    return HAS_ALL if other.get("current") else BEHIND


async def forget(link: Link) -> None:
    """Take the consumers away: those that setup() makes next give out once more all that the
    streams still have. Raises LinkError."""
    for stream, wanted in consumers():
        try:
            await link.ask(f"CONSUMER.DELETE.{stream}.{wanted['durable_name']}")
        except LinkError as error:
            if "not found" not in str(error):
                raise


async def _set(
    link: Link,
    info: str,
    create: str,
    update: str,
    wanted: dict[str, Any],
    request: dict[str, Any] | None = None,
) -> str:
    try:
        found = (await link.ask(info))["config"]
    except LinkError as error:
        if "not found" not in str(error):
            raise
        await link.ask(create, request or wanted)
        return "made"
    if all(found.get(name) == value for name, value in wanted.items()):
        return "as it should be"
    await link.ask(update, request or wanted)
    return "changed"
