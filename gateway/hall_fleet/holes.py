"""Events that the servers took and lost: found in the record, and their halls asked once more.

Here: when a position is missing for sure, asking its hall, and what its answer means. Not here:
what is accounted for (record.py, 0004_stores.sql), how a hall tells again
(hall_gateway.jetstream_again).

A server that is killed, or comes back with an empty disk, can lose what it acknowledged: two of
three are enough for an acknowledgement, and neither has written it to its disk by then. A hall has
moved its cursor by then; its store still has the event, for a month.

What is on its way is not missing. So what is not accounted for at one look is asked for only when
everything that the stream had at that look has been committed, and it is still not accounted for.
Asking for too much does no harm, for the record takes each event once. Every worker looks, and goes
on with what another noticed; the one that writes down that it asks is who asks.
"""

import asyncio
import logging
from contextlib import nullcontext
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Annotated, Any

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.toml_input import ConfigError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hall_fleet import logins
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
STUCK_S = 300.0
"""What the consumer gave out and nobody acknowledged for so long was given out ten times."""

log = logging.getLogger(__name__)

_LOOK = "SELECT last, extract(epoch FROM now() - at)::float FROM hall.look"
_NOTICED = "UPDATE hall.stores SET noticed = missing WHERE noticed <> missing"
_ANY = "SELECT EXISTS (SELECT FROM hall.stores WHERE NOT isempty(noticed))"
_LOOKED = "UPDATE hall.look SET last = %s, at = now()"
_STILL = """
    SELECT hall, store, (missing * noticed)::text, hall.size(missing * noticed)
    FROM hall.stores WHERE missing && noticed ORDER BY asked_at NULLS FIRST, hall, store LIMIT %s
"""
_ASKED = """
    UPDATE hall.stores SET asked = %s::int8multirange, asked_at = now()
    WHERE (hall, store) = (%s, %s)
        AND (asked_at IS NULL OR asked_at < now() - interval '1 minute'
            OR NOT asked @> %s::int8multirange)
    RETURNING asked_at
"""
_ANSWERED = """
    UPDATE hall.stores SET again = again + least(%s, hall.size(missing)),
        gone = gone + missing * %s::int8multirange,
        accounted = accounted + missing * (%s::int8multirange + %s::int8multirange)
    WHERE (hall, store) = (%s, %s)
"""
_TOTALS = """
    SELECT coalesce(sum(missing), 0), coalesce(sum(again), 0), coalesce(sum(gone), 0)
    FROM hall.shortfalls
"""
_SCATTERED = """
    UPDATE hall.stores SET gone = gone + missing, accounted = accounted + missing
    WHERE pg_column_size(accounted) > 64000
"""
"""Some 3,000 holes: no server loses like that, and each batch would write all of them anew."""

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
    """Of all halls, at the last look: positions that they are asked for (`missing`); events that
    were told `again`, ever, and positions that are `gone` for good, ever."""

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
        """Ask for what was missing at the last look, when that is for sure, and look anew. Raises
        LinkError, AwayError and RefusedError."""
        ((last, age_s),) = await self.record.rows(_LOOK)
        if last is None or await _committed(link, last, age_s):
            await self._ask(link)
            await self._notice(link)
        found = (await self.record.rows(_TOTALS))[0]
        self.figures.missing, self.figures.again, self.figures.gone = map(int, found)
        self._troubled = False

    async def _notice(self, link: Link) -> None:
        """In this order: what is noticed had been acknowledged when the stream was so far."""
        await self.record.run(_SCATTERED)
        await self.record.run(_NOTICED)
        last = None
        if (await self.record.rows(_ANY))[0][0]:
            info = await link.ask(f"STREAM.INFO.{subjects.EVENTS_STREAM}")
            last = info["state"]["last_seq"]
        await self.record.run(_LOOKED, (last,))

    async def _ask(self, link: Link) -> None:
        holes = [Hole(*row) for row in await self.record.rows(_STILL, (HALLS,))]
        asked = [hole for hole in holes if await self._first(hole)]
        answers = await asyncio.gather(*(_answer(link, hole) for hole in asked))
        for hole, answer in zip(asked, answers, strict=True):
            if answer is not None:
                await self._answered(hole, answer)

    async def _first(self, hole: Hole) -> bool:
        """Whether nobody has asked for it within a minute; then it is written down that we do."""
        return bool(await self.record.rows(_ASKED, (hole.positions, *_key(hole), hole.positions)))

    async def _answered(self, hole: Hole, answer: _Result) -> None:
        gone, void = multirange(answer.gone), multirange(answer.void)
        await self.record.run(_ANSWERED, (answer.again, gone, gone, void, *_key(hole)))
        log.warning("%s: tells %d events again", hole.hall, answer.again)
        if answer.gone:
            log.error("%s: has no more what stood at %s: lost for good", hole.hall, gone)

    def _link(self) -> Link:
        servers = self.servers
        return Link(servers.servers, servers.credentials(), servers.tls(), "ingest")


async def _committed(link: Link, last: int, age_s: float) -> bool:
    """Whether the record has all that the stream had when that was as far as `last`, so many
    seconds ago."""
    name = f"{subjects.EVENTS_STREAM}.{logins.EVENTS_CONSUMER}"
    info: dict[str, Any] = await link.ask(f"CONSUMER.INFO.{name}")
    if info["ack_floor"]["stream_seq"] >= last:
        return True
    return info["num_pending"] == 0 and (info["num_ack_pending"] == 0 or age_s > STUCK_S)


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
        log.warning("%s: does not tell again: %.300s", hole.hall, reply.get("error"))
    except NoReplyError as error:
        log.warning("%s", error)
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False)[0]["msg"]
        log.warning("%s: its answer to tell_again is none: %s", hole.hall, why)
    return None


def _key(hole: Hole) -> tuple[str, str]:
    return hole.hall, hole.store
