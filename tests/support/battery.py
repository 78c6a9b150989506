"""Battery devices for tests of the gateway: an aiocoap client, and datagrams made by hand.

`Battery` is a device as it should be: aiocoap's own client with the device's side of the security
context. `protected` and `ask` are what an attacker has: bytes, and a socket of his own.
"""

import asyncio
import itertools
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiocoap
import cbor2
from aiocoap import oscore
from aiocoap.message import Direction, UndecidedRemote
from aiocoap.numbers import codes
from aiocoap.transports.oscore import OSCOREAddress
from hall_gateway.keys import DeviceKeys

from support.udp import Sender

PATH = ("v1", "event")
ANSWER_S = 60.0
EPOCH = 0xBEEF

_MIDS = itertools.count(secrets.randbelow(20_000))
_oscore: Any = oscore


class DeviceSide(_oscore.CanProtect, _oscore.CanUnprotect, _oscore.SecurityContextUtils):
    """The device's side of a context, in memory; `number` is its next sequence number."""

    def __init__(self, ident: Mapping[str, str], number: int = 0) -> None:
        self.alg_aead = _oscore.algorithms[_oscore.DEFAULT_ALGORITHM]
        self.hashfun = _oscore.hashfunctions[_oscore.DEFAULT_HASHFUNCTION]
        self.id_context = None
        self.sender_id = bytes.fromhex(ident["id"])
        self.recipient_id = bytes.fromhex(ident["gateway_id"])
        self.derive_keys(bytes.fromhex(ident["salt"]), bytes.fromhex(ident["secret"]))
        self.recipient_replay_window = _oscore.ReplayWindow(32, lambda: None)
        self.recipient_replay_window.initialize_empty()
        self.echo_recovery = None
        self.authenticated_claims: list[str] = []
        self.sender_sequence_number = number

    def post_seqnoincrease(self) -> None:
        pass


class Events:
    """A device's journal as far as a test needs it: events with a seq that counts."""

    def __init__(self, epoch: int = EPOCH) -> None:
        self.epoch = epoch
        self.seq = 0

    def event(self, kind: str, data: Mapping[str, object], **fields: object) -> dict[str, object]:
        self.seq += 1
        event = {"epoch": self.epoch, "seq": self.seq, "boot": 1, "up": 1000 * self.seq, "t": None}
        return {**event, "kind": kind, "data": dict(data), **fields}

    def wet(self) -> dict[str, object]:
        return self.event("wet", {"ohms": 20_000})

    def dry(self) -> dict[str, object]:
        return self.event("dry", {"ohms": 470_000})

    def state(self, acked: int = 0, **fields: object) -> dict[str, object]:
        journal = {"epoch": self.epoch, "acked": acked, "next": self.seq + 1}
        shows = {"wet": None, "ohms": None, "fault": None}
        health = {"up_s": self.seq, "boot": 1, "cause": "deep_sleep", "errors": []}
        told = {"rev": None, "shows": shows, "journal": journal, "health": health, "fw": "0.1.0"}
        return {**told, "profile": "wet-floor-battery", **fields}


class Battery:
    """A device that speaks to the gateway at UDP `port` of loopback."""

    def __init__(self, client: Any, keys: DeviceKeys, port: int, number: int = 0) -> None:
        assert keys.oscore is not None
        self.side = DeviceSide(keys.oscore.of_device(), number)
        self.events = Events()
        self._client = client
        self._where = f"127.0.0.1:{port}"

    async def post(self, path: str = "/v1/event", **said: object) -> Any:
        """The response to a map of these fields."""
        return await self.send(cbor2.dumps(said), path)

    async def send(self, payload: bytes, path: str = "/v1/event", **options: object) -> Any:
        parts = tuple(path.strip("/").split("/"))
        options = {"content_format": 60, **options}
        message = aiocoap.Message(code=codes.POST, uri_path=parts, payload=payload, **options)
        message.remote = OSCOREAddress(self.side, UndecidedRemote("coap", self._where))
        async with asyncio.timeout(ANSWER_S):
            return await self._client.request(message, handle_blockwise=False).response


@asynccontextmanager
async def client() -> AsyncGenerator[Any]:
    """aiocoap's client, with OSCORE over UDP."""
    context = await aiocoap.Context.create_client_context(transports=["oscore", "udp6"])
    try:
        yield context
    finally:
        await context.shutdown()


def said(response: Any) -> dict[str, Any]:
    """What a successful response says."""
    assert response.code is codes.CHANGED, (response.code, response.payload)
    assert response.opt.content_format == 60
    return cbor2.loads(response.payload)


def datagram(
    payload: bytes = b"", *, code: Any = codes.POST, path: tuple[str, ...] = PATH, **options: Any
) -> bytes:
    """An unprotected confirmable request."""
    return _encoded(aiocoap.Message(code=code, uri_path=path, payload=payload, **options))


def protected(
    side: DeviceSide, payload: bytes, path: tuple[str, ...] = PATH, **options: Any
) -> bytes:
    """A protected confirmable request, with the next number of `side`."""
    inner = aiocoap.Message(
        code=codes.POST, uri_path=path, payload=payload, **{"content_format": 60, **options}
    )
    outer, _ = side.protect(inner)
    return _encoded(outer)


def _encoded(message: Any) -> bytes:
    message.mtype, message.mid = aiocoap.CON, next(_MIDS) & 0xFFFF
    message.token = secrets.token_bytes(2)
    message.direction = Direction.OUTGOING
    return message.encode()


async def ask(port: int, datagram: bytes) -> Any:
    """What comes back for a datagram from a socket of its own; TimeoutError when nothing does."""
    async with Sender(port) as sender:
        return await sender.ask(datagram)
