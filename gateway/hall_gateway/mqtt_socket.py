"""A socket for paho that asks the kernel once for many packets, on asyncio's loop.

Here: bytes between the kernel and paho. Not here: packets (paho), when a connection begins and ends
(mqtt_connection.py).

paho reads a packet with three calls of recv and writes each with one of send. In a process with a
second busy thread every such call gives the interpreter away, and gets it back late: most of what a
message cost. Here a read takes what is there, and a turn of the loop is written at once.
"""

import asyncio
import socket
import ssl
from contextlib import suppress

import paho.mqtt.client as paho

READ_BYTES = 64 * 1024

_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BufferedSocket:
    """What paho needs of a socket. Writes are kept until flush(); an error in writing is told by
    the next read, where a connection's end is noticed."""

    def __init__(self, sock: socket.socket) -> None:
        self.raw = sock
        self._read = memoryview(b"")
        self._write = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` calls flush() when there is room again."""
        self._loop = loop

    def recv(self, buffer_size: int) -> bytes:
        if not self._read:
            self._read = memoryview(self.raw.recv(READ_BYTES))
        taken, self._read = self._read[:buffer_size], self._read[buffer_size:]
        return bytes(taken)

    def pending(self) -> bool:
        """Whether something can be read that makes no socket readable any more."""
        return bool(self._read) or (isinstance(self.raw, ssl.SSLSocket) and self.raw.pending() > 0)

    def send(self, buffer: bytes | bytearray) -> int:
        self._write += buffer
        return len(buffer)

    def flush(self) -> None:
        """Hand what waits to the kernel, as far as it takes it now."""
        if self.fileno() < 0:
            return
        try:
            while self._write:
                del self._write[: self.raw.send(self._write)]
        except _LATER:
            pass
        except OSError:
            self._write.clear()
        if self._loop is not None:
            if self._write:
                self._loop.add_writer(self.raw, self.flush)
            else:
                self._loop.remove_writer(self.raw)

    def fileno(self) -> int:
        return self.raw.fileno()

    def setblocking(self, flag: bool) -> None:
        self.raw.setblocking(flag)

    def close(self) -> None:
        self._read = memoryview(b"")
        if self._loop is not None and self.fileno() >= 0:
            self._loop.remove_reader(self.raw)
            self._loop.remove_writer(self.raw)
        with suppress(OSError):
            self.raw.close()


class BufferedClient(paho.Client):
    """paho over a BufferedSocket. `_create_socket` is where paho itself puts other transports in
    the place of a socket."""

    def _create_socket(self) -> BufferedSocket:
        sock = super()._create_socket()
        assert isinstance(sock, socket.socket)
        return BufferedSocket(sock)
