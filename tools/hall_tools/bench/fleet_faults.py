"""`hall bench fleet --faults`: a back office that is broken for minutes, and what is left then.

Here: the run. Not here: the faults (hall_tools.fleet.faults), halls and judgement
(hall_tools.fleet.fault_run), a few seconds of the same for the tests (tests/fleet).
"""

from hall_tools.bench.fleet import TOGETHER, Heard, back_office
from hall_tools.fleet.fault_run import FaultRun, Outcome


async def break_it(halls: int, seed: int, seconds: float, heard: Heard) -> Outcome:
    """So many halls for so long. Raises UserError when a part does not come back."""
    heard(f"{halls} halls: starting the back office")
    async with back_office(halls) as stage:
        await stage.start_workers(TOGETHER)
        async with FaultRun(stage, range(1, halls + 1), seed) as run:
            faults = run.faults()
            await faults.for_a_while(seconds, heard)
            heard("everything heals; the halls tell what they have")
            return await run.delivered(faults.done, faults.again)
