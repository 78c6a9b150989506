"""What MQTT 5 adds to a connection and to its messages, in paho's words and in ours.

Here: properties and reason codes. Not here: the connection (mqtt_connection.py), which response
topics are allowed (hall_link.py). Nothing that must be right depends on any of it: a 3.1.1 hop on
the way drops properties.
"""

import time
from dataclasses import dataclass
from typing import Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

SESSION_EXPIRY_S = 24 * 3600
"""A broker keeps commands for a gateway that is away for so long, and its own subscriptions."""
RECEIVE_MAXIMUM = 100
"""Messages that a broker may send before they are acknowledged."""
MOST_UNACKNOWLEDGED = 65_535
"""That a broker allows when it says nothing (MQTT 5, 3.2.2.3.3); packet identifiers end there."""
NO_MATCHING_SUBSCRIBERS = 0x10


@dataclass(frozen=True)
class Response:
    """Where the answer to a request goes, and what goes with it so that it is known there."""

    topic: str
    correlation: bytes | None = None


@dataclass(frozen=True)
class Extras:
    """What came with a message: `response` when one is wanted; `expires`: from then on (seconds of
    time.monotonic()) nobody wants it any more."""

    response: Response | None = None
    expires: float | None = None

    @property
    def expired(self) -> bool:
        return self.expires is not None and time.monotonic() >= self.expires


NONE = Extras()


def connect_properties() -> Properties:
    """Of CONNECT."""
    properties: Any = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return properties


def quota(connack: Properties | None) -> int:
    """How many messages may be unacknowledged at the broker."""
    return int(getattr(connack, "ReceiveMaximum", MOST_UNACKNOWLEDGED))


def publish_properties(expiry_s: int | None, correlation: bytes | None) -> Properties | None:
    """Of a PUBLISH; None when it has none."""
    if expiry_s is None and correlation is None:
        return None
    properties: Any = Properties(PacketTypes.PUBLISH)
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    if correlation is not None:
        properties.CorrelationData = correlation
    return properties


def extras(properties: Properties | None) -> Extras:
    """What a PUBLISH brought."""
    topic: str | None = getattr(properties, "ResponseTopic", None)
    expiry: int | None = getattr(properties, "MessageExpiryInterval", None)
    if topic is None and expiry is None:
        return NONE
    response = Response(topic, getattr(properties, "CorrelationData", None)) if topic else None
    return Extras(response, None if expiry is None else time.monotonic() + expiry)
