"""A CloudEvent in binary content mode: its attributes as headers, its data as the body.

Here: what the bindings to HTTP (1.0.2, 3.1) and to NATS (draft 1.0.3, 3.1) have in common. Pure.
Not here: what else goes with a request (webhook_message.py) or a message (jetstream_message.py).
"""

import json
from typing import NamedTuple
from urllib.parse import quote

from hall_gateway.wire import compact

_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""What stands in a header as it is; all else is percent-encoded (both bindings, 3.1.3.2)."""


class Binary(NamedTuple):
    """`headers` have all attributes but `datacontenttype`, which is `content_type`."""

    headers: dict[str, str]
    content_type: str
    data: bytes


def binary(body: bytes) -> Binary:
    """A structured CloudEvent (JSON) of the outbox in binary mode."""
    event = json.loads(body)
    data, content_type = event.pop("data"), event.pop("datacontenttype")
    headers = {f"ce-{name}": quote(value, safe=_SAFE) for name, value in event.items()}
    return Binary(headers, content_type, compact(data))
