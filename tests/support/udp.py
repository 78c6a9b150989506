"""A UDP socket of a test's own, which keeps its address: CoAP tells a repetition by that."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import aiocoap

ANSWER_S = 60.0


class Sender:
    """Sends datagrams to `port` of loopback from one address."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(("127.0.0.1", port))

    async def __aenter__(self) -> Sender:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._socket.close()

    def send(self, datagram: bytes) -> None:
        self._socket.send(datagram)

    async def ask(self, datagram: bytes) -> Any:
        """The next message that comes back."""
        self.send(datagram)
        async with asyncio.timeout(ANSWER_S):
            loop = asyncio.get_running_loop()
            return aiocoap.Message.decode(await loop.sock_recv(self._socket, 2048))
