"""Settings that change while the gateway runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hall_gateway import settings_file
from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.plan import plan_of
from hall_gateway.settings_file import SettingsFile
from hall_gateway.values import StoreError
from hall_tools.cli import app
from typer.testing import CliRunner

BASE = 'hall = "demo"\n[store]\npath = "hall.db"\n[upstream]\nport = 1884\n[[window]]\nid = "1"\n'
OWN = '[[device]]\nid = "{}"\nprofile = "call-display-p10-64x16-pi"\nwindow = "{}"\n'
COUNTER = '[[device]]\nid = "{}"\nprofile = "people-counter-beams"\nzone = "{}"\n'


class Follower:
    """Settings on their way to a gateway, which does not take them `failures` times."""

    def __init__(self, path: Path, tables: str = "") -> None:
        self.path = path
        self.write(tables)
        self.file = SettingsFile(path, load_config(path))
        self.failures = 0
        self.taken: asyncio.Queue[GatewayConfig] = asyncio.Queue()

    def write(self, tables: str) -> None:
        self.path.write_text(BASE + tables)

    async def follow(self, config: GatewayConfig) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("nothing was committed: disk full")
        self.taken.put_nowait(config)

    async def devices(self) -> list[str]:
        """Of the next settings that are taken."""
        config = await asyncio.wait_for(self.taken.get(), 60)
        return [device.id for device in config.devices]

    async def until(self, name: str, count: int) -> None:
        async with asyncio.timeout(60):
            # Nothing tells of a refusal but the counter and the log.
            while self.file.counts[name] < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@asynccontextmanager
async def watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: str = ""
) -> AsyncGenerator[Follower]:
    monkeypatch.setattr(settings_file, "LOOK_S", 0.02)
    follower = Follower(tmp_path / "hall.toml", tables)
    task = asyncio.create_task(follower.file.watch(follower.follow))
    try:
        yield follower
        assert not task.done()
    finally:
        task.cancel()


async def test_a_change_is_followed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(tmp_path, monkeypatch) as hall:
        hall.write(COUNTER.format("c-1", "door"))
        assert await hall.devices() == ["c-1"]
        hall.write(COUNTER.format("c-1", "door") + COUNTER.format("c-2", "door"))
        assert await hall.devices() == ["c-1", "c-2"]
        hall.path.touch()
        hall.file.look()
        hall.write("")
        assert await hall.devices() == []
        assert hall.taken.empty()
        assert hall.file.counts == {"taken": 3, "refused": 0}


async def test_what_changed_before_the_first_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the settings at the start and watching them."""
    follower = Follower(tmp_path / "hall.toml")
    follower.write(COUNTER.format("c-1", "door"))
    monkeypatch.setattr(settings_file, "LOOK_S", 0.02)
    task = asyncio.create_task(follower.file.watch(follower.follow))
    assert await follower.devices() == ["c-1"]
    task.cancel()


async def test_sighup_has_it_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(tmp_path, monkeypatch) as hall:
        hall.write(COUNTER.format("c-1", "door"))
        await hall.devices()
        monkeypatch.setattr(settings_file, "LOOK_S", 3600)
        hall.write(COUNTER.format("c-2", "door"))
        hall.file.look()
        assert await hall.devices() == ["c-2"]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("[[device]\n", "not TOML"),
        (COUNTER.format("c 1", "door"), "device[1].id"),
        (COUNTER.format("c-1", "door") * 2, "already the id"),
        (None, "No such file"),
    ],
)
async def test_bad_settings_leave_the_good_ones(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    bad: str | None,
    why: str,
) -> None:
    async with watching(tmp_path, monkeypatch) as hall:
        hall.write(COUNTER.format("c-1", "door"))
        await hall.devices()
        if bad is None:
            hall.path.unlink()
        else:
            hall.write(bad)
        await hall.until("refused", 1)
        (told,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
        assert "goes on as before" in told
        assert why in told
        assert hall.taken.empty()
        hall.write(COUNTER.format("c-2", "door"))
        assert await hall.devices() == ["c-2"]
        assert hall.file.counts == {"taken": 2, "refused": 1}


async def test_a_store_that_takes_nothing_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(tmp_path, monkeypatch) as hall:
        hall.failures = 3
        hall.write(COUNTER.format("c-1", "door"))
        assert await hall.devices() == ["c-1"]
        assert hall.file.counts == {"taken": 1, "refused": 0}


async def test_a_clerk_who_is_removed_logs_in_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`hall staff` writes its file, and has the settings read by touching them."""

    def staff(*words: str) -> None:
        told = CliRunner().invoke(app, ["staff", *words, "--file", str(tmp_path / "staff.json")])
        assert told.exit_code == 0, told.output

    staff("add", "王芳", "--card", "26:1234567")
    async with watching(tmp_path, monkeypatch, '[staff]\nfile = "staff.json"\n') as hall:
        staff("remove", "王芳")
        taken = await asyncio.wait_for(hall.taken.get(), 60)
        assert plan_of(taken).staff == {}
        assert hall.file.pending == []


HEADER = "the display on this machine's own header"


async def test_what_cannot_be_followed_waits_and_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(tmp_path, monkeypatch) as hall:
        counter = COUNTER.format("c-1", "door")
        hall.write("[broker]\nport = 1900\n" + counter)
        taken = await asyncio.wait_for(hall.taken.get(), 60)
        assert [device.id for device in taken.devices] == ["c-1"]
        assert taken.broker.port == 1883
        hall.write("[broker]\nport = 1900\n" + counter + COUNTER.format("c-2", "door"))
        assert await hall.devices() == ["c-1", "c-2"]
        assert hall.file.pending == ["broker"]
        hall.write(counter)  # somebody thought better of it
        assert await hall.devices() == ["c-1"]
        assert hall.file.pending == []
        assert hall.file.counts == {"taken": 3, "refused": 0}
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told.endswith("hall.toml: waits until the gateway is started again: broker")


@pytest.mark.parametrize(
    ("before", "after", "devices", "windows"),
    [
        ("", OWN.format("own", "1"), [], ["1"]),  # it comes
        (OWN.format("own", "1"), "", ["own"], ["1"]),  # it goes
        (OWN.format("own", "2"), OWN.format("own", "1"), ["own"], ["1", "2"]),  # with its window
        (
            OWN.format("own", "1"),
            OWN.format("own", "1") + "settings = { brightness = 7 }\n",
            ["own"],
            ["1"],
        ),
        (  # a board with the id of the display
            OWN.format("own", "1"),
            OWN.format("own", "1").replace("-pi", ""),
            ["own"],
            ["1"],
        ),
        (  # a board in its place
            OWN.format("own", "1"),
            OWN.format("d-1", "1").replace("-pi", "") + 'replaces = "own"\n',
            ["own"],
            ["1"],
        ),
    ],
)
async def test_a_display_on_the_own_header_waits(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str,
    devices: list[str],
    windows: list[str],
) -> None:
    """What the gateway goes on with is a hall that could stand in a file."""
    more = '[[window]]\nid = "2"\n' if '"2"' in before else ""
    async with watching(tmp_path, monkeypatch, more + before) as hall:
        running = load_config(hall.path).own_displays()
        hall.write(after + COUNTER.format("c-1", "door"))
        taken = await asyncio.wait_for(hall.taken.get(), 60)
        assert sorted(device.id for device in taken.devices) == sorted([*devices, "c-1"])
        assert taken.own_displays() == running
        assert [window.id for window in taken.windows] == windows
        assert GatewayConfig.model_validate(taken.model_dump(by_alias=True)) == taken
        hall.file.look()
        await hall.until("taken", 1)
        assert hall.file.pending == [HEADER]
