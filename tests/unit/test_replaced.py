"""Another plan while the hall is open: devices come, go, and take each other's places."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.plan import Plan, PlannedDevice
from hall_profiles import load
from support.core_hall import PLAN, Clock, Device, Hall, open_hall


def replaced(old: str, new: str, plan: Plan = PLAN) -> Plan:
    """`plan` after `hall replace OLD --with NEW`."""
    devices = {id: device for id, device in plan.devices.items() if id != old}
    devices[new] = replace(plan.devices[old], id=new)
    return replace(
        plan,
        devices=devices,
        revoked={**plan.revoked, old: plan.devices[old]},
        replaced={**{n: o for n, o in plan.replaced.items() if n != old}, new: old},
    )


def revoked(id: str, plan: Plan = PLAN) -> Plan:
    """`plan` after `hall revoke ID`."""
    devices = {other: device for other, device in plan.devices.items() if other != id}
    return replace(plan, devices=devices, revoked={**plan.revoked, id: plan.devices[id]})


def refused(hall: Hall) -> Any:
    return hall.core.health()["refused"]


async def test_a_revoked_device_is_refused_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_hall(tmp_path) as hall:
        counter = Device("cnt")
        await hall.core.online("cnt", True)
        assert await hall.core.event("cnt", counter.event("passage", PASSAGE))
        await hall.core.follow(revoked("cnt"))
        assert await hall.core.event("cnt", counter.event("passage", PASSAGE)) is None
        assert await hall.core.state("cnt", counter.state(acked=0)) is None
        await hall.core.online("cnt", True)
        assert await hall.core.reply("cnt", b'{"id":"c-1","ok":true}') is None
        assert refused(hall) == {"revoked_device": 4}
        assert len(await hall.data("hall.count.passage")) == 1
        assert await hall.data("hall.device.offline") == [{"device": "cnt"}]
        assert json.loads(hall.core.device_states()["cnt"])["online"] is False
        error = await hall.error("device", device="cnt", do="identify", args={})
        assert "cnt is not in this hall" in error
        await hall.core.follow(PLAN)
        await hall.core.online("cnt", True)
        assert refused(hall) == {"revoked_device": 4}
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told == ["cnt: refused: this device is revoked"]


PASSAGE = {"dir": "in"}


async def test_a_device_that_comes_is_heard_at_once(tmp_path: Path) -> None:
    less = replace(PLAN, devices={id: d for id, d in PLAN.devices.items() if id != "disp-2"})
    async with open_hall(tmp_path, plan=less) as hall:
        await hall.do("call", window="2", ticket="B007")
        assert "disp-2" not in hall.core.desired()
        hall.core.signals.desired.clear()
        await hall.core.follow(PLAN)
        await asyncio.wait_for(hall.core.signals.desired.wait(), 60)
        desired = hall.desired("disp-2")
        assert (desired["view"], desired["ticket"]) == ("call", "B007")


async def test_an_open_session_goes_on_at_the_new_keypad(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        session = await hall.serve("A001")
        until = hall.desired("kp-1")["session"]["until"]
        hall.clock.pass_s(10)
        await hall.core.follow(replaced("kp-1", "kp-9"))
        desired = hall.desired("kp-9")
        assert desired["session"] == {"ticket": "A001", "until": until, "window_s": 30}
        assert "kp-1" not in hall.core.desired()
        board = Device("kp-9")
        await hall.core.event("kp-9", board.event("press", {"key": 5, "session": desired["rev"]}))
        close = {"session": desired["rev"], "why": "lock"}
        await hall.core.event("kp-9", board.event("close", close))
        given = [e for e in await hall.events("hall.rating") if e["type"] == "hall.rating.given"]
        assert [(e["data"]["ticket"], e["data"]["session"]) for e in given] == [
            ("A001", desired["rev"])
        ]
        assert given[0]["source"] == "/hall/demo/kp-9"
        old = Device("kp-1")
        late = old.event("press", {"key": 1, "session": session})
        assert await hall.core.event("kp-1", late) is None


async def test_history_keeps_the_old_devices_id(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        session = await hall.serve("A001")
        board = Device("kp-1")
        await hall.core.event("kp-1", board.event("press", {"key": 5, "session": session}))
        await hall.core.event("kp-1", board.event("close", {"session": session, "why": "lock"}))
        before = await hall.rows()
        await hall.core.follow(replaced("kp-1", "kp-9"))
        after = await hall.rows()
        assert after[: len(before)] == before
        assert [e["source"] for e in await hall.events("hall.rating.given")] == ["/hall/demo/kp-1"]


async def test_a_press_that_was_delivered_before_counts(tmp_path: Path) -> None:
    """The old keypad will not close its session any more."""
    async with open_hall(tmp_path) as hall:
        session = await hall.serve("A001")
        board = Device("kp-1")
        await hall.core.event("kp-1", board.event("press", {"key": 4, "session": session}))
        await hall.core.follow(replaced("kp-1", "kp-9"))
        (given,) = await hall.data("hall.rating.given")
        assert (given["ticket"], given["mark"]) == ("A001", 2)
        assert hall.desired("kp-9")["session"] is None


async def test_a_session_that_was_over_for_the_customer_does_not_come_back(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        await hall.serve("A001")
        await hall.core.follow(revoked("kp-1"))
        await hall.do("call", window="1", ticket="A002")
        await hall.core.follow(replaced("kp-1", "kp-9"))
        assert hall.desired("kp-9")["session"] is None
        (none,) = await hall.data("hall.rating.none")
        assert (none["ticket"], none["reason"]) == ("A001", "next_call")


async def test_a_display_takes_over_call_and_text(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        await hall.do("call", window="1", ticket="A001")
        old = hall.desired("disp-1")
        board = Device("disp-1")
        shown = {"rev": old["rev"]}
        await hall.core.event("disp-1", board.event("shown", shown))
        await hall.do("show", device="sign", text="今天 17:00 关门", seconds=600)
        plan = replaced("sign", "sign-2", replaced("disp-1", "disp-9"))
        await hall.core.follow(plan)
        new = hall.desired("disp-9")
        assert new["rev"] > old["rev"]
        assert {**new, "rev": 0} == {**old, "rev": 0}
        assert hall.desired("sign-2")["text"] == "今天 17:00 关门"
        # The customer was called once, and it was told once that it was shown.
        nine = Device("disp-9")
        await hall.core.event("disp-9", nine.event("shown", {"rev": new["rev"]}))
        assert len(await hall.data("hall.call.shown")) == 1
        hall.clock.pass_s(601)
        await hall.core.tick()
        assert hall.desired("sign-2")["view"] == "idle"


async def test_it_is_the_same_when_the_gateway_was_off_meanwhile(tmp_path: Path) -> None:
    clock = Clock()
    async with open_hall(tmp_path, clock) as hall:
        await hall.core.online("kp-1", True)
        await hall.serve("A001")
        until = hall.desired("kp-1")["session"]["until"]
    plan = replaced("kp-1", "kp-9")
    revs: set[int] = set()
    for _ in range(3):  # and after any number of restarts
        async with open_hall(tmp_path, clock, plan) as hall:
            desired = hall.desired("kp-9")
            revs.add(desired["rev"])
            assert desired["session"]["until"] == until
            assert await hall.data("hall.device.offline") == [{"device": "kp-1"}]
    assert len(revs) == 1


async def test_a_replaced_device_is_replaced_again(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        await hall.serve("A001")
        once = replaced("kp-1", "kp-9")
        await hall.core.follow(once)
        await hall.core.follow(replaced("kp-9", "kp-10", once))
        assert hall.desired("kp-10")["session"]["ticket"] == "A001"
        assert refused(hall) == {}
        await hall.core.online("kp-9", True)
        await hall.core.online("kp-1", True)
        assert refused(hall) == {"revoked_device": 2}


async def test_nothing_is_lost_when_the_commit_fails(tmp_path: Path) -> None:
    """The plan of before holds until the new one is on disk."""
    async with open_hall(tmp_path) as hall:
        wrong = replace(PLAN, devices={**PLAN.devices, "x": _broken()})
        with pytest.raises(AttributeError):
            await hall.core.follow(wrong)
        await hall.do("call", window="1", ticket="A001")
        assert hall.desired("disp-1")["ticket"] == "A001"
        assert await hall.core.event("cnt", Device("cnt").event("passage", PASSAGE))


def _broken() -> PlannedDevice:
    class Broken(PlannedDevice):
        @property
        def role(self) -> Any:
            raise AttributeError("a defect")

    return Broken("x", load("keypad-5"), "zone/x")
