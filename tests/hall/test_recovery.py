"""Boards that do not start: with a file system that is broken, and with an application that is.

What a technician types is what is run; the board is a mock of the ROM loader, its flash then boots
in the unix port, at a real broker and a real gateway.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hall_tools.diag.console import Console, merged
from hall_tools.image.layout import SECTOR, partition
from hall_tools.sim import SimDevice
from support.diag import asked
from support.flash_files import write_files
from support.mock_board import MockBoard
from support.new_hall import NewHall, new_hall
from support.sim import watched

WINDOW = "3"
VFS = partition("vfs")


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewHall]:
    with new_hall(tmp_path, monkeypatch, [WINDOW]) as hall:
        yield hall


def write_chip(board: Path, offset: int, content: bytes) -> None:
    with (board / "flash.bin").open("r+b") as chip:
        chip.seek(offset)
        chip.write(content)


def journal(board: Path) -> bytes:
    entry = partition("jrnl")
    return (board / "flash.bin").read_bytes()[entry.offset : entry.offset + entry.size]


def spoil_application(board: Path) -> None:
    """Slot a cannot be imported, and has had its attempts."""
    files = {"a/hall/app.mpy": b"no bytecode", "slot.json": b'{"attempts":5}'}
    write_files(board / "flash.bin", files)


def told_all(console: Console) -> dict[str, Any]:
    """What a technician reads without the claim, as soon as the gateway has all of the journal."""
    give_up = time.monotonic() + 60
    health = merged(console.ask("health", patience_s=20))
    while health["journal"]["acked"] != health["journal"]["next"] - 1:
        assert time.monotonic() < give_up, health
        health = merged(console.ask("health", patience_s=20))
    return console.identify(20) | health


def flash(hall: NewHall, board: Path, device: str) -> dict[str, Any]:
    with MockBoard(board / "flash.bin", transport="pty") as mock:
        return hall.flash(device, mock)["flashed"]


async def test_one_command_over_the_cable_brings_a_board_back(hall: NewHall):
    """With what has happened before it, which nobody has yet."""
    place = ("count-1", "people-counter-beams", "--zone", "exit")
    hall.enroll(*place)
    board = hall.board("count-1")
    async with watched(SimDevice.flashed(board)) as counter:
        await counter.until_log("confirmed: ")
        before = len(counter.said)
        hall.command("revoke", "count-1")  # so that it can tell nobody any more
        await counter.until_log("error: TLS handshake failed: ", after=before)
        await counter.device.send({"cross": "out", "ms": 500})
        async with asyncio.timeout(60):
            while b'passage{"dir":"out"}' not in journal(board):  # noqa: ASYNC110 - a file's content
                await asyncio.sleep(0.05)
    write_chip(board, VFS.offset, b"\x5a" * (2 * SECTOR))
    async with watched(SimDevice({"device": "x", "driver": {"name": ""}}, None, board)) as dead:
        await dead.until_log("The filesystem appears to be corrupted.")
    hall.enroll(*place)
    assert flash(hall, board, "count-1")["journal"] == "kept"
    async with watched(SimDevice.flashed(board)):
        passages = await asyncio.to_thread(hall.system.await_events, "hall.count.passage")
    assert [passage["data"] for passage in passages] == [{"direction": "out"}]


async def test_safe_mode_is_seen_by_the_hall_and_left_by_a_command(hall: NewHall):
    hall.enroll("kp-1", "keypad-5", "--window", WINDOW)
    board = hall.board("kp-1")
    spoil_application(board)
    async with watched(SimDevice.flashed(board)) as keypad:
        await keypad.until_log("error: safe mode: no application starts")
        fault = (await asyncio.to_thread(hall.system.await_events, "hall.device.fault"))[0]
        assert fault["data"] == {"code": "safe_mode", "value": 0}
        await keypad.until_log("confirmed: ")

        def told(message: Any) -> bool:
            if not message.topic.endswith("state/kp-1"):
                return False
            return "update" in (json.loads(message.payload).get("state") or {})

        state = json.loads(hall.system.client.wait(told)[-1].payload)["state"]
        assert state["shows"] == {"fault": "safe mode: no application starts"}
        assert state["update"]["slot"] == "safe"
        health = await asked(keypad.device.port, told_all, claim=None)
        assert (health["slot"], health["shows"]) == ("/safe", state["shows"])
        # What it is to show is refused, and why; a command is done: here a start of the slots.
        for command in ("call", "start", "end"):
            fields = {"ticket": "A015"} if command == "call" else {}
            await asyncio.to_thread(hall.system.command, command, window=WINDOW, **fields)
        await keypad.until_log("down/desired")
        before = len(keypad.said)
        reply = await asyncio.to_thread(
            hall.system.command, "device", device="kp-1", do="reboot", args={}
        )
        assert reply["ok"], reply
        await keypad.until_log("reset: command", after=before)
        await keypad.until_log("ValueError: incompatible .mpy file", after=before)
    flash(hall, board, "kp-1")
    async with watched(SimDevice.flashed(board)) as keypad:
        await keypad.until_log("confirmed: ")
        assert not [line for line in keypad.said if "safe mode" in line.get("log", "")]
