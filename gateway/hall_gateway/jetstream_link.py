"""The back office over NATS JetStream: events and the hall's state out, commands in.

Here: putting the parts together, when the state is sent, and why nothing is taken. Not here: events
(jetstream_events.py, jetstream_again.py), commands (jetstream_commands.py), what a state holds
(jetstream_state.py), the connection (jetstream.py).

While no server lets the hall in nothing is read from the store, so memory stays flat.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any, cast

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.config_jetstream import SINK, JetStreamConfig
from hall_gateway.core import Core
from hall_gateway.health import Health
from hall_gateway.heart import Heart
from hall_gateway.jetstream import JetStream
from hall_gateway.jetstream_acks import NotTakenError
from hall_gateway.jetstream_again import Again
from hall_gateway.jetstream_commands import Commands
from hall_gateway.jetstream_connection import Connection
from hall_gateway.jetstream_events import Events
from hall_gateway.jetstream_message import Outgoing
from hall_gateway.jetstream_state import Reach, Told, told
from hall_gateway.ordered import until_stored
from hall_gateway.plan import Plan
from hall_gateway.store_rules import Alert

log = logging.getLogger(__name__)

STATE_S = 60.0
STATE_CHANGED_S = 10.0
"""How often the state is looked at, and so sent after a change; STATE_S when nothing changes."""
TROUBLE_S = 1.0


class JetStreamLink:
    """The sink of the [jetstream] table. `judged` says how the gateway is, for the hall's state."""

    name = SINK

    def __init__(
        self,
        plan: Plan,
        config: JetStreamConfig,
        core: Core,
        judged: Callable[[], Health],
        hall_class: str | None = None,
    ) -> None:
        self._plan = plan
        self._class = hall_class
        self._config = config
        self._core = core
        self._judged = judged
        self._again = Again(plan.hall, core)
        self._commands = Commands(plan.hall, core, self._again)
        self.servers = JetStream(
            plan.hall, config, lambda arrived: self._commands.take(arrived, self.servers)
        )
        self._events = Events(plan.hall, core, self.servers)

    @property
    def refused(self) -> dict[str, int]:
        """What never reached the core, by reason."""
        return {**self._commands.refused, "command_flood": self.servers.dropped}

    @property
    def told_again(self) -> int:
        """Events that the servers lost, and took again since the start."""
        return self._again.told

    def follow(self, plan: Plan, hall_class: str | None) -> None:
        """Other devices from here on, or another class."""
        self._plan, self._class = plan, hall_class

    async def run(self) -> None:
        """Send and take commands until cancelled."""
        publishing = (
            self._events.publish,
            self._again.publish,
            self._publish_state,
            self._commands.publish_replies,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self.servers.run())
            group.create_task(self._tell_trouble())
            group.create_task(self._events.settle())
            for work in publishing:
                group.create_task(self.servers.link.while_connected(work))

    async def finish(self) -> None:
        """Let the command and the events that are underway end, and begin no other."""
        await self._commands.finish()
        await self._events.finish()

    async def _publish_state(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        sent: Told | None = None
        due = 0.0
        while True:
            now, reach = await self._told()
            if now != sent or loop.time() >= due:
                body = now.payload(self._core.now(), self._waiting, reach)
                try:
                    await connection.publish(Outgoing(subjects.state(self._plan.hall), body))
                except NotTakenError as error:
                    log.info("%s: the hall's state: %s", SINK, error)
                else:
                    sent, due = now, loop.time() + STATE_S
            await asyncio.sleep(STATE_CHANGED_S)

    async def _told(self) -> tuple[Told, Reach]:
        def look(heart: Heart, _now: int) -> tuple[list[Alert], tuple[int, int]]:
            return heart.alerts(), heart.sinks.reach(SINK)

        alerts, (began, to) = await until_stored(partial(self._core.do, look))
        state = told(
            self._plan,
            version("hallkit"),
            self._judged(),
            self._core.device_states(),
            alerts,
            self._config.name,
            self._class,
        )
        return state, Reach(self._core.store_id, began, to)

    @property
    def _waiting(self) -> int:
        outbox = cast("dict[str, int]", self._core.health().get("outbox") or {})
        return outbox.get(SINK, 0)

    async def _tell_trouble(self) -> None:
        """Keep in the store why nothing is taken, while nothing is."""
        while True:
            sinks = cast("dict[str, Any]", self._core.health().get("sinks") or {})
            trouble = self._events.trouble
            if SINK in sinks and sinks[SINK]["error"] != trouble:
                await until_stored(partial(self._core.sink_trouble, SINK, trouble))
            await asyncio.sleep(TROUBLE_S)
