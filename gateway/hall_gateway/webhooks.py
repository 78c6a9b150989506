"""A webhook: a sink whose events go to one HTTPS endpoint, in order, one at a time.

Here: what is sent when, when it is tried again, and when an event is given up. Not here: the
request and its answer (webhook_client.py), who decides about what was given up (sinks_api.py).

One event is in flight: then they arrive in the order of the outbox, and no slow endpoint is sent
more than it takes. An endpoint that does not answer, or answers 5xx, 408, 425 or 429, is tried
again for ever, with exponential backoff and full jitter.

An endpoint that refuses an event (any other 4xx, or a redirect) gets it TRIES times; then it is
under suspicion. It is given up, which makes it a dead letter, when the endpoint takes an event that
comes after it, and refuses it once more: so it was the event. When it refuses SUSPECTS in a row, or
there is no other event, it may as well be the endpoint (a wrong path, an expired secret): then
nothing is given up, all wait and are tried again from the first, and nobody has to do anything once
the endpoint is right.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from hall_gateway.config_webhooks import WebhookConfig
from hall_gateway.core import Core
from hall_gateway.heart import Heart
from hall_gateway.ordered import until_stored
from hall_gateway.store_dead_letters import MAX_DEAD, DeadLetter
from hall_gateway.values import OutboxRow
from hall_gateway.webhook_client import Answer, WebhookClient

BATCH = 20
"""Events that are taken from the store together; after a crash at most so many come again."""
TRIES = 5
"""Of an event that the endpoint refuses, before those after it are tried."""
SUSPECTS = 10
"""Refused in a row, it is not the events."""
SETTLE_S = 1.0
"""For so long the store does not hear of each event that a slow endpoint took."""
RETRY_MIN_S, RETRY_MAX_S = 1.0, 300.0

Draw = Callable[[float, float], float]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Refused:
    """An event that was refused `tries` times, from unix ms `first` to `last`."""

    why: str
    tries: int
    first: int
    last: int


class Webhook:
    """The sink of one [[webhook]] table. Raises ConfigError when a file of it cannot be used."""

    def __init__(self, config: WebhookConfig, core: Core, draw: Draw = random.uniform) -> None:
        self.name = config.sink
        self._core = core
        self._client = WebhookClient(config, core.now)
        self._draw = draw
        self._news = core.signals.dead_letters.listen(core.signals.outbox.listen())
        self._decisions = core.signals.dead_letters.listen()
        self._busy = asyncio.Lock()
        self._taken: int | None = None  # up to here, and the store does not know it yet
        self._settled = 0.0
        self._refused: dict[str, _Refused] = {}  # by the event's id, until it is settled
        self._failures = 0  # in a row
        self._said = ""

    async def run(self) -> None:
        """Send until cancelled. A defect here ends no other part: it is logged, and tried again."""
        async with self._client:
            while True:
                try:
                    await self._work()
                except Exception as error:
                    log.exception("%s: a defect", self.name)
                    await self._fail(f"defect: {type(error).__name__}", self._delay())

    async def finish(self) -> None:
        """Let the request that is underway end, and begin no other."""
        await self._settle()  # what was taken before it, for it may never end
        await self._busy.acquire()
        await self._settle()

    async def _work(self) -> None:
        while True:
            self._news.clear()
            self._decisions.clear()
            answered = await self._again()
            rows = await until_stored(partial(self._core.outbox, self.name, BATCH))
            if rows:
                await self._send(rows)
            elif answered:
                await self._news.wait()

    async def _send(self, rows: list[OutboxRow]) -> None:
        """Send `rows` in order, and settle what became of them."""
        suspects: list[OutboxRow] = []
        for row in rows:
            if len(suspects) == SUSPECTS or (suspects and not await self._room(len(suspects))):
                break
            if await self._offer(row, 1 if suspects or row.id in self._refused else TRIES):
                await self._took(row, suspects)
                suspects = []
            else:
                suspects.append(row)
        await self._settle()
        if suspects:
            await self._hold(suspects)

    async def _offer(self, row: OutboxRow, tries: int) -> bool:
        """Whether the endpoint took it, or refused it `tries` times; until then it is tried."""
        while True:
            answer = await self._attempt(row)
            if answer.verdict == "taken":
                return True
            if answer.verdict == "refused":
                now = self._core.now()
                before = self._refused.get(row.id) or _Refused("", 0, now, now)
                self._refused[row.id] = replace(
                    before, why=answer.why, tries=before.tries + 1, last=now
                )
                tries -= 1
                if not tries:
                    return False
            await self._settle()
            await self._fail(answer.why, self._delay(answer.retry_after_s))

    async def _attempt(self, row: OutboxRow) -> Answer:
        async with self._busy:
            answer = await self._client.send(row)
            if answer.verdict == "taken":
                self._failures = 0
                self._recovered()
            return answer

    async def _took(self, row: OutboxRow, suspects: list[OutboxRow]) -> None:
        """`row` arrived: those before it that are refused all the same are given up, and the
        cursor goes on."""
        refused = [suspect for suspect in suspects if not await self._offer(suspect, 1)]
        letters = [self._letter(suspect) for suspect in refused]

        def bury(heart: Heart, now: int) -> None:
            for letter in letters:
                heart.dead_letters.bury(letter)
            heart.sinks.advance(self.name, row.position, now)
            heart.tell("sinks")

        if letters:  # at a full store, too, or its cursor would never let go what fills it
            await until_stored(partial(self._core.do, bury))
            self._taken = None
            for letter in letters:
                log.error(
                    "%s: gave up event %s after %d tries: %s",
                    *(self.name, letter.event, letter.tries, letter.reason),
                )
        else:
            self._taken = row.position
            if asyncio.get_running_loop().time() - self._settled >= SETTLE_S:
                await self._settle()
        self._refused.clear()

    def _letter(self, row: OutboxRow) -> DeadLetter:
        refused = self._refused[row.id]
        return DeadLetter(
            *(self.name, row.id, row.body, refused.why),
            *(refused.tries, refused.first, refused.last),
        )

    async def _room(self, letters: int) -> bool:
        """Whether so many more may be given up."""
        count = partial(self._core.do, lambda heart, _now: heart.dead_letters.count(self.name))
        return await until_stored(count) + letters <= MAX_DEAD

    async def _settle(self) -> None:
        """Tell the store what the endpoint has."""
        if self._taken is not None:
            await until_stored(partial(self._core.advance, self.name, self._taken))
            self._taken = None
            self._settled = asyncio.get_running_loop().time()

    async def _hold(self, suspects: list[OutboxRow]) -> None:
        """Nothing can be given up now: wait, at most until there is another event to try or
        somebody has decided about a dead letter."""
        first = suspects[0].id
        why = f"event {first}: {self._refused[first].why}"
        another = len(suspects) < SUSPECTS
        if not await self._room(len(suspects)):
            why = f"{MAX_DEAD} dead letters wait; retry or discard some. {why}"
            another = False
        delay = self._delay()
        await self._note(why, delay)
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                while True:
                    await self._news.wait()
                    self._news.clear()
                    rows = await until_stored(partial(self._core.outbox, self.name, BATCH))
                    if self._decisions.is_set() or (another and len(rows) > len(suspects)):
                        return

    async def _again(self) -> bool:
        """Try the dead letters that somebody wants tried again; False when the endpoint does not
        answer, so that they have to be tried once more."""
        asked = await until_stored(
            partial(self._core.do, lambda heart, _now: heart.dead_letters.asked(self.name))
        )
        for letter in asked:
            answer = await self._attempt(OutboxRow(0, "", "", letter.body, letter.event))
            if answer.verdict == "later":
                await self._fail(answer.why, self._delay(answer.retry_after_s))
                return False
            await until_stored(partial(self._core.do, partial(self._tried, letter.event, answer)))
        return True

    def _tried(self, event: str, answer: Answer, heart: Heart, now: int) -> None:
        """What became of a dead letter that was tried again."""
        if answer.verdict == "taken":
            heart.dead_letters.delivered(self.name, event)
            heart.sinks.advance(self.name, 0, now)
        else:
            heart.dead_letters.refused_again(self.name, event, answer.why, now)
        heart.tell("sinks")

    def _delay(self, retry_after_s: float | None = None) -> float:
        """Seconds until the next try: full jitter under a doubling cap, and not before the
        endpoint wants it."""
        cap = min(RETRY_MAX_S, RETRY_MIN_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return max(self._draw(0.0, cap), retry_after_s or 0.0)

    async def _fail(self, why: str, delay_s: float) -> None:
        await self._note(why, delay_s)
        await asyncio.sleep(delay_s)

    async def _note(self, why: str, delay_s: float) -> None:
        """What is wrong, for the health and, once, for the log."""
        if why != self._said:
            log.warning("%s: %s; trying again", self.name, why)
            self._said = why
        retry = self._core.now() + round(delay_s * 1000)

        def note(heart: Heart, now: int) -> None:
            heart.sinks.failed(self.name, why, retry, now)
            heart.tell("sinks")

        await until_stored(partial(self._core.do, note))

    def _recovered(self) -> None:
        if self._said:
            log.warning("%s: it takes events again", self.name)
            self._said = ""
