"""From a bare board to an event at the hall system, by the commands that an installer types.

esptool writes the image into a mock board and reads it back, and what was read boots in the unix
port: boot.py, main.py, the enrolled key, a real mosquitto with the files that setup and enrolment
wrote, a real gateway. What is refused is seen from the side of whoever it was aimed at.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial
from hall_tools.flash.start import started
from hall_tools.image.layout import SECTOR
from hall_tools.sim import SimDevice
from support.mock_board import MockBoard
from support.new_hall import NewHall, new_hall
from support.sim import Watched, watched

WINDOW = "3"
REFUSED = "error: TLS handshake failed: "
DARK = "0" * 16 * 16  # a row of 64 dots is 16 digits

Deed = Callable[[NewHall, Watched], Awaitable[dict[str, Any]]]

# Services may be as short as a test. A sensor that may be asked more often than once a second: its
# image says so.
HALL = (
    "[rating]\nmin_service_s = 0\n"
    '[[device]]\nid = "floor-1"\nprofile = "wet-floor-mains"\nzone = "entrance"\n'
    "settings = { sample_ms = 200 }\n"
)


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewHall]:
    with new_hall(tmp_path, monkeypatch, [WINDOW], HALL) as hall:
        yield hall


async def event(hall: NewHall, type: str, **data: Any) -> dict[str, Any]:
    """The hall system's first event of this type with these data."""
    found = await asyncio.to_thread(
        hall.system.await_events, type, where=lambda event: data.items() <= event["data"].items()
    )
    return found[0]


async def ask(hall: NewHall, *commands: str, **fields: str) -> None:
    """Commands of the hall system for the window; each has to be done."""
    for command in commands:
        reply = await asyncio.to_thread(hall.system.command, command, window=WINDOW, **fields)
        assert reply["ok"], reply


def lamp(line: dict[str, Any]) -> bool:
    return line.get("pin") == "lamp_1" and line["value"] == 1


async def shows_a_call(hall: NewHall, device: Watched) -> dict[str, Any]:
    await ask(hall, "call", ticket="A015")
    await device.until(lambda line: any(map(lit, line.get("panel", {}).get("rows", []))))
    return await event(hall, "hall.call.shown", ticket="A015")


async def takes_a_rating(hall: NewHall, device: Watched) -> dict[str, Any]:
    for command in ("call", "start", "end"):
        await ask(hall, command, **({"ticket": "A015"} if command == "call" else {}))
    await device.until(lamp)
    await device.device.send({"press": 5})
    return await event(hall, "hall.rating.given", ticket="A015")


async def counts_a_passage(hall: NewHall, device: Watched) -> dict[str, Any]:
    await device.device.send({"cross": "in", "ms": 500})
    return await event(hall, "hall.count.passage", direction="in")


async def feels_water(hall: NewHall, device: Watched) -> dict[str, Any]:
    await device.device.send({"wet_ohms": 40_000})
    return await event(hall, "hall.floor.wet")


def lit(row: str) -> bool:
    return int(row, 16) != 0


@pytest.mark.parametrize(
    ("device", "profile", "place", "deed"),
    [
        ("disp-1", "call-display-p10-64x16", ("--window", WINDOW), shows_a_call),
        ("kp-1", "keypad-5", ("--window", WINDOW), takes_a_rating),
        ("count-1", "people-counter-beams", ("--zone", "exit"), counts_a_passage),
        ("floor-1", "wet-floor-mains", ("--zone", "entrance"), feels_water),
    ],
)
async def test_a_bare_board_does_its_work(
    hall: NewHall, device: str, profile: str, place: tuple[str, str], deed: Deed
) -> None:
    hall.enroll(device, profile, *place)
    async with watched(SimDevice.flashed(hall.board_read_back(device))) as running:
        await running.until_log("journal: formatting")
        await running.until_log("wifi: joined hall")
        await running.until_log("confirmed: ")
        seen = await deed(hall, running)
        assert seen["source"] == f"/hall/demo/{device}"


async def test_a_display_heeds_and_loses_nothing_to_others(hall: NewHall) -> None:
    """Seen by the display, by whoever stands before it, and by the hall system."""
    hall.enroll("disp-1", "call-display-p10-64x16", "--window", WINDOW)
    hall.enroll("kp-1", "keypad-5", "--window", WINDOW)
    stolen = hall.installation.psk("kp-1")
    forged: dict[str, dict[str, Any]] = {
        "down/desired": {"rev": 2_000_000_000, "view": "text", "text": "A999", "ttl_s": 3600},
        "down/cmd": {"id": "x", "do": "reboot", "args": {}},
        "up/event": {"epoch": 9, "seq": 1, "boot": 1, "up": 1, "t": None, "kind": "shown"},
    }
    spoken = [[f"device/v1/disp-1/{to}", json.dumps(body)] for to, body in forged.items()]
    async with watched(SimDevice.flashed(hall.board("disp-1"))) as victim:
        await shows_a_call(hall, victim)
        called = len(victim.said)
        with (
            hall.intruder("disp-1", "0e" * 32) as guessing,
            hall.intruder("kp-1", stolen, subscribe=["#"], publish=spoken) as forger,
        ):
            guessing.until("refused")
            forger.until("published")
            between = pictures(victim, called)
            await ask(hall, "call", ticket="A016")
            shown = await event(hall, "hall.call.shown", ticket="A016")
            # What the keypad itself is told after that is the first that its key opens.
            await ask(hall, "start", "end")
            heard = forger.until("heard device/v1/kp-1/down/desired")
        assert not [line for line in heard if "disp-1" in line]
        rev = shown["data"]["rev"]
        health = (await asyncio.to_thread(hall.state, "disp-1", rev))["health"]
        assert not hall.system.events("hall.device.offline")
    assert between <= {DARK, *pictures(victim, 0, called)}
    assert not [line for line in victim.said if "reset" in line]
    assert (health["connects"], health["refused"], health["stale"]) == (1, 0, 0)
    assert len(hall.rows("SELECT DISTINCT epoch FROM events WHERE device = 'disp-1'")) == 1


async def test_a_withdrawn_board_is_shut_out_and_comes_back_with_new_keys(hall: NewHall) -> None:
    """Revoked, then with keys of the time before it was enrolled again, then flashed again: what
    happened before it meanwhile arrives, once."""
    place = ("count-1", "people-counter-beams", "--zone", "exit")
    hall.enroll(*place)
    board = hall.board("count-1")
    async with watched(SimDevice.flashed(board)) as running:
        await counts_a_passage(hall, running)
        withdrawn = len(running.said)
        hall.command("revoke", "count-1")
        await running.until_log("error: connection: closed by the broker", after=withdrawn)
        await running.until_log(REFUSED, after=withdrawn)
        await running.device.send({"cross": "out", "ms": 500})
        await running.until(lambda line: line.get("crossed") == "out")
        hall.enroll(*place)
        enrolled = len(running.said)
        await running.until_log(REFUSED, after=enrolled)
        assert not hall.system.events("hall.count.passage")[1:]
    with MockBoard(board / "flash.bin", transport="pty") as mock:
        done = hall.flash("count-1", mock)["flashed"]
    # Both copies of its identity, and of the folder in which the device counts its starts one or
    # both: how often it is moved is the file system's.
    assert done["journal"] == "kept"
    assert 3 * SECTOR <= done["written"] <= 4 * SECTOR
    async with watched(SimDevice.flashed(board)) as running:
        await event(hall, "hall.count.passage", direction="out")
        assert await start_seen_by_flash(running.device)
    directions = [event["data"] for event in hall.system.events("hall.count.passage")]
    assert directions == [{"direction": "in"}, {"direction": "out"}]


async def start_seen_by_flash(device: SimDevice) -> bool:
    """Whether `hall flash` would say that the board has joined the hall, which starts again."""
    with serial.Serial(device.port) as cable:
        await device.power_cut()
        await device.power_on()
        seen = await asyncio.to_thread(started, cable, device.port)
    return seen is not None and seen.joined


def pictures(device: Watched, start: int, end: int | None = None) -> set[str]:
    """What was on a display's panel."""
    said = device.said[start:end]
    return {"".join(line["panel"]["rows"]) for line in said if "panel" in line}
