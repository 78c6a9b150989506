"""MQTT 3.1.1 control packets over one TCP or TLS-PSK socket: framing, buffers, open and close.

Here belongs what moves bytes; what a packet means and who answers it is mqtt.py's.
Every failure is one MqttError. Section numbers are those of the OASIS standard "MQTT 3.1.1".
"""

import asyncio
import errno
import socket
from time import ticks_ms

RX_MAX = 2048  # the longest packet taken in, without its fixed header; contract payloads are 1 KiB
TX_MAX = 1024 + 160  # a contract payload with its topic and header

_IPPROTO_TCP = 6
_TCP_NODELAY = 1


class MqttError(Exception):
    """The connection is over; the text says why, in one line."""


class Buffers:
    """The packet buffers, allocated once and lent to one connection after the other."""

    def __init__(self):
        self.rx = memoryview(bytearray(RX_MAX))
        self.tx = memoryview(bytearray(TX_MAX))


def psk_context(identity, key):
    """A TLS client context with a pre-shared key; identity and key are bytes."""
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    # The broker proves itself by the key. Without a certificate authority a certificate suite would
    # let anyone in, so only PSK suites are on offer.
    context.verify_mode = tls.CERT_NONE
    context.set_ciphers([name for name in context.get_ciphers() if "-PSK-" in name])
    context.psk_identity = identity
    context.psk_key = key
    return context


def reason(error):
    """One line that names an exception; an OSError by its errno's name."""
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        return errno.errorcode[error.errno]
    text = str(error)
    return type(error).__name__ + (": " + text if text else "")


def get_int(data, at):
    """The two-byte integer at an offset (1.5.2)."""
    return data[at] << 8 | data[at + 1]


class PacketStream:
    """One socket's life. counts: dict whose "opened", "closed" and "oversized" are kept."""

    def __init__(self, buffers, counts):
        self.step = "TCP connection"  # what an error until the first packet came was about
        self.partial = None  # ticks of the first byte of a packet that is not complete yet
        self.sent = 0  # ticks of the last packet written
        self._rx = buffers.rx
        self._tx = buffers.tx
        self._counts = counts
        self._tcp = None
        self._stream = None

    async def open(self, address, ssl):
        """Connect to (numeric IP, port). The TLS handshake is left to the first packet: there it
        does not block the other tasks."""
        # The host is numeric: getaddrinfo only converts it and cannot block on DNS.
        family, kind, proto, _, where = socket.getaddrinfo(*address, 0, socket.SOCK_STREAM)[0]
        self._tcp = socket.socket(family, kind, proto)
        self._counts["opened"] += 1
        self._tcp.setblocking(False)
        try:
            self._tcp.connect(where)
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
        await _writable(self._tcp)
        self._tcp.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
        self._stream = asyncio.StreamReader(self._tcp)
        if ssl is not None:
            self.step = "TLS handshake"
            self._stream.s = ssl.wrap_socket(self._tcp, do_handshake_on_connect=False)

    def close(self):
        """Close the socket; nothing may be waiting on it any more. A second call does nothing."""
        if self._tcp is None:
            return
        if self._stream is not None:
            self._stream.s.close()
        self._tcp.close()
        self._tcp = self._stream = None
        self._counts["closed"] += 1

    # One packet at a time is built in the tx buffer. Each method takes an offset and returns the
    # one after what it put there.

    def begin(self, head, length):
        """Fixed header (2.2): the first byte and the length of all that follows."""
        if length + 5 > TX_MAX:
            raise ValueError("a packet of %d bytes is too long to send" % length)
        self._tx[0] = head
        at = 1
        while length > 127:
            self._tx[at] = length & 127 | 128
            length >>= 7
            at += 1
        return self.put_byte(at, length)

    def put_byte(self, at, value):
        self._tx[at] = value
        return at + 1

    def put_int(self, at, value):
        return self.put_byte(self.put_byte(at, value >> 8), value & 255)

    def put_bytes(self, at, data):
        self._tx[at : at + len(data)] = data
        return at + len(data)

    def put(self, at, data):
        """Bytes with their length in front (1.5.3)."""
        return self.put_bytes(self.put_int(at, len(data)), data)

    async def flush(self, length, timeout_ms):
        """Write the packet; in one go unless the peer is slow to take it."""
        self.sent = ticks_ms()
        try:
            sent = self._stream.s.write(self._tx[:length]) or 0
            if sent < length:
                await asyncio.wait_for_ms(self._drain(sent, length), timeout_ms)
        except asyncio.TimeoutError:
            raise MqttError("the broker took no packet in %d ms" % timeout_ms)
        except (OSError, ValueError) as error:  # TLS failures come as either
            raise MqttError("%s failed: %s" % (self.step, reason(error)))

    async def _drain(self, sent, length):
        while sent < length:
            await _writable(self._stream.s)
            sent += self._stream.s.write(self._tx[sent:length]) or 0

    async def packet(self):
        """The next packet: (first byte, the rest as a memoryview valid until the next call)."""
        await self._fill(0, 2)
        head = self._rx[0]
        length = self._rx[1] & 127
        shift = 7
        while self._rx[1] & 128:
            if shift > 21:
                raise MqttError("malformed remaining length")
            await self._fill(1, 2)
            length |= (self._rx[1] & 127) << shift
            shift += 7
        if length > RX_MAX:
            self._counts["oversized"] += 1
            raise MqttError("incoming packet of %d bytes, at most %d" % (length, RX_MAX))
        await self._fill(0, length)
        self.partial = None
        self.step = "connection"
        return head, self._rx[:length]

    async def _fill(self, start, end):
        while start < end:
            try:
                got = await self._stream.readinto(self._rx[start:end])
            except (OSError, ValueError) as error:
                raise MqttError("%s failed: %s" % (self.step, reason(error)))
            if got == 0:
                raise MqttError("%s: closed by the broker" % self.step)
            if got is None:  # woken without data, as by a part of a TLS record
                continue
            if self.partial is None:
                self.partial = ticks_ms()
            start += got


def _writable(sock):
    # As asyncio.open_connection() does; that one leaks its socket when TLS or a deadline fails.
    yield asyncio.core._io_queue.queue_write(sock)
