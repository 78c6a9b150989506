"""Events that the servers took and lost: found in the record, and their halls asked once more.

Here: when a position is missing for sure, asking its hall, and what its answer means. Not here:
what is accounted for (record.py, 0004_stores.sql), how a hall tells again
(hall_gateway.jetstream_again).

A server that is killed, or comes back with an empty disk, can lose what it acknowledged: two of
three are enough for an acknowledgement, and neither has written it to its disk by then. A hall has
moved its cursor by then; its store still has the event, for a month.

What is on its way is not missing. So what is not accounted for at one look is noticed, with how
far the stream was then; and asked for when all up to there is committed and it still is missing.
Asking for too much does no harm, for the record takes each event once. Every worker looks, and goes
on with what another noticed; the one that writes down that it asks is who asks.
"""

import asyncio
import logging
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Annotated, Any

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.toml_input import ConfigError
from hall_gateway.wire import one_line
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hall_fleet import logins, streams
from hall_fleet.ingest_config import NatsConfig
from hall_fleet.link import Link, LinkError
from hall_fleet.positions import MOST, multirange, parts
from hall_fleet.record import AwayError, Record, RefusedError
from hall_fleet.sender import NoReplyError, send_command

LOOK_S = 5.0
HALLS = 200
"""That are asked at one look."""
RANGES = 100
"""That a hall is asked for at once."""
REPLY_S = 10.0
STUCK_S = 3.0 * streams.ACK_WAIT_S
"""What was given out and not acknowledged for so long was given out three times. nats-server 2.9
can lose count of what was, after it was killed, and stays behind for ever then."""
EVERYTHING = 2**62
"""As a sequence of the stream."""

log = logging.getLogger(__name__)

_MISSING = """
    SELECT hall, store, missing::text FROM hall.stores
    WHERE NOT isempty(missing)
        AND (noticed_at IS NULL OR noticed_at <= %s OR NOT missing && noticed)
"""
_NOTICED = """
    WITH before AS (
        SELECT hall, store, b.missing FROM hall.stores JOIN
            unnest(%s::text[], %s::text[], %s::int8multirange[]) AS b (hall, store, missing)
            USING (hall, store)
        ORDER BY hall, store FOR UPDATE OF stores
    )
    UPDATE hall.stores AS s SET noticed = s.missing * before.missing, noticed_at = %s
    FROM before WHERE (s.hall, s.store) = (before.hall, before.store)
"""
_STILL = """
    SELECT hall, store, (missing * noticed)::text, hall.size(missing * noticed)
    FROM hall.stores WHERE missing && noticed AND noticed_at <= %s
    ORDER BY asked_at NULLS FIRST, hall, store LIMIT %s
"""
_ASKED = """
    UPDATE hall.stores SET asked = %(holes)s::int8multirange, asked_at = now()
    WHERE (hall, store) = (%(hall)s, %(store)s)
        AND (asked_at IS NULL OR asked_at < now() - interval '1 minute'
            OR NOT asked @> %(holes)s::int8multirange)
    RETURNING asked_at
"""
_ANSWERED = """
    UPDATE hall.stores SET gone = gone + missing * %(gone)s::int8multirange,
        accounted = accounted + missing * (%(gone)s::int8multirange + %(void)s::int8multirange)
    WHERE (hall, store) = (%(hall)s, %(store)s) RETURNING hall.size(gone)
"""
_TOTALS = """
    SELECT coalesce(sum(missing), 0), coalesce(sum(again), 0), coalesce(sum(gone), 0)
    FROM hall.shortfalls
"""
_SCATTERED = """
    WITH scattered AS (
        SELECT hall, store FROM hall.stores
        WHERE NOT isempty(missing) AND (SELECT count(*) FROM unnest(missing)) > 3000
        ORDER BY hall, store FOR UPDATE
    )
    UPDATE hall.stores AS s SET gone = gone + missing, accounted = accounted + missing
    FROM scattered WHERE (s.hall, s.store) = (scattered.hall, scattered.store)
"""
"""No server loses like that, and each batch would write all of these holes anew."""

_Position = Annotated[int, Field(ge=1, le=MOST)]


def _in_order(part: tuple[int, int]) -> tuple[int, int]:
    if part[0] > part[1]:
        raise ValueError(f"{part[0]} to {part[1]} is no range")
    return part


_Parts = list[Annotated[tuple[_Position, _Position], AfterValidator(_in_order)]]


class _Result(BaseModel):
    """Of tell_again; what each is: docs/back-office.md."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    again: Annotated[int, Field(ge=0, le=MOST)]
    gone: _Parts
    void: _Parts


@dataclass(frozen=True)
class Hole:
    """Positions (as an int8multirange, and how many) of a hall's store that are missing."""

    hall: str
    store: str
    positions: str
    size: int


@dataclass
class Figures:
    """Positions of all halls, at the last look: those that they are asked for (`missing`), that
    came `again` after that, ever, and that are `gone` for good."""

    missing: int = 0
    again: int = 0
    gone: int = 0


@dataclass
class Holes:
    """`run` is all there is to do with it."""

    servers: NatsConfig
    record: Record
    figures: Figures = field(default_factory=Figures)
    _troubled: bool = False
    _floor: tuple[int, float] = (-1, 0.0)  # of the consumer, and since when (time.monotonic)

    async def run(self) -> None:
        """Look, and ask, until cancelled; whatever is away is there again later."""
        while True:
            try:
                async with self._link() as link:
                    while not link.lost.done():
                        await self.look(link)
                        await asyncio.wait((link.lost,), timeout=LOOK_S)
            except (LinkError, ConfigError, AwayError, RefusedError) as error:
                if not self._troubled:
                    log.warning("looking for what is missing: %s", error)
                self._troubled = True
            await asyncio.sleep(LOOK_S)

    async def look(self, link: Link) -> None:
        """Ask for what is missing for sure, and notice what is missing now. Raises LinkError,
        AwayError and RefusedError."""
        committed = await self._committed(link)
        await self._ask(link, committed)
        await self.record.run(_SCATTERED)
        if missing := await self.record.rows(_MISSING, (committed,)):
            # Only now: what is missing had been acknowledged when the stream was so far.
            info = await link.ask(f"STREAM.INFO.{subjects.EVENTS_STREAM}")
            columns = [list(column) for column in zip(*missing, strict=True)]
            await self.record.run(_NOTICED, (*columns, info["state"]["last_seq"]))
        found = (await self.record.rows(_TOTALS))[0]
        self.figures.missing, self.figures.again, self.figures.gone = map(int, found)
        self._troubled = False

    async def _committed(self, link: Link) -> int:
        """The sequence up to which the record has all that the stream has."""
        name = f"{subjects.EVENTS_STREAM}.{logins.EVENTS_CONSUMER}"
        info: dict[str, Any] = await link.ask(f"CONSUMER.INFO.{name}")
        floor, now = int(info["ack_floor"]["stream_seq"]), time.monotonic()
        if floor != self._floor[0]:
            self._floor = floor, now
        stuck = now - self._floor[1] > STUCK_S
        if info["num_pending"] == 0 and (info["num_ack_pending"] == 0 or stuck):
            return EVERYTHING
        return floor

    async def _ask(self, link: Link, committed: int) -> None:
        holes = [Hole(*row) for row in await self.record.rows(_STILL, (committed, HALLS))]
        asked = [hole for hole in holes if await self._first(hole)]
        answers = await asyncio.gather(*(_answer(link, hole) for hole in asked))
        for hole, answer in zip(asked, answers, strict=True):
            if answer is not None:
                await self._answered(hole, answer)

    async def _first(self, hole: Hole) -> bool:
        """Whether nobody has asked for it within a minute; then it is written down that we do."""
        values = {"holes": hole.positions, "hall": hole.hall, "store": hole.store}
        return bool(await self.record.rows(_ASKED, values))

    async def _answered(self, hole: Hole, answer: _Result) -> None:
        log.warning("%s: tells %d events again", hole.hall, answer.again)
        ranges = {"gone": multirange(answer.gone), "void": multirange(answer.void)}
        values = {**ranges, "hall": hole.hall, "store": hole.store}
        for (gone,) in await self.record.rows(_ANSWERED, values):
            if answer.gone:
                log.error("%s: %d positions are lost for good in all", hole.hall, gone)

    def _link(self) -> Link:
        servers = self.servers
        return Link(servers.servers, servers.credentials(), servers.tls(), "ingest")


async def _answer(link: Link, hole: Hole) -> _Result | None:
    """What its hall says to it; None: nothing, and it is asked again in a minute."""
    log.warning(
        "%s: %d positions that the servers took are not in the record; the hall is asked",
        *(hole.hall, hole.size),
    )
    id = f"again-{token_hex(8)}"
    body = {"id": id, "store": hole.store, "ranges": parts(hole.positions)[:RANGES]}
    try:
        reply = await send_command(
            lambda: nullcontext(link), hole.hall, "tell_again", body, REPLY_S
        )
        if reply["ok"]:
            return _Result.model_validate(reply.get("result"))
        log.warning("%s: does not tell again: %s", hole.hall, one_line(str(reply.get("error"))))
    except NoReplyError as error:
        log.warning("%s", error)
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False)[0]["msg"]
        log.warning("%s: its answer to tell_again is none: %s", hole.hall, one_line(why))
    return None
