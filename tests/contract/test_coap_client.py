"""The device's CoAP client (firmware/hall/coap.py) in the real MicroPython, over real datagrams.

The peer here is a script: it says what a server may say, and what only an attacker would.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiocoap
from aiocoap.numbers import codes
from support import micropython

SCRIPT = Path(__file__).with_name("mp_coap_client.py")
MID, TOKEN = 0x1234, b"tokn"
Answer = Callable[["Peer", int], None]


class Peer(asyncio.DatagramProtocol):
    """Keeps each datagram and lets `answer(peer, how many have come)` say something to it."""

    def __init__(self, answer: Answer) -> None:
        self.came: list[bytes] = []
        self._answer = answer
        self._transport: Any = None
        self._to: Any = None

    @property
    def heard(self) -> bool:
        """Whether the other may still be there."""
        return not self._transport.is_closing()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.came.append(data)
        self._to = addr
        self._answer(self, len(self.came))

    def say(self, data: bytes) -> None:
        self._transport.sendto(data, self._to)


def message(kind: Any, code: Any, mid: int = MID, token: bytes = TOKEN, text: bytes = b"") -> bytes:
    made = aiocoap.Message(_mtype=kind, code=code, _mid=mid, _token=token, payload=text)
    made.direction = aiocoap.message.Direction.OUTGOING
    return made.encode()


def response(text: bytes = b"done", **fields: Any) -> bytes:
    return message(aiocoap.ACK, codes.CHANGED, text=text, **fields)


EMPTY_ACK = message(aiocoap.ACK, codes.EMPTY, token=b"")


async def ask(answer: Answer) -> tuple[Peer, dict[str, Any]]:
    """The peer after one request, and what the client says of it."""
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(
        lambda: Peer(answer), local_addr=("127.0.0.1", 0)
    )
    try:
        argv, environment = micropython.command(
            SCRIPT, str(transport.get_extra_info("sockname")[1])
        )
        process = await asyncio.create_subprocess_exec(
            *argv, env=environment, stdout=asyncio.subprocess.PIPE, stderr=sys.stderr
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        transport.close()
    return peer, json.loads(output)


async def test_a_response_with_the_acknowledgement():
    peer, said = await ask(lambda peer, count: peer.say(response()))
    assert (said["code"], said["payload"]) == (codes.CHANGED, "done")
    (request,) = map(aiocoap.Message.decode, peer.came)
    assert (request.mtype, request.code, request.mid) == (aiocoap.CON, codes.POST, MID)
    assert (request.token, request.opt.oscore) == (TOKEN, b"\x09\x14")
    assert said["stats"]["sent"] == said["stats"]["received"] == 1
    assert said["stats"]["sent_bytes"] == len(peer.came[0])


async def test_a_repetition_is_the_same_to_the_byte():
    def third(peer: Peer, count: int) -> None:
        if count == 3:
            peer.say(response())

    peer, said = await ask(third)
    assert said["payload"] == "done"
    assert len(peer.came) == 3
    assert len(set(peer.came)) == 1
    assert said["stats"]["retransmitted"] == 2


async def test_silence_ends_after_three():
    peer, said = await ask(lambda peer, count: None)
    assert said["error"] == "coap: no answer to 3 transmissions"
    assert len(peer.came) == 3


async def test_a_response_of_its_own_is_acknowledged():
    def separate(peer: Peer, count: int) -> None:
        if count == 1:
            peer.say(EMPTY_ACK)
            later = message(aiocoap.CON, codes.CHANGED, mid=77, text=b"later")
            asyncio.get_running_loop().call_later(0.15, peer.say, later)

    peer, said = await ask(separate)
    assert said["payload"] == "later"
    assert len(peer.came) == 2, "no repetition after the acknowledgement, past its time-out"
    last = aiocoap.Message.decode(peer.came[-1])
    assert (last.mtype, last.code, last.mid) == (aiocoap.ACK, codes.EMPTY, 77)


async def test_a_response_may_overtake_its_acknowledgement():
    other = message(aiocoap.NON, codes.CHANGED, mid=78, text=b"first")
    _, said = await ask(lambda peer, count: peer.say(other))
    assert said["payload"] == "first"


async def test_acknowledged_and_then_nothing():
    peer, said = await ask(lambda peer, count: peer.say(EMPTY_ACK))
    assert said["error"] == "coap: acknowledged, and then no response"
    assert len(peer.came) == 1


async def test_a_reset_ends_it():
    reset = message(aiocoap.RST, codes.EMPTY, token=b"")
    peer, said = await ask(lambda peer, count: peer.say(reset))
    assert said["error"] == "coap: the gateway reset the exchange"
    assert len(peer.came) == 1


async def test_what_is_not_the_answer_is_passed_over():
    def noise(peer: Peer, count: int) -> None:
        for data in (
            b"",
            b"\x60",
            b"\xff" * 60,
            bytes(1400),
            response(mid=MID + 1, text=b"another message"),
            response(token=b"nope", text=b"another token"),
            message(aiocoap.RST, codes.EMPTY, mid=MID + 1, token=b""),
            message(aiocoap.NON, codes.CHANGED, mid=1, token=b"nope"),
            message(aiocoap.CON, codes.CHANGED, mid=2, token=b"nope"),
            message(aiocoap.CON, codes.GET, mid=3, token=TOKEN),
        ):
            peer.say(data)
        peer.say(response())

    peer, said = await ask(noise)
    assert said["payload"] == "done"
    assert said["stats"]["malformed"] >= 3
    rejected = [aiocoap.Message.decode(data) for data in peer.came[1:]]
    assert [(each.mtype, each.mid) for each in rejected] == [(aiocoap.RST, 2), (aiocoap.RST, 3)]


async def test_a_flood_does_not_keep_it_awake():
    """In the gateway's name: it gives up in time, and is not late with anything else."""

    def flood(peer: Peer, count: int) -> None:
        if count == 1:
            pour(peer)

    def pour(peer: Peer) -> None:
        for _ in range(200):
            peer.say(b"\xff")
        if peer.heard:
            asyncio.get_running_loop().call_soon(pour, peer)

    _, said = await ask(flood)
    assert said["error"] == "coap: no answer to 3 transmissions"
    assert said["ms"] < 1500
    assert said["checks"] > 10


async def test_an_acknowledgement_counts_once():
    def again(peer: Peer, count: int) -> None:
        if peer.heard:
            peer.say(EMPTY_ACK)
            asyncio.get_running_loop().call_later(0.1, again, peer, count)

    _, said = await ask(again)
    assert said["error"] == "coap: acknowledged, and then no response"
    assert said["ms"] < 1000


async def test_nobody_listens():
    loop = asyncio.get_running_loop()
    gone, _ = await loop.create_datagram_endpoint(
        lambda: Peer(lambda peer, count: None), local_addr=("127.0.0.1", 0)
    )
    port = gone.get_extra_info("sockname")[1]
    gone.close()
    await asyncio.sleep(0)
    argv, environment = micropython.command(SCRIPT, str(port))
    process = await asyncio.create_subprocess_exec(
        *argv, env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert "nobody listens" in json.loads(output)["error"]
