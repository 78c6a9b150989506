"""The device side over CoAP with OSCORE: what battery devices POST to /v1/event.

Here: a request to the core and back, commands until their device wakes, and when silence means that
a device is gone. Not here: what an event means (core.py), protection (oscore_site.py), the endpoint
(coap_server.py).

A request carries all that waits on the device, in CBOR: `{"events": [...], "state": {...},
"replies": [...]}`, each as over MQTT. The response is sent after the commit, and carries all that
waits here: `{"epoch", "seq", "now"}`, `"desired"` when it is newer, `"cmd"`. Why it is a map:
docs/decisions/2026-11-22-one-request-a-wake.md.

A battery device has no connection whose end would be noticed. It is there while it is heard, and
gone MISSED heartbeats after it was heard last, counted from this process's start at the earliest.
"""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import aiocoap  # pyright: ignore[reportMissingTypeStubs]
import cbor2
from aiocoap.numbers import codes  # pyright: ignore[reportMissingTypeStubs]

from hall_gateway.cbor_input import CborError, decode
from hall_gateway.config import GatewayConfig
from hall_gateway.config_hall import DeviceConfig
from hall_gateway.core import Core
from hall_gateway.oscore_site import BUSY_S, RefusedError
from hall_gateway.quarantine import Quarantine
from hall_gateway.values import Ack, DeviceOrder, StoreError
from hall_gateway.wire import compact

log = logging.getLogger(__name__)

PATH = ("v1", "event")
CBOR = 60
"""Content-Format application/cbor."""
MAX_REQUEST = 1152
"""Bytes of a request's payload: a datagram that no network between has to cut (RFC 7252, section
4.6), so there is no block-wise transfer."""
MAX_RESPONSE = 1024
"""Bytes of a response's payload, as RFC 7252 advises; commands beyond it wait for the next."""
MAX_AT_WORK = 4
"""Requests of one device; it has one at a time, and perhaps some of before a restart of its own."""
WEIGHT = 20
"""What a request counts for, beside a message over MQTT: a full journal is some 130 requests."""
MISSED = 2.5
"""Heartbeats. After two that did not come, and half of one for a clock that wakes it late: the RC
oscillator that counts an ESP32's sleep is off by some percent."""
HEARTBEAT_S = 3600
"""Of a device whose profile has no setting heartbeat_s."""
LOOK_S = 5.0
"""Between two looks for devices that have fallen silent."""
_REPEATABLE = {"identify", "selftest", "config"}
"""As over MQTT: what may reach a device twice goes with every response until it is answered."""


@dataclass
class _Order:
    order: DeviceOrder
    command: dict[str, object]
    expires: float
    repeatable: bool
    sent: bool = False


class DevicesCoap:
    """The resource at PATH.

    `orders` takes the commands of its devices, by their id; it follows `follow`. `monotonic`: s.
    """

    def __init__(
        self,
        config: GatewayConfig,
        core: Core,
        quarantine: Quarantine,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.orders: dict[str, Callable[[DeviceOrder], None]] = {}
        self._core = core
        self._quarantine = quarantine
        self._monotonic = monotonic
        self._heartbeats: dict[str, float] = {}
        self._heard: dict[str, float] = {}  # monotonic, also the start for one never heard
        self._silent: set[str] = set()
        self._waiting: dict[str, _Order] = {}
        self._at_work: Counter[str] = Counter()
        self._rested = asyncio.Event()
        self._rested.set()
        self._ends = False
        self.follow(config)

    def follow(self, config: GatewayConfig) -> None:
        """The devices of `config` are heard from here on, and no others."""
        self._heartbeats = {
            device.id: _heartbeat(config, device) for device in config.coap_devices()
        }
        now = self._monotonic()
        self._heard = {device: self._heard.get(device, now) for device in self._heartbeats}
        self._silent &= self._heartbeats.keys()
        self.orders.clear()
        self.orders.update(dict.fromkeys(self._heartbeats, self._take_order))

    async def run(self) -> None:
        """Look for silence until cancelled."""
        while True:
            for device in self.fallen_silent():
                self._silent.add(device)  # before the commit: it may be heard meanwhile
                try:
                    await self._core.online(device, False)
                except StoreError:  # the core says so in the log, and the next look makes up
                    self._silent.discard(device)
            await asyncio.sleep(LOOK_S)

    async def finish(self) -> None:
        """Take nothing new; returns when what was taken is answered."""
        self._ends = True
        await self._rested.wait()

    async def heard(self, device: str) -> None:
        """A device is there, whatever it says. Raises StoreError."""
        # Before the commit, so that no look meanwhile says after it that the device is gone.
        self._heard[device] = self._monotonic()
        self._silent.discard(device)
        await self._core.heard(device)

    def heartbeat(self, device: str) -> float:
        """s between two wakes in which a device speaks, whatever happens."""
        return self._heartbeats[device]

    async def post(self, device: str, request: Any) -> Any:
        """See oscore_site.Resource: a request that is genuine, of `device`."""
        if device not in self._heartbeats:
            raise RefusedError("wrong_device", codes.UNAUTHORIZED, "no device of this hall")
        if self._ends or self._at_work[device] >= MAX_AT_WORK:
            raise RefusedError("busy", codes.SERVICE_UNAVAILABLE, "try again", max_age=1)
        if not self._quarantine.admits(device, WEIGHT):
            raise RefusedError("kept_out", codes.SERVICE_UNAVAILABLE, "not now", max_age=BUSY_S)
        self._at_work[device] += 1
        self._rested.clear()
        try:
            return await self._post(device, request)
        finally:
            self._quarantine.found(device, self._core.nonsense(device))
            self._at_work[device] -= 1
            if not self._at_work.total():
                self._rested.set()

    async def _post(self, device: str, request: Any) -> Any:
        payload: bytes = request.payload
        if len(payload) > MAX_REQUEST:
            text = f"{len(payload)} bytes, at most {MAX_REQUEST}"
            raise RefusedError("too_large", codes.REQUEST_ENTITY_TOO_LARGE, text)
        if request.opt.content_format not in (None, CBOR):
            raise RefusedError("unreadable", codes.UNSUPPORTED_CONTENT_FORMAT, "CBOR only")
        try:
            wake = _Wake(device, payload)
        except CborError as error:
            await self.heard(device)
            await self._core.unreadable(device, payload, str(error))
            raise RefusedError("unreadable", codes.BAD_REQUEST, str(error)) from None
        if wake.speaks_for != device:
            raise RefusedError("wrong_device", codes.UNAUTHORIZED, "the key is another's")
        ack = await self._commit(device, wake)
        if ack is None and wake.events:
            text = "no event of these can be read"
            raise RefusedError("unreadable", codes.BAD_REQUEST, text)
        body = cbor2.dumps(self._response(device, wake, ack))
        return aiocoap.Message(code=codes.CHANGED, payload=body, content_format=CBOR)

    async def _commit(self, device: str, wake: "_Wake") -> Ack | None:
        """Everything of a request, in one transaction when nothing fails. The core gets all of it
        before it commits; what has to be sent again is told from what is new by its identity."""
        core = self._core
        heard: list[Coroutine[Any, Any, object]] = [self.heard(device)]
        if wake.state is not None:
            heard.append(core.state(device, wake.state))
        heard += [core.event(device, event) for event in wake.events]
        heard += [core.reply(device, reply) for reply in wake.replies]
        outcomes = await asyncio.gather(*heard, return_exceptions=True)
        ack: Ack | None = None
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            if isinstance(outcome, Ack):
                ack = outcome
            elif isinstance(outcome, str):
                self._waiting.pop(outcome, None)
        return ack

    def _response(self, device: str, wake: "_Wake", ack: Ack | None) -> dict[str, object]:
        response: dict[str, object] = {"now": self._core.now()}
        if ack is not None:
            response = {"epoch": ack.epoch, "seq": ack.seq, "now": ack.now}
        body = self._core.desired_of(device)
        desired = None if body is None else json.loads(body)
        if desired is not None and (wake.rev is None or desired["rev"] > wake.rev):
            response["desired"] = desired
        commands: list[dict[str, object]] = []
        for pending in self.due(device):
            longer = {**response, "cmd": [*commands, pending.command]}
            if len(cbor2.dumps(longer)) <= MAX_RESPONSE:
                commands.append(pending.command)
                pending.sent = True
        return {**response, "cmd": commands} if commands else response

    def due(self, device: str) -> list[_Order]:
        """The commands that the device has to be sent now."""
        now = self._monotonic()
        self._waiting = {i: order for i, order in self._waiting.items() if order.expires > now}
        return [
            pending
            for pending in self._waiting.values()
            if pending.order.device == device and (pending.repeatable or not pending.sent)
        ]

    def _take_order(self, order: DeviceOrder) -> None:
        """A command, to wait for its device's next wake."""
        fields = json.loads(order.body)
        command = {name: fields[name] for name in ("id", "do", "args")}
        expires = self._monotonic() + fields["ttl_s"]
        repeatable = fields["do"] in _REPEATABLE
        self._waiting[order.id] = _Order(order, command, expires, repeatable)

    def fallen_silent(self) -> list[str]:
        """The devices that are newly gone."""
        now = self._monotonic()
        return [
            device
            for device, heartbeat in self._heartbeats.items()
            if device not in self._silent and now - self._heard[device] > MISSED * heartbeat
        ]


class _Wake:
    """What a request says, each part as JSON for the core. CborError: it says nothing."""

    def __init__(self, device: str, payload: bytes) -> None:
        said = decode(payload)
        if not isinstance(said, dict):
            raise CborError("no map")
        fields = cast("dict[str, object]", said)
        self.speaks_for = fields.get("device", device)
        self.events = list(_parts(fields, "events"))
        self.replies = list(_parts(fields, "replies"))
        state = fields.get("state")
        self.state = None if state is None else compact(state)
        rev = cast("dict[str, object]", state).get("rev") if isinstance(state, dict) else None
        self.rev = rev if isinstance(rev, int) else None


def _heartbeat(config: GatewayConfig, device: DeviceConfig) -> float:
    """s between two wakes in which a device speaks, whatever happens."""
    settings = cast("Mapping[str, int]", config.compiled(device)["settings"])
    return settings.get("heartbeat_s", HEARTBEAT_S)


def _parts(fields: dict[str, object], name: str) -> Iterator[bytes]:
    parts = fields.get(name, [])
    if not isinstance(parts, list):
        raise CborError(f"{name}: no array")
    for part in cast("list[object]", parts):
        yield compact(part)
