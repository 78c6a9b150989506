"""The console's side of the control socket, against a gateway that answers as a test says."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from hall_gateway.console.connections import MAX_OF_ONE, surplus
from hall_gateway.console.gateway_link import ALL, AwayError, GatewayLink
from hall_tools.ports import free_port

FOLLOW_S = 60.0


class Told:
    """What the link told, as it comes."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[list[str]] = asyncio.Queue()

    def __call__(self, news: Iterable[str]) -> None:
        self.queue.put_nowait(list(news))

    async def next(self) -> list[str]:
        async with asyncio.timeout(FOLLOW_S):
            return await self.queue.get()


@asynccontextmanager
async def gateway(path: Path, *routes: web.RouteDef) -> AsyncIterator[None]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    try:
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def following(link: GatewayLink) -> AsyncIterator[None]:
    task = asyncio.create_task(link.follow())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_it_follows_and_comes_back(tmp_path: Path) -> None:
    lines = [b'data: {"news": ["outbox", "tasks"]}\n\n', b": still here\n\n", b"data: {\n\n"]

    async def changes(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            await response.write(line)
        return response

    told = Told()
    link = GatewayLink(tmp_path / "c.sock", told)
    async with following(link):
        for _ in range(2):
            async with gateway(link.path, web.get("/changes", changes)):
                assert await told.next() == list(ALL)  # it is there
                assert await told.next() == ["outbox", "tasks"]
                assert await told.next() == list(ALL)  # unreadable: anything may have changed
                assert await told.next() == list(ALL)  # it has gone
                assert link.seen is not None
            while not told.queue.empty():
                told.queue.get_nowait()


async def test_an_answer_is_the_gateways_own(tmp_path: Path) -> None:
    async def command(request: web.Request) -> web.Response:
        body = await request.json()
        match body["do"]:
            case "well":
                return web.json_response({"id": "1", "ok": True, "result": {}})
            case "refused":
                return web.json_response({"id": "1", "ok": False, "error": "no such window"})
            case "wrong":
                return web.json_response({"error": "by: is missing"}, status=400)
            case "ends":
                assert request.transport is not None
                request.transport.abort()
        return web.Response(text="<b>", status=500)

    link = GatewayLink(tmp_path / "c.sock", Told())
    async with gateway(link.path, web.post("/command/device", command)):
        answers = {do: await link.ask("/command/device", {"do": do})
                   for do in ("well", "refused", "wrong", "defect")}  # fmt: skip
        assert [(a.ok, a.error) for a in answers.values()] == [
            (True, ""), (False, "no such window"), (False, "by: is missing"), (False, "<b>")
        ]  # fmt: skip
        with pytest.raises(AwayError) as ended:
            await link.ask("/command/device", {"do": "ends"})
        assert ended.value.sent  # nobody knows whether it was done
    with pytest.raises(AwayError) as away:
        await link.ask("/command/device", {"do": "well"})
    assert not away.value.sent


async def test_one_address_has_so_many_connections() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    port = free_port()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_OF_ONE + 2)]

        async def answer(number: int) -> bytes:
            reader, writer = opened[number]
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len("404: Not Found"))
            return head[:12]

        async with asyncio.timeout(FOLLOW_S):
            assert await answer(-1) == b"HTTP/1.1 404"  # so all before it are there
            surplus(runner.server)
            assert [await reader.read() for reader, _ in opened[MAX_OF_ONE:]] == [b"", b""]
            assert await answer(MAX_OF_ONE - 1) == b"HTTP/1.1 404"
        for _, writer in opened:
            writer.close()
    finally:
        await runner.cleanup()


async def test_a_path_may_be_long(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    link = GatewayLink(folder / "c.sock", Told())
    with pytest.raises(AwayError) as away:
        await link.ask("/command/show", {})
    assert not away.value.sent
