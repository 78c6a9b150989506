"""What every request passes before a page is asked for.

Here: response headers, sessions and their cookie, whether a form is ours, and roles. Not here:
what a page shows.

A form counts as ours when the browser says that it stood on our own page (`Origin`, which a browser
always sends with a POST) and when it has the session's token. What needs a role says so with
@needs; a POST that does not is refused for everybody, so none can be forgotten.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from hall_gateway.config_console import ConsoleConfig
from hall_gateway.config_links import is_loopback
from hall_gateway.console.sessions import LoginForms, Session, Sessions, sent_bytes
from hall_gateway.console.users import Role, User, Users, UsersError

SESSIONS = web.AppKey("sessions", Sessions)
USERS = web.AppKey("users", Users)
LOGIN_FORMS = web.AppKey("login_forms", LoginForms)
SETTINGS = web.AppKey("settings", ConsoleConfig)

FORM_S = 15.0
"""A form has to be there after so long."""

OPEN = ("/login", "/static/")
"""What needs no session."""

BY_ITSELF = "X-Hall-Refresh"
"""A header of requests that the page's script makes when the hall has changed: nobody did
anything."""

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_HSTS = "max-age=31536000"

_SESSION = web.RequestKey("session", Session)
_USER = web.RequestKey("user", User)
_NEEDS = "hall_needs"

H = TypeVar("H", bound=Callable[[web.Request], Awaitable[web.StreamResponse]])


def needs(role: Role) -> Callable[[H], H]:
    """A handler for users who may do what `role` may."""

    def mark(handler: H) -> H:
        setattr(handler, _NEEDS, role)
        return handler

    return mark


def session_of(request: web.Request) -> Session | None:
    """Who asks, where that is known."""
    return request.get(_SESSION)


def user_of(request: web.Request) -> User:
    """Who asks; behind the guard there is somebody."""
    return request[_USER]


def cookie_name(settings: ConsoleConfig, name: str) -> str:
    """By its name a browser takes the cookie only over HTTPS, and from this very host
    (draft-ietf-httpbis-rfc6265bis, 4.1.3)."""
    return f"__Host-{name}" if settings.secure else name


def set_cookie(
    response: web.StreamResponse,
    settings: ConsoleConfig,
    name: str,
    value: str,
    max_age: int | None,
) -> None:
    """A cookie that no script sees, and that only our own pages send."""
    response.set_cookie(
        cookie_name(settings, name),
        value,
        max_age=max_age,
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="Strict",
    )


def logged_in(request: web.Request) -> bool:
    """Whether the request's session goes on; asking does not prolong it."""
    return _find(request, acts=False) is not None


@web.middleware
async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost one: whatever is answered has these headers."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        _set_headers(request, error)
        raise
    if not response.prepared:
        _set_headers(request, response)
    return response


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """As headers(), for answers that are sent piece by piece, and for errors of the server."""
    _set_headers(request, response)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Session, form, role: in this order."""
    found = _find(request, acts=BY_ITSELF not in request.headers)
    if found is not None:
        request[_SESSION], request[_USER] = found
    is_open = request.path.startswith(OPEN)
    if request.method not in ("GET", "HEAD"):
        await _check_form(request)
    if is_open:
        return await handler(request)
    if found is None:
        _send_to_login(request)
    role: Role | None = getattr(request.match_info.handler, _NEEDS, None)
    if role is None and request.method not in ("GET", "HEAD"):
        raise web.HTTPForbidden(text="nobody may do this")
    if role is not None and not user_of(request).may(role):
        raise web.HTTPForbidden(text=role)
    return await handler(request)


def _find(request: web.Request, *, acts: bool) -> tuple[Session, User] | None:
    app = request.app
    token = request.cookies.get(cookie_name(app[SETTINGS], "hall_session"), "")
    session = app[SESSIONS].get(token, acts=acts) if token else None
    if session is None:
        return None
    try:
        user = app[USERS].get(session.user)
    except UsersError:
        user = None
    if user is None or user.mark != session.mark:
        app[SESSIONS].end(token)
        return None
    return session, user


def _send_to_login(request: web.Request) -> None:
    if request.method in ("GET", "HEAD") and BY_ITSELF not in request.headers:
        accepts = request.headers.get("Accept", "")
        if "text/html" in accepts or "*/*" in accepts:
            to = quote(request.path_qs, safe="")
            raise web.HTTPSeeOther(f"/login?to={to}" if request.path_qs != "/" else "/login")
    raise web.HTTPUnauthorized(text="not logged in")


async def _check_form(request: web.Request) -> None:
    if not _own_origin(request):
        raise web.HTTPForbidden(text="this form does not stand on a page of this console")
    # As browsers send ours; of every other kind somebody else chooses how it is decoded.
    charset = (request.charset or "utf-8").lower()
    if request.content_type.startswith("multipart/") or charset != "utf-8":
        raise web.HTTPUnsupportedMediaType(text="a form here is urlencoded, in UTF-8")
    try:
        async with asyncio.timeout(FORM_S):
            form = await request.post()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the form did not come") from None
    except ValueError:
        raise web.HTTPBadRequest(text="this form cannot be read") from None
    token = str(form.get("csrf", ""))
    session = session_of(request)
    if session is not None:
        right = hmac.compare_digest(session.csrf.encode(), sent_bytes(token))
    else:
        name = cookie_name(request.app[SETTINGS], "hall_form")
        right = request.app[LOGIN_FORMS].fits(request.cookies.get(name, ""), token)
    if not right:
        raise web.HTTPForbidden(text="this form is too old, or not ours; go back and try again")


def _own_origin(request: web.Request) -> bool:
    settings = request.app[SETTINGS]
    origin = request.headers.get("Origin")
    if settings.origin is not None:
        return origin == settings.origin
    if origin != f"{'https' if settings.tls else 'http'}://{request.host}":
        return False
    # A foreign name that was made to point here is no name of this machine's own.
    host = str(urlsplit(origin).hostname or "")
    return is_loopback(host) or not is_loopback(settings.host)


def _set_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers["Server"] = "hallkit"
    # What is packaged may be kept, and asked for whether it is still the same.
    kept = "no-cache" if request.path.startswith("/static/") else "no-store"
    response.headers.setdefault("Cache-Control", kept)
    if request.app[SETTINGS].secure:
        response.headers["Strict-Transport-Security"] = _HSTS
