"""The console's requests without a browser: who may ask what, and how a form proves to be ours."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from hall_gateway.config_console import ConsoleConfig
from hall_gateway.console.app import make_app
from hall_gateway.console.current import Current
from hall_gateway.console.foundation import MAX_BODY
from hall_gateway.console.guard import HEADERS, SESSIONS, SETTINGS
from hall_gateway.console.pages import CONSOLE
from hall_gateway.console.pages_login import THROTTLE, address_of
from hall_gateway.console.sessions import ABSOLUTE_S, MAX_OF_ONE, SCREEN_S
from hall_gateway.console.stream import MAX_OF_ONE as MAX_STREAMS_OF_ONE
from hall_gateway.console.stream import Listener
from hall_gateway.console.throttle import FREE_ACCOUNT
from hall_gateway.console.users import User, Users
from hall_gateway.rollout_model import Member, RollOut, Target
from hall_gateway.schema import open_store
from hall_gateway.store_updates import RollOuts
from multidict import CIMultiDict
from support.console import PASSWORD, QUICK, write_settings, write_users
from support.console_browser import Browser

pytestmark = pytest.mark.usefixtures("no_waits")


class Seconds:
    """Monotonic s, by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hall_gateway.console.pages_login.WRONG_S", 0.0)


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def browser(tmp_path: Path, seconds: Seconds) -> AsyncIterator[Browser]:
    settings = write_settings(tmp_path, 8080)
    users = write_users(settings)
    open_store(tmp_path / "hall.db", 16).close()
    app = make_app(Current(settings), users, seconds=seconds)
    async with TestClient(TestServer(app)) as client:
        yield Browser(client)


async def test_every_answer_has_its_headers(browser: Browser) -> None:
    for path in ("/login", "/", "/static/console.js", "/nothing", "/static/nothing"):
        answer = await browser.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, path
        assert answer.headers["Server"] == "hallkit"
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_nobody_sees_anything_without_a_login(browser: Browser) -> None:
    app = browser.client.server.app  # pyright: ignore[reportAttributeAccessIssue]
    paths = {r.canonical for r in app.router.resources()} - {"/login", "/static"}
    assert len(paths) > 8
    for path in paths:
        given = path.replace("{key}", "0" * 24).replace("{id}", "1").replace("{device}", "disp-1")
        answer = await browser.get(given, Accept="text/html")
        if answer.status != 405:
            assert answer.status in (303, 404), path
    assert (await browser.get("/stream", Accept="text/event-stream")).status == 401
    assert (await browser.get("/", **{"X-Hall-Refresh": "1"})).status == 401


async def test_a_login_leads_where_one_wanted_and_never_elsewhere(browser: Browser) -> None:
    assert await browser.log_in("看", to="/alerts?x=1") == (303, "/alerts?x=1")
    for evil in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1", ""):
        await browser.post("/logout", csrf=await browser.csrf("/"))
        status, to = await browser.log_in("看", to=evil)
        assert status == 303
        assert to == "/", evil


async def test_a_cookie_is_for_the_server_alone(browser: Browser) -> None:
    csrf = await browser.csrf("/login")
    form = {"name": "看", "password": PASSWORD, "csrf": csrf}
    async with browser.client.post(
        "/login", data=form, headers={"Origin": browser.origin}, allow_redirects=False
    ) as answer:
        cookie = next(c for c in answer.headers.getall("Set-Cookie") if "hall_session" in c)
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie  # not over HTTPS here


async def test_a_form_of_another_page_is_refused(browser: Browser) -> None:
    status, _ = await browser.post("/login", name="看", password=PASSWORD)
    assert status == 403
    await browser.log_in("tech")
    csrf = await browser.csrf("/")
    for origin in ("https://evil.example", "null", "http://evil.example:80"):
        assert (await browser.post("/logout", origin=origin, csrf=csrf))[0] == 403
    assert (await browser.post("/logout", csrf="x"))[0] == 403
    assert (await browser.post("/logout"))[0] == 403
    async with browser.client.post("/logout", data={"csrf": csrf}) as answer:
        assert answer.status == 403  # a browser always says where a form stood
    assert (await browser.get("/")).status == 200
    assert await browser.post("/logout", csrf=csrf) == (303, "/login")
    assert (await browser.get("/", Accept="text/html")).status == 303


ROLES = {
    "/show": "manager",
    "/alerts/1/acknowledge": "manager",
    "/tasks/1/acknowledge": "manager",
    "/tasks/1/rerate": "manager",
    "/webhooks/retry": "manager",
    "/webhooks/discard": "manager",
    "/devices/disp-1/identify": "technician",
    "/devices/disp-1/reboot": "technician",
    "/updates/stop": "technician",
    "/updates/resume": "technician",
}


@pytest.mark.parametrize("name", ["看", "王经理", "tech"])
async def test_roles_hold_for_every_form(browser: Browser, name: str) -> None:
    may = {"看": (), "王经理": ("manager",), "tech": ("manager", "technician")}[name]
    await browser.log_in(name)
    csrf = await browser.csrf("/")
    form = {"place": "window:1", "text": "x", "seconds": "30", "mark": "5", "sink": "hall"}
    for path, role in ROLES.items():
        status, text = await browser.post(path, csrf=csrf, event="e/1/1", **form)
        # 422: it came as far as the gateway, which is away here.
        assert status == (422 if role in may else 403), (path, text)
    app = browser.client.server.app  # pyright: ignore[reportAttributeAccessIssue]
    posts = {r.resource.canonical for r in app.router.routes() if r.method == "POST" and r.resource}
    own = {"/login", "/logout", "/account"}
    varied = r"/(1|disp-1|retry|discard|identify|reboot|rerate|stop|resume)(?=/|$)"
    known = {re.sub(varied, "/*", path) for path in ROLES}
    assert {re.sub(r"\{[^}]+\}", "*", path) for path in posts - own} == {
        path.replace("/tasks/*/acknowledge", "/tasks/*/*") for path in known
    }


async def test_a_long_form_is_refused(browser: Browser) -> None:
    await browser.log_in("tech")
    csrf = await browser.csrf("/")
    status, _ = await browser.post("/show", csrf=csrf, text="x" * MAX_BODY)
    assert status == 413


async def test_sessions_end(browser: Browser, seconds: Seconds) -> None:
    await browser.log_in("王经理")
    seconds.now += 29 * 60
    assert (await browser.get("/")).status == 200
    seconds.now += 29 * 60
    # The page follows the hall by itself: that is no sign of anybody.
    assert (await browser.get("/", **{"X-Hall-Refresh": "1"})).status == 200
    seconds.now += 2 * 60
    assert (await browser.get("/", Accept="text/html")).status == 303

    await browser.log_in("王经理")
    for _ in range(int(ABSOLUTE_S / 1200)):
        assert (await browser.get("/")).status == 200
        seconds.now += 1200
    assert (await browser.get("/", Accept="text/html")).status == 303

    await browser.log_in("看")
    seconds.now += SCREEN_S - 1
    assert (await browser.get("/", **{"X-Hall-Refresh": "1"})).status == 200
    seconds.now += 1
    assert (await browser.get("/", **{"X-Hall-Refresh": "1"})).status == 401


async def test_a_screen_comes_back_after_a_restart(browser: Browser, tmp_path: Path) -> None:
    settings, users = tmp_path / "hall.toml", Users(tmp_path / "console-users.json", QUICK)
    for name, status in (("看", 200), ("王经理", 303)):
        await browser.log_in(name)
        kept = (tmp_path / "console-screens.json").read_text()
        cookie = next(c for c in browser.client.session.cookie_jar if c.key == "hall_session")
        assert cookie.value not in kept
        async with TestClient(TestServer(make_app(Current(settings), users))) as after:
            again = Browser(after)
            sent = {"Cookie": f"hall_session={cookie.value}", "Accept": "text/html"}
            assert (await again.get("/", **sent)).status == status
            if name == "看":
                users.set_password(name, "another password")
                assert (await again.get("/", **sent)).status == 303


async def test_a_user_who_is_removed_is_logged_out(browser: Browser, tmp_path: Path) -> None:
    await browser.log_in("tech")
    assert (await browser.get("/devices")).status == 200
    Users(tmp_path / "console-users.json", QUICK).remove("tech")
    assert (await browser.get("/devices", Accept="text/html")).status == 303


async def test_wrong_passwords_are_slowed(browser: Browser, seconds: Seconds) -> None:
    for _ in range(FREE_ACCOUNT + 1):
        assert (await browser.log_in("王经理", "wrong"))[0] == 401
    status, text = await browser.log_in("王经理")
    assert status == 429  # the right one has to wait, too
    assert "秒后再试" in text
    seconds.now += 2
    assert (await browser.log_in("王经理"))[0] == 303
    throttle = browser.client.server.app[THROTTLE]  # pyright: ignore[reportAttributeAccessIssue]
    assert throttle.wait_s("王经理", "127.0.0.1") == 0.0


async def test_others_wrong_passwords_keep_nobody_out(browser: Browser) -> None:
    await browser.log_in("王经理")
    await browser.post("/logout", csrf=await browser.csrf("/"))
    jar = browser.client.session.cookie_jar
    mine = next(cookie for cookie in jar if cookie.key == "hall_known")
    jar.clear()
    for _ in range(FREE_ACCOUNT + 1):
        assert (await browser.log_in("王经理", "wrong"))[0] == 401
    assert (await browser.log_in("王经理"))[0] == 429
    jar.update_cookies({"hall_known": mine.value}, browser.client.make_url("/"))
    assert (await browser.log_in("王经理"))[0] == 303


async def test_nobody_logs_others_out(browser: Browser) -> None:
    await browser.log_in("王经理")
    sessions = browser.client.server.app[SESSIONS]  # pyright: ignore[reportAttributeAccessIssue]
    user = User("看", "viewer", "hash")
    tokens = [sessions.begin(user) for _ in range(MAX_OF_ONE + 1)]
    assert sessions.get(tokens[0], acts=False) is None
    assert sessions.get(tokens[1], acts=False) is not None
    assert (await browser.get("/")).status == 200


async def test_a_login_ends_the_session_before_it(browser: Browser) -> None:
    await browser.log_in("看")
    jar = browser.client.session.cookie_jar
    before = next(cookie.value for cookie in jar if cookie.key == "hall_session")
    form = {"name": "tech", "password": PASSWORD, "csrf": await browser.csrf("/")}
    assert (await browser.post("/login", **form))[0] == 303
    assert (await browser.get("/devices")).status == 200
    jar.clear()
    jar.update_cookies({"hall_session": before}, browser.client.make_url("/"))
    assert (await browser.get("/", Accept="text/html")).status == 303


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        (["10.0.0.9"], "10.0.0.9"),
        (["1.2.3.4, 10.0.0.9"], "10.0.0.9"),
        (["1.2.3.4", "10.0.0.9"], "10.0.0.9"),
        (["forged\tname"], "127.0.0.1"),
    ],
)
def test_an_address_is_the_proxys_own_word(headers: list[str], address: str) -> None:
    told = CIMultiDict([("X-Forwarded-For", each) for each in headers])
    app = web.Application()
    app[SETTINGS] = ConsoleConfig(origin="https://hall.example")
    transport = Mock()
    transport.get_extra_info.return_value = ("127.0.0.1", 1)
    request = make_mocked_request("GET", "/", headers=told, app=app, transport=transport)
    assert address_of(request) == address


async def test_ones_own_password(browser: Browser) -> None:
    await browser.log_in("看")
    csrf = await browser.csrf("/account")

    async def change(old: str, new: str, again: str | None = None) -> tuple[int, str]:
        form = {"old": old, "new": new, "again": again or new}
        return await browser.post("/account", csrf=csrf, **form)

    assert (await change(PASSWORD, "short"))[0] == 422
    assert (await change(PASSWORD, "another password", "other"))[0] == 422
    assert (await change("wrong", "another password"))[0] == 422
    assert await change(PASSWORD, "another password") == (303, "/account?done")
    assert (await browser.get("/")).status == 200
    await browser.post("/logout", csrf=await browser.csrf("/"))
    assert (await browser.log_in("看"))[0] == 401
    assert (await browser.log_in("看", "another password"))[0] == 303


async def test_without_users_the_page_says_how_to_make_one(tmp_path: Path) -> None:
    settings = write_settings(tmp_path, 8080)
    app = make_app(Current(settings), Users(tmp_path / "console-users.json", QUICK))
    async with TestClient(TestServer(app)) as client:
        text = await (await client.get("/login?lang=en")).text()
        assert "hall console user add NAME --role manager" in text
        assert "no default password" in text


async def test_without_a_store_a_page_says_so(browser: Browser, tmp_path: Path) -> None:
    await browser.log_in("tech")
    (tmp_path / "hall.db").unlink()
    answer = await browser.get("/")
    assert answer.status == 503
    assert "hall.db: is not there" in await answer.text()


async def test_the_language_is_remembered(browser: Browser) -> None:
    answer = await browser.get("/login", **{"Accept-Language": "en-GB,zh;q=0.5"})
    assert '<html lang="en">' in await answer.text()
    answer = await browser.get("/login?lang=zh", **{"Accept-Language": "en"})
    assert '<html lang="zh-CN">' in await answer.text()
    answer = await browser.get("/login", **{"Accept-Language": "en"})
    assert '<html lang="zh-CN">' in await answer.text()


async def test_what_has_changed_is_told_as_it_does(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in("看")
    stream = browser.client.server.app[CONSOLE].stream  # pyright: ignore[reportAttributeAccessIssue]
    async with browser.client.get(f"/stream?mark={stream.mark}") as answer:
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readuntil(b"\n\n") == b"retry: 1000\n\n"
        stream.tell(["outbox"])
        event = (await answer.content.readuntil(b"\n\n")).decode()
        assert f"id: {stream.mark}" in event
        assert json.loads(event.partition("data: ")[2]) == {"news": ["outbox"]}
        stream.close()
    user = "看"
    others = [Listener(user) for _ in range(MAX_STREAMS_OF_ONE)]
    monkeypatch.setattr(stream, "_listeners", set(others))
    assert (await browser.get("/stream")).status == 503
    for each in others:
        each.user = "somebody"
    async with browser.client.get("/stream", headers={"Last-Event-ID": "old-1"}) as answer:
        await answer.content.readuntil(b"\n\n")


async def test_a_roll_out_is_seen_by_all_and_stopped_by_technicians(
    browser: Browser, tmp_path: Path
) -> None:
    members = (
        Member("disp-1", "esp32", 0, "confirmed"),
        Member("kp-1", "esp32", 1, "failed", 1, 1, "no_service"),
        Member("disp-2", "esp32", 2),
    )
    rollout = RollOut(1, "0.2.0", 7, {"esp32": Target("ab" * 32, 7000)}, members, "李敏", 1)
    stopped = replace(rollout, state="stopped", device="kp-1", why="no_service")
    odd = replace(stopped, why="<script>")
    connection = open_store(tmp_path / "hall.db", 16)
    for shown, words in (
        (
            rollout,
            ("固件更新 0.2.0", "第 1 批，共 3 批", "1 台已确认", "时段 22:00–6:00", "停止更新"),
        ),
        (stopped, ("kp-1：新固件联系不到网关，已退回", "继续更新")),
        (odd, ("kp-1：&lt;script&gt;",)),
        (replace(stopped, stopped_by="tech"), ("由 tech 停止", "继续更新")),
        (replace(rollout, state="done"), ("已完成",)),
    ):
        RollOuts(connection).put(shown)
        for name in ("tech", "看"):
            await browser.log_in(name)
            answer = await browser.client.get("/devices")
            text = await answer.text()
            for word in words:
                assert (word in text) is (name == "tech" or not word.endswith("更新")), word
            await browser.post("/logout", csrf=await browser.csrf("/"))
    connection.close()
