"""A store's file that is damaged while the gateway runs: nothing is acked, and it is told."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.schema import PAGE_BYTES
from hall_gateway.store import Store
from hall_gateway.values import StoreError
from support.core_hall import Device, Hall
from support.core_hall import open_new_hall as open_hall


async def _in_store(hall: Hall, work: Callable[[Store], object]) -> Any:
    core: Any = hall.core
    return await core._writer.run(lambda: work(core._heart._store))


async def test_damage_is_told_and_what_was_not_committed_is_not_acked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once the file is whole again (a cable, a restored image), it goes on by itself."""
    path = tmp_path / "hall.db"
    async with open_hall(tmp_path) as hall:
        floor = Device("wet")
        for _ in range(50):
            assert await hall.core.event("wet", floor.event("dry", {"ohms": 300_000}))
        root = await _in_store(
            hall, lambda s: s.value("SELECT rootpage FROM sqlite_master WHERE name = 'events'")
        )
    async with open_hall(tmp_path) as hall:
        await _in_store(hall, lambda s: s.run("PRAGMA cache_size = 1"))
        whole = path.read_bytes()
        at = (root - 1) * PAGE_BYTES
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"\xa5" * PAGE_BYTES)
        await _in_store(hall, lambda s: s.run("PRAGMA shrink_memory"))
        event = floor.event("dry", {"ohms": 300_000})
        for _ in range(2):
            with pytest.raises(StoreError, match="database disk image is malformed"):
                await hall.core.event("wet", event)
        told = [r.getMessage() for r in caplog.records if "cannot commit" in r.getMessage()]
        assert len(told) == 1
        assert "its file is damaged: stop the gateway, and restore a backup" in told[0]
        assert hall.core.health()["failed_commits"] == 2
        with path.open("r+b") as file:
            file.seek(at)
            file.write(whole[at : at + PAGE_BYTES])
        ack = await hall.core.event("wet", event)
        assert ack is not None
        assert ack.seq == 51
        assert "the store takes events again" in caplog.text
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (51,)
    connection.close()
