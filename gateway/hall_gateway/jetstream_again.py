"""Events that the servers took and lost: the back office asks for them, and they are told again.

Here: the command `tell_again`, and sending what it asks for. Not here: which events there are
(store_sinks.py), whom a reply goes to (jetstream_commands.py), every other event
(jetstream_events.py), who finds out what is missing (hall_fleet.holes).

Nothing of a request is kept: when the gateway or the connection ends, or the stream takes nothing,
the rest of it is given up, for what is missing then is asked for again. It is no command of the
core's: to do it twice does no harm, for the back office takes each event once.
"""

import asyncio
import logging
from collections import deque
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.config_jetstream import SINK
from hall_gateway.core import Core
from hall_gateway.heart import Heart
from hall_gateway.jetstream_acks import NotTakenError, PubAck
from hall_gateway.jetstream_connection import Connection
from hall_gateway.jetstream_message import event
from hall_gateway.models import CommandId
from hall_gateway.ordered import until_stored
from hall_gateway.payload import PayloadError, parse
from hall_gateway.store_sinks import Missed
from hall_gateway.values import OutboxRow, Reply
from hall_gateway.wire import compact

MAX_BYTES = 8 * 1024
"""Of a request; the largest that says something has 5 KiB."""
MOST = 5_000
"""Events that are told again at one request."""
WINDOW = 50
"""Of them that are not acknowledged yet."""
READ = 200
"""Of them that are taken from the store together."""

log = logging.getLogger(__name__)

_Position = Annotated[int, Field(ge=1, le=2**63 - 1)]
_Range = tuple[_Position, _Position]


def _apart(ranges: list[_Range]) -> list[_Range]:
    before = 0
    for first, last in ranges:
        if not before < first <= last:
            raise ValueError(f"[{first}, {last}] is not in order")
        before = last
    return ranges


class TellAgain(BaseModel):
    """The events of an outbox that the back office misses: the positions from the first to the last
    of each range."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    id: CommandId
    store: Annotated[
        str, Field(pattern="^[0-9a-f]{16}$", description="16 of 0-9 and a-f, as the hall's state")
    ]
    ranges: Annotated[
        list[_Range],
        Field(
            min_length=1,
            max_length=100,
            description="1 to 100 ranges [first, last], apart and in ascending order, from 1 on",
        ),
        AfterValidator(_apart),
    ]


class Again:
    """What is told again of one hall. `told`: events, since the start, that a stream took again."""

    def __init__(self, hall: str, core: Core) -> None:
        self.told = 0
        self._hall = hall
        self._core = core
        self._places: list[tuple[int, int]] = []  # of the rows to be told; empty: none is
        self._reply: Reply | None = None  # to the request that they are of
        self._asked = asyncio.Event()

    async def ask(self, id: str, payload: bytes) -> Reply:
        """The answer to the request `id`, which is carried out from then on. Raises StoreError."""
        if self._reply is not None:
            if self._reply.id == id:
                return self._reply
            return refusal(id, "still telling again what was asked for before")
        try:
            asked = parse(TellAgain, payload, limit=MAX_BYTES)
        except PayloadError as error:
            return refusal(id, str(error))
        missed = await self._core.do(partial(_look, asked))
        result = {"again": len(missed.places), "gone": missed.gone, "void": missed.void}
        reply = Reply(id, compact({"id": id, "ok": True, "result": result}))
        if missed.places:
            self._places, self._reply = missed.places, reply
            self._asked.set()
        return reply

    async def publish(self, connection: Connection) -> None:
        """Tell what is asked for, for as long as there is the connection. Raises
        DisconnectedError."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            before, why = self.told, "the connection ended"
            try:
                await self._tell(connection)
                why = "deleted meanwhile"
            except NotTakenError as error:
                why = str(error)
            finally:
                self._ended(self.told - before, why)

    async def _tell(self, connection: Connection) -> None:
        """Raises DisconnectedError."""
        answers: deque[tuple[str, asyncio.Future[PubAck]]] = deque()
        try:
            for start in range(0, len(self._places), READ):
                part = self._places[start : start + READ]
                for row in await until_stored(partial(self._core.do, partial(_read, part))):
                    if len(answers) == WINDOW:
                        await self._took(answers)
                    message = event(
                        self._hall, self._core.store_id, row, connection.key, again=True
                    )
                    answers.append((message.subject, connection.publish(message)))
            while answers:
                await self._took(answers)
        finally:
            for _, answer in answers:  # nobody waits for it any more
                answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())

    async def _took(self, answers: deque[tuple[str, asyncio.Future[PubAck]]]) -> None:
        """Wait for the first one. Raises DisconnectedError."""
        subject, answer = answers.popleft()
        (await answer).by(subjects.EVENTS_STREAM, subject)
        self.told += 1

    def _ended(self, told: int, why: str) -> None:
        asked = len(self._places)
        self._places, self._reply = [], None
        text = "%s: the back office misses %d events that its servers took; "
        if told == asked:
            log.warning(text + "told again", SINK, asked)
        else:
            left = asked - told
            log.warning(text + "%d are not told again: %s", SINK, asked, left, why)


def refusal(id: str, error: str) -> Reply:
    """The answer to a command that is not done."""
    return Reply(id, compact({"id": id, "ok": False, "error": error}))


def _look(asked: TellAgain, heart: Heart, _now: int) -> Missed:
    if asked.store != heart.store_id:
        return Missed([], asked.ranges, [])
    return heart.sinks.missed(SINK, asked.ranges, MOST)


def _read(places: list[tuple[int, int]], heart: Heart, _now: int) -> list[OutboxRow]:
    return heart.sinks.at(places)
