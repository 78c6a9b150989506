"""A back office that fails in every way at once, and what is in its record afterwards.

Real NATS servers, three of them, a real PostgreSQL with fsync, real workers, and halls with their
gateways' real stores and sinks. Here: that what halls promised is in the record once, and that a
hall's login gives power over nothing else.
"""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable

import nats
import psycopg
import pytest
import pytest_asyncio
from hall_gateway import jetstream_subjects as subjects
from hall_tools.fleet.fault_run import FaultRun, Way
from hall_tools.fleet.faults import KINDS
from hall_tools.fleet.places import hall_id
from hall_tools.fleet.stage import Stage
from nats.aio.client import Client
from support.nats_flush import flushed
from support.office import office_folder

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

HALLS = 3
"""Of each run."""
SEEDS = (1, 2)
WAIT_S = 60.0
_FIRST = itertools.count(1, HALLS)
ATTACKER, VICTIM = hall_id(101), hall_id(102)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncGenerator[Stage]:
    """With two workers."""
    halls = [hall_id(number) for number in range(1, 103)]
    with office_folder() as folder:
        async with Stage(folder, halls) as stage:
            # What a killed worker had is given to another after this time, 30 s in production.
            await stage.set_ack_wait(3.0)
            await stage.start_workers(2)
            yield stage


def next_halls() -> range:
    """Some that no test before had."""
    first = next(_FIRST)
    return range(first, first + HALLS)


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_halls_promised_is_there_once_whatever_fails(stage: Stage, seed: int) -> None:
    async with FaultRun(stage, next_halls(), seed) as run:
        faults = run.faults()
        await faults.all_at_once()
        outcome = await run.delivered(faults.done)
    assert outcome.done == dict.fromkeys(KINDS, 1)
    assert outcome.account.wrong == []
    assert outcome.account.right
    assert outcome.account.promised == outcome.account.stored > 100


async def test_a_worker_that_dies_between_commit_and_ack_doubles_nothing(stage: Stage) -> None:
    """The only worker, whose words reach NATS no more, commits, and is killed then."""
    await stage.stop_workers()
    async with Way("worker", stage) as way:
        await stage.start_workers(1, way.servers)
        (worker,) = stage.workers
        blocked = stage.postgres.dsn("postgres")
        async with await psycopg.AsyncConnection.connect(blocked) as lock:
            await lock.execute("LOCK TABLE hall.events IN SHARE MODE")
            async with FaultRun(stage, next_halls(), seed=4) as run:
                await _until(
                    lambda: _true(stage, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
                )
                before = await stage.rows()
                way.hold()
                await lock.commit()
                await _until(lambda: _true(stage, f"SELECT count(*) > {before} FROM hall.events"))
                await worker.kill()
                assert await stage.unacknowledged() > 0
                await stage.replace_workers()
                outcome = await run.delivered(Counter())
    assert outcome.account.wrong == []
    await _until(lambda: _true(stage, "SELECT sum(duplicates) > 0 FROM hall.workers"))


async def test_a_login_of_one_hall_has_no_power_over_another(stage: Stage) -> None:
    """Another's subject, another's name in the message, and an id that another is going to use."""
    refused: list[str] = []

    async def complained(error: Exception) -> None:
        refused.append(str(error))

    async with FaultRun(stage, range(102, 103), seed=5) as run:
        attacker: Client = await nats.connect(
            stage.cluster.servers,
            user_credentials=str(stage.credentials.hall_creds(ATTACKER)),
            inbox_prefix=subjects.inbox(ATTACKER),
            error_cb=complained,
        )
        await attacker.publish(subjects.event(VICTIM, "rating", "given"), b"{}")
        await flushed(attacker)
        forged = {**_attributes(VICTIM), "Nats-Msg-Id": "door/00000001/1"}
        own = subjects.event(ATTACKER, "count", "passage")
        body = json.dumps({"direction": "in"}).encode()
        await attacker.publish(own, body, headers=forged)
        # The next ids of the victim's door: whoever knows one event can count.
        (hall,) = run.halls
        door = hall.days.sources["door"]
        for ahead in range(5, 400, 5):
            id = f"door/{door.device.epoch:08x}/{door.device.seq + ahead}"
            squatted = {**_attributes(ATTACKER, id), "Nats-Msg-Id": id}
            await attacker.publish(own, body, headers=squatted)
        await flushed(attacker)
        squatted_on = door.acked + 20

        async def went_on() -> bool:
            return door.acked >= squatted_on

        await _until(went_on)
        outcome = await run.delivered(Counter())
        await attacker.close()
    assert outcome.account.wrong == []
    assert any("permissions violation" in each.lower() for each in refused)
    poison = "SELECT hall, claimed, reason FROM hall.poison WHERE hall = '{}'"
    assert await stage.value(poison.format(ATTACKER)) == (ATTACKER, VICTIM, "hall")
    (claimed,) = await stage.value(f"SELECT count(*) FROM hall.events WHERE hall = '{ATTACKER}'")
    assert claimed > 0  # what it said in its own name is its own


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def _true(stage: Stage, query: str) -> bool:
    (found,) = await stage.value(query)
    return bool(found)


def _attributes(hall: str, id: str = "door/00000001/1") -> dict[str, str]:
    return {
        "ce-specversion": "1.0",
        "ce-id": id,
        "ce-source": f"/hall/{hall}/door",
        "ce-type": "hall.count.passage",
        "ce-subject": "zone/entrance",
        "ce-time": "2026-01-02T03:04:05.678Z",
        "ce-clockquality": "synced",
        "content-type": "application/json",
    }
