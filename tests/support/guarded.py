"""Every route of a console, asked as an attacker's page would ask it.

Here: walking a router, and what a request without a right to it has to get. Not here: who logs in,
and what a page shows (tests).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.test_utils import TestClient
from hall_gateway.console.guard import HEADERS

Client: TypeAlias = "TestClient[web.Request, web.Application]"

READS = {"GET", "HEAD", "OPTIONS"}
SAMPLES = ("disp-1", "identify", "1", "0" * 24)
"""What stands in paths: of things that are there, where it matters."""
EVIL = "https://evil.example"
URLENCODED = "application/x-www-form-urlencoded"


def routes(app: web.Application, *, reads: bool) -> list[tuple[str, str]]:
    """(method, a path of it) of each route that only reads, or that does something."""
    found: list[web.AbstractRoute] = list(app.router.routes())
    assert not any(route.method == "*" for route in found), "a route for every method"
    return sorted(
        (route.method, path_of(route.resource))
        for route in found
        if (route.method in READS) is reads and route.resource is not None
        if not isinstance(route.resource, web.StaticResource)
    )


def path_of(resource: web.AbstractResource) -> str:
    """A path that leads there."""
    told = resource.get_info()
    pattern = told.get("pattern")
    if pattern is None:
        return told.get("path", "")
    values = (*SAMPLES, *re.findall("[a-z_]+", pattern.pattern))
    for chosen in itertools.product(values, repeat=pattern.groups):
        path = told.get("formatter", "").format(
            **dict(zip(pattern.groupindex, chosen, strict=True))
        )
        if pattern.fullmatch(path):
            return path
    raise AssertionError(f"SAMPLES has nothing that fits {pattern.pattern}")


async def let_in(
    client: Client, app: web.Application, origin: str, token: str, others: str
) -> list[str]:
    """Who was let in, or kept out, wrongly, of the forms of whoever is logged in at `client` with
    that token; `others` is the token of another session."""
    wrong: list[str] = []
    ours = sorted(routes(app, reads=False), key=lambda route: route[1] == "/logout")
    for method, path in ours:
        for why, where, origin_sent, form in _attempts(path, origin, token, others):
            status = await _send(client, method, where, origin_sent, form)
            if status != 403:
                wrong.append(f"{method} {path}, {why}: {status}")
        status = await _send(client, method, path, origin, urlencode({"csrf": token}))
        if status in (403, 404, 405):
            wrong.append(f"{method} {path}, our own form: {status}, so the others prove nothing")
    return wrong


def _attempts(
    path: str, origin: str, token: str, others: str
) -> Iterator[tuple[str, str, str | None, str]]:
    """(what is wrong with it, path, Origin, form)."""
    right = urlencode({"csrf": token})
    yield "no token", path, origin, ""
    yield "an empty token", path, origin, "csrf="
    yield "another's token", path, origin, urlencode({"csrf": others})
    yield "the token in the address", f"{path}?{right}", origin, ""
    yield "a foreign page", path, EVIL, right
    yield "a sandboxed page", path, "null", right
    yield "no Origin", path, None, right


async def _send(client: Client, method: str, path: str, origin: str | None, form: str) -> int:
    headers = {"Content-Type": URLENCODED}
    if origin is not None:
        headers["Origin"] = origin
    async with client.request(
        method, path, data=form, headers=headers, allow_redirects=False
    ) as answer:
        return answer.status


async def without_policy(client: Client, app: web.Application) -> list[str]:
    """Each answer of each route that lacks one of the headers, or whose page breaks the policy."""
    wrong: list[str] = []
    for method, path in routes(app, reads=True):
        if method != "GET":
            continue
        async with client.get(path, headers={"Accept": "text/html"}) as answer:
            wrong += [
                f"GET {path}: {name} is {answer.headers.get(name)!r}"
                for name, value in HEADERS.items()
                if answer.headers.get(name) != value
            ]
            if answer.content_type == "text/html":
                wrong += [f"GET {path}: {each}" for each in faults(await answer.text())]
    return wrong


def faults_of(templates: Iterable[Path]) -> list[str]:
    """Of pages before anything is filled in, so that forms which only some see are among them."""
    return [
        f"{path.name}: {each}"
        for path in templates
        for each in faults(path.read_text(encoding="utf-8"))
    ]


def faults(html: str) -> list[str]:
    """What in a page the policy forbids, and forms without a token."""
    page = _Page()
    page.feed(html)
    page.close()
    return page.faults


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self._form: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        line = f"line {self.getpos()[0]}: <{tag}>"
        if tag == "style" or (tag == "script" and "src" not in given):
            self.faults.append(f"{line} stands in the page")
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.faults.append(f"{line} has {name}=")
            if name in ("src", "href", "action", "formaction") and not _own(value or ""):
                self.faults.append(f"{line} leads to {value}")
        if tag == "form" and (given.get("method") or "").lower() == "post":
            self._form = line
        if tag == "input" and given.get("name") == "csrf":
            self._form = None

    def handle_data(self, data: str) -> None:
        if re.search(r"parts\.token\(\w+\)", data):
            self._form = None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form is not None:
            self.faults.append(f"{self._form} has no token")
            self._form = None


def _own(address: str) -> bool:
    """Whether it leads to this very console."""
    return not re.match(r"\s*([a-z][a-z0-9+.-]*:|//|\\)", address, re.IGNORECASE)
