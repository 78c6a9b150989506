"""What the gateway's MQTT clients hand on: messages, figures, and that there is no connection.

Here: these types. Not here: a connection (mqtt_connection.py), bytes (mqtt_packets.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from hall_gateway.mqtt5 import NONE, Extras


class DisconnectedError(Exception):
    """The connection ended, or there is none; what was underway has not been confirmed."""


@dataclass(slots=True)
class Message:
    """A message from the broker; `ack` tells the broker that it need not be delivered again.

    Not frozen: one is made for every message, and that would take three times as long.
    """

    topic: str
    payload: bytes
    retain: bool
    ack: Callable[[], object] = field(repr=False)
    """Sends the PUBACK; does nothing once the connection is gone, for then it comes again."""
    abandon: Callable[[], object] = field(repr=False)
    """Ends the connection that brought it, so that it comes again: a broker does not redeliver on
    a connection that lives, and stops when too many PUBACKs are missing."""
    extras: Extras = NONE
    """What MQTT 5 brought with it."""


@dataclass
class Counters:
    """What an operator wants to know of one connection; counts since the start."""

    connects: int = 0
    failures: int = 0
    bad_topics: int = 0
    last_error: str = ""
    last_loss: str = ""
    """Why there was no connection the last time there was none."""
    oversized: int = 0
    """Messages too large to be kept whole: their beginning was handed on, to be refused."""
    unheard: int = 0
    """Messages that nobody had subscribed to, as far as a broker says so (MQTT 5)."""
