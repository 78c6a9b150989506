"""Every route of the hall's console and of the fleet's: no form but ours does anything, every page
has its policy.

The router is walked, so a route that is added is looked at too. Not here: what a form does, and for
whom (test_console_web.py).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import hall_fleet.console
import hall_gateway.console
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hall_fleet.console.app import make_app as make_fleet_app
from hall_fleet.console.settings import FleetConfig, PostgresConfig
from hall_gateway.console import guard
from hall_gateway.console.app import make_app
from hall_gateway.console.current import Current
from hall_gateway.schema import open_store
from support.console import PASSWORD, write_settings, write_users
from support.guarded import Client, faults, faults_of, let_in, path_of, routes, without_policy

TEMPLATES = sorted(
    path
    for package in (hall_gateway.console, hall_fleet.console)
    for path in (Path(str(package.__file__)).parent / "templates").glob("*.html")
)


@dataclass
class Place:
    """A console, and two who are logged in to it."""

    tech: Client
    boss: Client
    server: TestServer
    app: web.Application

    @property
    def origin(self) -> str:
        return str(self.tech.make_url("/")).rstrip("/")


def hall_console(tmp_path: Path) -> web.Application:
    settings = write_settings(tmp_path, 8080)
    open_store(tmp_path / "hall.db", 16).close()
    return make_app(Current(settings), write_users(settings))


def fleet_console(tmp_path: Path) -> web.Application:
    """Without its PostgreSQL: its pages say so."""
    postgres = PostgresConfig(dsn=f"host={tmp_path} dbname=hall user=hall_console")
    users = write_users(tmp_path / "fleet.toml")
    return make_fleet_app(FleetConfig(postgres=postgres), users)


@pytest.fixture(params=[hall_console, fleet_console])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    monkeypatch.setattr("hall_gateway.console.pages_login.WRONG_S", 0.0)
    monkeypatch.setattr("hall_gateway.console.stream.Stream.serve", briefly)
    monkeypatch.setattr("hall_fleet.console.database.WAIT_S", 0.01)
    app = request.param(tmp_path)
    server = TestServer(app)
    async with server, visitor(server) as tech, visitor(server) as boss:
        made = Place(tech, boss, server, app)
        for client, name in ((tech, "tech"), (boss, "王经理")):
            form = {"name": name, "password": PASSWORD, "csrf": await token(client, "/login")}
            async with client.post(
                "/login", data=form, headers={"Origin": made.origin}, allow_redirects=False
            ) as answer:
                assert answer.status == 303
        yield made


@asynccontextmanager
async def visitor(server: TestServer) -> AsyncGenerator[Client]:
    """With cookies of their own, and nobody yet."""
    async with TestClient(server) as client:
        yield client


async def briefly(self: object, request: web.Request, *who: object) -> web.StreamResponse:
    """The stream of news, which ends at once."""
    response = web.StreamResponse()
    await response.prepare(request)
    return response


async def token(client: Client, path: str) -> str:
    async with client.get(path) as answer:
        found = re.search(r'name="csrf" value="([^"]+)"', await answer.text())
    assert found is not None
    return found[1]


async def test_no_form_but_ours_does_anything(place: Place) -> None:
    forms = routes(place.app, reads=False)
    assert len(forms) >= 4
    own, others = await token(place.tech, "/account"), await token(place.boss, "/account")
    assert own != others
    assert await let_in(place.tech, place.app, place.origin, own, others) == []


async def test_nobody_does_anything_without_a_login(place: Place) -> None:
    async with visitor(place.server) as stranger:
        form = await token(stranger, "/login")
        for method, path in routes(place.app, reads=False):
            if path == "/login":
                continue
            for csrf in (form, await token(place.tech, "/account")):
                async with stranger.request(
                    method, path, data={"csrf": csrf}, headers={"Origin": place.origin}
                ) as answer:
                    assert answer.status in (401, 403), (path, answer.status)


async def test_every_answer_has_the_policy_and_every_page_keeps_it(place: Place) -> None:
    assert len(routes(place.app, reads=True)) > 8
    assert await without_policy(place.tech, place.app) == []
    async with visitor(place.server) as stranger:
        assert await without_policy(stranger, place.app) == []
    assert len(TEMPLATES) > 8
    assert faults_of(TEMPLATES) == []


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("<script>1</script>", "stands in the page"),
        ("<p style='color: red'>", "has style="),
        ("<b onclick='x()'>", "has onclick="),
        ("<img src='https://evil.example/1.png'>", "leads to https:"),
        ("<a href='//evil.example'>", "leads to //"),
        ("<a href=' javascript:1'>", "javascript"),
        ("<form method=post action=/x><button></form>", "has no token"),
        ("<form method=get action=/x></form>", ""),
        ("<form method=post>{{ parts.token(csrf) }}</form><a href=/x>", ""),
    ],
)
def test_what_breaks_the_policy_is_seen(page: str, fault: str) -> None:
    assert fault in "".join(faults(page))
    assert bool(faults(page)) is bool(fault)


async def test_a_guard_that_forgets_something_is_seen(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the walk above can fail: without the check of a form, of its origin alone, and of a
    header."""
    own, others = await token(place.tech, "/account"), await token(place.boss, "/account")

    def any_origin(request: web.Request) -> bool:
        return True

    async def never(request: web.Request) -> None:
        await request.post()

    with monkeypatch.context() as spoilt:
        spoilt.setattr(guard, "_own_origin", any_origin)
        found = await let_in(place.tech, place.app, place.origin, own, others)
        assert {each.partition(", ")[2].partition(":")[0] for each in found} >= {
            "a foreign page",
            "a sandboxed page",
            "no Origin",
        }
    own = await again(place)
    with monkeypatch.context() as spoilt:
        spoilt.setattr(guard, "_check_form", never)
        assert any(
            "no token" in each
            for each in await let_in(place.tech, place.app, place.origin, own, "x")
        )
    policy = guard.HEADERS["Content-Security-Policy"]
    with monkeypatch.context() as spoilt:
        spoilt.setitem(guard.HEADERS, "Content-Security-Policy", policy.replace("'none'", "*"))
        spoilt.setattr("support.guarded.HEADERS", {"Content-Security-Policy": policy})
        assert await without_policy(place.boss, place.app)


async def again(place: Place) -> str:
    """Log in once more: the walk has logged out."""
    form = {"name": "tech", "password": PASSWORD, "csrf": await token(place.tech, "/login")}
    origin = {"Origin": place.origin}
    async with place.tech.post("/login", data=form, headers=origin, allow_redirects=False):
        pass
    return await token(place.tech, "/account")


def test_a_route_nobody_knows_a_path_of_is_seen() -> None:
    app = web.Application()
    resource = app.router.add_resource(r"/odd/{what:[A-Z]{7}}")
    with pytest.raises(AssertionError, match="SAMPLES has nothing"):
        path_of(resource)
