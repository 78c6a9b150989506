"""The CoAP endpoint (RFC 7252): one UDP socket, and aiocoap's messages with a bound.

Here: the socket, what cannot be parsed, and how many messages are remembered. Not here: what is
answered (oscore_site.py).

aiocoap remembers every message for 247 s, so that a repetition gets the same answer; whoever sends
many could fill the memory with them. Here the oldest goes when there are MAX_REMEMBERED. A
repetition of a forgotten one is no harm: OSCORE refuses it, and the device tries anew. What was
answered without protection is forgotten at once. It was anybody's, perhaps in a device's name and
under the message id that its next request will have, which must not get the answer of the other.
"""

# aiocoap has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportIncompatibleVariableOverride=false, reportIncompatibleMethodOverride=false
# pyright: reportAttributeAccessIssue=false, reportPrivateUsage=false

import logging
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiocoap
from aiocoap import interfaces
from aiocoap.messagemanager import MessageManager
from aiocoap.numbers.constants import TransportTuning
from aiocoap.tokenmanager import TokenManager
from aiocoap.transports.udp6 import MessageInterfaceUDP6

from hall_gateway.coap_gate import Gate
from hall_gateway.config_links import ANY_ADDRESS
from hall_gateway.wanted import CoapStartError

log = logging.getLogger(__name__)

LOGGER = "hall_gateway.aiocoap"
MAX_REMEMBERED = 4096
"""Messages: some 16 a second for EXCHANGE_LIFETIME, and a few MB."""
MAX_DATAGRAM = 1280
"""Bytes: 1,152 inside the protection, and what is around them. A device sends no more."""
MAX_OPTIONS = 16
"""Of a message, in the open. A protected request has one, and a few of a proxy or another client;
aiocoap takes a moment for each, of which a datagram has room for a thousand."""


AT_ONCE = 64
"""Datagrams that are taken before others have their turn."""


class _Tuning(TransportTuning):
    EMPTY_ACK_DELAY = 1.5
    """s. A commit takes less, so the response goes with the acknowledgement: one datagram for a
    battery device to wait for. Before its first repetition (ACK_TIMEOUT, 2 s)."""


_TUNING = _Tuning()


class _Messages(MessageManager):
    """aiocoap's message layer, which remembers at most MAX_REMEMBERED messages."""

    def __init__(self, token_manager: Any) -> None:
        super().__init__(token_manager)
        self._recent_messages: OrderedDict[Any, Any] = OrderedDict()
        self._until: dict[Any, float] = {}

    def dispatch_message(self, message: Any) -> None:
        message.transport_tuning = _TUNING
        super().dispatch_message(message)

    def _deduplicate_message(self, message: Any) -> bool:
        """Whether it came before; then the same answer goes again."""
        now = time.monotonic()
        key = (message.remote, message.mid)
        if self._until.get(key, now) <= now:
            self._forget(key, now)
            self._recent_messages[key] = None
            self._until[key] = now + _TUNING.EXCHANGE_LIFETIME
            return False
        if message.mtype is aiocoap.CON and self._recent_messages[key] is not None:
            self._send_initially(self._recent_messages[key])
        return True

    def _store_response_for_duplicates(self, message: Any) -> None:
        """`message` goes out: the answer to its key, from now on or just this once."""
        if message.code is not aiocoap.EMPTY and message.opt.oscore is None:
            self._recent_messages.pop((message.remote, message.mid), None)
            self._until.pop((message.remote, message.mid), None)
        else:
            super()._store_response_for_duplicates(message)

    def _forget(self, key: Any, now: float) -> None:
        """`key`, those whose time is over, and the oldest when there are too many."""
        self._recent_messages.pop(key, None)
        self._until.pop(key, None)
        while self._recent_messages:
            oldest = next(iter(self._recent_messages))
            if self._until[oldest] > now and len(self._recent_messages) < MAX_REMEMBERED:
                return
            del self._recent_messages[oldest], self._until[oldest]


class _Socket(MessageInterfaceUDP6):
    """aiocoap's UDP socket; what is no CoAP message is counted in `refused`."""

    refused: Counter[str]
    gate: Gate

    def datagram_msg_received(self, data: bytes, ancdata: Any, flags: Any, address: Any) -> None:
        self._received(data, ancdata, flags, address)
        # aiocoap takes one in each turn of the loop, which a flood would fill the buffer in.
        socket = self.transport.get_extra_info("socket")
        for _ in range(AT_ONCE):
            try:
                more = socket.recvmsg(MAX_DATAGRAM + 1, 1024)
            except OSError:  # nothing waits; an error waits for aiocoap
                return
            self._received(*more)

    def _received(self, data: bytes, ancdata: Any, flags: Any, address: Any) -> None:
        if not self.gate.admits(data, address[0]):
            self.refused["flood"] += 1
            if self.refused["flood"] == 1:
                log.warning("dropped, and counted from now on: a flood at the CoAP port")
            return
        try:
            if len(data) > MAX_DATAGRAM or _options(data) > MAX_OPTIONS:
                raise ValueError("no device's message")
            aiocoap.Message.decode(data)
        except Exception:  # UnparsableMessage, and what aiocoap has not thought of
            self.refused["unparsable"] += 1
            if self.refused["unparsable"] == 1:
                log.warning(
                    "refused, and counted from now on: no CoAP message, from %s", address[0]
                )
            return
        super().datagram_msg_received(data, ancdata, flags, address)


def _options(data: bytes) -> int:
    """How many options a message has, at least; counted no further than MAX_OPTIONS + 1."""
    at = 4 + (data[0] & 15) if data else 0
    found = 0
    while at < len(data) and data[at] != 0xFF and found <= MAX_OPTIONS:
        found += 1
        first, at = data[at], at + 1
        size = first & 15
        at += (first >> 4 == 13) + 2 * (first >> 4 == 14)  # of the number
        if size >= 13:
            extra = size - 12
            size = int.from_bytes(data[at : at + extra], "big") + (13 if extra == 1 else 269)
            at += extra
        at += size
    return found


@asynccontextmanager
async def coap_server(
    host: str, port: int, site: interfaces.Resource, refused: Counter[str], gate: Gate
) -> AsyncGenerator[int]:
    """Serve `site` at the IPv4 address `host` until the context ends; gives the UDP port (`port`,
    or a free one for 0). Raises CoapStartError."""
    bound = _bind(host, port)
    number = bound.getsockname()[1]
    logging.getLogger(LOGGER).setLevel(logging.ERROR)  # it warns of what anybody may send
    context = aiocoap.Context(serversite=site, loggername=LOGGER)
    tokens = TokenManager(context)
    messages = _Messages(tokens)
    opened: Any = await _Socket._create_transport_endpoint(
        bound, messages, context.log, context.loop
    )
    opened.refused, opened.gate = refused, gate
    messages.message_interface = opened
    tokens.token_interface = messages
    context.request_interfaces.append(tokens)
    try:
        yield number
    finally:
        await context.shutdown()


def _bind(host: str, port: int) -> socket.socket:
    """A UDP socket at an IPv4 address, as aiocoap wants it: of IPv6, for both. Not shared: a second
    gateway at the same port would take every other request."""
    try:
        bound = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    except OSError as error:
        raise CoapStartError(
            f"[coap]: this machine has no IPv6 ({error.strerror}), which the endpoint's socket "
            "needs for IPv4 too; switch it on, or remove [coap]"
        ) from None
    try:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(("::" if host == ANY_ADDRESS else f"::ffff:{host}", port))
    except OSError as error:
        bound.close()
        raise CoapStartError(
            f"[coap]: cannot listen at {host}:{port} (UDP): {error.strerror}; is another program "
            "there (ss -lunp), and is it an address of this machine?"
        ) from None
    return bound
