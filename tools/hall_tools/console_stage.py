"""A hall on a stage: the gateway's core and control socket, told by hand what devices say.

Here: what the console needs to have something to show, in this process and without brokers. Not
here: what happens on the stage (console_pictures.py, and the tests of the console).
"""

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from hall_gateway import rules_api, sinks_api
from hall_gateway.config import load_config
from hall_gateway.control import NAME, Control
from hall_gateway.core import Core
from hall_gateway.plan import plan_of
from hall_gateway.rules_watch import RulesFile
from hall_gateway.sinks import plans_of
from hall_gateway.values import DeviceOrder

T = TypeVar("T")

WAIT_S = 20.0


class Stage:
    """`with Stage(settings, clock) as stage:` the gateway of that settings file runs inside, in a
    thread of its own. `clock` gives unix ms. `obeys` has what a device answers to a command, by
    device; one that is not there never answers."""

    def __init__(self, settings: Path, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._clock = clock
        self._ids = itertools.count(1)
        self._seqs: dict[str, itertools.count[int]] = {}
        self._loop: asyncio.AbstractEventLoop
        self._core: Core
        self._stop: asyncio.Event
        self.orders: list[DeviceOrder] = []
        self.obeys: dict[str, Mapping[str, Any]] = {}

    def __enter__(self) -> "Stage":
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """The gateway starts, with the store as it is."""
        started: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(started)))
        self._thread.start()
        started.result(WAIT_S)

    def close(self) -> None:
        """It ends, in order."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT_S)

    async def _run(self, started: "Future[None]") -> None:
        try:
            config = load_config(self._settings)
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            self._core = await Core.open(config, self._clock)
            await RulesFile(None, self._core, plan_of(config)).start()
            plans = plans_of(config)
            await self._core.do(lambda heart, now: heart.sinks.declare(plans, now))
        except BaseException as error:
            started.set_exception(error)
            return
        path = config.store.path.with_name(NAME)
        areas = [*sinks_api.routes(self._core), *rules_api.routes(self._core)]
        control = Control(self._core, path, areas)
        try:
            async with control.open():
                obeying = asyncio.create_task(self._obey())
                started.set_result(None)
                await self._stop.wait()
                obeying.cancel()
        finally:
            await self._core.close()

    async def _obey(self) -> None:
        """Devices answer their commands."""
        while True:
            await self._core.signals.device_commands.wait()
            self._core.signals.device_commands.clear()
            for order in await self._core.take_device_commands():
                self.orders.append(order)
                told = self.obeys.get(order.device)
                if told is not None:
                    reply = {"id": json.loads(order.body)["id"], **told}
                    await self._core.reply(order.device, json.dumps(reply).encode())

    def do(self, work: Callable[[Core], Coroutine[Any, Any, T]]) -> T:
        """What `work(core)` returns."""
        return asyncio.run_coroutine_threadsafe(work(self._core), self._loop).result(WAIT_S)

    def command(self, name: str, **fields: Any) -> Any:
        """The result of a hall command. Raises ValueError with the gateway's words."""
        body = {"id": f"stage-{next(self._ids)}", **fields}
        reply = self.do(lambda core: core.command(name, json.dumps(body).encode()))
        if reply is None:
            return None
        told = json.loads(reply.body)
        if not told["ok"]:
            raise ValueError(told["error"])
        return told.get("result")

    def event(self, device: str, kind: str, data: Mapping[str, Any], at: int | None = None) -> None:
        """Something a device says; `at` is unix ms, now when left out."""
        seq = next(self._seqs.setdefault(device, itertools.count(1)))
        now = self._clock() if at is None else at
        # By the device's own count 3 s are between two events: nobody mashes on this stage.
        up = (now + 3000 * seq) % 2**40
        body = {"epoch": 7, "seq": seq, "boot": 1, "up": up, "t": now}
        payload = json.dumps({**body, "kind": kind, "data": dict(data)}).encode()
        self.do(lambda core: core.event(device, payload))

    def online(self, device: str, online: bool = True) -> None:
        self.do(lambda core: core.online(device, online))

    def state(self, device: str, **more: Any) -> None:
        """What a device reports of itself; with its newest desired state as applied."""
        desired = self.desired(device)
        shows = {"view": desired.get("view"), "stale": False, "missing": 0}
        seqs = self._seqs.setdefault(device, itertools.count(1))
        following = next(seqs)
        self._seqs[device] = itertools.count(following)
        journal = {"epoch": 7, "acked": following - 1, "next": following, "lost": 0}
        body: dict[str, Any] = {
            "rev": desired.get("rev"),
            "shows": shows,
            "journal": journal,
            "health": {"up_s": 86_400 * 3, "boot": 1, "cause": "power_on", "errors": []},
            "fw": "0.1.0",
        }
        self.do(lambda core: core.state(device, json.dumps(body | more).encode()))

    def desired(self, device: str) -> dict[str, Any]:
        async def ask(core: Core) -> bytes | None:
            return core.desired_of(device)

        body = self.do(ask)
        return json.loads(body) if body else {}

    def tick(self) -> None:
        """A second of the gateway."""
        self.do(lambda core: core.tick())

    def serve(self, window: str, ticket: str, **more: Any) -> int:
        """Call, start and end; the rev of the session that opened on the window's keypad."""
        self.command("call", window=window, ticket=ticket, **more)
        self.command("start", window=window)
        self.command("end", window=window)
        return next(iter(self._sessions(window)), 0)

    def _sessions(self, window: str) -> list[int]:
        config = load_config(self._settings)
        keypads = [d.id for d in config.devices if d.window == window and "keypad" in d.profile]
        return [self.desired(keypad).get("rev", 0) for keypad in keypads]

    def rate(self, keypad: str, session: int, key: int) -> None:
        """A press, and the keypad's lock after it."""
        self.event(keypad, "press", {"key": key, "session": session})
        self.event(keypad, "close", {"session": session, "why": "lock"})
