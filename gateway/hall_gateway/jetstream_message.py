"""What travels over NATS: an event of the outbox out, a command's time limit in.

Here: subjects, headers and payloads; pure. Not here: subjects' names (jetstream_subjects.py), when
something is sent (jetstream_link.py), the state (jetstream_state.py).

An event is a CloudEvent in binary mode. The NATS binding has it since its draft 1.0.3, for 1.0.2 is
older than NATS' headers; there `datacontenttype` is a header like any other. `content-type` says
the same to tools that know nothing of CloudEvents.

A stream drops what it has, which it tells by `Nats-Msg-Id`, for all halls together: whoever used
the id of an event of another hall, on purpose or in a hall made from a copy of its disk, would have
that event dropped. So behind the event's id stands a seal that only this hall can make.

Servers can lose what they took. `Hall-Position` lets whoever reads the stream find out what: the
positions of a store's events have no hole between them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.cloud_event_headers import binary
from hall_gateway.values import OutboxRow
from hall_gateway.wire import rfc3339

_UNIX_MS = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class Outgoing:
    """A message to be published."""

    subject: str
    payload: bytes
    headers: Mapping[str, str] | None = None

    @property
    def bytes(self) -> int:
        """How much of a server's max_payload it takes, as NATS counts: headers and payload."""
        lines = (self.headers or {}).items()
        head = len("NATS/1.0\r\n\r\n") if lines else 0
        return head + sum(len(name) + len(value) + 4 for name, value in lines) + len(self.payload)


def event(hall: str, store: str, row: OutboxRow, key: bytes, *, again: bool = False) -> Outgoing:
    """A CloudEvent of the outbox of `store`, for the stream of events. `key`: a secret of this
    hall, of at most 64 bytes, by which it seals its messages' ids. `again`: the stream took it and
    lost it, and would drop it for its id."""
    attributes, content_type, data = binary(row.body)
    headers: dict[str, str] = {}
    if not again:
        id = attributes["ce-id"]
        seal = blake2b(f"{hall}/{id}".encode(), digest_size=8, key=key).hexdigest()
        headers[subjects.MESSAGE_ID_HEADER] = f"{id}/{seal}"
    headers |= attributes
    headers["ce-datacontenttype"] = headers["content-type"] = content_type
    headers[subjects.POSITION_HEADER] = f"{store}/{row.after}/{row.position}"
    return Outgoing(subjects.event(hall, row.topic_noun, row.topic_verb), data, headers)


class ExpiryError(ValueError):
    """A command does not say until when it is wanted: what is wrong, and what would be right."""


def expiry(headers: Mapping[str, str] | None, now: int) -> int:
    """Unix ms after which a command must not be done any more. Raises ExpiryError."""
    name = subjects.EXPIRES_HEADER
    text = (headers or {}).get(name)
    right = f"give unix ms at most {subjects.MAX_TTL_MS // 60_000} minutes ahead"
    if text is None:
        raise ExpiryError(f"the header {name} is missing; {right}")
    if not _UNIX_MS.fullmatch(text):
        raise ExpiryError(f"the header {name} is no time; {right}")
    if (found := int(text)) > now + subjects.MAX_TTL_MS:
        raise ExpiryError(f"the header {name} is too far ahead of {rfc3339(now)} here; {right}")
    return found
