"""A page: templates, languages, and what stands on each of them; of any console of ours.

Here: rendering with jinja2, always escaped, and errors as pages. Not here: which console it is, and
what a page of it has (pages.py).
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

from hall_gateway.console.guard import SETTINGS, session_of, user_of
from hall_gateway.console.reading import ReadError
from hall_gateway.console.stream import Stream
from hall_gateway.console.words import TAGS, Language, Words, language_of, preferred

log = logging.getLogger(__name__)

PACKAGE = "hall_gateway.console"
"""Where the templates, the texts and the style sheet that every console has are."""

_LANGUAGE = "hall_language"
YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class Rendering:
    """What makes pages of templates. `words` gives the texts in a language and the clock that a
    request is answered by, `more` what stands on every page of this console; `clock` unix ms."""

    templates: Environment
    words: Callable[[web.Request, Language], Words]
    more: Callable[[web.Request, Words], dict[str, Any]]
    clock: Callable[[], int]


RENDERING = web.AppKey("rendering", Rendering)
STREAM = web.AppKey("stream", Stream)
MARK = web.RequestKey("mark", str)
"""The stream's, from before anything was read: what changes from then on is heard."""


def environment(*packages: str) -> Environment:
    """Everything is escaped, and what was forgotten is an error. A template of `packages` goes
    before the hall console's of the same name."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, PACKAGE)]),
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
    return request.app[RENDERING].words(request, language)


def page(request: web.Request, template: str, status: int = 200, **more: Any) -> web.Response:
    """The page of `template`; its values are `more`, and those of every page."""
    rendering, t = request.app[RENDERING], words_of(request)
    values = {**common(request, t), **rendering.more(request, t), **more}
    body = rendering.templates.get_template(template).render(values)
    response = web.Response(text=body, content_type="text/html", status=status)
    if language_of(request.query.get("lang")):
        keep(request, response, _LANGUAGE, t.language)
    return response


def keep(request: web.Request, response: web.StreamResponse, name: str, value: str) -> None:
    """How somebody wants to see pages, in a cookie for a year: nothing secret."""
    secure = request.app[SETTINGS].secure
    response.set_cookie(
        name, value, max_age=YEAR_S, secure=secure, httponly=True, samesite="Lax", path="/"
    )


def common(request: web.Request, t: Words) -> dict[str, Any]:
    """What every page of every console has."""
    session = session_of(request)
    other: Language = "en" if t.language == "zh" else "zh"
    return {
        "t": t,
        "tag": TAGS[t.language],
        "other": other,
        "other_tag": TAGS[other],
        "other_path": own_path(str(request.rel_url.update_query(lang=other)), "/"),
        "now": request.app[RENDERING].clock(),
        "offset_min": t.offset_min,
        "mark": request[MARK],
        "here": request.path,
        "wall": "wall" in request.query,
        "user": user_of(request) if session else None,
        "csrf": session.csrf if session else "",
    }


def answered(request: web.Request, ok: bool, text: str, to: str) -> web.Response:
    """The page that says what became of what was asked for, with the way back `to`."""
    return page(request, "answer.html", 200 if ok else 422, ok=ok, answer=text, to=to)


@web.middleware
async def errors_as_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong, in words and in the reader's language."""
    request[MARK] = request.app[STREAM].mark
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return page(request, "error.html", error.status, error=error.status, why=error.text or "")
    except ReadError as error:
        log.error("%s", error)
        return page(request, "error.html", 503, error=503, why=str(error))
    except Exception:
        log.exception("%s %r failed", request.method, request.path)
        return page(request, "error.html", 500, error=500, why="")


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


def static_folder(package: str = PACKAGE) -> Any:
    """Where the style sheet and the script of `package` are."""
    return files(package) / "static"
