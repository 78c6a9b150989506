"""The CoAP endpoint: messages remembered, and no more of them than there is room for."""

import time
from collections import Counter
from typing import Any

import aiocoap
import pytest
from aiocoap import interfaces
from aiocoap.numbers import codes
from hall_gateway import coap_server as endpoint
from hall_gateway.coap_gate import Gate
from hall_gateway.coap_server import CoapStartError, coap_server
from hall_tools.ports import free_port
from support.battery import datagram
from support.udp import Sender


class Counting(interfaces.Resource):
    """Answers each request with how many came so far, as under protection or without."""

    def __init__(self, oscore: bytes | None = b"") -> None:
        self.count = 0
        self._oscore = oscore

    async def render_to_pipe(self, pipe: Any) -> None:
        self.count += 1
        text = str(self.count).encode()
        answer = aiocoap.Message(code=codes.CONTENT, payload=text, oscore=self._oscore)
        pipe.add_response(answer, is_last=True)

    async def needs_blockwise_assembly(self, request: Any) -> bool:
        return False

    async def render(self, request: Any) -> Any:
        raise NotImplementedError


async def test_a_repetition_gets_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MAX_REMEMBERED", 3)
    site = Counting()
    async with (
        coap_server("127.0.0.1", 0, site, Counter(), Gate(time.monotonic)) as port,
        Sender(port) as sender,
    ):
        first, *others = [datagram() for _ in range(4)]
        assert (await sender.ask(first)).payload == b"1"
        assert (await sender.ask(first)).payload == b"1"
        for number, other in enumerate(others[:2], start=2):
            assert (await sender.ask(other)).payload == str(number).encode()
        assert (await sender.ask(first)).payload == b"1", "there is room for three"
        assert (await sender.ask(others[2])).payload == b"4"
        assert (await sender.ask(first)).payload == b"5", "the oldest went"


async def test_what_anybody_may_cause_is_not_remembered() -> None:
    """Else a stranger in a device's name has the gateway answer its next request with this."""
    site = Counting(oscore=None)
    async with (
        coap_server("127.0.0.1", 0, site, Counter(), Gate(time.monotonic)) as port,
        Sender(port) as sender,
    ):
        sent = datagram()
        assert (await sender.ask(sent)).payload == b"1"
        assert (await sender.ask(sent)).payload == b"2"


async def test_what_only_costs_time_is_dropped_before_it_does() -> None:
    refused: Counter[str] = Counter()
    site = Counting()
    header = b"\x40\x02\x00\x02"
    async with (
        coap_server("127.0.0.1", 0, site, refused, Gate(time.monotonic)) as port,
        Sender(port) as sender,
    ):
        sender.send(header + b"\x00" * 1270)  # as many options
        sender.send(header + b"\xc0" + b"\x00" * 16)
        sender.send(header + b"\xff" + b"x" * 1276)
        assert (await sender.ask(datagram(b"x" * 1200))).payload == b"1"
        sixteen = b"\xd1\x00x" + b"\xe1\x00\x00x" + b"\x0d\x07" + b"y" * 20 + b"\x00" * 13
        assert (await sender.ask(header + sixteen)).payload == b"2"
    assert refused == {"unparsable": 3}


async def test_what_is_no_message_is_counted() -> None:
    refused: Counter[str] = Counter()
    async with (
        coap_server("127.0.0.1", 0, Counting(), refused, Gate(time.monotonic)) as port,
        Sender(port) as sender,
    ):
        header = b"\x40\x01\x00\x02"
        not_utf8 = header + b"\xb2\xff\xfe"  # in Uri-Path
        cut = header + b"\xbe\xff\xff"
        for noise in (b"\x00", b"\xff" * 20, header + b"\xf0", cut, not_utf8):
            sender.send(noise)
        assert (await sender.ask(datagram())).code is codes.CONTENT
    assert refused == {"unparsable": 5}


@pytest.mark.parametrize(
    ("host", "why"), [("192.0.2.7", "Cannot assign"), ("127.0.0.1", "Address already in use")]
)
async def test_where_nobody_can_listen(host: str, why: str) -> None:
    port = free_port()
    async with coap_server("127.0.0.1", port, Counting(), Counter(), Gate(time.monotonic)):
        with pytest.raises(CoapStartError, match=rf"at {host}:{port} \(UDP\): {why}"):
            async with coap_server(host, port, Counting(), Counter(), Gate(time.monotonic)):
                pass
