"""nats-server on this machine: one node, or a cluster of three, with JetStream.

Here: the nodes' configuration on loopback, starting, stopping, killing and wiping one, and when the
cluster is ready. Not here: who may log in (credentials.py), streams (hall_fleet), production.py.

A node's HTTP port (https://docs.nats.io/running-a-nats-service/nats_admin/monitoring) tells how it
is: `/healthz` answers 200 once JetStream serves and the node has caught up with its groups, `/jsz`
names the leader of the meta group. Who leads a stream is asked of JetStream (stage.py): a node of
2.9 that was started again may leave the streams out of its `/jsz` while it serves them.
"""

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import aiohttp

from hall_tools.errors import UserError
from hall_tools.fleet.process import Process, last_words, program
from hall_tools.ports import free_port

READY_S = 60.0
"""A cluster elects a leader in about two seconds; a slow machine gets thirty times that."""

_LOOK_S = 0.05
_CLUSTER = "hall"
_LOG_BYTES = 16 << 20


@dataclass(frozen=True)
class NodePorts:
    """On 127.0.0.1: of clients, of the other nodes, and of the HTTP monitor."""

    client: int = field(default_factory=free_port)
    route: int = field(default_factory=free_port)
    monitor: int = field(default_factory=free_port)


class NatsNode:
    """One nats-server. `routes`: of all nodes of its cluster, none when it stands alone."""

    def __init__(
        self,
        folder: Path,
        name: str,
        ports: NodePorts,
        *,
        routes: Sequence[str] = (),
        settings: str = "",
        held: int | None = None,
    ) -> None:
        self.name = name
        self.ports = ports
        self.folder = folder
        self._routes = routes
        self._settings = settings
        self.config = folder / "nats.conf"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.process = Process(
            f"nats-server {name}",
            [program("nats-server", "nats-server"), "-c", str(self.config)],
            folder / "stderr.log",
            held=held,
        )

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.ports.client}"

    @property
    def store(self) -> Path:
        """Where JetStream keeps its files."""
        return self.folder / "store"

    @property
    def running(self) -> bool:
        return self.process.running

    async def start(self) -> None:
        """Start it; ready() of the cluster tells when it serves."""
        self.configure(self._settings)
        await self.process.start()

    async def stop(self) -> None:
        """End it in order; nothing when it does not run."""
        await self.process.stop()

    async def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        await self.process.kill()

    async def wipe(self) -> None:
        """Take its disk away, as whoever puts a new one in; it must not run."""
        if self.running:
            raise RuntimeError(f"{self.name} still runs")
        await asyncio.to_thread(shutil.rmtree, self.store, ignore_errors=True)

    def configure(self, settings: str) -> None:
        """Write its configuration, with these lines for logins; a running one needs reload()."""
        self._settings = settings
        self.config.touch(mode=0o600)
        self.config.write_text(self._configuration(), encoding="utf-8")

    def reload(self) -> None:
        """Make it read its configuration again (SIGHUP); connections stay."""
        self.process.send(signal.SIGHUP)

    def _configuration(self) -> str:
        lines = [
            f'server_name: "{self.name}"',
            f'listen: "127.0.0.1:{self.ports.client}"',
            f'http: "127.0.0.1:{self.ports.monitor}"',
            f'log_file: "{self.folder / "nats.log"}"',
            f'pid_file: "{self.folder / "nats.pid"}"',
            f"logfile_size_limit: {_LOG_BYTES}",
            "jetstream {",
            f'  store_dir: "{self.store}"',
            "  max_memory_store: 64MB",
            "  max_file_store: 8GB",
            "}",
        ]
        if self._routes:
            lines += [
                "cluster {",
                f'  name: "{_CLUSTER}"',
                f'  listen: "127.0.0.1:{self.ports.route}"',
                f"  routes: [{', '.join(self._routes)}]",
                "}",
            ]
        return "\n".join(lines) + "\n" + self._settings

    async def asked(self, path: str) -> dict[str, Any] | None:
        """What its monitor answers; None while it does not, or says that it is not well."""
        url = f"http://127.0.0.1:{self.ports.monitor}{path}"
        timeout = aiohttp.ClientTimeout(total=5.0)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url) as answer,
            ):
                return cast(dict[str, Any], await answer.json()) if answer.ok else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    async def healthy(self) -> bool:
        """JetStream serves here, and has caught up."""
        return await self.asked("/healthz") is not None


class NatsCluster:
    """`async with NatsCluster(folder) as cluster:`: it serves inside, and is gone outside.

    Its files stay in `folder`, so that another cluster goes on with them there, given the same
    `ports` or none. `settings` are further lines of each node's configuration, such as
    `Credentials.server_settings()`; without any, everybody on this machine may do everything.
    `held`: as a Process has it.
    """

    def __init__(
        self,
        folder: Path,
        nodes: int = 3,
        *,
        ports: Sequence[NodePorts] = (),
        settings: str = "",
        held: int | None = None,
    ) -> None:
        if nodes not in (1, 3):
            raise ValueError(f"a cluster has 1 or 3 nodes, not {nodes}")
        places = list(ports) or [NodePorts() for _ in range(nodes)]
        if len(places) != nodes:
            raise ValueError(f"{nodes} nodes need {nodes} sets of ports, not {len(places)}")
        routes = [f"nats://127.0.0.1:{place.route}" for place in places] if nodes > 1 else []
        self.nodes = [
            NatsNode(
                *(folder / f"n{number}", f"n{number}", place),
                routes=routes,
                settings=settings,
                held=held,
            )
            for number, place in enumerate(places, 1)
        ]

    @property
    def servers(self) -> list[str]:
        """The addresses that a client is given."""
        return [node.url for node in self.nodes]

    def node(self, name: str) -> NatsNode:
        """By its name, n1 to n3; KeyError."""
        return {node.name: node for node in self.nodes}[name]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the nodes that do not run; returns when all serve."""
        try:
            for node in self.nodes:
                if not node.running:
                    await node.start()
            await self.ready()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all nodes in order."""
        await asyncio.gather(*(node.stop() for node in self.nodes))

    async def ready(self, within_s: float = READY_S) -> None:
        """Wait until the running nodes serve, have caught up, and agree on a leader.

        UserError when one of them ends by itself meanwhile, or after `within_s`.
        """

        async def serves() -> str:
            for node in self.nodes:
                if node.running and not await node.healthy():
                    return f"{node.name} is not well"
            return "" if await self.meta_leader() is not None else "there is no leader"

        await self._until(serves, "serves", within_s)

    async def meta_leader(self) -> NatsNode | None:
        """Who decides where streams are, by what most of the nodes say, running or not; of a single
        node, itself. None: nobody at present."""
        if len(self.nodes) == 1:
            return self.nodes[0] if await self.nodes[0].healthy() else None
        votes: list[str] = []
        for node in self.nodes:
            told = await node.asked("/jsz") if node.running else None
            if told is not None:
                group: dict[str, Any] = told.get("meta_cluster") or {}
                votes.append(str(group.get("leader", "")))
        for node in self.nodes:
            if votes.count(node.name) > len(self.nodes) // 2:
                return node if node.running else None
        return None

    async def _until(
        self, missing: Callable[[], Awaitable[str]], what: str, within_s: float
    ) -> None:
        """Wait until nothing is `missing`, which is "" then."""
        started = [node for node in self.nodes if node.running]
        last = ""
        try:
            async with asyncio.timeout(within_s):
                while last := await missing():
                    for node in started:
                        if not node.running:
                            raise UserError(f"{node.process.name} ended: {_why(node)}")
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            told = "; ".join(f"{node.name}: {_why(node)}" for node in started)
            raise UserError(
                f"no NATS cluster {what} after {within_s:.0f} s: {last}; {told}"
            ) from None


def _why(node: NatsNode) -> str:
    log = node.folder / "nats.log"
    return last_words(log if log.exists() else node.process.log, 1)
