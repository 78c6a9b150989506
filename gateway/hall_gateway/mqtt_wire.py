"""When the socket of an MQTT connection is read and written, on asyncio's loop.

Here: packets one by one as they come, not reading for a while, and writing once in a turn of the
loop. Not here: bytes (mqtt_socket.py), what a packet means (mqtt_connection.py).
"""

import asyncio
import socket
import time
from collections.abc import Callable

from hall_gateway.mqtt_socket import BufferedSocket


class Wire:
    """`take` gets each packet; `full` is asked after it, and when it says so nothing more is read
    until resume(). `write` is called before what waits is written, and `ended` when nothing more
    comes."""

    def __init__(
        self,
        take: Callable[[BufferedSocket, bytes], object],
        full: Callable[[], bool],
        write: Callable[[], object],
        ended: Callable[[], object],
    ) -> None:
        self.socket: BufferedSocket | None = None
        self.paused = False
        self.heard = 0.0
        """When something was read, or reading was resumed, last (time.monotonic())."""
        self.resumed = 0.0
        self._loop = asyncio.get_running_loop()
        self._take = take
        self._full = full
        self._write_first = write
        self._ended = ended
        self._writing = False  # with the end of this turn of the loop

    def watch(self, sock: BufferedSocket) -> None:
        """Read `sock` from here on."""
        sock.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.adopt(sock)

    def adopt(self, sock: BufferedSocket) -> None:
        """As watch(), with a socket that need not be TCP's."""
        sock.attach(self._loop)
        self.socket = sock
        self._loop.add_reader(sock, self._read)

    def forget(self, sock: BufferedSocket) -> None:
        self.socket = None
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)

    def pause(self) -> None:
        """Read nothing more until resume()."""
        if self.socket is not None:
            self.paused = True
            self._loop.remove_reader(self.socket)

    def resume(self) -> None:
        if self.paused and self.socket is not None:
            self.paused = False
            self.heard = self.resumed = time.monotonic()
            self._loop.add_reader(self.socket, self._read)
            self._loop.call_soon(self._read)  # what has been received makes no socket readable

    def send(self, packet: bytes) -> None:
        """Send `packet` together with whatever else this turn of the loop has to say."""
        if self.socket is not None:
            self.socket.send(packet)
            self.want_write()

    def want_write(self) -> None:
        if not self._writing:
            self._writing = True
            self._loop.call_soon(self.write)

    def write(self) -> None:
        """Write what waits, as far as it is taken now."""
        self._writing = False
        self._write_first()
        if self.socket is not None:
            self.socket.flush()

    def _read(self) -> None:
        sock = self.socket
        if sock is None or self.paused:
            return  # since this turn of the loop was planned
        asked = False
        while not self.paused:
            packet = sock.packet()
            if packet is not None:
                self._take(sock, packet)
            elif not asked or sock.decrypted():
                if sock.receive():
                    self.heard = time.monotonic()
                asked = True
            else:
                break
            if sock is not self.socket:
                return  # what came has ended the connection
            if self._full():
                self.pause()
        if sock.ended and not self.paused:
            self._ended()
