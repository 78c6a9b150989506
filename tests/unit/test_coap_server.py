"""The CoAP endpoint: messages remembered, and no more of them than there is room for."""

from collections import Counter
from typing import Any

import aiocoap
import pytest
from aiocoap import interfaces
from aiocoap.numbers import codes
from hall_gateway import coap_server as endpoint
from hall_gateway.coap_server import CoapStartError, coap_server
from hall_tools.ports import free_port
from support.battery import datagram
from support.udp import Sender


class Counting(interfaces.Resource):
    """Answers each request with how many came so far."""

    def __init__(self) -> None:
        self.count = 0

    async def render_to_pipe(self, pipe: Any) -> None:
        self.count += 1
        answer = aiocoap.Message(code=codes.CONTENT, payload=str(self.count).encode())
        pipe.add_response(answer, is_last=True)

    async def needs_blockwise_assembly(self, request: Any) -> bool:
        return False

    async def render(self, request: Any) -> Any:
        raise NotImplementedError


async def test_a_repetition_gets_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MAX_REMEMBERED", 3)
    site = Counting()
    async with coap_server("127.0.0.1", 0, site, Counter()) as port, Sender(port) as sender:
        first, *others = [datagram() for _ in range(4)]
        assert (await sender.ask(first)).payload == b"1"
        assert (await sender.ask(first)).payload == b"1"
        for number, other in enumerate(others[:2], start=2):
            assert (await sender.ask(other)).payload == str(number).encode()
        assert (await sender.ask(first)).payload == b"1", "there is room for three"
        assert (await sender.ask(others[2])).payload == b"4"
        assert (await sender.ask(first)).payload == b"5", "the oldest went"


async def test_what_is_no_message_is_counted() -> None:
    refused: Counter[str] = Counter()
    async with coap_server("127.0.0.1", 0, Counting(), refused) as port, Sender(port) as sender:
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
    async with coap_server("127.0.0.1", port, Counting(), Counter()):
        with pytest.raises(CoapStartError, match=rf"at {host}:{port} \(UDP\): {why}"):
            async with coap_server(host, port, Counting(), Counter()):
                pass
