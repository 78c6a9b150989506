"""A small hall whose gateway follows rules, for tests of the core."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hall_gateway.plan import Plan
from hall_gateway.rules_file import RuleSet, compiled, shipped
from hall_gateway.store_rules import Alert, Bookmark, Task

from support.core_hall import PLAN, Clock, Device, Hall, open_hall

ZONED = replace(PLAN, zones={"1": "entrance"}, cameras={"1": "cam-03"})
"""Window 1 stands where the floor can be wet, and is seen by a camera; window 2 is elsewhere."""


class RuledHall(Hall):
    """The hall system's side, and what the rules have led to."""

    def __init__(self, hall: Hall) -> None:
        super().__init__(hall.core, hall.clock)
        self.floor = Device("wet")

    async def follow(self, rules: RuleSet | str) -> None:
        """Follow these rules from here on."""
        ruleset = compiled(rules, "rules.yaml") if isinstance(rules, str) else rules
        await self.core.do(lambda heart, now: heart.follow_rules(ruleset))

    async def tick(self, after_s: float = 0) -> None:
        self.clock.pass_s(after_s)
        await self.core.tick()

    async def ticks(self, seconds: int) -> None:
        """A tick a second."""
        for _ in range(seconds):
            await self.tick(1)

    async def wet(self, wet: bool = True) -> None:
        """The floor sensor says so, and a tick passes."""
        kind = "wet" if wet else "dry"
        await self.core.event("wet", self.floor.event(kind, {"ohms": 5}, t=self.clock()))
        await self.tick(1)

    async def rain(self, on: bool = True) -> None:
        await self.core.event("wet", self.floor.event("rain", {"on": on}, t=self.clock()))
        await self.tick(1)

    def view(self, device: str) -> Mapping[str, Any]:
        """What a display should show, without rev and ttl."""
        desired = self.desired(device)
        return {name: value for name, value in desired.items() if name not in ("rev", "ttl_s")}

    async def types(self, noun: str) -> list[str]:
        """The types of the events of a noun so far, without what they begin with."""
        prefix = f"hall.{noun}."
        return [event["type"].removeprefix(prefix) for event in await self.events(prefix)]

    async def alerts(self) -> list[Alert]:
        return await self.core.do(lambda heart, now: heart._store.alerts.open())

    async def tasks(self) -> list[Task]:
        return await self.core.do(lambda heart, now: heart._store.tasks.open())

    async def bookmarks(self) -> list[Bookmark]:
        return await self.core.do(lambda heart, now: heart._store.bookmarks.recent(100))

    async def acknowledge(self, alert: int, by: str = "李敏", note: str | None = None) -> Alert:
        return await self.core.do(
            lambda heart, now: heart.rules.alerts.acknowledge(alert, by, note, now)
        )

    async def step(self, task: int, step: str, mark: int | None = None) -> Task:
        return await self.core.do(
            lambda heart, now: heart.rules.tasks.step(task, step, "王芳", None, mark, now)
        )

    async def rate(self, mark: int, ticket: str = "A015", window: str = "1") -> None:
        """A service of a minute, and its customer's press; mark 5 is key 1 of five."""
        await self.do("call", ticket=ticket, window=window)
        await self.do("start", window=window)
        self.clock.pass_s(60)
        await self.do("end", window=window)
        session = self.desired(f"kp-{window}")["rev"]
        keypad = self.keypad
        press = {"key": 6 - mark, "session": session}
        await self.core.event(keypad.id, keypad.event("press", press, t=self.clock()))
        close = {"session": session, "why": "lock"}
        await self.core.event(keypad.id, keypad.event("close", close, after_ms=3000))

    @property
    def keypad(self) -> Device:
        """The one at window 1."""
        self._keypad = getattr(self, "_keypad", None) or Device("kp-1")
        return self._keypad


@asynccontextmanager
async def ruled_hall(
    folder: Path,
    rules: RuleSet | str | None = None,
    clock: Clock | None = None,
    plan: Plan = ZONED,
) -> AsyncGenerator[RuledHall]:
    """A core over `folder`/hall.db that follows `rules`, the shipped ones when left out."""
    async with open_hall(folder, clock, plan) as hall:
        ruled = RuledHall(hall)
        await ruled.follow(shipped() if rules is None else rules)
        await ruled.core.state("wet", ruled.floor.state(0))
        yield ruled


def report(device: Device, acked: int, **shows: Any) -> bytes:
    """up/state of a device that shows this."""
    return json.dumps(json.loads(device.state(acked)) | {"shows": shows}).encode()
