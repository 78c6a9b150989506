"""Events into the stream: when one counts as taken, and what follows when the stream takes none.

Here: PubAcks and refusals. Not here: which event is sent when (outbox_publisher.py), messages
(jetstream_message.py), answers' form (jetstream_acks.py), the connection (jetstream.py).

The cursor moves, in the store, after the PubAck of the stream of events: the cluster has the event
on the disks of most of its servers then. A stream that is full, or not there, or does not answer,
is tried again for ever from the first event that it did not take; `trouble` says why.

A stream that has a message already says so, and keeps one: an answer as good as any, for only this
hall can make a message's id (jetstream_message.py). It knows ids for minutes; what comes again
after that, or from another start of the gateway, whoever receives it knows by hall and event id.
"""

import asyncio
import logging
from functools import partial

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.config_jetstream import SINK
from hall_gateway.core import Core
from hall_gateway.jetstream import MANY, JetStream
from hall_gateway.jetstream_acks import NotTakenError, PubAck
from hall_gateway.jetstream_connection import Connection
from hall_gateway.jetstream_message import Outgoing, event
from hall_gateway.mqtt import retry_delay
from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.outbox_publisher import OutboxPublisher
from hall_gateway.values import OutboxRow

log = logging.getLogger(__name__)


class Events:
    """The outbox of one hall, into the stream of events."""

    def __init__(self, hall: str, core: Core, servers: JetStream) -> None:
        self._hall = hall
        self._core = core
        self._servers = servers
        self._outbox = OutboxPublisher(core, SINK, self._send, self._well)
        self._refusal = ""  # of the stream, while it takes nothing
        self._attempt = 0
        self.settle = self._outbox.settle
        self.finish = self._outbox.finish

    @property
    def trouble(self) -> str | None:
        """Why nothing is taken; None while nothing is wrong."""
        if not self._servers.connected:
            return self._servers.counters.last_loss or None
        return self._refusal or None

    async def publish(self, connection: Connection) -> None:
        """Publish for as long as there is the connection. Raises DisconnectedError."""
        while True:
            try:
                await self._outbox.run()
            except NotTakenError as error:
                connection.forget()
                if (why := str(error)) != self._refusal:
                    log.warning("%s: %s; trying again", SINK, why)
                    self._refusal = why
                await asyncio.sleep(retry_delay(self._attempt + MANY))
                self._attempt += 1

    def _send(self, row: OutboxRow) -> asyncio.Future[None]:
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connection = self._servers.connection()
        message = event(self._hall, self._core.store_id, row, connection.key)
        connection.publish(message).add_done_callback(partial(self._answered, message, taken))
        return taken

    def _answered(
        self, message: Outgoing, taken: asyncio.Future[None], answer: asyncio.Future[PubAck]
    ) -> None:
        try:
            answer.result().by(subjects.EVENTS_STREAM, message.subject)
            taken.set_result(None)
        except DisconnectedError as error:
            taken.set_exception(error)
            taken.exception()  # the publisher looks only at the first that failed

    def _well(self) -> None:
        self._attempt = 0
        if self._refusal:
            log.warning("%s: the stream takes events again", SINK)
        self._refusal = self._servers.counters.last_loss = ""
