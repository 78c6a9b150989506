"""The shipped rules in a hall: what begins, what repeats, what ends, and what a restart changes."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from hall_gateway.core import Core
from hall_gateway.rules_file import shipped
from hall_gateway.wire import rfc3339
from support.core_hall import Clock, Device, Hall
from support.killed import killed_at
from support.ruled_hall import ZONED, RuledHall, report, ruled_hall

CAUTION = {"view": "caution"}


@pytest_asyncio.fixture
async def hall(tmp_path: Path) -> AsyncIterator[RuledHall]:
    async with ruled_hall(tmp_path) as hall:
        yield hall


async def test_a_wet_floor_turns_the_displays_of_its_zone_and_no_others(hall: RuledHall) -> None:
    before = hall.view("disp-2")
    await hall.wet()
    assert hall.view("disp-1") == hall.view("sign") == CAUTION
    assert hall.view("disp-2") == before
    await hall.wet(False)
    assert hall.view("disp-1") == {"view": "idle", "name": "综合业务"}
    assert hall.view("sign") == {"view": "idle", "name": "欢迎光临"}
    assert await hall.types("alert") == ["raised", "cleared"]


async def test_a_caution_makes_way_for_a_ticket_that_is_asked_to_come(hall: RuledHall) -> None:
    await hall.do("call", ticket="A015", window="1")
    await hall.wet()
    called = {"view": "call", "ticket": "A015", "window": "1"}
    assert hall.view("disp-1") == called
    await hall.do("start", window="1")
    assert hall.view("disp-1") == CAUTION
    await hall.do("end", window="1")
    assert hall.view("disp-1") == CAUTION
    await hall.do("call", ticket="A016", window="1")
    assert hall.view("disp-1") == called | {"ticket": "A016"}
    await hall.do("start", window="1")
    await hall.wet(False)
    assert hall.view("disp-1") == called | {"ticket": "A016"}


async def test_a_call_that_comes_back_from_under_a_caution_is_shown_but_once(
    hall: RuledHall,
) -> None:
    display = Device("disp-1")
    await hall.core.state("disp-1", display.state(0))
    await hall.do("call", ticket="A015", window="1")
    await hall.core.event("disp-1", display.event("shown", {"rev": hall.desired("disp-1")["rev"]}))
    await hall.do("start", window="1")
    await hall.wet()
    await hall.wet(False)
    await hall.core.event("disp-1", display.event("shown", {"rev": hall.desired("disp-1")["rev"]}))
    assert [data["ticket"] for data in await hall.data("hall.call.shown")] == ["A015"]


async def test_a_caution_stands_before_a_text_and_a_closed_window(hall: RuledHall) -> None:
    await hall.do("show", window="1", text="请稍等", seconds=60)
    await hall.wet()
    assert hall.view("disp-1") == CAUTION
    await hall.do("pause", window="1")
    assert hall.view("disp-1") == CAUTION
    await hall.wet(False)
    assert hall.view("disp-1") == {"view": "text", "text": "请稍等"}


async def test_an_alert_is_told_again_until_it_is_acknowledged(hall: RuledHall) -> None:
    await hall.wet()
    await hall.tick(299)
    assert len(await hall.data("hall.alert.raised")) == 1
    await hall.tick(1)
    await hall.tick(300)
    raised = await hall.data("hall.alert.raised")
    assert [(data["alert"], data["times"]) for data in raised] == [(1, 1), (1, 2), (1, 3)]
    assert raised[0]["text"]["zh"] == "entrance 地面湿滑：请放置警示牌并擦干"
    done = await hall.acknowledge(1, note="已派保洁")
    assert (done.by, done.note, done.cleared) == ("李敏", "已派保洁", None)
    await hall.tick(3000)
    assert len(await hall.data("hall.alert.raised")) == 3
    await hall.wet(False)
    assert await hall.types("alert") == ["raised"] * 3 + ["acknowledged", "cleared"]
    assert (await hall.data("hall.alert.cleared"))[0]["acknowledged_by"] == "李敏"


async def test_the_state_that_a_sensor_reports_counts_when_it_is_newer(hall: RuledHall) -> None:
    await hall.core.state("wet", report(hall.floor, 0, wet=True))
    await hall.tick(1)
    assert hall.view("sign") == CAUTION
    hall.clock.pass_s(60)
    await hall.core.state("wet", report(hall.floor, 0, wet=False, rain=None))
    # Of an hour ago, held up by an outage.
    event = hall.floor.event("wet", {"ohms": 5}, t=hall.clock() - 3_600_000)
    await hall.core.event("wet", event)
    await hall.tick(1)
    assert hall.view("sign")["view"] == "idle"
    await hall.core.state("wet", report(hall.floor, 1, wet=True), retained=True)
    await hall.tick(1)
    assert hall.view("sign")["view"] == "idle"


async def test_rain_reminds_of_umbrellas_where_nothing_else_is_to_be_shown(
    hall: RuledHall,
) -> None:
    await hall.do("call", ticket="B001", window="2")
    await hall.rain()
    reminder = {"view": "text", "text": "雨天请将雨伞放入伞桶"}
    assert hall.view("sign") == hall.view("disp-1") == reminder
    assert hall.view("disp-2")["view"] == "call"
    await hall.wet()
    assert hall.view("sign") == hall.view("disp-1") == CAUTION
    await hall.wet(False)
    await hall.do("pause", window="1")
    assert hall.view("disp-1") == {"view": "closed"}
    await hall.rain(False)
    assert hall.view("sign")["view"] == "idle"
    assert [data["rule"] for data in await hall.data("hall.alert.cleared")] == ["wet-floor", "rain"]


async def test_a_long_queue_asks_for_another_window_and_has_hysteresis(hall: RuledHall) -> None:
    for number in range(11):
        await hall.do("take", ticket=f"A{number}")
    await hall.tick(1)
    await hall.tick(59)
    assert await hall.data("hall.alert.raised") == []
    await hall.tick(1)
    (alert,) = await hall.alerts()
    assert alert.text["zh"] == "排队 11 人：请加开窗口（已开 3 个）"
    for number in range(4):
        await hall.do("cancel", ticket=f"A{number}")
    await hall.tick(1)
    assert len(await hall.alerts()) == 1
    await hall.tick(600)
    (again,) = await hall.alerts()
    assert (again.times, again.text["en"][:1]) == (2, "7")
    await hall.do("cancel", ticket="A4")
    await hall.tick(1)
    assert await hall.alerts() == []


async def test_a_queue_that_is_long_for_a_moment_alarms_nobody(hall: RuledHall) -> None:
    for number in range(11):
        await hall.do("take", ticket=f"A{number}")
    await hall.ticks(50)
    await hall.do("cancel", ticket="A0")
    await hall.tick(1)
    await hall.do("take", ticket="A0")
    await hall.ticks(50)
    assert await hall.alerts() == []


async def test_long_waits_ask_for_another_window(hall: RuledHall) -> None:
    await hall.do("take", ticket="A1")
    await hall.tick(901)
    await hall.tick(60)
    (alert,) = await hall.alerts()
    assert (alert.rule, alert.subject) == ("long-wait", "hall")
    await hall.do("call", ticket="A1", window="1")
    await hall.tick(1)
    assert await hall.alerts() == []


@pytest.mark.parametrize(("business", "limit_s"), [("电费缴纳", 300), ("新装", 1200), (None, 1200)])
async def test_a_service_over_its_time_is_told_once(
    hall: RuledHall, business: str | None, limit_s: int
) -> None:
    await hall.do("call", ticket="A015", window="1", staff="张伟", business=business)
    await hall.do("start", window="1")
    await hall.tick(limit_s)
    assert await hall.data("hall.service.overtime") == []
    await hall.tick(1)
    await hall.ticks(3)
    await hall.tick(-3600)  # somebody sets the clock
    await hall.tick(7200)
    (data,) = await hall.data("hall.service.overtime")
    assert data == {
        "ticket": "A015",
        "window": "1",
        "staff": "张伟",
        "business": business,
        "serving_ms": limit_s * 1000 + 1000,
        "limit_ms": limit_s * 1000,
    }
    await hall.do("call", ticket="A016", window="1", business=business)
    await hall.do("start", window="1")
    await hall.tick(1)
    assert await hall.types("alert") == ["raised", "cleared"]
    await hall.tick(limit_s)
    assert [d["ticket"] for d in await hall.data("hall.service.overtime")] == ["A015", "A016"]


async def test_a_people_counter_that_stays_away_is_told(hall: RuledHall) -> None:
    for device in ("cnt", "kp-1"):
        await hall.core.online(device, True)
        await hall.core.online(device, False)
    await hall.tick(1)
    await hall.tick(119)
    await hall.core.online("cnt", True)
    await hall.tick(1)
    await hall.core.online("cnt", False)
    await hall.tick(1)
    await hall.tick(119)
    assert await hall.alerts() == []
    await hall.tick(1)
    (alert,) = await hall.alerts()
    assert (alert.rule, alert.subject) == ("counter-offline", "zone/entrance")
    assert "cnt" in alert.text["zh"]


async def test_a_floor_that_was_wet_when_its_sensor_fell_silent_stays_so(hall: RuledHall) -> None:
    await hall.core.online("wet", True)
    await hall.wet()
    await hall.core.online("wet", False)
    await hall.tick(1)
    await hall.tick(120)
    assert hall.view("sign") == CAUTION
    assert [alert.rule for alert in await hall.alerts()] == ["floor-sensor-offline", "wet-floor"]
    await hall.core.online("wet", True)
    await hall.core.state("wet", report(hall.floor, 1, wet=False))
    await hall.tick(1)
    assert await hall.alerts() == []
    assert hall.view("sign")["view"] == "idle"


async def test_a_bad_rating_leads_to_a_bookmark_and_a_task(hall: RuledHall) -> None:
    await hall.do("staff", window="1", staff="张伟")
    began = hall.clock()
    await hall.rate(3)
    assert await hall.tasks() == []
    await hall.rate(2)
    (bookmark,) = await hall.bookmarks()
    assert bookmark.body == {
        "ticket": "A015",
        "window": "1",
        "staff": "张伟",
        "from": bookmark.body["from"],
        "to": bookmark.body["to"],
        "camera": "cam-03",
        "clock_quality": "estimated",
    }
    (told,) = await hall.data("hall.replay.bookmark")
    assert told == {"bookmark": 1, "rule": "bad-rating"} | bookmark.body
    started, ended = (await hall.events("hall.service"))[-2:]
    assert bookmark.body["from"] == started["time"]
    assert bookmark.body["to"] == ended["time"]
    (task,) = await hall.tasks()
    assert task.about["bookmark"] == 1
    assert (task.about["ticket"], task.about["mark"], task.step) == ("A015", 2, "opened")
    assert (task.opened - began, task.contact_by - task.opened) == (120_000, 86_400_000)
    assert task.fix_by - task.opened == 15 * 86_400_000


async def _rated(hall: RuledHall, pressed_after_s: int) -> tuple[int, int, list[bytes]]:
    """A service of a minute: when it started and ended, and the events of the worst mark."""
    await hall.do("call", ticket="A015", window="1")
    await hall.do("start", window="1")
    started = hall.clock()
    hall.clock.pass_s(60)
    await hall.do("end", window="1")
    session, pressed = hall.desired("kp-1")["rev"], hall.clock() + pressed_after_s * 1000
    press = hall.keypad.event("press", {"key": 5, "session": session}, t=pressed)
    close = hall.keypad.event("close", {"session": session, "why": "lock"}, t=pressed + 3000)
    return started, hall.clock(), [press, close]


async def test_a_rating_that_comes_an_hour_late_is_looked_up_where_it_was(hall: RuledHall) -> None:
    started, ended, events = await _rated(hall, pressed_after_s=4)
    hall.clock.pass_s(20)
    await hall.do("call", ticket="A016", window="1")
    hall.clock.pass_s(3600)
    for event in events * 2:  # and once more, as its ack was lost
        await hall.core.event("kp-1", event)
    (bookmark,) = await hall.bookmarks()
    assert (bookmark.body["ticket"], bookmark.body["clock_quality"]) == ("A015", "synced")
    assert bookmark.body["from"] == rfc3339(started)
    assert bookmark.body["to"] == rfc3339(ended + 4000)
    (task,) = await hall.tasks()
    # Nobody could call back before it came.
    assert (task.about["ticket"], task.opened) == ("A015", hall.clock())


async def test_a_press_by_a_clock_that_is_off_was_after_its_service(hall: RuledHall) -> None:
    started, ended, events = await _rated(hall, pressed_after_s=-3600)
    for event in events:
        await hall.core.event("kp-1", event)
    (bookmark,) = await hall.bookmarks()
    assert bookmark.body["from"] == rfc3339(started)
    assert bookmark.body["to"] == rfc3339(ended)


async def test_a_task_goes_step_by_step_and_tells_each_clock_once(hall: RuledHall) -> None:
    await hall.rate(1)
    await hall.step(1, "acknowledge")
    await hall.tick(86_400)
    await hall.tick(86_400)
    await hall.step(1, "contact")
    await hall.tick(14 * 86_400)
    await hall.tick(1)
    await hall.step(1, "fix")
    done = await hall.step(1, "rerate", mark=4)
    assert done.done is not None
    assert [step["step"] for step in done.steps] == [
        "acknowledged",
        "contacted",
        "fixed",
        "rerated",
    ]
    assert await hall.types("task") == [
        *("opened", "acknowledged", "overdue", "contacted", "overdue", "fixed", "rerated")
    ]
    assert [data["clock"] for data in await hall.data("hall.task.overdue")] == ["contact", "fix"]
    assert await hall.tasks() == []


async def test_a_restart_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    clock = Clock()
    async with ruled_hall(tmp_path, clock=clock) as hall:
        floor = hall.floor
        await hall.wet()
        await hall.core.online("cnt", True)
        await hall.core.online("cnt", False)
        await hall.do("call", ticket="A015", window="2", business="收费")
        await hall.do("start", window="2")
        await hall.tick(200)
        events = await hall.events()
    clock.pass_s(120)
    async with ruled_hall(tmp_path, clock=clock) as hall:
        hall.floor = floor
        assert hall.view("sign") == CAUTION
        await hall.tick()
        after = (await hall.events())[len(events) :]
        told = [(event["type"], event["data"].get("rule")) for event in after]
        assert told == [
            ("hall.service.overtime", None),
            ("hall.alert.raised", "overtime"),
            ("hall.alert.raised", "counter-offline"),
            ("hall.alert.raised", "wet-floor"),
        ]
        assert after[-1]["data"]["times"] == 2
        await hall.wet(False)
        assert hall.view("sign")["view"] == "idle"
        assert (await hall.events())[-1]["type"] == "hall.alert.cleared"


@pytest.mark.parametrize("jump_s", [86_400, -86_400])
async def test_a_clock_that_jumps_tells_nothing_twice(tmp_path: Path, jump_s: int) -> None:
    clock, set_by = Clock(), [0]
    core = Core(ZONED, tmp_path / "hall.db", 64, clock, lambda: clock.now - set_by[0])
    await core.start()
    hall = RuledHall(Hall(core, clock))
    await hall.follow(shipped())
    await core.state("wet", hall.floor.state(0))
    await hall.wet()
    await hall.do("call", ticket="A014", window="2", business="收费")
    await hall.do("start", window="2")
    await core.online("cnt", True)
    await core.online("cnt", False)
    await hall.rate(1)
    (task,) = await hall.tasks()
    clock.pass_s(jump_s)
    set_by[0] += jump_s * 1000
    await hall.tick(1)
    (moved,) = await hall.tasks()
    assert (moved.opened, moved.fix_by) == (
        task.opened + jump_s * 1000,
        task.fix_by + jump_s * 1000,
    )
    assert await hall.types("alert") == ["raised"]
    await hall.tick(240)
    assert len(await hall.data("hall.service.overtime")) == 1
    clock.pass_s(-jump_s)
    set_by[0] -= jump_s * 1000
    await hall.tick(1)
    await hall.wet(False)
    assert len(await hall.data("hall.service.overtime")) == 1
    assert sorted(await hall.types("alert")) == ["cleared", *["raised"] * 4]
    assert [(alert.rule, alert.times) for alert in await hall.alerts()] == [
        ("counter-offline", 1),
        ("overtime", 1),
    ]
    await core.close()


@pytest.mark.parametrize("part", range(2))
def test_a_kill_at_any_step_tells_everything_once(tmp_path: Path, part: int) -> None:
    """A floor is wet, and a bad mark comes; the gateway dies somewhere in the next two steps."""
    (tmp_path / "before").mkdir()
    keypad = Device("kp-1")
    session = asyncio.run(_prepared(tmp_path / "before"))
    press = keypad.event("press", {"key": 5, "session": session})
    close = keypad.event("close", {"session": session, "why": "lock"}, after_ms=3000)
    step, killed = 40 + 3 * part, True
    while killed:
        folder = tmp_path / str(step)
        shutil.copytree(tmp_path / "before", folder)

        def work(_: Callable[[bytes], None], folder: Path = folder) -> None:
            asyncio.run(_played(folder, press, close))

        killed, _ = killed_at(step, work)
        types = asyncio.run(_played(folder, press, close))
        assert types == {
            "hall.alert.raised": 1,
            "hall.replay.bookmark": 1,
            "hall.task.opened": 1,
            "hall.rating.given": 1,
        }, f"killed at step {step}"
        step += 6
    assert step > 150


async def _prepared(folder: Path) -> int:
    """A store with a wet floor, and a rating session."""
    async with ruled_hall(folder) as hall:
        await hall.core.event("wet", hall.floor.event("wet", {"ohms": 5}, t=hall.clock()))
        session = await hall.serve("A015")
        await hall.core.state("kp-1", Device("kp-1").state(0))
        return session


async def _played(folder: Path, press: bytes, close: bytes) -> Counter[str]:
    """What rules have told when the floor and the mark were looked at."""
    async with ruled_hall(folder) as hall:
        await hall.tick(1)
        for event in (press, close):
            await hall.core.event("kp-1", event)
        await hall.tick(1)
        assert hall.view("sign") == CAUTION
        noun = ("hall.alert", "hall.task", "hall.replay", "hall.rating.given")
        return Counter(e["type"] for e in await hall.events() if e["type"].startswith(noun))


TICKET = """rules:
  - id: mine
    title: {zh: 甲, en: a}
    each: window
    when: state == "serving"
    scope: window
    actions:
      - show: {view: caution, text: "{ticket}"}
"""


async def test_what_a_rule_shows_goes_by_what_is_known_now(hall: RuledHall) -> None:
    await hall.follow(TICKET)
    await hall.do("call", ticket="A015", window="1")
    await hall.do("start", window="1")
    await hall.tick(1)
    assert hall.view("disp-1") == CAUTION | {"text": "A015"}
    # Within one second, so the rule has stood all the time.
    await hall.do("call", ticket="A016", window="1")
    await hall.do("start", window="1")
    await hall.tick(1)
    assert hall.view("disp-1") == CAUTION | {"text": "A016"}
    await hall.follow(TICKET.replace("{ticket}", "{ticket}，请稍候"))
    await hall.tick(1)
    assert hall.view("disp-1") == CAUTION | {"text": "A016，请稍候"}
    other = replace(ZONED.devices["disp-2"], id="disp-9", window="1", subject="window/1")
    await hall.core.follow(replace(ZONED, devices={**ZONED.devices, "disp-9": other}))
    await hall.tick(1)
    assert hall.view("disp-9") == hall.view("disp-1")


async def test_a_press_that_nobody_asked_for_is_found_in_the_minutes_before_it(
    tmp_path: Path,
) -> None:
    async with ruled_hall(tmp_path, plan=replace(ZONED, free=frozenset({"1"}))) as hall:
        keypad = hall.keypad
        await hall.core.state("kp-1", keypad.state(0))
        press = keypad.event("press", {"key": 5, "session": None}, t=hall.clock())
        await hall.core.event("kp-1", press)
        close = keypad.event("close", {"session": None, "why": "lock"}, after_ms=3000)
        await hall.core.event("kp-1", close)
        (bookmark,) = await hall.bookmarks()
        assert (bookmark.body["ticket"], bookmark.body["window"]) == (None, "1")
        assert bookmark.body["from"] == rfc3339(hall.clock() - 120_000)
        assert bookmark.body["to"] == rfc3339(hall.clock())
        assert len(await hall.tasks()) == 1
