"""CoAP (RFC 7252) over UDP from the client's side: messages, and one confirmable request at a time.

Here: a message's bytes, retransmission (section 4.2), piggybacked and separate responses (5.2).
Not here: block-wise transfer and observing, which nothing here needs; protection (oscore.py); what
is said (post.py).
"""

import asyncio
import socket
import struct
from errno import EAGAIN

CON, NON, ACK, RST = 0, 1, 2, 3
EMPTY = 0
POST = 0x02
OSCORE, URI_PATH, CONTENT_FORMAT, MAX_AGE, ECHO = 9, 11, 12, 14, 252
TOKEN_MAX = 8
DATAGRAM_MAX = 1280
_POLL_MS = 10

COUNTED = "sent sent_bytes received received_bytes retransmitted malformed"


class CoapError(ValueError):
    """These bytes are no CoAP message."""


class NoAnswerError(OSError):
    """The exchange ended without a response."""


class Timings:
    """In ms (section 4.8). Three transmissions, not five: a radio that waits empties the battery,
    and there is a next wake."""

    ack = 2000  # ACK_TIMEOUT; with ACK_RANDOM_FACTOR 1.5, doubled for each retransmission
    transmissions = 3
    separate = 8000  # from the empty acknowledgement to the response


def encode(kind, code, mid, token=b"", options=(), payload=b""):
    """A message's bytes. `options`: (number, value) with rising numbers."""
    head = struct.pack(">BBH", 0x40 | kind << 4 | len(token), code, mid)
    return head + token + encode_body(options, payload)


def decode(datagram):
    """(kind, code, mid, token, options, payload). CoapError: a message format error (section 3)."""
    if len(datagram) < 4 or datagram[0] >> 6 != 1:
        raise CoapError("coap: no message of version 1")
    first, code, mid = struct.unpack(">BBH", datagram[:4])
    length = first & 15
    body = 4 + length
    if length > TOKEN_MAX or body > len(datagram) or (code == EMPTY and len(datagram) > 4):
        raise CoapError("coap: malformed header")
    token = bytes(datagram[4:body])
    return (first >> 4 & 3, code, mid, token) + decode_body(datagram[body:])


def encode_body(options, payload):
    """Options and payload, as they follow the token; and as OSCORE hides them."""
    out = bytearray()
    before = 0
    for number, value in options:
        delta, more = _nibble(number - before)
        length, extra = _nibble(len(value))
        out.append(delta << 4 | length)
        out.extend(more + extra + value)
        before = number
    if payload:
        out.append(0xFF)
        out.extend(payload)
    return bytes(out)


def decode_body(data):
    """([(number, value), ...], payload). CoapError: it is malformed."""
    options = []
    number = at = 0
    while at < len(data):
        first = data[at]
        at += 1
        if first == 0xFF:
            if at == len(data):
                raise CoapError("coap: a payload marker without a payload")
            return options, bytes(data[at:])
        delta, at = _extended(data, at, first >> 4)
        length, at = _extended(data, at, first & 15)
        number += delta
        if number > 0xFFFF or length > len(data) - at:
            raise CoapError("coap: malformed option")
        options.append((number, bytes(data[at : at + length])))
        at += length
    return options, b""


def _nibble(number):
    if number < 13:
        return number, b""
    if number < 269:
        return 13, bytes([number - 13])
    return 14, struct.pack(">H", number - 269)


def _extended(data, at, nibble):
    if nibble < 13:
        return nibble, at
    size = nibble - 12  # 13: one byte more, 14: two
    if size > 2 or size > len(data) - at:
        raise CoapError("coap: malformed option")
    number = int.from_bytes(data[at : at + size], "big")
    return number + (13 if size == 1 else 269), at + size


class Client:
    """One UDP socket to `address` (numeric IP, port); what others send is dropped by the network.

    uptime() -> ms. randint(a, b) -> a..b. check_in() is called while waiting. `stats` counts
    datagrams and their bytes, as COUNTED names them. To be closed.
    """

    def __init__(self, address, uptime, randint, check_in, stats, timings):
        self._uptime = uptime
        self._randint = randint
        self._check_in = check_in
        self._stats = stats
        self._timings = timings
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.connect(socket.getaddrinfo(address[0], address[1])[0][-1])
            self._socket.setblocking(False)
        except OSError:
            self.close()
            raise

    def close(self):
        self._socket.close()

    async def request(self, mid, token, code, options, payload):
        """(code, options, payload) of the response. NoAnswerError: there was none, and why.

        `mid` must not have been used with this peer for 247 s (EXCHANGE_LIFETIME).
        """
        datagram = encode(CON, code, mid, token, options, payload)
        timings = self._timings
        wait = self._randint(timings.ack, timings.ack * 3 // 2)
        for transmission in range(timings.transmissions):
            self._send(datagram)
            self._stats["retransmitted"] += transmission > 0
            answer = await self._answer(mid, token, wait)
            if answer:
                return answer
            wait *= 2
        raise NoAnswerError("coap: no answer to %d transmissions" % timings.transmissions)

    async def _answer(self, mid, token, wait):
        """The response, or None after `wait` ms without an acknowledgement."""
        end = self._uptime() + wait
        acknowledged = False
        while self._uptime() < end:
            datagram = self._receive()
            # Also between two datagrams: whoever sends many must not keep the device from the rest.
            self._check_in()
            await asyncio.sleep_ms(0 if datagram else _POLL_MS)
            if datagram is None:
                continue
            try:
                kind, code, got, mark, options, payload = decode(datagram)
            except CoapError:
                self._stats["malformed"] += 1
                continue
            if kind in (ACK, RST) and got != mid:
                continue
            if kind == RST:
                raise NoAnswerError("coap: the gateway reset the exchange")
            if kind == ACK and code == EMPTY:
                if not acknowledged:  # a repetition keeps the radio on no longer
                    acknowledged = True
                    end = self._uptime() + self._timings.separate
            elif code >> 5 in (2, 4, 5) and mark == token:
                if kind == CON:
                    self._send(encode(ACK, EMPTY, got))
                return code, options, payload
            elif kind == CON:
                self._send(encode(RST, EMPTY, got))
        if acknowledged:
            raise NoAnswerError("coap: acknowledged, and then no response")
        return None

    def _send(self, datagram):
        try:
            self._socket.send(datagram)
        except OSError as error:
            raise NoAnswerError("coap: not sent: %s" % error)
        self._stats["sent"] += 1
        self._stats["sent_bytes"] += len(datagram)

    def _receive(self):
        """The next datagram that has come, or None."""
        try:
            datagram = self._socket.recv(DATAGRAM_MAX)
        except OSError as error:
            if error.errno == EAGAIN:
                return None
            # On a host, a port that nobody listens at is known at once.
            raise NoAnswerError("coap: nobody listens: %s" % error)
        self._stats["received"] += 1
        self._stats["received_bytes"] += len(datagram)
        return datagram
