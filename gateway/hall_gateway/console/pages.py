"""What the pages of a hall's console have in common.

Here: the hall, its gateway and the head of every page. Not here: how a page is rendered
(rendering.py), and what it is about (pages_*.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from hall_gateway.config import GatewayConfig
from hall_gateway.console.current import Current
from hall_gateway.console.gateway_link import Answer, AwayError, GatewayLink
from hall_gateway.console.guard import session_of, user_of
from hall_gateway.console.reading import ReadError, reading
from hall_gateway.console.rendering import Rendering, environment, words_of
from hall_gateway.console.stream import Stream
from hall_gateway.console.words import Language, Words
from hall_gateway.store_rules import Alerts

NAVIGATION: list[tuple[str, str]] = [
    ("/", "live"),
    ("/figures", "figures"),
    ("/alerts", "alerts"),
    ("/devices", "devices"),
    ("/webhooks", "webhooks"),
]
"""(path, name) of the pages in the head, in their order."""


@dataclass(frozen=True)
class Console:
    """What pages are made from. `clock` gives unix ms."""

    current: Current
    link: GatewayLink
    stream: Stream
    clock: Callable[[], int]

    @property
    def config(self) -> GatewayConfig:
        """The settings as they are now."""
        return self.current.config

    @property
    def offset_min(self) -> int:
        """How far the hall's clock is ahead of UTC."""
        return self.config.occupancy.utc_offset_min


CONSOLE = web.AppKey("console", Console)


def rendering(clock: Callable[[], int]) -> Rendering:
    """How a hall's pages are rendered."""

    def words(request: web.Request, language: Language) -> Words:
        return Words(language, request.app[CONSOLE].offset_min)

    return Rendering(environment(), words, _more, clock)


def _more(request: web.Request, t: Words) -> dict[str, Any]:
    """What every page of a hall has."""
    console = request.app[CONSOLE]
    link = console.link
    unseen = _unseen_alerts(console) if session_of(request) else 0
    return {
        "hall": console.config.hall,
        "up": link.up,
        "seen": link.seen,
        "navigation": NAVIGATION,
        "unseen": unseen,
        "counts": {"alerts": (unseen, t("alerts.count", n=unseen))},
        "sheets": (),
    }


def _unseen_alerts(console: Console) -> int:
    """How many alerts nobody has acknowledged, for the head of every page."""
    try:
        with reading(console.config.store.path) as connection:
            return sum(alert.acknowledged is None for alert in Alerts(connection).open())
    except ReadError:
        return 0  # the page itself says so


async def ask(request: web.Request, path: str, body: Mapping[str, Any]) -> Answer:
    """The gateway's answer, with who asks in `by`; also when it cannot be asked."""
    t = words_of(request)
    try:
        return await request.app[CONSOLE].link.ask(path, {**body, "by": user_of(request).name})
    except AwayError as error:
        told = "gateway.no_answer" if error.sent else "gateway.cannot_ask"
        return Answer(False, t(told), {})
