"""A TCP proxy that makes a broker on loopback as far away as one in another building.

Only time belongs here: every byte arrives, in order, `delay_s` after it was sent, each way.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

from support.paho_client import WAIT_S


class DelayProxy:
    """`with DelayProxy(broker.port, 0.03) as far:` listens on far.port of 127.0.0.1."""

    def __init__(self, target_port: int, delay_s: float) -> None:
        self.port = 0
        self._target_port = target_port
        self._delay_s = delay_s
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def __enter__(self) -> DelayProxy:
        self._thread.start()
        assert self._listening.wait(WAIT_S), "the proxy does not listen"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop.close()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._ended.wait()
        server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self._loop.call_later(self._delay_s, writer.write, data)
        except OSError:
            pass  # a reset is an end like any other here
        finally:
            self._loop.call_later(self._delay_s, writer.close)
