"""A TCP proxy between device and broker that can cut, corrupt, and answer in the broker's place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType

Impostor = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class CuttingProxy:
    """`async with CuttingProxy(target_port) as proxy:` listens on proxy.port of 127.0.0.1.

    The first connections are served by `impostors`, one each; the others reach the target.
    `corrupt` changes what comes from the target.
    """

    def __init__(self, target_port: int, impostors: Sequence[Impostor] = ()) -> None:
        self.port = 0
        self.corrupt: Callable[[bytes], bytes] = lambda data: data
        self._impostors = list(impostors)
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Reset every connection that is open now, on both sides."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        change: Callable[[bytes], bytes],
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                writer.write(change(data))
                await writer.drain()
        writer.close()
        self._writers.discard(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._impostors:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._impostors.pop(0)(reader, writer)
            writer.close()
            return
        try:
            out_reader, out_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, out_writer}
        await asyncio.gather(
            self._pump(reader, out_writer, lambda data: data),
            self._pump(out_reader, writer, lambda data: self.corrupt(data)),
        )

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def __aenter__(self) -> CuttingProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
