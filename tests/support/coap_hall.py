"""A gateway for a battery device's tests: aiocoap with its own OSCORE, and a store in a list.

It commits what it is told and acknowledges it, as DESIGN.md has it, and can be cut off at any
moment: `crash()` forgets the sequence numbers as a gateway that dies does, so that the next start
asks for Echo. Not here: the real gateway, whose own rules the tests of hall_gateway have.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiocoap
import cbor2
from aiocoap import resource
from aiocoap.credentials import CredentialsMap
from aiocoap.numbers import codes
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper
from hall_tools.ports import free_port

OSCORE = {
    "secret": "0102030405060708090a0b0c0d0e0f10",
    "salt": "9e7ca92223786340",
    "id": "d1",
    "gateway_id": "00",
}
"""The keys of its device `fl-1`, as they are in its identity."""
CLAIM = ":fl-1"


class _Events(resource.Resource):
    def __init__(self, hall: CoapHall) -> None:
        super().__init__()
        self._hall = hall

    async def render_post(self, request: Any) -> Any:
        if CLAIM not in request.remote.authenticated_claims:
            self._hall.unprotected += 1
            return aiocoap.Message(code=codes.UNAUTHORIZED)
        return await self._hall.answer(cbor2.loads(request.payload))


class CoapHall:
    """`events` by (epoch, seq); `requests` as they came. `instead(request)` answers once in its
    place. `before` and `after` the commit of a request it is awaited."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.events: dict[tuple[int, int], Any] = {}
        self.requests: list[Any] = []
        self.commands: list[Any] = []
        self.instead: Callable[[Any], Any] | None = None
        self.before: Callable[[Any], Awaitable[None]] | None = None
        self.after: Callable[[Any], Awaitable[None]] | None = None
        self.unprotected = 0
        self.different = 0
        self._basedir = folder / "context"
        self._basedir.mkdir(parents=True, exist_ok=True)
        settings = {
            "sender-id_hex": OSCORE["gateway_id"],
            "recipient-id_hex": OSCORE["id"],
            "secret_hex": OSCORE["secret"],
            "salt_hex": OSCORE["salt"],
        }
        (self._basedir / "settings.json").write_text(json.dumps(settings))
        self._context: Any = None
        self._more = asyncio.Condition()

    async def start(self) -> None:
        credentials = CredentialsMap()
        credentials.load_from_dict({CLAIM: {"oscore": {"basedir": str(self._basedir) + "/"}}})
        self._credentials = credentials
        site = resource.Site()
        site.add_resource(["v1", "event"], _Events(self))
        self._context = await aiocoap.Context.create_server_context(
            OscoreSiteWrapper(site, credentials),
            bind=("127.0.0.1", self.port),
            server_credentials=credentials,
        )

    async def crash(self) -> None:
        """Gone, with what it knew of the last requests."""
        await self._context.shutdown()
        self._context = None
        sequence = self._basedir / "sequence.json"
        known = json.loads(sequence.read_text())
        known["received"] = "unknown"
        context = next(iter(self._credentials.values()))
        context.lockfile.release()
        context.lockfile = None
        sequence.write_text(json.dumps(known))

    async def stop(self) -> None:
        if self._context is not None:
            await self._context.shutdown()

    async def answer(self, said: Any) -> Any:
        if self.instead is not None:
            instead, self.instead = self.instead, None
            return instead(said)
        if self.before is not None:
            await self.before(said)
        async with self._more:
            self.requests.append(said)
            for event in said["events"]:
                key = (event["epoch"], event["seq"])
                self.different += self.events.setdefault(key, event) != event
            self._more.notify_all()
        if self.after is not None:
            await self.after(said)
        epoch = said["state"]["journal"]["epoch"]
        seqs = {seq for of, seq in self.events if of == epoch}
        mark = max((seq for seq in seqs if set(range(1, seq + 1)) <= seqs), default=0)
        response: dict[str, Any] = {"epoch": epoch, "seq": mark, "now": int(time.time() * 1000)}
        if self.commands:
            response["cmd"], self.commands = self.commands, []
        return aiocoap.Message(code=codes.CHANGED, payload=cbor2.dumps(response), content_format=60)

    async def until(self, found: Callable[[], Any], seconds: float = 30) -> Any:
        """What `found` gives, once it is something."""
        async with asyncio.timeout(seconds), self._more:
            await self._more.wait_for(lambda: bool(found()))
        return found()

    def kinds(self) -> list[str]:
        return [self.events[key]["kind"] for key in sorted(self.events)]
