"""The store: kills at any step, full and failing disks, migrations, owners, and bounds."""

import asyncio
import errno
import glob
import json
import os
import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hall_gateway import heart, schema, store
from hall_gateway.core import Core
from hall_gateway.plan import Plan
from hall_gateway.schema import StoreOpenError, open_store, owned
from hall_gateway.store import Store
from hall_gateway.values import StoreError, StoreFullError
from support.core_hall import NOON, PLAN, Device, Hall
from support.core_hall import open_new_hall as open_hall
from support.killed import killed_at

Step = tuple[str, str, bytes]
"""("event", device, payload), ("online", device, b"1"), ("advance", sink, b"3") or a command."""


def _script() -> list[Step]:
    """Everything that changes the store, as inputs that are the same in every run."""
    keypad, display, counter = Device("kp-1"), Device("disp-1"), Device("cnt")
    rev = NOON // 1000
    lone = Device("kp-1", epoch=9)

    def command(id: str, name: str, **fields: Any) -> Step:
        return "command", name, json.dumps({"id": id, "window": "1"} | fields).encode()

    return [
        ("command", "take", b'{"id":"0","ticket":"A001"}'),
        ("online", "kp-1", b"1"),
        ("event", "kp-1", keypad.event("boot", {"cause": "power_on"})),
        command("1", "call", ticket="A001"),
        ("event", "disp-1", display.event("shown", {"rev": rev + 1})),
        command("2", "start"),
        command("3", "end"),
        ("event", "kp-1", keypad.event("press", {"key": 1, "session": rev + 1})),
        ("event", "kp-1", keypad.event("press", {"key": 5, "session": rev + 1})),
        ("event", "kp-1", keypad.event("close", {"session": rev + 1, "why": "lock"})),
        ("event", "cnt", counter.event("passage", {"dir": "in"}, seq=2)),
        ("event", "cnt", counter.event("passage", {"dir": "out"}, seq=1)),
        ("event", "cnt", counter.event("nonsense", {}, seq=3)),
        ("event", "cnt", counter.event("gap", {"from": 4, "to": 9}, seq=9)),
        ("state", "kp-1", lone.state(acked=7)),
        ("event", "kp-1", lone.event("press", {"key": 1, "session": None}, seq=8)),
        command("4", "show", text="今日停电", seconds=60),
        ("advance", "test", b"2"),
    ]


async def _play(core: Core, script: list[Step], done: Callable[[int], None]) -> None:
    for number, (kind, name, payload) in enumerate(script):
        match kind:
            case "event":
                assert await core.event(name, payload) is not None or name == "cnt"
            case "state":
                assert await core.state(name, payload)
            case "online":
                await core.online(name, payload == b"1")
            case "advance":
                await core.outbox(name, 1)
                await core.advance(name, int(payload))
            case _:
                assert await core.command(name, payload)
        done(number)


async def _result(hall: Hall) -> list[object]:
    """What a hall has come to, without the random epoch of its store."""
    events = [json.loads(row.body) for row in await hall.core.outbox("all", 1000)]
    for event in events:
        device, epoch, seq = event["id"].split("/")
        event["id"] = (device, epoch if device != "gateway" else "", seq)
    test = [row.position for row in await hall.core.outbox("test", 1000)]
    return [events, hall.core.desired(), test]


async def _run(folder: Path, script: list[Step], done: Callable[[int], None]) -> list[object]:
    async with open_hall(folder) as hall:
        await _play(hall.core, script, done)
        return await _result(hall)


def _perfect(folder: Path) -> list[object]:
    result = asyncio.run(_run(folder, _script(), lambda number: None))
    events = result[0]
    assert isinstance(events, list)
    assert len(events) == 15
    return result


@pytest.mark.parametrize("part", range(2))
def test_a_kill_at_any_step_loses_and_doubles_nothing(tmp_path: Path, part: int) -> None:
    """Each run is killed a few steps later than the last; then everyone tries again from the
    start, as devices and the hall system do, and it must come to what no kill would have."""
    perfect = _perfect(tmp_path / _made(tmp_path, "perfect"))
    script = _script()
    step, killed, answered = 1 + 4 * part, True, 0
    while killed:
        folder = _made(tmp_path, f"at-{step}")

        def work(report: Callable[[bytes], None], folder: Path = folder) -> None:
            asyncio.run(_run(folder, script, lambda number: report(bytes([number]))))

        killed, reported = killed_at(step, work)
        answered = len(reported)
        again = asyncio.run(_survey(folder, script, answered))
        assert again == perfect, f"killed at step {step}"
        step += 8
    assert answered == len(script)
    assert step > 200


async def _survey(folder: Path, script: list[Step], answered: int) -> list[object]:
    async with open_hall(folder) as hall:
        before = await hall.rows()
        # What was answered is there: playing it again adds nothing.
        await _play(hall.core, script[:answered], lambda number: None)
        assert await hall.rows() == before
        await _play(hall.core, script, lambda number: None)
        return await _result(hall)


def _made(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


# Migrations.


def _with_next(folder: Path, sql: str) -> str:
    """The migrations, and one more that is not written yet."""
    folder.mkdir(exist_ok=True)
    ours = Path(schema.__file__).parent / "migrations"
    for path in ours.glob("*.sql"):
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "9000_next.sql").write_text(sql, encoding="utf-8")
    return glob.escape(str(folder))


NEXT = """
ALTER TABLE quarantine ADD COLUMN checked INTEGER;
UPDATE events SET kind = kind || '!';
CREATE TABLE next (id INTEGER PRIMARY KEY);
"""


async def _filled(folder: Path) -> None:
    async with open_hall(folder) as hall:
        await _play(hall.core, _script(), lambda number: None)


def _kinds(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT kind FROM events ORDER BY arrival")]


def test_a_kill_at_any_step_of_a_migration(tmp_path: Path) -> None:
    migrations = _with_next(tmp_path / "migrations", NEXT)
    asyncio.run(_filled(_made(tmp_path, "old")))
    old = (tmp_path / "old" / "hall.db").read_bytes()
    kinds = _kinds(tmp_path / "old" / "hall.db")
    step, killed = 1, True
    while killed:
        path = _made(tmp_path, f"at-{step}") / "hall.db"
        path.write_bytes(old)

        def migrate(report: Callable[[bytes], None], path: Path = path) -> None:
            open_store(path, 64, migrations).close()

        killed, _ = killed_at(step, migrate)
        migrate(lambda report: None)
        assert _kinds(path) == [kind + "!" for kind in kinds], f"killed at step {step}"
        assert _kinds(path.with_name("hall.db.before-9000_next")) == kinds
        assert not path.with_name("hall.db.migrating").exists()
        step += 1
    assert step > 60


def test_a_migration_that_fails_leaves_the_store_alone(tmp_path: Path) -> None:
    asyncio.run(_filled(tmp_path))
    before = (tmp_path / "hall.db").read_bytes()
    wrong = _with_next(tmp_path / "migrations", "INSERT INTO next VALUES (1);")
    with pytest.raises(StoreOpenError, match="no such table: next"):
        open_store(tmp_path / "hall.db", 64, wrong)
    assert (tmp_path / "hall.db").read_bytes() == before
    open_store(tmp_path / "hall.db", 64).close()


def test_a_log_left_by_a_kill_is_part_of_what_is_migrated(tmp_path: Path) -> None:
    def work(report: Callable[[bytes], None]) -> None:
        asyncio.run(_run(tmp_path, _script(), lambda number: report(b".")))

    killed, reported = killed_at(450, work)
    assert killed
    assert len(reported) > 5
    assert (tmp_path / "hall.db-wal").stat().st_size > 0
    open_store(tmp_path / "hall.db", 64, _with_next(tmp_path / "migrations", NEXT)).close()
    kinds = _kinds(tmp_path / "hall.db")
    assert kinds
    assert all(kind.endswith("!") for kind in kinds)


def test_a_newer_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hall.db"
    open_store(path, 64, _with_next(tmp_path / "migrations", NEXT)).close()
    with pytest.raises(StoreOpenError, match=r"a newer hallkit wrote it \(it has 9000_next\)"):
        open_store(path, 64)


# Opening.


async def test_one_store_has_one_gateway(tmp_path: Path) -> None:
    async with open_hall(tmp_path):
        with pytest.raises(StoreOpenError, match=r"another gateway \(process \d+\) has this store"):
            async with open_hall(tmp_path):
                pass
    async with open_hall(tmp_path):
        pass


def test_the_lock_of_a_dead_gateway_is_no_lock(tmp_path: Path) -> None:
    def work(report: Callable[[bytes], None]) -> None:
        asyncio.run(_filled(tmp_path))

    killed, _ = killed_at(150, work)
    assert killed
    with owned(tmp_path / "hall.db"):
        pass


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"this is no database, but it is long enough to be looked at" * 20, "damaged"),
        (None, "damaged"),
    ],
)
def test_a_damaged_store_is_refused(tmp_path: Path, content: bytes | None, error: str) -> None:
    path = tmp_path / "hall.db"
    if content is None:
        asyncio.run(_filled(tmp_path))
        content = path.read_bytes()
        content = content[:8192] + b"\xa5" * 8192 + content[16384:]
    path.write_bytes(content)
    with pytest.raises(StoreOpenError, match=error) as refused:
        open_store(path, 64)
    assert "\n" not in str(refused.value)


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        StoreOpenError, match="No such file or directory; check the disk, the folder"
    ):
        async with open_hall(tmp_path / "nowhere"):
            pass


def test_a_disk_without_room_for_the_lock(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(StoreOpenError) as refused, owned(tmp_path / "hall.db"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(refused.value).endswith("File too large; check the disk, the folder and its rights")


def test_a_disk_that_cannot_keep_the_new_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreOpenError, match="No space left on device; check the disk"):
        open_store(tmp_path / "hall.db", 64)


def test_power_cuts_are_expected(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "hall.db", 64)) as connection:

        def pragma(name: str) -> object:
            return connection.execute(f"PRAGMA {name}").fetchone()[0]

        assert (pragma("journal_mode"), pragma("synchronous")) == ("wal", 2)


# Full and failing disks.


def _passage(device: Device) -> bytes:
    return device.event("passage", {"dir": "in"})


def _dry(device: Device) -> bytes:
    """An event from which nothing follows but its own CloudEvent."""
    return device.event("dry", {"ohms": 300_000})


async def _fill(hall: Hall, device: Device, error: type[StoreError] = StoreFullError) -> int:
    """Send events until the store takes no more; the last seq that was acked."""
    acked = 0
    for _ in range(20_000):
        payload = _passage(device)
        try:
            ack = await hall.core.event(device.id, payload)
        except error:
            return acked
        assert ack is not None
        acked = ack.seq
    raise AssertionError("the store never became full")


async def test_at_its_limit_the_store_stops_and_goes_on_by_itself(tmp_path: Path) -> None:
    async with open_hall(tmp_path, max_mb=1) as hall:
        counter = Device("cnt")
        await hall.rows()  # a sink that has nothing yet
        acked = await _fill(hall, counter)
        assert acked > 500
        with pytest.raises(StoreFullError, match=r"hall\.db is at its limit of 1 MiB"):
            await hall.do("call", window="1", ticket="A001")
        await hall.core.tick()
        health = hall.core.health()
        assert health["store_full"] is True
        assert health["stored"] == acked
        assert health["refused"] == {"store_full": 2}
        size = health["store_bytes"]
        assert isinstance(size, int)
        assert size <= 1024 * 1024
        # All that was acked waits for the sink.
        assert len(await hall.events("hall.count.passage")) == acked

        await hall.core.advance("test", (await hall.rows())[-1].position)
        for _ in range(20):
            await hall.core.tick()
        counter.seq = acked
        ack = await hall.core.event("cnt", _passage(counter))
        assert ack is not None
        assert ack.seq == acked + 1
        assert hall.core.health()["store_full"] is False
        await hall.do("call", window="1", ticket="A001")


async def _in_store(hall: Hall, work: Callable[[Store], object]) -> Any:
    """Something done to the store in its own thread, between two transactions' worth of work."""
    core: Any = hall.core
    return await core._writer.run(lambda: work(core._heart._store))


async def _goes_on(hall: Hall, counter: Device, acked: int) -> None:
    """After a failure memory and disk agree, and what failed works when it is sent again."""
    counter.seq = acked
    ack = await hall.core.event("cnt", _passage(counter))
    assert ack is not None
    assert ack.seq == acked + 1
    await hall.do("call", window="1", ticket="A002")
    await hall.do("start", window="1")
    assert hall.desired("disp-1")["ticket"] == "A002"
    [started] = await hall.data("hall.service.started")
    assert started["ticket"] == "A002"
    ids = [event["id"] for event in await hall.events("hall.count.passage")]
    assert ids == [f"cnt/0000beef/{seq + 1}" for seq in range(acked + 1)]


async def test_a_disk_that_fills_up_in_a_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself finds no page; the store had not seen it coming."""
    monkeypatch.setattr(heart, "FULL", 2.0)
    async with open_hall(tmp_path) as hall:
        pages = await _in_store(hall, lambda s: s.value("PRAGMA page_count"))
        await _in_store(hall, lambda s: s.run(f"PRAGMA max_page_count = {pages + 4}"))
        acked = await _fill(hall, Device("cnt"))
        assert hall.core.health()["failed_commits"] == 1
        assert hall.core.health()["stored"] == acked
        await _in_store(hall, lambda s: s.run("PRAGMA max_page_count = 10000"))
        await _goes_on(hall, Device("cnt"), acked)


async def test_a_disk_with_io_errors(tmp_path: Path) -> None:
    """The file may not grow any more: the write fails as on a broken disk."""
    async with open_hall(tmp_path) as hall:
        counter = Device("cnt")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        size = (tmp_path / "hall.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, hard))
        try:
            acked = await _fill(hall, counter, StoreError)
            with pytest.raises(StoreError):
                await hall.do("call", window="1", ticket="A001")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert hall.desired("disp-1")["view"] == "idle"
        assert await hall.error("recall", window="1") == (
            "window 1 is idle; call a ticket before a recall"
        )
        await _goes_on(hall, counter, acked)


# What is forgotten, and what never is.


async def _count(hall: Hall, table: str) -> int:
    return await _in_store(hall, lambda s: s.value(f"SELECT count(*) FROM {table}"))


async def test_rows_that_have_done_their_duty_go_with_age(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        counter = Device("cnt")
        for _ in range(5):
            await hall.core.event("cnt", _passage(counter))
        waiting = [_passage(counter) for _ in range(3)][1:]
        for payload in waiting:  # they have had no effect: the first of the three is missing
            await hall.core.event("cnt", payload)
        await hall.serve("A001")
        rows = await hall.rows()
        await hall.core.advance("test", rows[2].position)
        hall.clock.now += store.KEEP_MS
        await hall.core.tick()
        rows = await hall.rows()  # the session was given up meanwhile
        assert await _count(hall, "outbox") == 3 + len(rows)  # and all are young enough
        hall.clock.now += 60_000
        await hall.core.tick()
        assert await hall.rows() == rows
        assert await _count(hall, "outbox") == len(rows)
        assert await _count(hall, "events") == len(waiting)


async def test_an_event_that_waits_holds_up_no_other(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        await hall.core.event("wet", Device("wet").event("wet", {"ohms": 1}, seq=6))
        counter = Device("cnt")
        for _ in range(600):
            await hall.core.event("cnt", _passage(counter))
        await hall.core.advance("test", (await hall.rows())[-1].position)
        hall.clock.now += store.KEEP_MS + 1
        for _ in range(2):
            await hall.core.tick()
            hall.clock.now += 60_000
        assert await _count(hall, "events") == 1


async def test_what_waits_of_a_device_no_longer_listed_goes_unacked(tmp_path: Path) -> None:
    """It never was acked, so the device sends it again when it is listed again."""
    gone, stays = Device("wet"), Device("cnt")
    late = gone.event("wet", {"ohms": 1}, seq=2)
    fewer = {id: device for id, device in PLAN.devices.items() if id != "wet"}
    async with open_hall(tmp_path) as hall:
        await hall.core.event("wet", late)
        await hall.core.event("cnt", stays.event("passage", {"dir": "in"}, seq=2))
    async with open_hall(tmp_path, plan=Plan("demo", PLAN.windows, fewer)) as hall:
        assert await _count(hall, "events") == 1
    async with open_hall(tmp_path) as hall:
        first = gone.event("boot", {"cause": "power_on"}, seq=1)
        for payload, acked in ((first, 1), (late, 2)):
            ack = await hall.core.event("wet", payload)
            assert ack is not None
            assert ack.seq == acked
        assert len(await hall.events("hall.floor.wet")) == 1


async def test_without_a_sink_nothing_goes(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        await hall.core.event("wet", _dry(Device("wet")))
        hall.clock.now += 2 * store.KEEP_MS
        await hall.core.tick()
        assert await _count(hall, "outbox") == 1
        assert len(await hall.rows()) == 1


async def test_a_forgotten_event_is_still_a_duplicate(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        event = _dry(Device("wet"))
        await hall.core.event("wet", event)
        await hall.core.advance("test", (await hall.rows())[-1].position)
        hall.clock.now += store.KEEP_MS + 1
        await hall.core.tick()
        assert await _count(hall, "events") == 0
        ack = await hall.core.event("wet", event)
        assert ack is not None
        assert ack.seq == 1
        assert await hall.rows() == []


async def test_the_slowest_sink_decides(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        floor = Device("wet")
        for _ in range(4):
            await hall.core.event("wet", _dry(floor))
        for sink, position in (("fast", 4), ("slow", 1)):
            await hall.core.outbox(sink, 1)
            await hall.core.advance(sink, position)
        hall.clock.now += store.KEEP_MS + 1
        await hall.core.tick()
        assert [row.position for row in await hall.core.outbox("slow", 9)] == [2, 3, 4]
        assert [row.position for row in await hall.core.outbox("new", 9)] == [2, 3, 4]


async def test_tables_without_an_age_have_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("MAX_QUARANTINE", "MAX_COMMANDS", "MAX_HOLES"):
        monkeypatch.setattr(store, bound, 10)
    async with open_hall(tmp_path) as hall:
        counter = Device("cnt")
        await hall.core.event("cnt", _passage(counter))
        for number in range(25):
            await hall.core.event("cnt", b"nonsense %d" % number)
            await hall.error("end", window="1")
            await hall.core.event("cnt", counter.gap(counter.seq + 1, counter.seq + 2))
            await hall.core.event("cnt", _passage(counter))
        await hall.send("device", device="kp-1", do="identify")
        for table in ("quarantine", "commands", "holes"):
            assert await _count(hall, table) >= 25
        await hall.core.tick()
        for table in ("quarantine", "commands", "holes"):
            assert await _count(hall, table) == 10


async def test_an_open_session_is_never_forgotten(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        first = await hall.serve("A001")
        keypad = Device("kp-1")
        await hall.core.event("kp-1", keypad.event("close", {"session": first, "why": "end"}))
        hall.clock.now += store.KEEP_MS - 1000
        second = await hall.serve("A002")
        hall.clock.now += 2000
        await hall.core.tick()
        assert await _count(hall, "ratings") == 1
        await hall.core.event("kp-1", keypad.event("close", {"session": second, "why": "end"}))
        assert [none["ticket"] for none in await hall.data("hall.rating.none")] == ["A001", "A002"]
