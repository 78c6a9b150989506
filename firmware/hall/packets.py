"""MQTT 3.1.1 control packets over one TCP or TLS-PSK socket: framing, buffers, open and close.

Here belongs what moves bytes; what a packet means and who answers it is mqtt.py's.
Every failure is one MqttError. Section numbers are those of the OASIS standard "MQTT 3.1.1".
"""

import asyncio
import errno
import socket
from time import ticks_ms

from micropython import const

from .errors import reason

_RX_MAX = const(
    2048
)  # the longest packet taken in, without its fixed header; contract payloads are 1 KiB
TX_MAX = 1024 + 160  # a contract payload with its topic and header

_IPPROTO_TCP = const(6)
_TCP_NODELAY = const(1)


class MqttError(Exception):
    """The connection is over; the text says why, in one line."""


class Buffers:
    """The packet buffers, allocated once and lent to one connection after the other."""

    def __init__(self):
        self.rx = memoryview(bytearray(_RX_MAX))
        self.tx = memoryview(bytearray(TX_MAX))


def psk_suites(names):
    """Those of mbedTLS's cipher suites that are on offer, best first.

    The broker proves itself by the key. Without a certificate authority a certificate suite would
    let anyone in, RSA-PSK's too; and a 2048-bit DHE-PSK handshake would stop the one thread.
    """
    kinds = ("TLS-ECDHE-PSK-", "TLS-PSK-")
    return [name for kind in kinds for name in names if name.startswith(kind)]


def psk_context(identity, key):
    """A TLS client context with a pre-shared key; identity and key are bytes."""
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(psk_suites(context.get_ciphers()))
    # The stubs of the tls module have none of its attributes.
    context.verify_mode = tls.CERT_NONE  # pyright: ignore[reportAttributeAccessIssue]
    context.psk_identity = identity  # pyright: ignore[reportAttributeAccessIssue]
    context.psk_key = key  # pyright: ignore[reportAttributeAccessIssue]
    return context


def get_int(data, at):
    """The two-byte integer at an offset (1.5.2)."""
    return data[at] << 8 | data[at + 1]


class PacketStream:
    """One socket's life: made, connect(), packets, close().

    address: (numeric IP, port). counts: dict whose "opened", "closed" and "oversized" are kept.
    """

    def __init__(self, address, ssl, buffers, counts):
        self.step = "TCP connection" if ssl is None else "TLS handshake"  # what errors are about
        self.partial = None  # ticks of the first byte of a packet that is not complete yet
        self.sent = 0  # ticks of the last packet written
        self._rx = buffers.rx
        self._tx = buffers.tx
        self._counts = counts
        try:
            # The host is numeric: getaddrinfo only converts it and cannot block on DNS.
            info = socket.getaddrinfo(address[0], address[1], 0, socket.SOCK_STREAM)[0]
            self._tcp = self._socket = socket.socket(info[0], info[1])
        except OSError as error:
            raise MqttError("no socket: " + reason(error))
        counts["opened"] += 1
        self._open = True
        self._where = info[-1]
        try:
            self._tcp.setblocking(False)
            self._tcp.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
            if ssl is not None:
                # The handshake is left to the first packet: there other tasks run meanwhile.
                self._socket = ssl.wrap_socket(self._tcp, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            self.close()
            raise MqttError("no socket: " + reason(error))
        self._reader = asyncio.StreamReader(self._socket)
        self._writer = asyncio.StreamWriter(self._socket)

    def connect(self):
        """Begin to connect; the first packet waits until it is done."""
        try:
            self._tcp.connect(self._where)
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise MqttError("%s failed: %s" % (self.step, reason(error)))

    def close(self):
        """Close the socket; nothing may be waiting on it any more. A second call does nothing."""
        if not self._open:
            return
        self._open = False
        for layer in (self._socket, self._tcp):
            try:
                layer.close()
            except OSError as error:
                print("mqtt: close:", reason(error))  # the peer is gone; ours is free all the same
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
            sent = self._socket.write(self._tx[:length]) or 0
            if sent < length:
                self._writer.write(self._tx[sent:length])
                await asyncio.wait_for_ms(self._writer.drain(), timeout_ms)
        except asyncio.TimeoutError:
            raise MqttError("the broker took no packet in %d ms" % timeout_ms)
        except (OSError, ValueError) as error:  # TLS failures come as either
            raise MqttError("%s failed: %s" % (self.step, reason(error)))

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
        if length > _RX_MAX:
            self._counts["oversized"] += 1
            raise MqttError("incoming packet of %d bytes, at most %d" % (length, _RX_MAX))
        await self._fill(0, length)
        self.partial = None
        self.step = "connection"
        return head, self._rx[:length]

    async def _fill(self, start, end):
        while start < end:
            try:
                got = await self._reader.readinto(self._rx[start:end])
            except (OSError, ValueError) as error:
                raise MqttError("%s failed: %s" % (self.step, reason(error)))
            if got == 0:
                raise MqttError("%s: closed by the broker" % self.step)
            if got is None:  # woken without data, as by a part of a TLS record
                continue
            if self.partial is None:
                self.partial = ticks_ms()
            start += got
