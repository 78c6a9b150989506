"""A page: templates, languages, and what stands on each of them.

Here: rendering with jinja2, always escaped. Not here: what a page is about (pages_*.py).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from hall_gateway.config import GatewayConfig
from hall_gateway.console.current import Current
from hall_gateway.console.gateway_link import Answer, AwayError, GatewayLink
from hall_gateway.console.guard import SETTINGS, session_of, user_of
from hall_gateway.console.reading import ReadError, reading
from hall_gateway.console.stream import Stream
from hall_gateway.console.words import TAGS, Language, Words, language_of, preferred
from hall_gateway.store_rules import Alerts

NAVIGATION: list[tuple[str, str]] = [
    ("/", "live"),
    ("/figures", "figures"),
    ("/alerts", "alerts"),
    ("/devices", "devices"),
    ("/webhooks", "webhooks"),
]
"""(path, name) of the pages in the head, in their order."""

_LANGUAGE = "hall_language"
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class Console:
    """What pages are made from. `clock` gives unix ms."""

    current: Current
    link: GatewayLink
    stream: Stream
    clock: Callable[[], int]
    templates: Environment

    @property
    def config(self) -> GatewayConfig:
        """The settings as they are now."""
        return self.current.config

    @property
    def offset_min(self) -> int:
        """How far the hall's clock is ahead of UTC."""
        return self.config.occupancy.utc_offset_min


CONSOLE = web.AppKey("console", Console)
MARK = web.RequestKey("mark", str)
"""The stream's, from before anything was read: what changes from then on is heard."""


def environment() -> Environment:
    """Everything is escaped, and what was forgotten is an error."""
    return Environment(
        loader=PackageLoader("hall_gateway.console"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def words_of(request: web.Request) -> Words:
    """In the language that was asked for with ?lang=, or before, or by the browser."""
    language = (
        language_of(request.query.get("lang"))
        or language_of(request.cookies.get(_LANGUAGE))
        or preferred(request.headers.get("Accept-Language", ""))
    )
    return Words(language, request.app[CONSOLE].offset_min)


def page(request: web.Request, template: str, status: int = 200, **more: Any) -> web.Response:
    """The page of `template`; its values are `more`, and those of every page."""
    console, t = request.app[CONSOLE], words_of(request)
    body = console.templates.get_template(template).render(**common(request, t), **more)
    response = web.Response(text=body, content_type="text/html", status=status)
    if language_of(request.query.get("lang")):
        secure = request.app[SETTINGS].secure
        kept: dict[str, Any] = {"max_age": _YEAR_S, "secure": secure, "httponly": True}
        response.set_cookie(_LANGUAGE, t.language, samesite="Lax", **kept)
    return response


def common(request: web.Request, t: Words) -> dict[str, Any]:
    """What every page has."""
    console, session = request.app[CONSOLE], session_of(request)
    now = console.clock()
    link = console.link
    other: Language = "en" if t.language == "zh" else "zh"
    return {
        "t": t,
        "tag": TAGS[t.language],
        "other": other,
        "other_tag": TAGS[other],
        "other_path": own_path(str(request.rel_url.update_query(lang=other)), "/"),
        "hall": console.config.hall,
        "now": now,
        "offset_min": console.offset_min,
        "mark": request[MARK],
        "up": link.up,
        "seen": link.seen,
        "here": request.path,
        "wall": "wall" in request.query,
        "navigation": NAVIGATION,
        "unseen": _unseen_alerts(console) if session else 0,
        "user": user_of(request) if session else None,
        "csrf": session.csrf if session else "",
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


def answered(request: web.Request, ok: bool, text: str, to: str) -> web.Response:
    """The page that says what became of what was asked for, with the way back `to`."""
    return page(request, "answer.html", 200 if ok else 422, ok=ok, answer=text, to=to)


def own_path(address: str, otherwise: str) -> str:
    """The path in `address`, without its host, so that nobody is sent elsewhere."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return otherwise
    path = parts.path
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return otherwise
    return f"{path}?{parts.query}" if parts.query else path


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


def static_folder() -> Any:
    """Where the style sheet and the script are."""
    return files("hall_gateway.console") / "static"
