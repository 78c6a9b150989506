"""Commands of the back office over NATS, and the replies to them.

Here: a command's time limit, whom a reply goes to, and late replies. Not here: what a command means
(core.py, jetstream_again.py), that each is done once, whichever link brings it (commands.py).

NATS keeps neither: a command that finds no gateway is gone, and so is a reply that nobody listens
to. Who commands sends the same again until there is a reply or the time is over; a command that
was done before gets its reply of then.
"""

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from functools import partial

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.config_jetstream import SINK
from hall_gateway.core import Core
from hall_gateway.heart import Heart
from hall_gateway.jetstream import JetStream
from hall_gateway.jetstream_again import MAX_BYTES, Again, refusal
from hall_gateway.jetstream_connection import Arrived, Connection
from hall_gateway.jetstream_message import ExpiryError, Outgoing, expiry
from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.ordered import until_stored
from hall_gateway.payload import command_id
from hall_gateway.values import Reply, StoreError

log = logging.getLogger(__name__)


class Commands:
    """Those for one hall; `again` has the one that is no command of the core's. `refused` counts
    what no reply could be given to, or only that."""

    def __init__(self, hall: str, core: Core, again: Again) -> None:
        self.refused = Counter({"command_expiry": 0, "defect": 0})
        self._hall = hall
        self._core = core
        self._again = again
        self._late = core.signals.replies.listen()
        self._busy = asyncio.Lock()

    async def take(self, arrived: Arrived, servers: JetStream) -> None:
        """Have it done, and reply. A defect is logged, and ends nothing else."""
        async with self._busy:
            try:
                reply = await self._answer(arrived)
            except StoreError:
                return  # it comes again
            except Exception:
                self.refused["defect"] += 1
                log.exception("%s: gave up a command", SINK)
                return
            if reply is not None:
                with suppress(DisconnectedError):
                    servers.connection().tell(self._message(reply))

    async def finish(self) -> None:
        """Let the one that is underway end, and begin no other."""
        await self._busy.acquire()

    async def publish_replies(self, connection: Connection) -> None:
        """Send the replies that took longer, for as long as there is the connection. Raises
        DisconnectedError."""
        waiting = partial(self._core.replies, link=SINK)
        while True:
            self._late.clear()
            while replies := await until_stored(waiting):
                for reply in replies:
                    connection.tell(self._message(reply))
                await connection.flush()
                for reply in replies:
                    await until_stored(partial(self._core.replied, reply.id))
            await self._late.wait()

    async def _answer(self, arrived: Arrived) -> Reply | None:
        if arrived.name == subjects.TELL_AGAIN and (id := command_id(arrived.payload, MAX_BYTES)):
            # By whatever clock: it may be done late and twice, and a hall with a wrong one has to.
            return await self._again.ask(id, arrived.payload)
        now = self._core.now()
        try:
            expired = expiry(arrived.headers, now) <= now
        except ExpiryError as error:
            self.refused["command_expiry"] += 1
            id = command_id(arrived.payload)
            return refusal(id, f"{error}; nothing was done") if id else None

        def do(heart: Heart, now: int) -> Reply | None:
            return heart.request(arrived.name, arrived.payload, None, expired, now, SINK)

        return await self._core.do(do, grows=True)

    def _message(self, reply: Reply) -> Outgoing:
        return Outgoing(subjects.reply(self._hall, reply.id), reply.body)
