"""The simulated halls of a trial: `python -m hall_tools.fleet.simulated SPEC`.

Here: a process with all of them, from yesterday's events to a life on the real clock, until it is
told to end. Not here: one hall (halls.py), the back office.

SPEC is a JSON file: {"servers", "ca_file", "folder", "seed", "halls": [{"hall", "name", "class",
"creds_file"}, …]}. Prints a line when all halls run. At SIGTERM or SIGINT nothing more happens in
them; when the back office has all of it, or after FINISH_S, `truth.json` in the folder says how
much there was: {"halls": {hall: events}, "waiting": events that were not taken}.
"""

import asyncio
import json
import logging
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from hall_tools.fleet.halls import SimulatedHall, new_run, promised
from hall_tools.fleet.links import HallLinks, LinkSettings
from hall_tools.fleet.places import Place, place

FINISH_S = 60.0
AT_ONCE = 4
"""Halls that tell what happened yesterday at the same time; the others wait for their turn."""


class SpecHall(BaseModel):
    hall: str
    name: str
    hall_class: Literal["A", "B", "C", "D"] = Field(alias="class")
    creds_file: Path


class Spec(BaseModel):
    servers: list[str]
    ca_file: Path | None = None
    folder: Path
    seed: int = 1
    halls: list[SpecHall]

    def places(self) -> list[Place]:
        """The n-th hall has what the n-th place has, under its own name."""
        found: list[Place] = []
        for number, hall in enumerate(self.halls, 1):
            as_made = place(number)
            plan = replace(as_made.plan, hall=hall.hall)
            found.append(
                replace(
                    as_made, hall=hall.hall, name=hall.name, hall_class=hall.hall_class, plan=plan
                )
            )
        return found

    def links(self) -> LinkSettings:
        creds = {hall.hall: hall.creds_file for hall in self.halls}
        return LinkSettings(servers=self.servers, creds=creds, ca_file=self.ca_file)


async def run(spec: Spec) -> None:
    """Until SIGTERM or SIGINT. Raises what ended a hall by itself."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    spec.folder.mkdir(parents=True, exist_ok=True)
    this = new_run()
    async with AsyncExitStack() as stack:
        halls = [
            await stack.enter_async_context(
                SimulatedHall(each, spec.folder, spec.seed * 100_003 + number, this, rules=True)
            )
            for number, each in enumerate(spec.places(), 1)
        ]
        links = await stack.enter_async_context(HallLinks(spec.links(), halls))
        for hall in halls:
            links.begin(hall)
        print(f"simulated halls: {len(halls)} running", flush=True)
        turn = asyncio.Semaphore(AT_ONCE)
        living = [asyncio.create_task(_live(hall, turn, stop)) for hall in halls]
        watching = asyncio.create_task(_watch(links, stop))
        await asyncio.gather(watching, *living)
        waiting = await _finish(halls)
        told = {hall.place.hall: len(promised(hall.path)) for hall in halls}
    truth = spec.folder / "truth.json"
    truth.write_text(json.dumps({"halls": told, "waiting": waiting}) + "\n", encoding="utf-8")


async def _live(hall: SimulatedHall, turn: asyncio.Semaphore, stop: asyncio.Event) -> None:
    async with turn:
        if not stop.is_set():
            await hall.catch_up(stop)
    if not stop.is_set():
        hall.clock.go()
        await hall.here()
        await hall.go_on(stop)


async def _watch(links: HallLinks, stop: asyncio.Event) -> None:
    """A sink that ends is a defect, which nobody should have to guess."""
    while not stop.is_set():
        links.check()
        await asyncio.sleep(0.5)


async def _finish(halls: list[SimulatedHall]) -> int:
    """How many events wait when the sinks have had their time."""
    deadline = asyncio.get_running_loop().time() + FINISH_S
    while waiting := sum(hall.waiting for hall in halls):
        if asyncio.get_running_loop().time() > deadline:
            return waiting
        await asyncio.sleep(0.05)
    return 0


def main() -> None:
    # Rounding of who is inside is daily business.
    logging.basicConfig(level=logging.ERROR)
    spec = Spec.model_validate_json(Path(sys.argv[1]).read_bytes())
    asyncio.run(run(spec))


if __name__ == "__main__":
    main()
