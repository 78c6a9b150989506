"""A socket for paho that asks the kernel once for many packets, on asyncio's loop.

Here: bytes between the kernel and whoever reads a packet. Not here: what is in a packet
(mqtt_packets.py, paho), when a connection begins and ends (mqtt_connection.py).

paho reads a packet with three calls of recv and writes each with one of send. In a process with a
second busy thread every such call gives the interpreter away, and gets it back late: most of what a
message cost. Here a read takes what is there, and a turn of the loop is written at once. paho reads
the packets that it is given, each by itself and whole.
"""

import asyncio
import socket
import ssl
from contextlib import suppress

import paho.mqtt.client as paho

from hall_gateway import mqtt_packets

READ_BYTES = 64 * 1024
MAX_PACKET = 128 * 1024
"""Bytes of a packet that are kept: a topic is 65,535 at most, and the largest payload that anything
here takes is 16 KiB. MQTT's own bound is 256 MiB."""

_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BufferedSocket:
    """What paho needs of a socket, and packets for others. Writes are kept until flush(); an error
    in writing is told by the next read, where a connection's end is noticed."""

    def __init__(self, sock: socket.socket) -> None:
        self.raw = sock
        self.ended = False
        """Whether nothing more will come."""
        self._came = bytearray()
        self._at = 0  # what is before has been taken
        self._skip = 0  # what comes next and is not kept
        self._for_paho = memoryview(b"")
        self._write = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` calls flush() when there is room again."""
        self._loop = loop

    def receive(self) -> bool:
        """Take what the kernel has; whether that was anything."""
        try:
            came = self.raw.recv(READ_BYTES)
        except _LATER:
            return False
        except OSError:
            came = b""
        self.ended = not came
        del self._came[: self._at]
        skipped = min(self._skip, len(came))
        self._skip -= skipped
        self._came += came[skipped:] if skipped else came
        self._at = 0
        return bool(came)

    def packet(self) -> bytes | None:
        """The next packet, when all of it has been received; of one that is larger than MAX_PACKET
        the first so many bytes, and the rest is dropped as it comes."""
        start = self._at
        end = mqtt_packets.end(self._came, start)
        if end is None:
            return None
        kept = min(end, start + MAX_PACKET)
        if kept > len(self._came):
            return None
        self._at = min(end, len(self._came))
        self._skip = end - self._at
        return bytes(memoryview(self._came)[start:kept])

    def give(self, packet: bytes) -> None:
        """`packet` is what paho reads next."""
        self._for_paho = memoryview(packet)

    def recv(self, buffer_size: int) -> bytes:
        if not self._for_paho:
            if self.ended:
                return b""
            raise BlockingIOError
        taken, self._for_paho = self._for_paho[:buffer_size], self._for_paho[buffer_size:]
        return bytes(taken)

    def decrypted(self) -> bool:
        """Whether TLS has more than receive() has taken: then no socket becomes readable for it."""
        return isinstance(self.raw, ssl.SSLSocket) and self.raw.pending() > 0

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
