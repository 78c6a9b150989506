"""A call display on this Raspberry Pi's own header, driven by the gateway itself.

Here: the firmware's role on a panel of `hall_panel`, in step with the core, and what happens when
the panel cannot be driven. Not here: what a display shows (firmware/hall/roles/call_display.py),
registers and the refresh thread (hall_panel), how events reach the core (local_link.py).

Whatever fails here leaves the panel dark, is told (log, `fault` event, reported state), is tried
again, and never ends the gateway.
"""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from hall_panel.firmware import call_display
from hall_panel.raspberry_pi import BoardError, Gpio, Panel

from hall_gateway.core import Clock, Core
from hall_gateway.deadman import Deadman
from hall_gateway.local_link import BOOT, LocalLink
from hall_gateway.ordered import until_stored
from hall_gateway.state import Json
from hall_gateway.values import DeviceOrder
from hall_gateway.wire import compact

log = logging.getLogger(__name__)

CAUSE = "soft"
"""What started it: of the machine's own start a process knows nothing."""
AGAIN_S = 1.0
AGAIN_LAST_S = 60.0
"""Wait before what failed is started again; it doubles, until it ran for AGAIN_LAST_S."""
WHOLE_FRAMES = 2
"""The frame that was underway when a picture was given, and the first that shows it."""
STALLED_STEPS = 500
"""Steps of the role, 10 ms each, in which the refresh thread must have played a frame."""
PATIENCE_S = 10.0
"""The gateway stands still for so long: the panel goes dark, for nobody could change its number."""
MAX_ERRORS = 2
MAX_TEXT = 160
"""Errors in the reported state, which has 1 KiB in all, and characters of each."""


class PanelError(Exception):
    """What drives the panel stopped; the text says what."""


class LocalDisplay:
    """The display `id`, of a config as hall_profiles.compile_config makes it; run() is its life.

    `open_gpio` gives the registers, BoardError when it cannot. `uptime` is ms since any moment
    before the start.
    """

    def __init__(
        self,
        id: str,
        config: Mapping[str, Any],
        core: Core,
        clock: Clock,
        *,
        open_gpio: Callable[[], Gpio] = Gpio,
        uptime: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.id: Final = id
        self.unix_ms: Final = clock  # of the role's context, as link_down_ms() and emit()
        self._config = config
        self._core = core
        self._open_gpio = open_gpio
        start = uptime()
        self._uptime = lambda: uptime() - start
        self._patience_s = patience_s
        self._link = LocalLink(id, core, clock, self._uptime, self._report)
        self.link_down_ms: Final = self._link.down_ms
        self._role: Any = None
        self._panel: Panel | None = None
        self._rev: int | None = None  # of the desired state that the role has
        self._taken: bytes | None = None  # the last desired state that it was given
        self._unproven: tuple[int, str, Json] | None = None  # frames when the role said it, and it
        self._fault: str | None = None
        self._plays = False
        self._errors: deque[str] = deque(maxlen=MAX_ERRORS)
        self._orders: asyncio.Queue[DeviceOrder] = asyncio.Queue()
        self._stop = asyncio.Event()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Show what the core wants, until finish() or cancelled."""
        self._link.emit("boot", {"cause": CAUSE})
        parts = {"panel": self._play, "link": self._link.run, "commands": self._obey}
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._guard(*part)) for part in parts.items()]
                await self._stop.wait()
                for task in tasks:
                    task.cancel()
            await self._link.finish()
        finally:
            self._ended.set()

    async def finish(self) -> None:
        """End run(): the panel is dark, and what it reported is committed."""
        self._stop.set()
        await self._ended.wait()

    def order(self, order: DeviceOrder) -> None:
        """A command for this display; it is answered to the core."""
        self._orders.put_nowait(order)

    def emit(self, kind: str, data: Json) -> None:
        """An event of the role: what it says is shown has yet to be seen on the panel."""
        assert self._panel is not None
        self._unproven = self._panel.counters.frames, kind, data

    # Parts

    async def _guard(self, name: str, part: Callable[[], Awaitable[None]]) -> None:
        """Keep a part going: what ends it is told, and it is started again."""
        wait_s = AGAIN_S
        while True:
            began = time.monotonic()
            try:
                await part()
            except Exception as error:
                self._failed(name, error)
            if time.monotonic() - began > AGAIN_LAST_S:
                wait_s = AGAIN_S
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, AGAIN_LAST_S)

    async def _play(self) -> None:
        driver, pins, settings = (self._config[name] for name in ("driver", "pins", "settings"))
        with self._open_gpio() as gpio, Panel(gpio, driver, pins, settings["brightness"]) as panel:
            self._panel = panel
            self._role = call_display(settings, panel, self)
            if not panel.realtime:
                log.warning(
                    "%s: the refresh may not go before all other threads, so rows may flicker on a"
                    " busy machine; allow it (systemd: LimitRTPRIO=1)",
                    self.id,
                )
            try:
                with Deadman(self._patience_s, panel.close) as deadman:
                    await self._steps(self._role, panel, deadman)
            finally:
                self._role = self._panel = self._rev = self._taken = self._unproven = None
                self._plays = False

    async def _steps(self, role: Any, panel: Panel, deadman: Deadman) -> None:
        due = self._uptime()
        frames, stalled = 0, 0
        while True:
            if deadman.acted:
                raise PanelError(f"the gateway stood still for more than {self._patience_s:g} s")
            deadman.alive()
            self._take_desired(role)
            role.step(self._uptime())
            before, frames = frames, panel.counters.frames
            stalled = stalled + 1 if frames == before else 0
            if stalled >= STALLED_STEPS:
                raise PanelError(f"the refresh thread played no frame in {stalled} steps")
            self._prove(frames)
            # A step that came late is not made up for.
            now = self._uptime()
            due = max(due + role.PERIOD_MS, now)
            await asyncio.sleep((due - now) / 1000)

    def _take_desired(self, role: Any) -> None:
        body = self._core.desired_of(self.id)
        if body is None or body == self._taken:
            return
        self._taken = body
        desired = json.loads(body)
        # What it took over was shown for a moment only, if at all.
        self._unproven = None
        try:
            role.desire(desired, self._uptime())
        except ValueError as error:
            self._note(f"desired state {desired['rev']}: {error}")
        else:
            self._rev = desired["rev"]

    def _prove(self, frames: int) -> None:
        """A panel plays: its last fault is over, and a number is shown once a whole frame was."""
        if not self._plays and frames >= WHOLE_FRAMES:
            self._plays, self._fault = True, None
            log.info("%s: plays on this machine's header", self.id)
        if self._unproven is not None:
            since, kind, data = self._unproven
            if (frames - since) % 2**32 >= WHOLE_FRAMES:
                self._unproven = None
                self._link.emit(kind, data)

    def _failed(self, name: str, error: Exception) -> None:
        if name != "panel":
            log.error("%s: its %s failed, and is started again", self.id, name, exc_info=error)
            self._note(f"{name}: {type(error).__name__}: {error}")
            return
        fault: Json = {"code": "panel"}
        text = f"panel: {type(error).__name__}: {error}"
        if isinstance(error, BoardError):
            fault, text = {"code": "board"}, str(error)
            if isinstance(error.__cause__, OSError):
                fault = {"code": "access", "value": error.__cause__.errno}
        if text == self._fault:
            return
        self._fault = text
        self._note(text)
        self._link.emit("fault", fault)
        defect = None if isinstance(error, BoardError | PanelError) else error
        log.error("%s: dark, it is tried again: %s", self.id, text, exc_info=defect)

    def _note(self, text: str) -> None:
        self._errors.append(f"{self._uptime() // 1000} s: {text}"[:MAX_TEXT])

    # What it says of itself

    def _report(self) -> Json:
        """up/state as of any device, and how the refresh goes."""
        health: Json = {"up_s": self._uptime() // 1000, "boot": BOOT, "cause": CAUSE}
        if self._panel is not None:
            health["refresh"] = self._panel.counters._asdict()
        health["errors"] = list(self._errors)
        dark = {"view": None, "stale": False, "missing": 0}
        shows = self._role.state() if self._role else {**dark, "fault": self._why_dark()}
        return {
            "rev": self._rev,
            "shows": shows,
            "health": health,
            "fw": version("hallkit"),
            "profile": self._config["profile"],
        }

    def _why_dark(self) -> str:
        return (self._fault or "starting")[:MAX_TEXT]

    async def _obey(self) -> None:
        while True:
            order = await self._orders.get()
            fields = json.loads(order.body)
            answer: Json = {"id": order.id, "ok": True}
            try:
                answer["result"] = self._do(fields["do"], fields["args"])
            except ValueError as error:
                answer = {"id": order.id, "ok": False, "error": str(error)[:MAX_TEXT]}
            await until_stored(partial(self._core.reply, self.id, compact(answer)))

    def _do(self, do: str, args: Json) -> Json:
        if do == "config" and not args:
            names = ("profile", "profile_version", "role", "settings")
            return {name: self._config[name] for name in names}
        if do == "config":
            raise ValueError("config can only be read, without args")
        if do not in ("identify", "selftest"):
            raise ValueError(f"{do}: this display is a part of the gateway; do it to that")
        if self._role is None or self._panel is None:
            raise ValueError(f"dark: {self._why_dark()}")
        if do == "identify":
            self._role.identify(self._uptime())
            return {}
        return {**self._role.selftest(), "refresh": self._panel.counters.frames > 0}
