"""nats-py's client where ours differs from it."""

import asyncio
import socket
import struct

from hall_gateway.nats_client import StrictClient

INFO = b'INFO {"server_id":"x","max_payload":1048576,"headers":true}\r\n'
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: what is closed is reset."""


async def test_a_connection_that_is_reset_ends_whatever_was_not_sent_yet() -> None:
    connected: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    closed = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.put_nowait(writer)
        writer.write(INFO)
        while line := await reader.readline():
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")

    async def told() -> None:
        closed.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = StrictClient()
    async with asyncio.timeout(20), server:
        await client.connect(
            servers=[f"nats://127.0.0.1:{port}"], allow_reconnect=False, closed_cb=told
        )
        client._pending = [b"PUB a 1\r\nx\r\n"]  # pyright: ignore[reportPrivateUsage]
        client._pending_data_size = 12  # pyright: ignore[reportPrivateUsage]
        writer = await connected.get()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
        await closed.wait()
    assert client.is_closed
