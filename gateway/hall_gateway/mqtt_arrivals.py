"""Messages that come on one MQTT connection, and the PUBACK that each gets once.

Here: from a packet, or paho's message, to a Message. Not here: reading (mqtt_wire.py), how a
connection ends (mqtt_connection.py).
"""

import logging
from collections.abc import Callable
from functools import partial

import paho.mqtt.client as paho

from hall_gateway import mqtt_packets
from hall_gateway.mqtt5 import NONE, extras
from hall_gateway.mqtt_message import Counters, Message

log = logging.getLogger(__name__)


class Arrivals:
    """`put` takes each message, `send` a packet while there is a connection; `abandon` ends it."""

    def __init__(
        self,
        counters: Counters,
        put: Callable[[Message], object],
        send: Callable[[bytes], object],
        abandon: Callable[[], object],
    ) -> None:
        self._counters = counters
        self._put = put
        self._send = send
        self._abandon = abandon
        self._owed: dict[int, int] = {}  # by a message's identifier, its number
        self._number = 0

    def take(self, came: mqtt_packets.Arrived) -> None:
        """A message of MQTT 3.1.1."""
        mid = came.mid
        ack = _nothing if mid is None else partial(self._puback, mid, self._owe(mid))
        try:
            topic = came.topic.decode()
        except UnicodeDecodeError:
            self._counters.bad_topics += 1
            ack()
            return
        self._put(Message(topic, came.payload, came.retain, ack, self._abandon))

    def cut(self, came: mqtt_packets.Arrived, packet: bytes) -> None:
        """A message that is larger than `packet`, its beginning."""
        self._counters.oversized += 1
        if self._counters.oversized == 1:
            log.warning(
                "a message of %d bytes on %.64r is cut, and refused for that; counted from now on",
                mqtt_packets.end(packet, 0),
                came.topic,
            )
        self.take(came)

    def take_from_paho(
        self, client: paho.Client, message: paho.MQTTMessage, version5: bool
    ) -> None:
        """A message that paho has read."""
        ack = partial(self._ack, client, message, self._owe(message.mid))
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._counters.bad_topics += 1
            ack()
            return
        came = extras(message.properties) if version5 else NONE
        payload = bytes(message.payload)
        self._put(Message(topic, payload, message.retain, ack, self._abandon, came))

    def end(self) -> None:
        """The connection is gone, and no PUBACK is sent any more."""
        self._owed.clear()

    def _owe(self, mid: int) -> int:
        """The number of a message, which tells it from a later one with the same identifier."""
        self._number += 1
        self._owed[mid] = self._number
        return self._number

    def _is_owed(self, mid: int, number: int) -> bool:
        """Whether a message wants its PUBACK still, which is sent now."""
        if self._owed.get(mid) != number:
            return False
        del self._owed[mid]
        return True

    def _puback(self, mid: int, number: int) -> None:
        if self._is_owed(mid, number):
            self._send(mqtt_packets.puback(mid))

    def _ack(self, client: paho.Client, message: paho.MQTTMessage, number: int) -> None:
        if self._is_owed(message.mid, number):
            client.ack(message.mid, message.qos)


def _nothing() -> None:
    """At QoS 0 there is no PUBACK."""
