"""The device side over MQTT: `device/v1/{device}/…` as DESIGN's contract has it.

Here: topics to the core and back: commit, then down/ack, then PUBACK. Not here: what an event
means (core.py), the connection (mqtt.py), commands on their way (device_orders.py).

What cannot be routed is counted and PUBACKed, so that it does not come again: a topic of another
shape, and an up/online that is neither 0 nor 1. The core counts and refuses what is unknown to it;
a device it refuses gets no down/ack and so keeps its events. While the store takes nothing, there
is neither down/ack nor PUBACK.

No device makes others wait for long: each has a queue of its own, and where that is full the broker
waits, until so many more have come that the device is over its limits. Nothing of a device within
them is given up: what waited while the gateway was stopped comes at once. One that is over them is
kept out: its connection is ended, the broker is told that nobody listens to it, so that its flood
ends there, and what has come of it meanwhile is PUBACKed without being looked at.

A device that is a part of this gateway has no topics: nobody can speak for it, and its commands
are handed on.
"""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from pydantic_core import from_json

from hall_gateway.config import GatewayConfig
from hall_gateway.core import Core
from hall_gateway.device_orders import DeviceOrders
from hall_gateway.kept_out import KeptOut
from hall_gateway.marks import EVERY_S, STALL_S, Marks
from hall_gateway.mqtt import MqttClient
from hall_gateway.mqtt_cut import cut
from hall_gateway.mqtt_message import DisconnectedError, Message
from hall_gateway.ordered import OrderedWorker
from hall_gateway.payload import MAX_PAYLOAD
from hall_gateway.quarantine import CROWDED, STRANGERS
from hall_gateway.update_fetch import Fetches
from hall_gateway.values import Ack, DeviceOrder
from hall_gateway.wire import one_line

log = logging.getLogger(__name__)

ROOT = "device/v1"
EVERYBODY = f"{ROOT}/+/up/#"
MARK = f"{ROOT}/gateway/mark"
"""What we say to ourselves (marks.py)."""
LEAVES = {"event", "state", "online", "reply", "fetch"}


class DevicesMqtt:
    """Routes between the device broker and the core; `refused` counts what it did not route.

    `local` takes the commands of the devices that are a part of this gateway, by their id;
    `fetches` has the releases that devices ask for.
    """

    def __init__(
        self,
        config: GatewayConfig,
        mqtt: MqttClient,
        core: Core,
        local: Mapping[str, Callable[[DeviceOrder], None]],
        fetches: Fetches,
        kept_out: KeptOut,
    ) -> None:
        self._mqtt = mqtt
        self._broker = config.broker
        self._fetches = fetches
        self._core = core
        self._local = local
        self._quarantine = kept_out.quarantine
        self._kept_out = kept_out.changed.listen()
        self._orders = DeviceOrders(mqtt, core, lambda device: f"{ROOT}/{device}/down/cmd", local)
        names = [device.id for device in config.devices if device.id not in local]
        self.refused = Counter({"topic": 0, "online": 0, "local": 0, "fetch": 0, "defect": 0})
        self.refused["crowded"] = 0
        self._listed = _listed(config)
        self._workers: dict[str, OrderedWorker] = {}
        self._starting: asyncio.Queue[OrderedWorker] = asyncio.Queue()
        self._serve([*names, STRANGERS])
        self._marks = Marks(time.monotonic)
        self._marked = -1  # the connection that the marks are of

    @staticmethod
    def subscriptions() -> list[str]:
        return [EVERYBODY, MARK]

    def follow(self, config: GatewayConfig) -> None:
        """The devices of `config` each have a worker of their own from here on."""
        self._listed = _listed(config)
        self._serve([device.id for device in config.devices if device.id not in self._local])

    def _serve(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._workers:
                self._workers[name] = OrderedWorker(self._handle, self.refused, _alike)
                self._starting.put_nowait(self._workers[name])
                self._kept_out.set()

    async def receive(self) -> None:
        """Take messages from the broker until cancelled; `run` handles them."""
        async for message in self._mqtt.messages():
            await self._take(message)

    async def _take(self, message: Message) -> None:
        """What costs the least comes first: this is done for every message of a flood. Where the
        device's queue is full this waits, and the broker with it: some 200 messages later who
        crowds others out is kept out."""
        topic = message.topic
        if topic == MARK:
            self._marks.came(message.payload)
            message.ack()
            return
        device = topic[len(ROOT) + 1 :].partition("/")[0]
        sender = device if device in self._workers else STRANGERS
        worker = self._workers[sender]
        at = self._marks.at if self._mqtt.connection == self._marked else None
        weight = 1
        if at is None:
            weight = 0  # it may have waited at the broker for hours
        elif worker.full and topic.endswith("/event"):
            weight = CROWDED
        if not self._quarantine.admits(sender, weight, at):
            message.ack()
        elif _route(topic) is None:
            self._refuse("topic", message)
            self._quarantine.nonsense(sender)
        elif device in self._local:
            self._refuse("local", message)
        else:
            if not topic.endswith("/online") and not _is_object(message.payload):
                # Before the store has seen it: a flood goes on meanwhile.
                self._quarantine.seen(sender)
            if sender == STRANGERS and worker.full:
                self._refuse("crowded", message)
            else:
                await worker.put(message)

    async def run(self) -> None:
        """Handle what was received and publish what the core wants devices to know."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._orders.take())
            group.create_task(self._mqtt.while_connected(self._publish_desired))
            group.create_task(self._mqtt.while_connected(self._orders.publish))
            group.create_task(self._mqtt.while_connected(self._listen))
            group.create_task(self._mqtt.while_connected(self._mark))
            while True:
                group.create_task((await self._starting.get()).run())

    async def idle(self) -> None:
        """Returns when everything received so far is committed and acked."""
        for worker in self._workers.values():
            await worker.idle()

    async def _mark(self) -> None:
        """Say something to ourselves now and then, which comes back behind what waits before it."""
        self._marks.begin(secrets.token_hex(8).encode())
        self._marked = self._mqtt.connection
        deaf = False
        while True:
            if self._marks.due:
                self._mqtt.send(MARK, self._marks.mark())
            if self._marks.deaf and not deaf:
                deaf = True
                log.warning(
                    "the device broker does not hand %s back to us, so devices are not told from "
                    "their backlogs: let its access list have `topic readwrite %s` for our login",
                    MARK,
                    MARK,
                )
            before = time.monotonic()
            await asyncio.sleep(EVERY_S)
            if time.monotonic() - before > EVERY_S + STALL_S:
                self._marks.lose()

    async def _listen(self) -> None:
        """To everybody, or to each device that is not kept out by itself."""
        listening = False  # a session of before may have some by themselves still
        ended: set[str] = set()
        while True:
            self._kept_out.clear()
            held = self._quarantine.held
            new, ended = held.keys() - ended - {STRANGERS}, set(held)
            for device in new:
                await self._end_connection(device)
            if held or not listening:
                names = self._workers.keys() - {STRANGERS}
                each = {name: f"{ROOT}/{name}/up/#" for name in names}
                if listening := not held:
                    await self._mqtt.listen_to(self.subscriptions(), list(each.values()))
                else:
                    heard = [topic for name, topic in each.items() if name not in held]
                    out = [topic for name, topic in each.items() if name in held]
                    await self._mqtt.listen_to([*heard, MARK], [EVERYBODY, *out])
            await self._kept_out.wait()

    async def _end_connection(self, device: str) -> None:
        """Of a device that floods, so that the broker has time for what we say of it: it comes
        back, but nobody listens to it then."""
        try:
            await cut(self._broker, device)
        except OSError as error:
            log.warning("%s: its connection could not be ended: %s", device, error)

    async def _handle(self, messages: list[Message]) -> None:
        """Events of one device, one after the other, or anything else by itself."""
        route = _route(messages[0].topic)
        assert route is not None
        device, leaf = route
        try:
            await self._handle_of(device, leaf, messages)
        finally:
            self._quarantine.found(device, self._core.nonsense(device))

    async def _handle_of(self, device: str, leaf: str, messages: list[Message]) -> None:
        message = messages[0]
        if leaf == "fetch":
            await self._fetch(device, message)
            return
        acks: list[Ack] = []
        if leaf == "event":
            acks = await self._core.events(device, [each.payload for each in messages])
        elif leaf == "state":
            ack = await self._core.state(device, message.payload, retained=message.retain)
            acks = [] if ack is None else [ack]
        elif leaf == "reply":
            answered = await self._core.reply(device, message.payload)
            if answered is not None:
                self._orders.answered(answered)
        elif message.payload in (b"0", b"1"):
            await self._set_online(device, message)
        else:
            self._refuse("online", message)
            self._quarantine.nonsense(device if device in self._workers else STRANGERS)
            return
        try:
            for ack in acks:
                self._mqtt.send(f"{ROOT}/{device}/down/ack", ack.body())
            for each in messages:
                each.ack()
        except DisconnectedError:
            message.abandon()

    async def _fetch(self, device: str, message: Message) -> None:
        """A device of this hall asks for a piece of a release; without an answer it asks again."""
        if device not in self._listed:
            self._refuse("fetch", message)
            return
        answer = await self._fetches.answer(device, message.payload)
        try:
            if answer is not None:
                self._mqtt.send(f"{ROOT}/{device}/down/chunk", answer)
            message.ack()
        except DisconnectedError:
            message.abandon()

    def _refuse(self, reason: str, message: Message) -> None:
        self.refused[reason] += 1
        if self.refused[reason] == 1:
            log.warning(
                "refused, and counted from now on: %s %.64r",
                one_line(message.topic),
                message.payload,
            )
        message.ack()

    async def _set_online(self, device: str, message: Message) -> None:
        online = message.payload == b"1"
        await self._core.online(device, online, retained=message.retain)
        if not online:
            self._orders.gone(device)
        elif device in self._workers:
            self._orders.came(device)

    async def _publish_desired(self) -> None:
        """Everything at the start of a connection, for a broker may have lost it; then changes.
        A device that went leaves nothing behind."""
        published: dict[str, bytes] = {}
        while True:
            self._core.signals.desired.clear()
            desired = self._core.desired()
            wanted = {**dict.fromkeys(published, b""), **desired}
            for device, body in wanted.items():
                if published.get(device) != body and device not in self._local:
                    await self._mqtt.publish(f"{ROOT}/{device}/down/desired", body, retain=True)
                    published[device] = body
            await self._core.signals.desired.wait()


def _listed(config: GatewayConfig) -> frozenset[str]:
    return frozenset(device.id for device in config.devices if not device.revoked)


def _is_object(payload: bytes) -> bool:
    """Whether it is a JSON object of a size that is looked at."""
    try:
        return len(payload) <= MAX_PAYLOAD and isinstance(from_json(payload), dict)
    except ValueError:
        return False


def _alike(message: Message) -> object:
    """The topic of an event; anything else is like nothing but itself."""
    return message.topic if message.topic.endswith("/event") else id(message)


def _route(topic: str) -> tuple[str, str] | None:
    """(device, leaf) of `device/v1/{device}/up/{leaf}`; None for any other shape."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[3] != "up":
        return None
    return (parts[2], parts[4]) if parts[4] in LEAVES else None
