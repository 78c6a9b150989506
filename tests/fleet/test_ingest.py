"""A worker between a real NATS server and a real PostgreSQL: what comes in, and what it says.

Not here: servers and workers that are killed (test_faults.py), what becomes of each message
(test_record.py).
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from click.testing import Result
from hall_fleet import intake, streams
from hall_fleet.batch import Message
from hall_fleet.ingest_config import IngestConfig, load_config
from hall_fleet.link import Link, LinkError
from hall_fleet.pull import Pull
from hall_gateway.limits import Limits
from hall_gateway.toml_input import ConfigError
from hall_tools.cli import app
from hall_tools.errors import UserError
from support.ingest import BUSY_S, Office, open_office, rows, until
from support.record import Databases, event, message, state, state_message
from typer.testing import CliRunner

pytestmark = pytest.mark.asyncio(loop_scope="module")

HALLS = ("demo", "west")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncGenerator[Office]:
    async with open_office(HALLS) as office:
        yield office


@pytest_asyncio.fixture(loop_scope="module")
async def office(running: Office) -> Office:
    running.clear()
    return running


async def acknowledged(office: Office) -> bool:
    told = await office.consumer()
    return told["num_pending"] == told["num_ack_pending"] == 0


async def test_setup_can_be_done_again_and_changes_what_differs(office: Office) -> None:
    names = {"HALL_EVENTS", "HALL_STATES", "ingest", "ingest-states"}
    async with office.link() as link:
        same = await streams.setup(link, load_config(office.config("backoffice")).nats)
        assert same == dict.fromkeys(names, "as it should be")
        larger = load_config(office.config("backoffice", max_gb=5)).nats
        assert await streams.setup(link, larger) == {**same, "HALL_EVENTS": "changed"}
        told = (await link.ask("STREAM.INFO.HALL_EVENTS"))["config"]
        assert (told["max_bytes"], told["discard"], told["duplicate_window"]) == (
            5 << 30,
            "new",
            120 * 10**9,
        )
        with pytest.raises(LinkError, match=r"STREAM.UPDATE.HALL_EVENTS: .*storage"):
            await streams.setup(link, load_config(office.config("backoffice", max_gb=900)).nats)


async def test_events_and_states_come_in_and_are_acknowledged(office: Office) -> None:
    bad = message(event(9), 9)._replace(body=b"no JSON")
    async with office.worker() as worker:
        await office.publish(*(message(event(n), n) for n in range(1, 4)), bad)
        await office.publish(state_message(state()), state_message(state(), hall="west"))
        await rows(office, "events", 3)
        await rows(office, "halls", 1)
        await rows(office, "poison", 2)
        await until(lambda: acknowledged(office))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{office.http}") as session:
            async with session.get("/health") as answer:
                assert (answer.status, (await answer.json())["status"]) == (200, "ok")
            async with session.get("/metrics") as answer:
                told = await answer.text()
    for line in (
        "hallkit_ingest_events_total 3.0",
        "hallkit_ingest_states_total 1.0",
        'hallkit_ingest_poison_total{reason="form"} 1.0',
        'hallkit_ingest_poison_total{reason="hall"} 1.0',
        'hallkit_ingest_health_status{status="ok"} 1.0',
        "hallkit_ingest_stream_pending 0.0",
        "hallkit_ingest_batch_seconds_count ",
    ):
        assert line in told
    assert worker.figures.last_commit is not None
    ((seen, pid),) = office.database.rows("SELECT worker, pid FROM hall.workers")
    assert (seen, pid) == (worker.name, os.getpid())


async def test_without_postgresql_nothing_is_held_and_nothing_lost(office: Office) -> None:
    async with office.worker() as worker:
        await office.publish(message(event(1), 1))
        await rows(office, "events", 1)
        await office.postgres.kill()
        await office.publish(*(message(event(n), n) for n in range(2, 52)))

        async def noticed() -> bool:
            return worker.consumers["events"].postgres is not None

        await until(noticed)
        assert worker.judged().status == "degraded"
        assert worker.judged().reasons[0].text.startswith("PostgreSQL: ")
        await office.postgres.start()
        await rows(office, "events", 51)
        await until(lambda: acknowledged(office))
        assert worker.judged().status == "ok"
        assert (worker.figures.events, worker.figures.poison.total()) == (51, 0)


async def test_an_order_to_end_leaves_nothing_half_done(office: Office) -> None:
    command = [sys.executable, "-c", "from hall_tools.cli import main; main()"]
    process = await asyncio.create_subprocess_exec(
        *(*command, "ingest", "run", "--config", str(office.config())),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), BUSY_S)
        assert line.startswith(b"ingest: worker ")
        await office.publish(*(message(event(n), n) for n in range(1, 1501)))

        async def begun() -> bool:
            return office.database.rows("SELECT EXISTS (SELECT FROM hall.events)") == [(True,)]

        await until(begun)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), BUSY_S) == 0
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    told = await office.consumer()
    ((stored,),) = office.database.rows("SELECT count(*) FROM hall.events")
    # What it had not stored waits for the next, and is not awaited from one that is gone.
    assert (told["num_pending"] + stored, told["num_ack_pending"]) == (1500, 0)
    async with office.worker():
        await rows(office, "events", 1500)
    assert office.database.rows("SELECT sum(taken) FROM hall.days") == [(1500,)]


async def test_what_is_asked_for_comes_in_batches_of_at_most_that(office: Office) -> None:
    nats = load_config(office.config()).nats
    await office.publish(*(message(event(n), n) for n in range(1, 26)))
    async with Link(nats.servers, nats.credentials(), nats.tls(), "ingest") as link:
        pull = Pull(link, "HALL_EVENTS", "ingest", 10)
        await pull.begin()
        got: list[list[Message]] = []
        while len(got) < 3:
            if batch := await pull.batch(1.0, 0.5):
                got.append(batch)
                if len(got) == 3:
                    break
                await pull.ack(batch)
        assert [len(batch) for batch in got] == [10, 10, 5]
        assert [each.sequence for batch in got for each in batch] == sorted(
            each.sequence for batch in got for each in batch
        )
        await pull.give_back(got[2])
        again = await pull.batch(BUSY_S, 0.5)
        assert [each.body for each in again] == [each.body for each in got[2]]
        await pull.ack(again)
        await link.flush()
        assert await pull.batch(0.1, 0.1) == []
        await office.cluster.nodes[0].stop()
        with pytest.raises(LinkError, match=r"gone|closed"):
            await asyncio.wait_for(_forever(pull), BUSY_S)
    await office.cluster.start()


async def _forever(pull: Pull) -> None:
    while True:
        await pull.batch(1.0, 0.1)


# Settings.

GOOD = (
    '[nats]\nservers = ["tls://nats.example:4222"]\ncreds_file = "ingest.creds"\n'
    '[postgres]\ndsn = "dbname=hall user=hall_ingest"\n'
)


def _load(tmp_path: Path, text: str) -> IngestConfig:
    path = tmp_path / "ingest.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


async def test_settings_are_measured_by_what_halls_have_when_nothing_is_said(
    tmp_path: Path,
) -> None:
    config = _load(tmp_path, GOOD)
    assert config.nats.creds_file == tmp_path / "ingest.creds"
    assert (config.nats.replicas, config.nats.max_gb, config.http) == (3, 4, None)
    assert config.figures.measured_by().minutes("缴费") == 5


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("tls://", "nats://"), ":2: nats.servers[1]: nats:// leaves this machine unencrypted"),
        (("user=", "password=geheim user="), ":5: postgres.dsn: no password in it: passfile="),
        (("dbname=", "host=db.example dbname="), ":5: postgres.dsn: another machine: add sslmode"),
        (("dbname=", "="), ":5: postgres.dsn: not a connection string of PostgreSQL"),
        (("[postgres]", "[postgre]"), "postgre"),
        (("[nats]\n", "[nats]\nreplicas = 2\n"), ":2: nats.replicas: "),
    ],
)
async def test_wrong_settings_say_where_and_what(
    tmp_path: Path, change: tuple[str, str], error: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        _load(tmp_path, GOOD.replace(*change))
    assert error in str(raised.value)
    assert "geheim" not in str(raised.value)


# The command.


def hall(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["ingest", *map(str, arguments)])


async def test_the_command_says_what_it_does(office: Office) -> None:
    database = await Databases(office.postgres).make()
    config = office.config(database=database)
    assert hall("migrate", "--config", config).output == "the record is up to date\n"
    assert json.loads(hall("migrate", "--config", config, "--json").output) == {"applied": []}
    assert hall("poison", "list", "--config", config).output == "there is none\n"
    database.rows("SELECT hall.ensure_month('2024-02-01')")
    told = json.loads(hall("retain", "--months", 12, "--config", config, "--json").output)
    assert [(each["month"], each["events"]) for each in told["dropped"]] == [("2024-02", None)]
    assert hall("retain", "--months", 12, "--config", config).output.startswith("events are kept")
    record = database.record()
    try:
        bad = message(event(1, time="2023-01-01T00:00:00Z"), 7)
        await intake.store(record, [bad], datetime.now(UTC), Limits())
    finally:
        await record.close()
    line = hall("poison", "list", "--config", config).output
    assert "HALL_EVENTS 7 hall.v1.demo.event.ticket.taken: time: ce-time: 2023-01-01T00:" in line
    (found,) = json.loads(hall("poison", "list", "--config", config, "--json").output)
    assert (found["reason"], found["hall"], found["size"]) == ("time", "demo", 46)


async def test_the_roles_are_told_as_sql() -> None:
    told = hall("roles", "--database", "record").output.splitlines()
    assert told[0] == "CREATE ROLE hall_owner LOGIN;"
    assert "CREATE DATABASE record OWNER hall_owner TEMPLATE template0 ENCODING 'UTF8';" in told
    refused = hall("roles", "--database", "x; DROP")
    assert (refused.exit_code, str(refused.exception)[:7]) == (1, "x; DROP")


async def test_what_the_owner_does_needs_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "ingest.toml"
    path.write_text(GOOD, encoding="utf-8")
    for command in (["migrate"], ["retain", "--months", 3]):
        refused = hall(*command, "--config", path)
        assert isinstance(refused.exception, UserError)
        assert refused.exception.exit_code == os.EX_CONFIG
        assert "owner_dsn is missing" in str(refused.exception)
