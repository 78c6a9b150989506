"""Processes full of simulated halls' gateways, as whoever measures or breaks things has them.

Here: starting them, and telling all of them the same. Not here: what they do
(gateways_child.py).
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from hall_tools.errors import UserError
from hall_tools.fleet.halls import new_run, promised
from hall_tools.fleet.places import hall_id

Json = dict[str, Any]
_LINE = 1 << 27
"""An answer may have the ids of all acked events."""


class Gateways:
    """The halls 1 to `count` in as many `processes`; `async with` ends them. Their stores are in
    `folder`. `links`: LinkSettings as JSON has it."""

    def __init__(
        self, folder: Path, count: int, links: Json, *, seed: int = 1, processes: int = 2
    ) -> None:
        self.halls = [hall_id(number) for number in range(1, count + 1)]
        self._folder = folder
        numbers = list(range(1, count + 1))
        spec = {"folder": str(folder), "links": links, "seed": seed, "run": new_run()}
        self._specs = [
            {**spec, "halls": part} for n in range(processes) if (part := numbers[n::processes])
        ]
        self._children: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            for spec in self._specs:
                self._children.append(await self._start(spec))
            await asyncio.gather(*map(self._answer, self._children))
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self._children]

    async def _start(self, spec: Json) -> asyncio.subprocess.Process:
        with (self._folder / "gateways.log").open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hall_tools.fleet.gateways_child"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=_LINE,
                start_new_session=True,
            )
        _write(child, spec)
        return child

    async def tell(self, do: str, **more: Any) -> list[Json]:
        """Each process's answer to a command. UserError when one failed or is gone."""
        for child in self._children:
            _write(child, {"do": do, **more})
        return list(await asyncio.gather(*map(self._answer, self._children)))

    async def live(self, rate: float, seconds: float) -> tuple[int, float]:
        """Customers come, `rate` a second in all halls together: how many came, and how many
        seconds one came late at most."""
        part = rate / len(self._children)
        told = await self.tell("live", rate=part, seconds=seconds)
        return sum(each["sent"] for each in told), max(each["late_s"] for each in told)

    async def wire(self, ports: Sequence[int]) -> tuple[int, int]:
        """Bytes that TCP has carried to and from `ports` on the connections that are open."""
        told = await self.tell("wire", ports=list(ports))
        return sum(each["out"] for each in told), sum(each["back"] for each in told)

    async def promises(self) -> dict[str, dict[str, bytes]]:
        """What every hall's store promised. UserError when something that was acked to a device is
        not among it."""
        found = {hall: promised(self._folder / f"{hall}.db") for hall in self.halls}
        for told in await self.tell("acked"):
            for hall, ids in told["acked"].items():
                if missing := [id for id in ids if id not in found[hall]]:
                    raise UserError(
                        f"{hall}: {len(missing)} events were acked to devices and are not in its "
                        f"store, {missing[0]} first",
                        os.EX_SOFTWARE,
                    )
        return found

    async def _answer(self, child: asyncio.subprocess.Process) -> Json:
        assert child.stdout is not None
        line = await child.stdout.readline()
        told = json.loads(line) if line else {"error": "the process ended"}
        if "error" in told:
            log = self._folder / "gateways.log"
            raise UserError(f"simulated halls: {told['error']}; see {log}", os.EX_SOFTWARE)
        return told

    async def _end(self) -> None:
        for child in self._children:
            assert child.stdin is not None
            child.stdin.close()
        for child in self._children:
            try:
                async with asyncio.timeout(60):
                    await child.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    child.send_signal(signal.SIGKILL)
                await child.wait()
        self._children = []


def _write(child: asyncio.subprocess.Process, line: Json) -> None:
    assert child.stdin is not None
    child.stdin.write(json.dumps(line).encode() + b"\n")
