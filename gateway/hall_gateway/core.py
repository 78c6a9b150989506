"""The gateway's heart as the links see it: what comes in is committed, then answered.

Here: the facade. Not here: SQL (store.py), the writer's thread (writer.py), what events and
commands mean (ingest.py, sessions.py), topics and sockets (the links).
"""

from __future__ import annotations

from collections.abc import Callable

from hall_gateway.config import GatewayConfig
from hall_gateway.values import Ack, DeviceOrder, OutboxRow, Reply, Signals

Clock = Callable[[], int]
"""Unix ms, now."""


class Core:
    """One hall's state behind one store. All calls come from one event loop.

    Every call that changes something returns after its commit. It raises StoreError when nothing
    was committed (a full disk, an I/O error): send no ack and no reply then; the sender tries
    again, and the same call works once the disk does.
    """

    signals: Signals

    @classmethod
    async def open(cls, config: GatewayConfig, clock: Clock) -> Core:
        """Open the store at `config.store.path`, bring it up to date, load the hall's state.

        Raises StoreOpenError, one line: another gateway has the store open, it is damaged, or a
        newer hallkit wrote it.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Commit what is queued, then release the store. Calls made later raise StoreError."""
        raise NotImplementedError

    async def event(self, device: str, payload: bytes) -> Ack | None:
        """up/event. The ack to publish on down/ack, also for a duplicate.

        None: refused and counted (unknown device, identity unreadable), or stored while the
        device's base is not known yet; up/state or seq 1 makes it known.
        """
        raise NotImplementedError

    async def state(self, device: str, payload: bytes) -> Ack | None:
        """up/state. Fixes the base of the device's epoch; the ack also sets the device's clock.

        None: refused and counted.
        """
        raise NotImplementedError

    async def online(self, device: str, online: bool) -> None:
        """up/online. A change becomes hall.device.online or hall.device.offline."""
        raise NotImplementedError

    async def reply(self, device: str, payload: bytes) -> None:
        """up/reply: answers the device command with that id; see replies()."""
        raise NotImplementedError

    async def command(self, name: str, payload: bytes) -> Reply | None:
        """command/{name}. None when the answer comes later (`device`), or there is no id to
        answer to (counted)."""
        raise NotImplementedError

    async def tick(self) -> None:
        """Call once a second: texts and sessions expire, unanswered device commands get an error
        reply, old rows go."""
        raise NotImplementedError

    def desired(self) -> dict[str, bytes]:
        """The down/desired payload of every device that has one, to be published retained."""
        raise NotImplementedError

    async def take_device_commands(self) -> list[DeviceOrder]:
        """Device commands to publish on down/cmd now. Each is handed out once, so a crash cannot
        reboot a device twice; one that is never answered gets an error reply after its ttl."""
        raise NotImplementedError

    async def replies(self, limit: int = 100) -> list[Reply]:
        """Late replies (to `device` commands) not yet marked by replied(), oldest first."""
        raise NotImplementedError

    async def replied(self, command_id: str) -> None:
        """The hall's broker has the late reply to `command_id`."""
        raise NotImplementedError

    async def outbox(self, sink: str, limit: int) -> list[OutboxRow]:
        """Up to `limit` CloudEvents after the sink's cursor, in order. A new sink starts at the
        oldest row kept."""
        raise NotImplementedError

    async def advance(self, sink: str, position: int) -> None:
        """The sink acknowledged every row up to `position`. Never goes back."""
        raise NotImplementedError

    def device_states(self) -> dict[str, bytes]:
        """The hall side's state/{device} payload of every device:
        {"device","online","seen","state"}; `seen` unix ms or null, `state` the last up/state."""
        raise NotImplementedError

    def health(self) -> dict[str, object]:
        """Counts for /health and metrics: stored, duplicates, refused (by reason), quarantined,
        outbox (rows waiting, by sink), store_bytes, store_full, last_commit (unix ms)."""
        raise NotImplementedError
