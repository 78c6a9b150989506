"""Logging in and out, and one's own password.

Here: the forms. Not here: sessions (sessions.py), passwords (users.py), what a wrong one costs
(throttle.py).
"""

import asyncio
import ipaddress
import logging
import math
import secrets

from aiohttp import web

from hall_gateway.console import known
from hall_gateway.console.guard import (
    LOGIN_FORMS,
    SESSIONS,
    SETTINGS,
    USERS,
    cookie_name,
    needs,
    session_of,
    set_cookie,
    user_of,
)
from hall_gateway.console.rendering import own_path, page, words_of
from hall_gateway.console.sessions import SCREEN_S
from hall_gateway.console.throttle import Throttle
from hall_gateway.console.users import MAX_NAME, MAX_PASSWORD, MIN_PASSWORD, User, UsersError

log = logging.getLogger(__name__)

WRONG_S = 1.0
"""Each wrong password is answered so much later than a right one."""

MAX_WAITING = 8
"""Passwords that wait to be judged; each takes 19 MiB and a part of a second."""

THROTTLE = web.AppKey("throttle", Throttle)


class Judge:
    """Judges passwords one after the other, beside the event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def verify(self, request: web.Request, name: str, password: str) -> User | None:
        """Raises UsersError, HTTPServiceUnavailable."""
        if self._waiting >= MAX_WAITING:
            raise web.HTTPServiceUnavailable(text="too many logins at once")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(request.app[USERS].verify, name, password)
        finally:
            self._waiting -= 1


JUDGE = web.AppKey("judge", Judge)


async def show_login(request: web.Request) -> web.StreamResponse:
    """The form; or the page itself for somebody who is logged in."""
    if session_of(request) is not None:
        raise web.HTTPSeeOther(own_path(request.query.get("to", ""), "/"))
    return _form(request)


def _form(
    request: web.Request, problem: str = "", name: str = "", status: int = 200
) -> web.Response:
    app = request.app
    cookie = request.cookies.get(cookie_name(app[SETTINGS], "hall_form")) or secrets.token_urlsafe(
        16
    )
    empty = False
    try:
        empty = not app[USERS].all()
    except UsersError as error:
        log.error("%s", error)
        problem = words_of(request)("login.no_file")
    response = page(
        request,
        "login.html",
        status,
        problem=problem,
        name=name,
        empty=empty,
        to=own_path(request.query.get("to", ""), "/"),
        token=app[LOGIN_FORMS].token(cookie),
    )
    set_cookie(response, app[SETTINGS], "hall_form", cookie, None)
    return response


async def login(request: web.Request) -> web.StreamResponse:
    """A wrong password takes a while, and more of them take longer."""
    app, form, t = request.app, await request.post(), words_of(request)
    name, password = str(form.get("name", "")), str(form.get("password", ""))
    to = own_path(str(form.get("to", "")), "/")
    if len(name) > MAX_NAME or len(password) > MAX_PASSWORD:
        return _form(request, t("login.wrong"), status=401)
    throttle, address = app[THROTTLE], address_of(request)
    browser = _browser_of(request, name)
    if wait_s := throttle.wait_s(name, address, browser):
        response = _form(request, t("login.wait", n=math.ceil(wait_s)), name, status=429)
        response.headers["Retry-After"] = str(math.ceil(wait_s))
        return response
    throttle.wrong(name, address, browser)  # until it is known to be right
    try:
        user = await app[JUDGE].verify(request, name, password)
    except UsersError as error:
        log.error("%s", error)
        return _form(request, t("login.no_file"), name, status=503)
    if user is None:
        # A name that nobody has may be a password in the wrong field.
        named = name if name in app[USERS].all() else "somebody unknown"
        log.warning("login of %s from %s refused: wrong name or password", named, address)
        await asyncio.sleep(WRONG_S)
        return _form(request, t("login.wrong"), name, status=401)
    throttle.right(name, address, browser)
    log.info("login of %s (%s) from %s", user.name, user.role, address)
    app[SESSIONS].end(_token_of(request))
    raise _let_in(request, user, to)


def _let_in(request: web.Request, user: User, to: str) -> web.HTTPSeeOther:
    """A session, always a new one, and the mark of a known browser."""
    app, response = request.app, web.HTTPSeeOther(to)
    max_age = int(SCREEN_S) if user.role == "viewer" else None
    set_cookie(response, app[SETTINGS], "hall_session", app[SESSIONS].begin(user), max_age)
    set_cookie(response, app[SETTINGS], "hall_known", known.cookie_for(user), known.KEPT_S)
    return response


def _token_of(request: web.Request) -> str:
    return request.cookies.get(cookie_name(request.app[SETTINGS], "hall_session"), "")


def _browser_of(request: web.Request, name: str) -> str | None:
    """Which of the browsers that `name` was let in with before, if any."""
    cookie = request.cookies.get(cookie_name(request.app[SETTINGS], "hall_known"), "")
    try:
        return known.number_of(cookie, request.app[USERS].get(name))
    except UsersError:
        return None


@needs("viewer")
async def logout(request: web.Request) -> web.StreamResponse:
    app = request.app
    app[SESSIONS].end(_token_of(request))
    response = web.HTTPSeeOther("/login")
    name = cookie_name(app[SETTINGS], "hall_session")
    response.del_cookie(
        name, path="/", secure=app[SETTINGS].secure, httponly=True, samesite="Strict"
    )
    raise response


async def show_account(request: web.Request) -> web.StreamResponse:
    """Who one is, and the form for one's own password."""
    return page(
        request, "account.html", problem="", done="done" in request.query, least=MIN_PASSWORD
    )


@needs("viewer")
async def change_password(request: web.Request) -> web.StreamResponse:
    """Asks for the old one, as often as a login may be tried. Ends every session of the user."""
    app, form, t = request.app, await request.post(), words_of(request)
    user = user_of(request)
    old, new, again = (str(form.get(name, "")) for name in ("old", "new", "again"))
    throttle, address = app[THROTTLE], address_of(request)
    browser = _browser_of(request, user.name)

    def refused(problem: str, status: int = 422) -> web.Response:
        return page(
            request, "account.html", status, problem=problem, done=False, least=MIN_PASSWORD
        )

    if wait_s := throttle.wait_s(user.name, address, browser):
        return refused(t("login.wait", n=math.ceil(wait_s)), 429)
    if new != again:
        return refused(t("account.differ"))
    if not MIN_PASSWORD <= len(new) <= MAX_PASSWORD or len(old) > MAX_PASSWORD:
        return refused(t("account.length", least=MIN_PASSWORD, most=MAX_PASSWORD))
    if new.casefold() == user.name.casefold():
        return refused(t("account.is_name"))
    throttle.wrong(user.name, address, browser)
    try:
        if await app[JUDGE].verify(request, user.name, old) is None:
            await asyncio.sleep(WRONG_S)
            return refused(t("account.wrong"))
        throttle.right(user.name, address, browser)
        await asyncio.to_thread(app[USERS].set_password, user.name, new)
        changed = app[USERS].get(user.name)
    except UsersError as error:
        log.error("%s", error)
        return refused(t("account.cannot_write"), 503)
    assert changed is not None
    log.info("%s has a new password, from %s", user.name, address)
    app[SESSIONS].end_all_of(user.name)
    raise _let_in(request, changed, "/account?done")


def address_of(request: web.Request) -> str:
    """Where a browser is; behind a reverse proxy, where that one says it is."""
    if request.app[SETTINGS].origin is not None:
        # The proxy's own word is the last one, whether it appends to a browser's or adds a header.
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
        try:
            return str(ipaddress.ip_address(forwarded.rpartition(",")[2].strip()))
        except ValueError:
            pass
    return request.remote or "unknown"


def routes() -> list[web.RouteDef]:
    return [
        web.get("/login", show_login),
        web.post("/login", login),
        web.post("/logout", logout),
        web.get("/account", show_account),
        web.post("/account", change_password),
    ]
