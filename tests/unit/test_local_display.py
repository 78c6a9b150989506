"""A display in the gateway's own process: a real core, the real refresh thread, a header of files.

What is on the panel is read by the eye (support.header). Time that matters is moved by hand.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hall_gateway import local_display, local_link, ordered
from hall_gateway.core import Core
from hall_gateway.local_display import LocalDisplay
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.values import Ack, StoreError
from hall_panel import raspberry_pi
from hall_profiles import compile_config, load
from hall_profiles.fields import mismatch
from support.core_hall import Clock, Hall, open_hall
from support.header import PI_5, Header

PROFILE = load("call-display-p10-64x16-pi")
CONFIG = compile_config(
    PROFILE, device="board", hall="demo", broker_host="h", broker_port=1, settings={"blink_s": 0}
)
PLAN = Plan("demo", {"1": "综合业务"}, {"board": PlannedDevice("board", PROFILE, "window/1", "1")})


class Uptime:
    """ms, which only a test moves on."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Header]:
    monkeypatch.setattr(raspberry_pi, "Refresher", raspberry_pi.Refresher)  # undone at the end
    made = Header(tmp_path / "header", CONFIG)
    made.make()
    made.watch()
    yield made
    assert made.is_dark() or not made.given.exists()
    assert made.outputs() == []


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_display, "AGAIN_S", 0.01)
    monkeypatch.setattr(local_link, "CHECK_S", 0.01)
    for module in (ordered, local_link):
        monkeypatch.setattr(module, "RETRY_S", 0.01)


@asynccontextmanager
async def showing(core: Core, header: Header, **more: Any) -> AsyncGenerator[LocalDisplay]:
    """A display at work, ended in order."""
    display = LocalDisplay("board", CONFIG, core, Clock(), open_gpio=header.open, **more)
    work = asyncio.create_task(display.run())
    try:
        yield display
    finally:
        await display.finish()
        await work


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - threads change it
            await asyncio.sleep(0.01)


async def until_seen(header: Header, text: str) -> None:
    await until(lambda: header.seen() == text)


def state(hall: Hall) -> dict[str, Any]:
    return json.loads(hall.core.device_states()["board"])


async def until_told(hall: Hall, kind: str, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while len(await hall.data(kind)) < count:  # noqa: ASYNC110 - the store has no event
            await asyncio.sleep(0.01)
    return await hall.data(kind)


async def test_a_call_is_shown_and_told_once_a_rev(tmp_path: Path, header: Header):
    async with open_hall(tmp_path, plan=PLAN) as hall, showing(hall.core, header):
        await until_seen(header, "综合业务")
        await hall.do("call", ticket="A015", window="1")
        await until_seen(header, "请A015号")
        await until_told(hall, "hall.call.shown", 1)
        await hall.do("recall", window="1")
        shown = await until_told(hall, "hall.call.shown", 2)
        assert [event["ticket"] for event in shown] == ["A015", "A015"]
        assert shown[0]["rev"] < shown[1]["rev"] == hall.desired("board")["rev"]
        await hall.do("no_show", window="1")
        await hall.do("pause", window="1")
        await until_seen(header, "暂停服务")
        await until(lambda: state(hall)["state"]["shows"]["view"] == "closed")
        assert len(await hall.data("hall.call.shown")) == 2


async def test_its_state_is_that_of_any_device(tmp_path: Path, header: Header):
    async with open_hall(tmp_path, plan=PLAN) as hall:
        async with showing(hall.core, header):
            await hall.do("call", ticket="A015", window="1")
            await until_told(hall, "hall.call.shown", 1)
            await until(lambda: state(hall)["state"]["shows"].get("ticket") == "A015")
            there = state(hall)
            reported = there["state"]
            assert there["online"] is True
            assert reported["rev"] == hall.desired("board")["rev"]
            assert reported["shows"] == {
                "view": "call", "ticket": "A015", "stale": False, "missing": 0,
            }  # fmt: skip
            assert mismatch(PROFILE.shows, reported["shows"]) is None
            assert reported["profile"] == PROFILE.name
            assert reported["journal"]["acked"] < reported["journal"]["next"]
            assert reported["health"]["refresh"]["frames"] > 0
        assert state(hall)["online"] is False
        online = await hall.events("hall.device.")
        assert [event["type"].split(".")[-1] for event in online] == [
            "online", "started", "offline",
        ]  # fmt: skip


async def test_the_next_start_shows_the_number_and_tells_it_no_second_time(
    tmp_path: Path, header: Header
):
    async with open_hall(tmp_path, plan=PLAN) as hall:
        async with showing(hall.core, header):
            await hall.do("call", ticket="A015", window="1")
            await until_told(hall, "hall.call.shown", 1)
        header.given.unlink()
        async with showing(hall.core, header):
            await until_seen(header, "请A015号")
            await until_told(hall, "hall.device.started", 2)
        stored = hall.core.health()["stored"]
        assert stored == 4  # boot and shown of each start
        assert len(await hall.data("hall.call.shown")) == 1


async def test_a_stuck_store_turns_the_number_into_please_wait(tmp_path: Path, header: Header):
    uptime = Uptime()
    async with (
        open_hall(tmp_path, plan=PLAN) as hall,
        showing(hall.core, header, uptime=uptime) as display,
    ):
        await hall.do("call", ticket="A015", window="1")
        await until_seen(header, "请A015号")
        await until(lambda: state(hall)["state"]["shows"].get("ticket") == "A015")
        await until_told(hall, "hall.call.shown", 1)
        began, go_on = threading.Event(), threading.Event()

        def stand() -> bool:
            began.set()
            return go_on.wait(60)

        stuck = asyncio.create_task(hall.core._writer.run(stand))
        await until(began.is_set)
        uptime.now += local_link.STATE_MS
        waiting = hall.core._writer._jobs
        await until(lambda: waiting.qsize() == 1)  # its report, behind the job that is stuck
        uptime.now += 10_000
        assert 30_000 <= display.link_down_ms() < 40_000
        uptime.now += 1000
        await until_seen(header, "请稍候")
        go_on.set()
        assert await stuck
        await until_seen(header, "请A015号")
        assert display.link_down_ms() == 0
        assert len(await hall.data("hall.call.shown")) == 1


async def test_what_the_store_refuses_comes_again_once(
    tmp_path: Path, header: Header, monkeypatch: pytest.MonkeyPatch
):
    real = Core.event
    refusals = [3]

    async def refuse(self: Core, device: str, payload: bytes) -> Ack | None:
        if json.loads(payload)["kind"] == "shown" and refusals[0]:
            refusals[0] -= 1
            raise StoreError("nothing was committed: disk I/O error")
        return await real(self, device, payload)

    monkeypatch.setattr(Core, "event", refuse)
    async with open_hall(tmp_path, plan=PLAN) as hall, showing(hall.core, header):
        await hall.do("call", ticket="A015", window="1")
        await until_told(hall, "hall.call.shown", 1)
        assert refusals == [0]
        assert hall.core.health()["duplicates"] == 0


async def test_without_access_it_says_so_once_and_plays_when_it_may(
    tmp_path: Path, header: Header, caplog: pytest.LogCaptureFixture
):
    hidden = header.device.rename(tmp_path / "hidden")
    async with open_hall(tmp_path, plan=PLAN) as hall, showing(hall.core, header):
        faults = await until_told(hall, "hall.device.fault", 1)
        assert faults == [{"code": "access", "value": 2}]
        told = "gpiomem: No such file or directory: let this user into the group gpio"
        await until(lambda: told in state(hall)["state"]["shows"].get("fault", ""))
        assert state(hall)["online"] is True
        assert mismatch(PROFILE.shows, state(hall)["state"]["shows"]) is None
        await hall.do("call", ticket="A015", window="1")
        assert (await until_told(hall, "hall.device.fault", 1)) == faults
        hidden.rename(header.device)
        await until_seen(header, "请A015号")
        await until(lambda: "fault" not in state(hall)["state"]["shows"])
        assert told in state(hall)["state"]["health"]["errors"][0]
    assert caplog.text.count("dark, it is tried again") == 1


async def test_another_board_is_a_fault_and_no_end(tmp_path: Path, header: Header):
    header.board.write_bytes(PI_5)
    async with open_hall(tmp_path, plan=PLAN) as hall:
        display = LocalDisplay("board", CONFIG, hall.core, Clock(), open_gpio=header.open)
        work = asyncio.create_task(display.run())
        assert await until_told(hall, "hall.device.fault", 1) == [{"code": "board", "value": None}]
        await until(lambda: "Pi 5" in state(hall)["state"]["shows"].get("fault", ""))
        assert header.outputs() == []
        await display.finish()
        await work


async def test_a_defect_in_the_display_leaves_it_dark_and_starts_it_again(
    tmp_path: Path, header: Header, monkeypatch: pytest.MonkeyPatch
):
    real = local_display.call_display
    fail = [True]

    def faulty(*arguments: Any) -> Any:
        role = real(*arguments)
        step = role.step

        def stepping(now: int) -> None:
            if header.seen() and fail:
                fail.pop()
                raise ZeroDivisionError("a defect")
            step(now)

        role.step = stepping
        return role

    dark: list[bool] = []
    failed = LocalDisplay._failed

    def look(display: LocalDisplay, name: str, error: Exception) -> None:
        dark.append(header.is_dark())
        failed(display, name, error)

    monkeypatch.setattr(local_display, "call_display", faulty)
    monkeypatch.setattr(LocalDisplay, "_failed", look)
    async with open_hall(tmp_path, plan=PLAN) as hall, showing(hall.core, header):
        assert await until_told(hall, "hall.device.fault", 1) == [{"code": "panel", "value": None}]
        assert dark == [True]
        await hall.do("call", ticket="A015", window="1")
        await until_seen(header, "请A015号")


async def test_a_refresh_thread_that_stalls_is_started_again(
    tmp_path: Path, header: Header, monkeypatch: pytest.MonkeyPatch
):
    real = raspberry_pi.Panel.counters
    stalled = [True]

    def counters(panel: raspberry_pi.Panel) -> Any:
        now = real.fget(panel)  # type: ignore[misc]
        return now._replace(frames=0) if stalled else now

    monkeypatch.setattr(local_display, "STALLED_STEPS", 20)
    monkeypatch.setattr(raspberry_pi.Panel, "counters", property(counters))
    async with open_hall(tmp_path, plan=PLAN) as hall, showing(hall.core, header):
        await hall.do("call", ticket="A015", window="1")
        await until_told(hall, "hall.device.fault", 1)
        # Nothing proved that a frame of it was lit.
        assert await hall.data("hall.call.shown") == []
        stalled.clear()
        await until_told(hall, "hall.call.shown", 1)


async def test_a_gateway_that_stands_still_has_a_dark_panel(tmp_path: Path, header: Header):
    async with (
        open_hall(tmp_path, plan=PLAN) as hall,
        showing(hall.core, header, patience_s=0.5),
    ):
        await until_seen(header, "综合业务")
        dark = threading.Event()
        looking = threading.Thread(target=_look, args=(header, dark))
        looking.start()
        assert dark.wait(30)  # nothing else runs in this event loop
        looking.join()
        await until_told(hall, "hall.device.fault", 1)
        await until(lambda: not header.is_dark())


def _look(header: Header, dark: threading.Event) -> None:
    """Sets `dark` when the panel has stayed dark for 100 ms, several periods."""
    since = time.monotonic()
    while time.monotonic() - since < 0.1:
        if not header.is_dark():
            since = time.monotonic()
        time.sleep(0.001)
    dark.set()


async def test_events_that_find_no_place_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with open_hall(tmp_path, plan=PLAN) as hall:
        link = local_link.LocalLink("board", hall.core, Clock(), lambda: 0, dict)
        for _ in range(local_link.MAX_PENDING + 2):
            link.emit("fault", {"code": "panel"})
        assert link.lost == 2
        await link.finish()
        assert len(await hall.data("hall.device.fault")) == local_link.MAX_PENDING
        link.emit("fault", {"code": "panel"})
        await link.finish()
        # The seq goes on without a hole.
        assert len(await hall.data("hall.device.fault")) == local_link.MAX_PENDING + 1
    assert caplog.records[-1].levelno == logging.ERROR


async def test_a_core_that_was_not_heard_for_too_long_counts_as_down(tmp_path: Path):
    uptime = Uptime()
    async with open_hall(tmp_path, plan=PLAN) as hall:
        link = local_link.LocalLink("board", hall.core, Clock(), uptime, dict)
        assert link.down_ms() == local_link.NEVER_MS
        link.emit("boot", {"cause": "soft"})
        await link.finish()
        assert link.down_ms() == 0
        uptime.now += local_link.STATE_MS + local_link.ANSWER_MS - 1
        assert link.down_ms() == 0
        uptime.now += 1  # whatever kept it from asking
        assert link.down_ms() == 30_000
