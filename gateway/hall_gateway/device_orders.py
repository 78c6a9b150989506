"""Commands on their way to devices over MQTT: each to a device that is there, within its time.

Here: which wait, and publishing them. Not here: what comes from devices (devices_mqtt.py), which
commands there are (commands.py).
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hall_gateway.core import Core
from hall_gateway.mqtt import MqttClient
from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.ordered import until_stored
from hall_gateway.values import DeviceOrder

REPEATABLE = {"identify", "selftest", "config", "update"}
"""Commands that may reach a device twice; reboot is sent to it once."""


@dataclass
class _Order:
    order: DeviceOrder
    expires: float
    repeatable: bool
    sent: bool = False


class DeviceOrders:
    """`topic` is a device's topic for commands. `local` takes those of the devices that are a part
    of this gateway, by their id."""

    def __init__(
        self,
        mqtt: MqttClient,
        core: Core,
        topic: Callable[[str], str],
        local: Mapping[str, Callable[[DeviceOrder], None]],
    ) -> None:
        self._mqtt = mqtt
        self._core = core
        self._topic = topic
        self._local = local
        self._online: set[str] = set()
        self._orders: dict[str, _Order] = {}
        self._due = asyncio.Event()
        """Set when there may be a command to send: a new one, or its device came."""

    def answered(self, id: str) -> None:
        """A device has replied to the command `id`."""
        self._orders.pop(id, None)

    def gone(self, device: str) -> None:
        self._online.discard(device)

    def came(self, device: str) -> None:
        """A device is there, perhaps anew: what may reach it twice is sent again."""
        self._online.add(device)
        for order in self._orders.values():
            if order.order.device == device and order.repeatable:
                order.sent = False
        self._due.set()

    async def take(self) -> None:
        """Take device commands, connected or not: the core hands each out once, so a connection
        that ends meanwhile must not lose it."""
        while True:
            self._core.signals.device_commands.clear()
            taken = await until_stored(self._core.take_device_commands)
            now = time.monotonic()
            self._orders = {i: order for i, order in self._orders.items() if order.expires > now}
            for order in taken:
                if hand_on := self._local.get(order.device):
                    hand_on(order)
                    continue
                fields = json.loads(order.body)
                self._orders[order.id] = _Order(
                    order, now + fields["ttl_s"], fields["do"] in REPEATABLE
                )
            self._due.set()
            await self._core.signals.device_commands.wait()

    async def publish(self) -> None:
        """Device commands: at once, or as soon as the device is there, within their time."""
        while True:
            self._due.clear()
            for pending in list(self._orders.values()):
                waits = not pending.sent and pending.expires > time.monotonic()
                if waits and pending.order.device in self._online:
                    await self._send(pending)
            await self._due.wait()

    async def _send(self, pending: _Order) -> None:
        pending.sent = True
        try:
            await self._mqtt.publish(self._topic(pending.order.device), pending.order.body)
        except DisconnectedError:  # it may have arrived all the same
            pending.sent = not pending.repeatable
            raise
