"""Looks whether the record has changed, once for all browsers.

Here: one small query every few seconds, and the news that it makes. Not here: telling browsers
(hall_gateway.console.stream), what they then ask for (pages_*.py).
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Iterable
from typing import LiteralString

from hall_gateway.console.reading import ReadError

from hall_fleet.console import record_query
from hall_fleet.console.database import Database, row

log = logging.getLogger(__name__)

EVERY_S = 15.0
"""As long a page is behind the record at most; the record is behind the halls by less."""

LOOK_SQL: LiteralString = """
    SELECT
        (SELECT max(last_received) FROM hall.seen) AS received,
        (SELECT max(state_stored) FROM hall.halls) AS told,
        (SELECT max(made) FROM hall.standing_made) AS made,
        (SELECT max(number) FROM hall.poison) AS poison,
        (SELECT max(seen) FROM hall.workers) AS worked
"""

_NEWS = {
    "received": "halls",
    "told": "halls",
    "made": "figures",
    "poison": "refused",
    "worked": "ingest",
}
ALL = ("halls", "figures", "refused", "ingest", "all")


class Watch:
    """`up`: whether the record answered last; `seen`: unix ms when it last did; `forged`: messages
    of the last week in which a hall spoke for another."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int],
        told: Callable[[Iterable[str]], None],
    ) -> None:
        self.up = False
        self.seen: int | None = None
        self.forged = 0
        self._database = database
        self._clock = clock
        self._told = told
        self._before: dict[str, object] = {}

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S if self.up else EVERY_S / 5)

    async def look(self) -> None:
        """Once, and tell what has changed."""
        try:
            now = await asyncio.to_thread(self._read)
        except ReadError as error:
            if self.up or self.seen is None:
                log.warning("%s", error)
            if self.up:
                self.up = False
                self._told(ALL)
            return
        self.seen = self._clock()
        if not self.up:
            self.up = True
            log.info("PostgreSQL answers")
            self._told(ALL)
        else:
            self._told({news for name, news in _NEWS.items() if now[name] != self._before[name]})
        self._before = now

    def _read(self) -> dict[str, object]:
        at = dt.datetime.fromtimestamp(self._clock() / 1000, dt.UTC)
        with self._database.reading() as connection:
            found = row(connection, LOOK_SQL, {})
            forged = record_query.forged(connection, at)
            self.forged = forged[0]["messages"] if forged else 0
        assert found is not None
        return found
