"""Webhooks: what an endpoint gets, in which order, and what becomes of what it does not take."""

import asyncio
import base64
import json
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hall_gateway import store_dead_letters, webhook_client, webhooks
from hall_gateway.config_webhooks import WebhookConfig
from hall_gateway.store_dead_letters import DeadLetters
from hall_gateway.store_sinks import SinkPlan
from hall_gateway.values import OutboxRow, StoreError
from hall_gateway.webhooks import Draw, Webhook
from standardwebhooks.webhooks import Webhook as Verifier
from support.certificate import self_signed
from support.core_hall import Clock, Device, Hall, open_hall
from support.endpoint import Endpoint, Request, open_endpoint

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NAME = "webhook:office"


def table(folder: Path, url: str, **fields: Any) -> WebhookConfig:
    file = folder / "office.secret"
    file.touch(mode=0o600)
    file.write_text(SECRET + "\n")
    return WebhookConfig.model_validate(
        {"id": "office", "url": url, "secret_file": file, "timeout_s": 1} | fields
    )


def soon(low: float, high: float) -> float:
    """Every wait of a test is short, and none is nothing."""
    assert low == 0.0
    return min(high, 0.005)


class Office:
    """A hall with one webhook, which runs."""

    def __init__(self, hall: Hall, endpoint: Endpoint, webhook: Webhook) -> None:
        self.hall = hall
        self.endpoint = endpoint
        self.webhook = webhook
        self.counter = Device("cnt")

    async def passages(self, count: int) -> list[str]:
        """The ids of so many new events."""
        first = self.counter.seq + 1
        for _ in range(count):
            payload = self.counter.event("passage", {"dir": "in"})
            assert await self.hall.core.event("cnt", payload)
        return [f"cnt/0000beef/{seq}" for seq in range(first, first + count)]

    def figures(self) -> dict[str, Any]:
        figures: Any = self.hall.core.health()["sinks"]
        return figures[NAME]

    async def until(self, **figures: object) -> None:
        async with asyncio.timeout(60):
            # The health is read, not waited for.
            while any(self.figures()[name] != value for name, value in figures.items()):  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def taken(self, ids: list[str]) -> None:
        await self.endpoint.until(lambda: self.endpoint.taken == ids)

    async def letters(self) -> list[tuple[str, str, int]]:
        found = await self.hall.core.do(lambda heart, now: heart.dead_letters.newest())
        return [(letter.event, letter.reason, letter.tries) for letter in found]

    async def decide(self, step: str, event: str) -> bool:
        def decide(heart: Any, now: int) -> bool:
            heart.tell("dead_letters")
            return getattr(heart.dead_letters, step)(NAME, event, "mei", now)

        return await self.hall.core.do(decide)


async def declare(hall: Hall, **types: tuple[str, ...]) -> None:
    plans = {f"webhook:{name}": SinkPlan(wanted) for name, wanted in types.items()}
    await hall.core.do(lambda heart, now: heart.sinks.declare(plans, now))


@asynccontextmanager
async def office(tmp_path: Path, draw: Draw = soon, **fields: Any) -> AsyncGenerator[Office]:
    clock = Clock(time.time_ns() // 1_000_000)  # the verifier knows no other
    async with open_endpoint() as endpoint, open_hall(tmp_path, clock) as hall:
        await declare(hall, office=tuple(fields.get("types", ())))
        webhook = Webhook(table(tmp_path, endpoint.url, **fields), hall.core, draw)
        running = asyncio.create_task(webhook.run())
        try:
            yield Office(hall, endpoint, webhook)
        finally:
            running.cancel()
            await asyncio.wait((running,))
            assert running.cancelled()


# What is sent.


async def test_events_come_in_order_signed_and_structured(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        ids = await it.passages(30)
        await it.taken(ids)
        for request in it.endpoint.requests:
            assert request.headers["Content-Type"].startswith("application/cloudevents+json")
            event = Verifier(SECRET).verify(request.body, request.headers)
            assert event["id"] == request.id
            assert event["type"] == "hall.count.passage"
        await it.until(waiting=0, error=None, dead=0)
        assert it.figures()["acked"] is not None


async def test_a_changed_body_has_a_wrong_signature(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        await it.taken(await it.passages(1))
        [request] = it.endpoint.requests
        with pytest.raises(Exception, match="No matching signature"):
            Verifier(SECRET).verify(request.body + b" ", request.headers)
        late = {**request.headers, "webhook-timestamp": "1600000000"}
        with pytest.raises(Exception, match="too old"):
            Verifier(SECRET).verify(request.body, late)


async def test_binary_mode_has_the_attributes_in_headers(tmp_path: Path) -> None:
    async with office(tmp_path, mode="binary", types=("hall.service.started",)) as it:
        await it.hall.do("call", window="3", ticket="A001")
        await it.hall.do("start", window="3")
        await it.endpoint.until(lambda: len(it.endpoint.taken) == 1)
        [request] = it.endpoint.requests
        headers = request.headers
        assert Verifier(SECRET).verify(request.body, headers)["ticket"] == "A001"
        assert headers["Content-Type"] == "application/json"
        assert headers["ce-specversion"] == "1.0"
        assert headers["ce-type"] == "hall.service.started"
        assert headers["ce-id"] == headers["webhook-id"]
        assert headers["ce-subject"] == "window/3"
        assert headers["ce-clockquality"] == "synced"


async def test_a_secret_is_replaced_without_a_gap(tmp_path: Path) -> None:
    new = "whsec_" + base64.b64encode(bytes(24)).decode()
    async with open_endpoint() as endpoint:
        config = table(tmp_path, endpoint.url)
        config.secret_file.write_text(f"{new}\n{SECRET}\n")
        secrets = config.secrets()
        headers = webhook_client.signature(secrets, "a/1/2", int(time.time()), b"{}")
        for secret in (SECRET, new):
            assert Verifier(secret).verify(b"{}", headers) == {}


async def test_the_cursor_passes_over_what_the_filter_leaves_out(tmp_path: Path) -> None:
    async with office(tmp_path, types=("hall.service.*", "hall.*.fault")) as it:
        await it.passages(20)
        await it.until(waiting=0)
        await it.hall.serve("A001")
        wet = Device("wet")
        await it.hall.core.event("wet", wet.event("fault", {"code": "probe_open", "value": 1}))
        await it.endpoint.until(lambda: len(it.endpoint.taken) == 3)
        types = [request.event["type"] for request in it.endpoint.requests]
        assert types == ["hall.service.started", "hall.service.ended", "hall.floor.fault"]
        await it.until(waiting=0)


@pytest.mark.parametrize(
    ("host", "trusted", "error"),
    [
        ("localhost", True, None),
        ("127.0.0.1", True, "certificate is not valid for '127.0.0.1'"),
        ("localhost", False, "self-signed certificate"),
    ],
)
async def test_an_endpoint_is_verified(
    tmp_path: Path, host: str, trusted: bool, error: str | None
) -> None:
    certificate, key = self_signed(tmp_path, "localhost")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with open_endpoint(tls) as endpoint:
        url = endpoint.url.replace("127.0.0.1", host)
        config = table(tmp_path, url, ca_file=certificate if trusted else None)
        async with webhook_client.WebhookClient(config, lambda: 0) as client:
            answer = await client.send(OutboxRow(1, "rain", "started", b"{}", "a/1/1"))
        if error is None:
            assert answer.verdict == "taken"
        else:
            assert answer.verdict == "later"
            assert error in answer.why
            assert endpoint.requests == []


async def test_a_request_is_not_held_back_for_the_next(tmp_path: Path) -> None:
    """TCP_NODELAY, and one connection for all."""
    async with open_endpoint() as endpoint:
        client: Any = webhook_client.WebhookClient(table(tmp_path, endpoint.url), lambda: 0)
        async with client:
            for number in range(3):
                await client.send(OutboxRow(1, "rain", "started", b"{}", f"a/1/{number}"))
            [[(protocol, _)]] = client._session.connector._conns.values()
            sock = protocol.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert len({request.headers["peer"] for request in endpoint.requests}) == 1


# What is not taken at once.


async def test_an_endpoint_that_was_down_gets_everything_in_order(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        it.endpoint.answer = lambda request: 500
        ids = await it.passages(25)
        await it.until(error="HTTP 500")
        assert it.figures()["retry"] is not None
        it.endpoint.answer = lambda request: 204
        await it.taken(ids)
        await it.until(waiting=0, error=None, failing=None, retry=None, dead=0)


async def test_an_endpoint_that_hangs_is_given_up_and_tried_again(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        forever = asyncio.Event()

        async def hang() -> web.StreamResponse:
            await forever.wait()
            return web.Response()

        it.endpoint.answer = lambda request: hang()
        ids = await it.passages(3)
        await it.until(error="no answer within 1 s")
        it.endpoint.answer = lambda request: 204
        await it.taken(ids)


async def test_an_endpoint_that_is_not_there(tmp_path: Path) -> None:
    clock = Clock(time.time_ns() // 1_000_000)
    async with open_hall(tmp_path, clock) as hall:
        async with open_endpoint() as gone:
            pass
        await declare(hall, office=())
        webhook = Webhook(table(tmp_path, gone.url), hall.core, soon)
        running = asyncio.create_task(webhook.run())
        it = Office(hall, gone, webhook)
        ids = await it.passages(2)
        async with asyncio.timeout(60):
            while "Cannot connect to host" not in (it.figures()["error"] or ""):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        async with open_endpoint(port=gone.port) as back:
            await back.until(lambda: back.taken == ids)
        running.cancel()
        await asyncio.wait((running,))


async def test_an_endpoint_that_wants_a_rest_gets_it(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        it.endpoint.answer = lambda request: web.Response(
            status=429, headers={"Retry-After": "1" if len(it.endpoint.requests) == 1 else "0"}
        )
        began = time.monotonic()
        ids = await it.passages(1)
        await it.endpoint.until(lambda: len(it.endpoint.requests) == 2)
        assert time.monotonic() - began >= 0.9
        it.endpoint.answer = lambda request: 200
        await it.taken(ids)


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with open_endpoint() as elsewhere, office(tmp_path) as it:
        it.endpoint.answer = lambda request: web.Response(
            status=307, headers={"Location": elsewhere.url}
        )
        await it.passages(1)
        async with asyncio.timeout(60):
            while "redirects are not followed" not in (it.figures()["error"] or ""):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert elsewhere.requests == []


async def test_a_long_answer_is_not_read(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        it.endpoint.answer = lambda request: web.Response(
            status=503, text="<b>\x07\n" + "x" * 10**7
        )
        await it.passages(1)
        async with asyncio.timeout(60):
            while not (error := it.figures()["error"]):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert error.startswith("HTTP 503: <b> xxx")
        assert len(error) < 400


# What is refused.


def poison(*ids: str) -> Any:
    def answer(request: Request) -> web.StreamResponse:
        if request.id in ids:
            return web.Response(status=400, text="no such window")
        return web.Response(status=204)

    return answer


async def test_a_poison_event_becomes_a_dead_letter_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        it.endpoint.answer = poison("cnt/0000beef/2", "cnt/0000beef/3")
        ids = await it.passages(5)
        await it.taken([ids[0], ids[3], ids[4]])
        await it.until(waiting=0, dead=2, error=None)
        letters = await it.letters()
        assert sorted((event, why) for event, why, _ in letters) == [
            (ids[1], "HTTP 400: no such window"),
            (ids[2], "HTTP 400: no such window"),
        ]
        assert all(tries > 1 for _, _, tries in letters)


async def test_an_endpoint_that_refuses_everything_gets_everything_later(tmp_path: Path) -> None:
    """A wrong path in the settings: 404 for every event, and nothing is given up."""
    async with office(tmp_path) as it:
        it.endpoint.answer = lambda request: 404
        ids = await it.passages(25)
        await it.until(error=f"event {ids[0]}: HTTP 404")
        assert len({request.id for request in it.endpoint.requests}) <= webhooks.SUSPECTS
        it.endpoint.answer = lambda request: 204
        await it.endpoint.until(lambda: len(it.endpoint.taken) == len(ids))
        assert sorted(it.endpoint.taken) == sorted(ids)  # it healed between two of them
        await it.until(waiting=0, dead=0, error=None)


async def test_a_lone_poison_event_waits_for_another(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        it.endpoint.answer = poison("cnt/0000beef/1")
        ids = await it.passages(1)
        await it.until(error=f"event {ids[0]}: HTTP 400: no such window", dead=0)
        ids += await it.passages(1)
        await it.taken(ids[1:])
        await it.until(waiting=0, dead=1, error=None)


async def test_a_dead_letter_is_tried_again_or_discarded(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        it.endpoint.answer = poison("cnt/0000beef/1", "cnt/0000beef/2")
        ids = await it.passages(3)
        await it.until(dead=2)
        before = {event: tries for event, _, tries in await it.letters()}[ids[0]]
        assert await it.decide("retry", ids[0])
        async with asyncio.timeout(60):
            while (ids[0], "HTTP 400: no such window", before + 1) not in await it.letters():
                pass
        it.endpoint.answer = lambda request: 204
        assert await it.decide("retry", ids[0])
        await it.taken([ids[2], ids[0]])
        assert await it.decide("discard", ids[1])
        assert not await it.decide("discard", ids[1])
        await it.until(dead=0, discarded=1)
        decisions = await it.hall.core.do(lambda heart, now: heart.dead_letters.decisions())
        assert [(d.event, d.step, d.by) for d in decisions] == [
            (ids[1], "discard", "mei"),
            (ids[0], "retry", "mei"),
            (ids[0], "retry", "mei"),
        ]


async def test_at_the_bound_a_webhook_waits_for_a_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (store_dead_letters, webhooks):
        monkeypatch.setattr(module, "MAX_DEAD", 2)
    async with office(tmp_path) as it:
        ids = [f"cnt/0000beef/{seq}" for seq in range(1, 8)]
        it.endpoint.answer = poison(*ids[0:6:2])
        await it.passages(7)
        why = "2 dead letters wait; retry or discard some. event cnt/0000beef/5: HTTP 400"
        await it.until(dead=2, error=f"{why}: no such window")
        assert it.endpoint.taken == [ids[1], ids[3]]
        await it.decide("discard", ids[0])
        await it.taken([ids[1], ids[3], ids[5], ids[6]])
        await it.until(waiting=0, dead=2, discarded=1, error=None)


async def test_what_is_given_up_is_kept_before_the_cursor_passes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "SETTLE_S", 0.0)
    loop, tried = asyncio.get_running_loop(), asyncio.Event()

    def no_room(*_: object) -> None:
        loop.call_soon_threadsafe(tried.set)
        raise StoreError("no room")

    monkeypatch.setattr(DeadLetters, "bury", no_room)
    async with office(tmp_path) as it:
        it.endpoint.answer = poison("cnt/0000beef/2")
        ids = await it.passages(3)
        await asyncio.wait_for(tried.wait(), 60)
        await it.webhook.finish()  # as at an orderly end
        assert [row.id for row in await it.hall.core.outbox(NAME, 9)] == ids[1:]


async def test_a_full_store_keeps_no_poison_event_before_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what fills it would never be taken from it."""
    async with office(tmp_path) as it:
        it.endpoint.answer = lambda request: 500
        ids = await it.passages(3)
        await it.until(error="HTTP 500")
        monkeypatch.setattr(it.hall.core._heart, "full", lambda: True)
        it.endpoint.answer = poison(ids[0])
        await it.taken(ids[1:])
        await it.until(waiting=0, dead=1)


async def test_a_new_event_ends_the_wait_of_a_refused_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TRIES", 1)
    async with office(tmp_path, lambda low, high: 3600.0) as it:
        it.endpoint.answer = poison("cnt/0000beef/2")
        ids = await it.passages(2)
        await it.until(error=f"event {ids[1]}: HTTP 400: no such window")
        ids += await it.passages(1)
        await it.taken([ids[0], ids[2]])
        await it.until(waiting=0, dead=1, error=None)


# Others, and ends.


async def test_a_webhook_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    clock = Clock(time.time_ns() // 1_000_000)
    async with (
        open_endpoint() as good,
        open_endpoint() as bad,
        open_hall(tmp_path, clock) as hall,
        asyncio.TaskGroup() as group,
    ):
        await declare(hall, bad=(), good=())
        forever = asyncio.Event()

        async def hang() -> web.StreamResponse:
            await forever.wait()
            return web.Response()

        bad.answer = lambda request: hang()
        running = [
            group.create_task(
                Webhook(table(tmp_path, endpoint.url, id=name, timeout_s=60), hall.core).run()
            )
            for name, endpoint in (("bad", bad), ("good", good))
        ]
        it = Office(hall, good, Any)
        ids = await it.passages(50)
        await it.taken(ids)
        await bad.until(lambda: len(bad.requests) == 1)
        async with asyncio.timeout(60):
            while hall.core.health()["outbox"] != {"webhook:bad": 50, "webhook:good": 0}:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        for task in running:
            task.cancel()


async def test_after_a_restart_only_what_was_not_settled_comes_again(tmp_path: Path) -> None:
    async with office(tmp_path) as it:
        first = await it.passages(3)
        await it.taken(first)
        await it.webhook.finish()
        await it.passages(1)
        assert it.endpoint.taken == first
    async with office(tmp_path) as it:
        it.counter.seq = 4
        await it.endpoint.until(lambda: it.endpoint.taken == ["cnt/0000beef/4"])


async def test_an_end_while_an_endpoint_hangs_keeps_what_it_took_before(tmp_path: Path) -> None:
    async with office(tmp_path, timeout_s=60) as it:
        forever = asyncio.Event()

        async def hang() -> web.StreamResponse:
            await forever.wait()
            return web.Response()

        it.endpoint.answer = lambda request: 500
        ids = await it.passages(1)
        await it.until(error="HTTP 500")
        ids += await it.passages(4)  # these are one batch
        it.endpoint.answer = lambda request: hang() if len(it.endpoint.taken) == 3 else 204
        await it.endpoint.until(lambda: it.endpoint.requests[-1].id == ids[3])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(it.webhook.finish(), 0.3)
        assert [row.id for row in await it.hall.core.outbox(NAME, 9)] == ids[3:]


async def test_a_name_server_that_hangs_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[threading.Thread] = []
    forever = threading.Event()

    def hang(*_: object) -> Any:
        asked.append(threading.current_thread())
        forever.wait()
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    config = table(tmp_path, "https://office.example/")
    async with webhook_client.WebhookClient(config, lambda: 0) as client:
        for _ in range(2):
            answer = await client.send(OutboxRow(1, "rain", "started", b"{}", "a/1/1"))
            assert (answer.verdict, answer.why) == ("later", "no answer within 1 s")
    [thread] = asked  # one for both, and the process can end without it
    assert thread.daemon
    forever.set()
    thread.join()


async def test_a_defect_ends_no_other_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = webhook_client.request

    def broken(*arguments: Any) -> Any:
        monkeypatch.setattr(webhook_client, "request", real)
        raise RuntimeError("a defect")

    monkeypatch.setattr(webhook_client, "request", broken)
    async with office(tmp_path) as it:
        await it.taken(await it.passages(2))


@pytest.mark.parametrize(
    ("failures", "cap"), [(0, 1.0), (1, 2.0), (5, 32.0), (9, 300.0), (10_000, 300.0)]
)
async def test_the_wait_doubles_with_full_jitter(tmp_path: Path, failures: int, cap: float) -> None:
    async with open_hall(tmp_path) as hall:
        asked: list[tuple[float, float]] = []

        def draw(low: float, high: float) -> float:
            asked.append((low, high))
            return random.uniform(low, high)

        webhook: Any = Webhook(table(tmp_path, "https://office.example/"), hall.core, draw)
        webhook._failures = failures
        assert 0.0 <= webhook._delay() <= cap
        assert asked == [(0.0, cap)]
        assert webhook._delay(3600.0) == 3600.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("999999999999", 3600.0),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("soon", None),
        ("Fri, 15 Jan 2027 08:01:00 +99999999999999999", None),
        ("-5", None),
        (None, None),
    ],
)
def test_retry_after_is_read_and_bounded(header: str | None, seconds: float | None) -> None:
    at_eight = 1_800_000_000_000  # 2027-01-15 08:00:00 UTC
    module: Any = webhook_client
    assert module._retry_after(header, at_eight) == seconds


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((status, "taken") for status in (200, 201, 202, 204, 299)),
        *((status, "refused") for status in (300, 301, 304, 307, 400, 401, 404, 410, 413, 422)),
        *((status, "later") for status in (408, 425, 429, 500, 501, 502, 503, 504, 599)),
    ],
)
def test_what_an_answer_means(status: int, verdict: str) -> None:
    assert webhook_client.judged(status, b"", None).verdict == verdict


def test_the_body_is_what_the_store_has(tmp_path: Path) -> None:
    """So a receiver can compare what comes twice byte by byte."""
    body = json.dumps({"id": "a/1/1", "data": {}}).encode()
    row = OutboxRow(1, "rating", "given", body, "a/1/1")
    assert webhook_client.request(row, "structured")[1] is body


# What docs/back-office.md tells whoever receives.

DOCS = Path(__file__).parents[2] / "docs" / "back-office.md"


async def test_the_receiver_in_the_docs_verifies(tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(import base64.*?)```", DOCS.read_text("utf-8"), re.S)
    names: dict[str, Any] = {}
    exec(example, names)
    async with office(tmp_path) as it:
        await it.taken(await it.passages(1))
        [request] = it.endpoint.requests
        headers = {name.lower(): value for name, value in request.headers.items()}
        names["verify"](SECRET, headers, request.body)
        two = headers | {"webhook-signature": "v1,AAAA " + headers["webhook-signature"]}
        names["verify"](SECRET, two, request.body)
        for wrong in (
            (SECRET, headers, request.body + b" "),
            (SECRET, headers | {"webhook-id": "cnt/0000beef/2"}, request.body),
            (SECRET, headers | {"webhook-timestamp": "1600000000"}, request.body),
            (SECRET.replace("AAEC", "AAED"), headers, request.body),
        ):
            with pytest.raises(ValueError, match=r"not signed|too old"):
                names["verify"](*wrong)
