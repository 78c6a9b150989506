"""Whose key a request is under: what looking it up may cost, and what anybody may have it do."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.core import Core
from hall_gateway.keys import FOLDER, DeviceKeys, KeyStore
from hall_gateway.oscore_contexts import MAX_WAITING, Contexts
from hall_gateway.store_contexts import Taken
from hall_gateway.values import StoreError
from hall_profiles import load
from support.battery_hall import PROFILE, enrolled

NOBODY = b"\xff\xff\xff"


class Stalling(Core):
    """A core whose store takes its time."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.asked = 0

    async def take_context(self, device: str, key: str) -> Taken:
        self.asked += 1
        await self.goes_on.wait()
        return Taken(0, None)


class Watched(KeyStore):
    """Counts how often a file is read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reads = 0

    def get(self, device: str) -> DeviceKeys | None:
        self.reads += 1
        return super().get(device)


def kid(store: KeyStore, device: str) -> bytes:
    keys = store.get(device)
    assert keys is not None
    assert keys.oscore is not None
    return bytes.fromhex(keys.oscore.recipient_id)


@pytest.mark.parametrize("ahead_s", [-3600, 0, 3600])
async def test_files_that_stay_are_read_once(tmp_path: Path, ahead_s: int) -> None:
    """Also with a time in the future, as after a start of a machine without a clock."""
    enrolled(tmp_path, "floor-1", "floor-2")
    store = Watched(tmp_path / FOLDER)
    when = time.time() + ahead_s
    os.utime(store.folder, (when, when))
    now = [0.0]
    contexts = Contexts(store, Stalling(), lambda: now[0])
    contexts.follow(["floor-1", "floor-2"])
    for _ in range(5):
        assert await contexts.find(NOBODY) is None
        now[0] += 1
    assert store.reads == 2
    store.enrol("floor-1", load(PROFILE))
    assert await contexts.find(NOBODY) is None
    assert store.reads > 2, "a change is seen"


async def test_a_file_that_changes_within_one_moment_of_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = enrolled(tmp_path, "floor-1")
    core = Stalling()
    core.goes_on.set()
    contexts = Contexts(store, core, lambda: 0.0)
    contexts.follow(["floor-1"])
    assert await contexts.find(kid(store, "floor-1")) is not None
    true_stat = os.stat
    frozen = true_stat(store.folder)

    def stat(path: Any, **more: Any) -> os.stat_result:
        return frozen if path == store.folder else true_stat(path, **more)

    old = kid(store, "floor-1")
    monkeypatch.setattr(os, "stat", stat)
    store.revoke("floor-1")
    assert await contexts.find(old) is None


async def test_a_file_that_cannot_be_used_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = enrolled(tmp_path, "floor-1", "floor-2")
    copied = store.path("floor-1").read_text().replace("floor-1", "floor-3")
    store.path("floor-3").write_text(copied)
    store.path("floor-3").chmod(0o600)
    store.path("floor-2").write_text("{")
    core = Stalling()
    core.goes_on.set()
    contexts = Contexts(store, core)
    contexts.follow(["floor-1", "floor-2", "floor-3"])
    for _ in range(3):
        found = await contexts.find(kid(store, "floor-1"))
        assert found is not None
        assert found.device == "floor-1"
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == contexts.unreadable == 2, told
    assert "floor-2.json: damaged" in told[0]
    assert "floor-1 has the same OSCORE id" in told[1]


async def test_a_store_that_stalls_is_not_waited_for_without_end(tmp_path: Path) -> None:
    store = enrolled(tmp_path, "floor-1", "floor-2")
    core = Stalling()
    contexts = Contexts(store, core)
    contexts.follow(["floor-1", "floor-2"])
    waiting = [asyncio.create_task(contexts.find(kid(store, "floor-1"))) for _ in range(50)]
    done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    while len(done) < 50 - MAX_WAITING:
        more, rest = await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    assert all(isinstance(task.exception(), StoreError) for task in done)
    other = asyncio.create_task(contexts.find(kid(store, "floor-2")))
    core.goes_on.set()
    assert all([await task is not None for task in rest])
    assert await other is not None, "another device does not suffer from it"
