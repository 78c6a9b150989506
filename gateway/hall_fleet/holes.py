"""Events that the servers took and lost: found in the record, and their halls asked once more.

Here: when a position is missing for sure, asking its hall, and what its answer means. Not here:
what is accounted for (record.py, 0004_stores.sql), how a hall tells again
(hall_gateway.jetstream_again).

A server that is killed, or comes back with an empty disk, can lose what it acknowledged: two of
three are enough for an acknowledgement, and neither has written it to its disk by then. A hall has
moved its cursor by then; its store still has the event, for a month.

What is on its way is not missing. So what is not accounted for at one look is asked for only when
everything that the stream had at that look has been committed, and it is still not accounted for.
Asking for too much does no harm, for the record takes each event once. Every worker looks; the one
that writes down that it asks is who asks.
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

_MISSING = """
    SELECT hall, store, missing::text FROM hall.stores WHERE NOT isempty(missing)
"""
_STILL = """
    SELECT hall, store, (s.missing * b.missing)::text, hall.size(s.missing * b.missing)
    FROM hall.stores AS s
    JOIN unnest(%s::text[], %s::text[], %s::int8multirange[]) AS b (hall, store, missing)
        USING (hall, store)
    WHERE s.missing && b.missing ORDER BY s.asked_at NULLS FIRST, hall, store
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
    SELECT coalesce(sum(again), 0)::bigint, coalesce(sum(hall.size(gone)), 0)::bigint
    FROM hall.stores WHERE again > 0 OR NOT isempty(gone)
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
    """Of all halls, at the last look: positions that are `missing` for sure; events that were told
    `again`, ever, and positions that are `gone` for good, ever."""

    missing: int = 0
    again: int = 0
    gone: int = 0


@dataclass(frozen=True)
class _Look:
    """What was missing, how far the stream was then, and when that was (time.monotonic)."""

    missing: list[tuple[str, str, str]]
    last: int
    at: float


@dataclass
class Holes:
    """`run` is all there is to do with it."""

    servers: NatsConfig
    record: Record
    figures: Figures = field(default_factory=Figures)
    _look: _Look | None = None
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
        """One look. Raises LinkError, AwayError and RefusedError."""
        if self._look is None:
            await self._begin(link)
        elif await self._committed(link, self._look):
            missing, self._look = self._look.missing, None
            await self._ask(link, missing)
        if self._look is None:
            self._troubled = False

    async def _begin(self, link: Link) -> None:
        await self.record.run(_SCATTERED)
        self.figures.again, self.figures.gone = (await self.record.rows(_TOTALS))[0]
        if missing := await self.record.rows(_MISSING):
            info = await link.ask(f"STREAM.INFO.{subjects.EVENTS_STREAM}")
            self._look = _Look(missing, int(info["state"]["last_seq"]), time.monotonic())
        else:
            self.figures.missing = 0

    async def _committed(self, link: Link, look: _Look) -> bool:
        """Whether all that the stream had at that look is in the record by now."""
        name = f"{subjects.EVENTS_STREAM}.{logins.EVENTS_CONSUMER}"
        info: dict[str, Any] = await link.ask(f"CONSUMER.INFO.{name}")
        if info["ack_floor"]["stream_seq"] >= look.last:
            return True
        stuck = time.monotonic() - look.at > STUCK_S
        return info["num_pending"] == 0 and (info["num_ack_pending"] == 0 or stuck)

    async def _ask(self, link: Link, missing: list[tuple[str, str, str]]) -> None:
        columns = [list(column) for column in zip(*missing, strict=True)]
        holes = [Hole(*row) for row in await self.record.rows(_STILL, columns)]
        self.figures.missing = sum(hole.size for hole in holes)
        asked = [hole for hole in holes[:HALLS] if await self._first(hole)]
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
