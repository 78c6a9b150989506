"""What comes over HTTP: bodies on the control socket, forms of the console, webhooks' answers.

Here: what reads them. Not here: sockets, and aiohttp's own parsing of a request.
"""

import asyncio
import json
from typing import Any
from unittest.mock import Mock

from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request
from hall_gateway import control, control_api, payload, rules_api, webhook_client
from hall_gateway.config_console import ConsoleConfig
from hall_gateway.console import gateway_link, guard
from hall_gateway.console.sessions import LoginForms, Sessions
from hall_gateway.wire import compact

from fuzz.target import Target
from fuzz.targets_gateway import UNSURE

MODELS = (control.CommandAsked, rules_api.Acknowledged, rules_api.Stepped, control_api.Asked)


def body(data: bytes) -> bool:
    """The body of a POST, and what of it goes on to the core."""
    taken = False
    for model in MODELS:
        try:
            found = payload.parse(model, data, limit=control_api.MAX_BODY)
        except payload.PayloadError as error:
            assert "\n" not in str(error)
            continue
        compact({**(found.model_extra or {}), "id": "x"})
        taken = True
    return taken


def webhook(data: bytes) -> bool:
    """[status, text, Retry-After]: the answer of somebody's endpoint."""
    try:
        status, text, after = json.loads(data)
        status, text = int(status), str(text).encode("utf-8", "replace")
        after = None if after is None else str(after)
    except (ValueError, TypeError, OverflowError, RecursionError):
        status, text, after = 503, data, data.decode("latin-1")
    wait = webhook_client._retry_after(after, 1_790_000_000_000)
    assert wait is None or 0 <= wait <= webhook_client.MAX_RETRY_AFTER_S
    judged = webhook_client.judged(status, text, wait)
    assert judged.why.isprintable() and len(judged.why) < 400
    return judged.verdict == "taken" or wait is not None


def gateways_answer(data: bytes) -> bool:
    """What the console hears of the gateway."""
    told = list(gateway_link._news(data))
    assert all(isinstance(each, str) for each in told)
    answer = gateway_link._answer(200, data.decode("utf-8", "replace"))
    assert isinstance(answer.error, str)
    return answer.ok


TYPES = (
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded; charset=unicode_escape",
    "multipart/form-data",
    "multipart/form-data; boundary=x; charset=hex",
)


def form(data: bytes) -> bool:
    """A form of the console, of the type that its first byte says: it is ours, or is refused."""
    kind, content = TYPES[data[0] % len(TYPES)] if data else TYPES[0], data[1:]
    return asyncio.run(_form(kind, content))


async def _form(kind: str, content: bytes) -> bool:
    stream = StreamReader(Mock(_reading_paused=False), 2**16, loop=asyncio.get_running_loop())
    stream.feed_data(content)
    stream.feed_eof()
    app = web.Application()
    app[guard.SETTINGS] = ConsoleConfig()
    app[guard.SESSIONS] = Sessions(600, lambda: 0.0, Mock(load=dict))
    app[guard.LOGIN_FORMS] = LoginForms()
    headers: dict[str, str] = {
        "Content-Type": kind,
        "Content-Length": str(len(content)),
        "Host": "127.0.0.1:8080",
        "Origin": "http://127.0.0.1:8080",
    }
    request: Any = make_mocked_request("POST", "/login", headers, app=app, payload=stream)
    request._client_max_size = 64 * 1024
    cookie = content[:12].decode("utf-8", "surrogateescape") or "1"  # as aiohttp decodes a header
    request._cache["cookies"] = {"hall_form": cookie, "hall_session": cookie}
    assert guard._find(request, acts=True) is None
    try:
        await guard._check_form(request)
    except web.HTTPException as refusal:
        return refusal.status == 403  # it was read, and its token is not right
    raise AssertionError("no form here has a right token")


# Seeds


def bodies() -> list[bytes]:
    asked: list[dict[str, object]] = [
        {"by": "lin", "window": "1", "ticket": "A1", "id": "x-1"},
        {"by": "lin", "note": "看过了"},
        {"by": "lin", "note": "done", "mark": 4},
    ]
    return [json.dumps(each, ensure_ascii=False).encode() for each in asked]


def webhooks() -> list[bytes]:
    answers: list[tuple[int, str, str | None]] = [
        (200, "ok", None),
        (503, "later", "120"),
        (429, "slow down", "Sun, 22 Nov 2026 12:00:00 GMT"),
        (302, "", None),
        (400, "no", "-1"),
    ]
    return [json.dumps(each).encode() for each in answers]


def gateways_answers() -> list[bytes]:
    return [b'{"ok":true,"news":["outbox"]}', b'{"ok":false,"error":"no window 9"}']


def forms() -> list[bytes]:
    part = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n%s\r\nabc\r\n--x--\r\n'
    typed = part % b"Content-Type: text/plain; charset=utf-7\r\n"
    encoded = part % b"Content-Transfer-Encoding: base64\r\n"
    return [
        b"\x00csrf=abc&name=lin&password=x%20y",
        b"\x01" + part % b"",
        b"\x01" + typed,
        b"\x01" + encoded,
        b"\x02csrf=\\ud800",
        b"\x03" + part % b"",
        b"\x04" + part % b"",
    ]


DATES = (b"Mon, 32 Foo 99999 99:99:99 +9999", b"Sun, 22 Nov 0001 00:00:00 +1400", b" -0000", b"GMT")
FORM_WORDS = (
    b"\r\n",
    b"--x",
    b"--x--",
    b"&",
    b"=",
    b"%",
    b"charset=utf-16",
    b"_charset_",
    b"\r\n\r\n",
)
FORM_WORDS += (
    b'name="',
    b"Content-Encoding: gzip\r\n",
    b"Content-Type: text/plain; charset=idna\r\n",
)

TARGETS = (
    Target("control-body", body, bodies, "json", UNSURE),
    Target("webhook-answer", webhook, webhooks, "json", DATES),
    Target("gateway-answer", gateways_answer, gateways_answers, "json"),
    Target("console-form", form, forms, words=FORM_WORDS, examples=60),
)
