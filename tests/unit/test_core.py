"""The core as the links use it: acks, duplicates, gaps, poison, commands, and a random world."""

import asyncio
import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from hall_gateway import effects
from hall_gateway.accept import MAX_AHEAD, MAX_EPOCHS
from hall_gateway.events import cloud_event
from hall_gateway.models import DeviceEvent
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.state import Emit
from hall_gateway.values import Ack, StoreError
from hall_profiles import load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.core_hall import NOON, PLAN, Clock, Device, Hall, open_hall, read


def passage(device: Device, direction: str = "in") -> bytes:
    return device.event("passage", {"dir": direction})


async def send(hall: Hall, device: Device, payload: bytes) -> int | None:
    """The seq that the gateway acks."""
    ack = await hall.core.event(device.id, payload)
    return None if ack is None else ack.seq


async def test_events_are_acked_up_to_the_first_gap(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        one, two, three, four = (passage(cnt) for _ in range(4))
        assert await hall.core.event("cnt", one) == Ack(0xBEEF, 1, NOON)
        assert await send(hall, cnt, three) == 1
        assert await send(hall, cnt, four) == 1
        assert len(await hall.data("hall.count.passage")) == 1
        assert await send(hall, cnt, two) == 4
        ids = [event["id"] for event in await hall.events("hall.count.passage")]
        assert ids == [f"cnt/0000beef/{seq}" for seq in (1, 2, 3, 4)]


async def test_a_duplicate_is_acked_again_and_changes_nothing(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        event = passage(cnt)
        assert [await send(hall, cnt, event) for _ in range(3)] == [1, 1, 1]
        assert len(await hall.rows()) == 1
        health = hall.core.health()
        assert (health["stored"], health["duplicates"]) == (1, 2)


async def test_without_a_base_events_are_kept_but_not_acked(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        cnt.seq = 40
        assert await send(hall, cnt, passage(cnt)) is None
        assert await send(hall, cnt, passage(cnt)) is None
        assert await hall.rows() == []
        assert await hall.core.state("cnt", cnt.state(acked=40)) == Ack(0xBEEF, 42, NOON)
        assert len(await hall.data("hall.count.passage")) == 2


async def test_what_an_earlier_store_acked_is_a_hole(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        late = passage(cnt)
        cnt.seq = 40
        assert await hall.core.state("cnt", cnt.state(acked=40)) == Ack(0xBEEF, 40, NOON)
        assert await send(hall, cnt, passage(cnt)) == 41
        assert await send(hall, cnt, late) == 41  # it fills the hole
        assert await send(hall, cnt, late) == 41
        assert [e["id"] for e in await hall.events()] == ["cnt/0000beef/41", "cnt/0000beef/1"]
        assert hall.core.health()["lost"] == 0


async def test_a_store_that_is_behind_its_device_catches_up(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        assert await send(hall, cnt, passage(cnt)) == 1
        cnt.seq = 9
        assert await send(hall, cnt, passage(cnt)) == 1
        assert await hall.core.state("cnt", cnt.state(acked=9)) == Ack(0xBEEF, 10, NOON)


async def test_a_state_never_moves_the_mark_back(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        await send(hall, cnt, passage(cnt))
        assert await hall.core.state("cnt", cnt.state(acked=0)) == Ack(0xBEEF, 1, NOON)


async def test_a_gap_counts_what_is_lost(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        await send(hall, cnt, passage(cnt))
        cnt.seq = 4
        five = passage(cnt)
        await send(hall, cnt, five)
        gap = cnt.gap(2, 20)
        assert await send(hall, cnt, gap) == 20
        again = cnt.gap(2, 20)  # made anew at every reconnect, with another uptime
        assert await send(hall, cnt, again) == 20
        cnt.seq = 20
        assert await send(hall, cnt, passage(cnt)) == 21
        [loss] = await hall.data("hall.device.fault")
        assert loss == {
            "device": "cnt",
            "code": "journal_overflow",
            "epoch": 0xBEEF,
            "from": 2,
            "to": 20,
            "lost": 18,
        }
        assert hall.core.health()["lost"] == 18
        assert hall.core.health()["quarantined"] == 0


async def test_a_gap_that_grew_counts_only_what_is_new(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        assert await send(hall, cnt, cnt.gap(1, 20)) == 20
        assert await send(hall, cnt, cnt.gap(1, 30)) == 30
        assert [loss["lost"] for loss in await hall.data("hall.device.fault")] == [20, 10]


async def test_a_gap_without_loss_is_silent(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        for _ in range(3):
            await send(hall, cnt, passage(cnt))
        assert await send(hall, cnt, cnt.gap(1, 3)) == 3
        assert await hall.data("hall.device.fault") == []


async def test_a_gap_fixes_the_base(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        assert await send(hall, cnt, cnt.gap(101, 120)) == 120
        assert [loss["lost"] for loss in await hall.data("hall.device.fault")] == [20]


async def test_a_gap_that_ends_elsewhere_is_poison(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        assert await send(hall, cnt, cnt.event("gap", {"from": 1, "to": 900})) == 1
        [alarm] = await hall.data("hall.device.fault")
        assert alarm["reason"] == "data.to: a gap ends with the event's own seq"


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("explosion", {}, "kind: explosion is not one of a people_counter's: boot, fault, update"),
        ("press", {"key": 1, "session": None}, "kind: press is not one of a people_counter's"),
        ("passage", {"dir": "up"}, "dir: input should be 'in' or 'out'; give in or out"),
        ("passage", {}, "dir: missing; give in or out"),
        ("passage", {"dir": "in", "pad": "x" * 2048}, "bytes; a payload has at most 1024"),
    ],
)
async def test_poison_is_kept_covered_and_told(
    tmp_path: Path, kind: str, data: dict[str, Any], reason: str
) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        poison = cnt.event(kind, data)
        assert await send(hall, cnt, poison) == 1
        assert await send(hall, cnt, poison) == 1
        assert await send(hall, cnt, passage(cnt)) == 2
        [alarm] = await hall.data("hall.device.fault")
        assert (alarm["code"], alarm["device"], alarm["seq"]) == ("refused_event", "cnt", 1)
        assert reason in alarm["reason"]
        health = hall.core.health()
        assert (health["quarantined"], health["refused"]) == (1, {"poison": 1})


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b'{"epoch":1}',
        b'{"epoch":1,"seq":0}',
        b"{" + b" " * 2048,
        b'{"epoch":1,"seq":1,"pad":"' + b"x" * 16384 + b'"}',
    ],
)
async def test_what_has_no_identity_is_kept_and_counted(tmp_path: Path, payload: bytes) -> None:
    async with open_hall(tmp_path) as hall:
        for _ in range(2):
            assert await hall.core.event("cnt", payload) is None
        health = hall.core.health()
        assert (health["refused"], health["quarantined"]) == ({"unreadable": 2}, 2)
        assert await hall.rows() == []


async def test_a_time_that_no_calendar_has_is_poison(tmp_path: Path) -> None:
    """RFC 3339 ends with the year 9999: the last ms of it passes, the next one is refused."""
    last = 253402300799999
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        assert await send(hall, cnt, cnt.event("passage", {"dir": "in"}, t=last)) == 1
        assert await send(hall, cnt, cnt.event("passage", {"dir": "in"}, t=last + 1)) == 2
        [event] = await hall.events("hall.count.passage")
        assert event["time"] == "9999-12-31T23:59:59.999Z"
        [alarm] = await hall.data("hall.device.fault")
        assert alarm["reason"].startswith("t: ")


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", '[1,{"a":-1e999}]'])
async def test_a_number_that_json_cannot_write_is_poison(tmp_path: Path, value: str) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        payload = cnt.event("passage", {"dir": "in", "x": 0}).replace(b"0}", value.encode() + b"}")
        assert await send(hall, cnt, payload) == 1
        [alarm] = await hall.data("hall.device.fault")
        assert "is no finite number" in alarm["reason"]
        assert hall.core.health()["quarantined"] == 1


async def test_a_defect_in_reading_an_event_ends_with_that_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")

        def broken(event: DeviceEvent) -> bytes:
            raise RecursionError

        with monkeypatch.context() as patch:
            patch.setattr(DeviceEvent, "digest", broken)
            assert await send(hall, cnt, passage(cnt)) == 1
        assert await send(hall, cnt, passage(cnt)) == 2
        [alarm] = await hall.data("hall.device.fault")
        assert (alarm["seq"], alarm["reason"]) == (1, "not read: RecursionError")
        assert len(await hall.data("hall.count.passage")) == 1


async def test_a_defect_in_the_effect_of_an_event_ends_with_that_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited for the event before it, which has its effect all the same; nothing of the effect
    is left, in memory, in the store or in what devices are told."""
    async with open_hall(tmp_path) as hall:
        await hall.serve("A001")
        keypad = Device("kp-1")
        prompt = hall.desired("kp-1")
        boot = keypad.event("boot", {"cause": "power_on"})
        close = keypad.event("close", {"session": prompt["rev"], "why": "end"})
        assert await send(hall, keypad, close) is None

        def broken(hall: str, id: str, emit: Emit, *rest: Any) -> bytes:
            if emit.type == "hall.rating.none":
                raise ValueError("year 10889 is out of range")
            return cloud_event(hall, id, emit, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(effects, "cloud_event", broken)
            assert await send(hall, keypad, boot) == 2
        assert hall.desired("kp-1") == prompt
        assert len(await hall.events("hall.device.started")) == 1
        [alarm] = await hall.data("hall.device.fault")
        assert (alarm["seq"], alarm["reason"]) == (2, "no effect: ValueError")
        health = hall.core.health()
        assert (health["quarantined"], health["refused"]) == (1, {"poison": 1})
        assert "hall.rating.none" not in cast(dict[str, int], health["published"])
        again = keypad.event("close", {"session": prompt["rev"], "why": "end"})
        assert await send(hall, keypad, again) == 3
        assert len(await hall.events("hall.rating.none")) == 1


async def test_events_keep_their_length_limit_as_they_came(tmp_path: Path) -> None:
    """1e9 is written 1000000000.0 in the store: longer, but not again too long."""
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        payload = cnt.event("passage", {"dir": "in", "x": 0})
        payload = payload.replace(b"0}", b"[" + b",".join([b"1e9"] * 200) + b"]}")
        assert await send(hall, cnt, payload) == 1
        assert len(await hall.events("hall.count.passage")) == 1


async def test_the_same_identity_with_another_body_raises_an_alarm(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        await send(hall, cnt, passage(cnt))
        cnt.seq = 0
        other = passage(cnt, "out")
        assert [await send(hall, cnt, other) for _ in range(2)] == [1, 1]
        [alarm] = await hall.data("hall.device.fault")
        assert (alarm["code"], alarm["seq"]) == ("identity_conflict", 1)
        assert [e["direction"] for e in await hall.data("hall.count.passage")] == ["in"]


async def test_another_model_in_a_devices_place_is_told_once(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        keypad = Device("kp-2")
        for profile in ("keypad-3", "keypad-5", "keypad-5", "keypad-3", "keypad-5"):
            await hall.core.state("kp-2", keypad.state(acked=0, profile=profile))
        alarms = await hall.data("hall.device.fault")
        wrong = {"code": "wrong_profile", "reported": "keypad-5", "expected": "keypad-3"}
        assert alarms == [{"device": "kp-2"} | wrong] * 2


async def test_an_unknown_device_keeps_its_events(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_hall(tmp_path) as hall:
        ghost = Device("ghost")
        assert await hall.core.event("ghost", passage(ghost)) is None
        assert await hall.core.state("ghost", ghost.state(acked=0)) is None
        await hall.core.online("ghost", True)
        assert await hall.core.reply("ghost", b'{"id":"c-1","ok":true}') is None
        assert hall.core.health()["refused"] == {"unknown_device": 4}
        assert await hall.rows() == []
        assert "ghost" not in hall.core.device_states()
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told == ["ghost: refused: this device is not in the gateway's settings"]


async def test_a_formatted_journal_is_a_new_identity(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        old, new = Device("cnt", epoch=1), Device("cnt", epoch=2)
        await send(hall, old, passage(old))
        old.seq = 3
        assert await send(hall, old, passage(old)) == 1  # 2 and 3 are missing
        assert await send(hall, new, passage(new)) == 1
        await hall.core.state("cnt", new.state(acked=0))
        ids = [event["id"] for event in await hall.events("hall.count")]
        assert ids == ["cnt/00000001/1", "cnt/00000002/1", "cnt/00000001/4"]
        [loss] = await hall.data("hall.device.fault")
        assert (loss["code"], loss["lost"]) == ("journal_replaced", 2)


async def test_a_device_has_a_bounded_number_of_epochs(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        for epoch in range(3 * MAX_EPOCHS):
            device = Device("cnt", epoch)
            assert await send(hall, device, passage(device)) == 1
        assert len(await hall.rows()) == 3 * MAX_EPOCHS


async def test_a_gap_may_not_add_an_epoch_too_many(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        for epoch in range(MAX_EPOCHS + 1):
            cnt = Device("cnt", epoch=epoch)
            assert await send(hall, cnt, cnt.gap(1, 3)) == 3
    with closing(sqlite3.connect(tmp_path / "hall.db")) as connection:
        assert connection.execute("SELECT count(*) FROM marks").fetchone() == (MAX_EPOCHS,)


async def test_events_far_ahead_are_refused(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        missing = passage(cnt)
        ahead = [passage(cnt) for _ in range(MAX_AHEAD + 1)]
        await asyncio.gather(*(send(hall, cnt, event) for event in ahead))
        assert hall.core.health()["refused"] == {"too_far_ahead": 1}
        assert await send(hall, cnt, missing) == MAX_AHEAD + 1
        assert await send(hall, cnt, ahead[-1]) == MAX_AHEAD + 2


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b'{"journal":{"epoch":1,"acked":5,"next":5}}',
        b'{"journal":{"epoch":"x"}}',
        b'{"journal":{"epoch":1,"acked":0,"next":1},"shows":{"c":NaN}}',
        b'{"journal":{"epoch":1,"acked":0,"next":1},"shows":{"c":1e999}}',
    ],
)
async def test_a_bad_state_is_counted(tmp_path: Path, payload: bytes) -> None:
    async with open_hall(tmp_path) as hall:
        assert await hall.core.state("cnt", payload) is None
        assert hall.core.health()["refused"] == {"state": 1}


async def test_the_reported_state_is_passed_on(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        assert json.loads(hall.core.device_states()["cnt"]) == {
            "device": "cnt",
            "online": False,
            "seen": None,
            "state": None,
        }
        await hall.core.online("cnt", True)
        hall.clock.pass_s(2)
        await hall.core.state("cnt", cnt.state(acked=0, fw="1.0"))
        state = json.loads(hall.core.device_states()["cnt"])
        assert (state["online"], state["seen"], state["state"]["fw"]) == (True, NOON + 2000, "1.0")


async def test_online_and_offline_are_told_when_they_change(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        for online in (False, False, True, True, False, True):
            await hall.core.online("cnt", online)
        types = [event["type"] for event in await hall.events()]
        assert types == [f"hall.device.{word}" for word in ("online", "offline", "online")]
        assert await hall.data("hall.device.offline") == [{"device": "cnt"}]


async def test_the_gateways_own_events_have_its_own_identity(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        await hall.core.online("cnt", True)
        await hall.core.online("cnt", False)
        first, second = await hall.events()
        prefix, _, seq = first["id"].rpartition("/")
        assert (seq, second["id"]) == ("1", f"{prefix}/2")
        assert first["source"] == "/hall/demo/gateway"


async def test_a_restored_backup_gives_no_id_again(tmp_path: Path) -> None:
    """A backup brings back the counter of the gateway's own events, never their epoch."""
    store, backup = tmp_path / "hall.db", tmp_path / "backup.db"
    ids: list[str] = []
    async with open_hall(tmp_path) as hall:
        await hall.core.online("cnt", True)
        ids += [event["id"] for event in await hall.events()]
    shutil.copy(store, backup)
    for _ in range(3):
        shutil.copy(backup, store)
        async with open_hall(tmp_path) as hall:
            before = await hall.events()
            await hall.core.online("cnt", False)
            ids += [event["id"] for event in (await hall.events())[len(before) :]]
    assert len(ids) == len(set(ids)) == 4


async def test_from_call_to_rating(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        display, keypad = Device("disp-1"), Device("kp-1")
        await hall.do("call", window="1", ticket="A015", staff="王芳")
        rev = hall.desired("disp-1")["rev"]
        await send(hall, display, display.event("shown", {"rev": rev}))
        await hall.do("start", window="1")
        await hall.do("end", window="1")
        session = hall.desired("kp-1")["rev"]
        await send(hall, keypad, keypad.event("press", {"key": 2, "session": session}))
        await send(hall, keypad, keypad.event("close", {"session": session, "why": "lock"}))
        assert [event["type"] for event in await hall.events()] == [
            "hall.window.opened",
            "hall.ticket.called",
            "hall.call.shown",
            "hall.service.started",
            "hall.service.ended",
            "hall.rating.pressed",
            "hall.rating.given",
        ]
        [given] = await hall.events("hall.rating.given")
        assert given["id"] == "kp-1/0000beef/2"
        assert (given["data"]["ticket"], given["data"]["mark"]) == ("A015", 4)
        assert hall.desired("kp-1")["session"] is None


async def test_a_repeated_command_is_answered_from_memory(tmp_path: Path) -> None:
    call = json.dumps({"id": "same", "window": "1", "ticket": "A001"}).encode()
    async with open_hall(tmp_path) as hall:
        first = await hall.core.command("call", call)
        before = hall.desired("disp-1")
        assert await hall.core.command("call", call) == first
        bad = b'{"id":"bad","window":"1"}'
        refused = await hall.core.command("end", bad)
        await hall.do("start", window="1")
        assert await hall.core.command("end", bad) == refused
    async with open_hall(tmp_path) as hall:
        assert await hall.core.command("call", call) == first
        assert hall.desired("disp-1") == before
        assert hall.core.health()["commands"] == {"repeated": 1}


async def test_an_id_used_for_another_command_does_nothing(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:

        async def command(name: str, payload: bytes) -> dict[str, Any]:
            reply = await hall.core.command(name, payload)
            assert reply is not None
            return read(reply)

        first = await command("call", b'{"id":"c-1","ticket":"A001","window":"1"}')
        assert first["ok"]
        other = "id c-1 was used for another command; give each command its own id"
        for name, payload in (
            ("call", b'{"id":"c-1","ticket":"A002","window":"2"}'),
            ("recall", b'{"id":"c-1","ticket":"A001","window":"1"}'),
            ("start", b'{"id":"c-1","window":"1"}'),
        ):
            assert await command(name, payload) == {"id": "c-1", "ok": False, "error": other}
        assert hall.desired("disp-2")["view"] == "idle"
        assert [row.topic_verb for row in await hall.rows()] == ["called"]
        same = b'{"window": "1", "ticket": "A001", "id": "c-1"}'
        assert await command("call", same) == first


async def test_commands_that_cannot_be_read(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        for payload in (b"", b"{", b'{"window":"1"}', b'{"id":"a/b"}', b"x" * 2048):
            assert await hall.core.command("end", payload) is None
        assert hall.core.health()["refused"] == {"command_without_id": 5}
        assert await hall.error("jump", window="1") == (
            "no command jump; the commands are take, cancel, call, recall, no_show, start, end, "
            "pause, resume, transfer, staff, show, device"
        )
        assert await hall.error("end", window="7") == (
            "window: 7 is not in this hall; give one of 1, 2, 3"
        )
        assert await hall.error("end") == "window: missing; give one of 1, 2, 3"
        assert await hall.send("end", window="1" * 2048) is None


async def test_a_device_command_is_handed_out_once_and_answered_once(tmp_path: Path) -> None:
    order = b'{"id":"d-1","device":"kp-1","do":"identify"}'
    async with open_hall(tmp_path) as hall:
        assert await hall.core.command("device", order) is None
        assert hall.core.signals.device_commands.is_set()
        [taken] = await hall.core.take_device_commands()
        assert (taken.id, taken.device) == ("d-1", "kp-1")
        assert json.loads(taken.body) == {"id": "d-1", "do": "identify", "args": {}, "ttl_s": 30}
    async with open_hall(tmp_path) as hall:  # a restart does not send it again
        assert await hall.core.take_device_commands() == []
        assert await hall.core.command("device", order) is None
        for refused in (
            b"nonsense",
            b"[" * 1000,
            b'{"id":["d-1"],"ok":true}',
            b'{"id":"d-1","ok":true,"result":NaN}',
            b'{"id":"d-1","ok":true,"result":"' + b"x" * 1024 + b'"}',
        ):
            assert await hall.core.reply("kp-1", refused) is None
        answer = b'{"id":"d-1","ok":true,"result":{"blink":true}}'
        assert await hall.core.reply("disp-1", answer) is None
        assert await hall.core.reply("kp-1", answer) == "d-1"
        assert await hall.core.reply("kp-1", answer) is None
        assert hall.core.health()["refused"] == {"stray_reply": 2, "reply": 5}
        assert hall.core.signals.replies.is_set()
        [reply] = await hall.core.replies()
        assert read(reply) == {"id": "d-1", "ok": True, "result": {"blink": True}}
    async with open_hall(tmp_path) as hall:
        assert await hall.core.replies() == [reply]
        await hall.core.replied("d-1")
        assert await hall.core.replies() == []
        assert await hall.core.command("device", order) == reply


async def test_a_device_that_does_not_answer_in_time(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        assert await hall.send("device", device="kp-1", do="selftest", ttl_s=5) is None
        hall.clock.pass_s(4.9)
        await hall.core.tick()
        assert await hall.core.replies() == []
        hall.clock.pass_s(0.1)
        await hall.core.tick()
        [reply] = await hall.core.replies()
        assert read(reply)["error"] == "device kp-1 did not answer in time; it is offline"
        assert "give one of disp-1, kp-1" in await hall.error("device", device="x", do="reboot")


async def test_a_device_owes_a_bounded_number_of_answers(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        for _ in range(16):
            assert await hall.send("device", device="kp-1", do="identify") is None
        assert "16 commands to answer" in await hall.error("device", device="kp-1", do="identify")
        assert await hall.send("device", device="kp-2", do="identify") is None


async def test_a_text_gives_way_after_its_time(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        await hall.do("show", device="sign", text="今日停电", seconds=3)
        assert hall.desired("sign")["view"] == "text"
    clock = Clock(NOON + 3000)
    async with open_hall(tmp_path, clock) as hall:
        hall.core.signals.desired.clear()
        await hall.core.tick()
        assert hall.desired("sign")["view"] == "idle"
        assert hall.core.signals.desired.is_set()


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        await hall.do("call", window="1", ticket="A001", staff="王芳")
        await hall.do("start", window="1")
        session = await hall.serve("B001", window="2")
        desired = hall.core.desired()
        rows = await hall.rows()
    async with open_hall(tmp_path) as hall:
        assert hall.core.desired() == desired
        assert await hall.rows() == rows
        await hall.do("end", window="1")
        keypad = Device("kp-2")
        close = keypad.event("close", {"session": session, "why": "end"})
        assert await send(hall, keypad, close) == 1
        [none] = await hall.data("hall.rating.none")
        assert none["ticket"] == "B001"


async def test_every_open_session_survives_a_restart(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        for number in range(20):
            last = await hall.serve(f"A{number:03}")
    async with open_hall(tmp_path) as hall:
        keypad = Device("kp-1")
        await send(hall, keypad, keypad.event("close", {"session": last, "why": "end"}))
        tickets = [none["ticket"] for none in await hall.data("hall.rating.none")]
        assert tickets == [f"A{number:03}" for number in range(20)]


async def test_a_device_that_became_another_kind(tmp_path: Path) -> None:
    """Events that wait for their turn when the registry changes are told, not lost."""
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        first = passage(cnt)
        await send(hall, cnt, passage(cnt))
    changed = dict(PLAN.devices) | {"cnt": PlannedDevice("cnt", load("wet-floor-mains"), "zone/a")}
    async with open_hall(tmp_path, plan=Plan("demo", PLAN.windows, changed)) as hall:
        assert await send(hall, cnt, first) == 2
        assert {alarm["seq"] for alarm in await hall.data("hall.device.fault")} == {1, 2}


@pytest.mark.parametrize("called", [True, False])
async def test_a_display_and_a_keypad_change_places(tmp_path: Path, called: bool) -> None:
    """After a swap an id may be another kind of device; what it was told before is not for it."""
    swapped = dict(PLAN.devices)
    for id, profile in (("disp-1", "keypad-5"), ("kp-1", "call-display-p10-64x16")):
        swapped[id] = PlannedDevice(id, load(profile), "window/1", "1")
    for plan, display, keypad in (
        (PLAN, "disp-1", "kp-1"),
        (Plan("demo", PLAN.windows, swapped), "kp-1", "disp-1"),
        (PLAN, "disp-1", "kp-1"),
    ):
        async with open_hall(tmp_path, plan=plan) as hall:
            assert hall.desired(keypad)["session"] is None
            assert "view" in hall.desired(display)
            if called:
                await hall.do("call", window="1", ticket="A001")
                assert hall.desired(display)["ticket"] == "A001"


async def test_a_lost_store_on_a_clock_behind_reaches_its_displays(tmp_path: Path) -> None:
    async with open_hall(tmp_path, Clock(NOON - 7 * 86_400_000)) as hall:
        await hall.do("call", window="1", ticket="A001")
        display = Device("disp-1")
        assert await hall.core.state("disp-1", display.state(acked=0, rev=NOON // 1000))
        desired = hall.desired("disp-1")
        assert (desired["rev"], desired["ticket"]) == (NOON // 1000 + 1, "A001")
        await send(hall, display, display.event("shown", {"rev": desired["rev"]}))
        [shown] = await hall.data("hall.call.shown")
        assert shown["ticket"] == "A001"


async def test_a_shown_of_the_future_blinds_nobody(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        display = Device("disp-1")
        assert await send(hall, display, display.event("shown", {"rev": 9999999999})) == 1
        assert hall.core.health()["refused"] == {"poison": 1}
        [alarm] = await hall.data("hall.device.fault")
        assert alarm["reason"].startswith("rev: 9999999999 is above ")
        await hall.do("call", window="1", ticket="A001")
        rev = hall.desired("disp-1")["rev"]
        await send(hall, display, display.event("shown", {"rev": rev}))
        [shown] = await hall.data("hall.call.shown")
        assert shown["ticket"] == "A001"


async def test_an_event_that_its_profile_does_not_have(tmp_path: Path) -> None:
    """A keypad with five keys has no sixth: kept, visible, and the device can move on."""
    async with open_hall(tmp_path) as hall:
        keypad = Device("kp-1")
        press = keypad.event("press", {"key": 6, "session": None})
        assert await send(hall, keypad, press) == 1
        (alarm,) = await hall.data("hall.device.fault")
        assert alarm["code"] == "refused_event"
        assert "keypad-5 event press: key" in alarm["reason"]
        assert hall.core.health()["quarantined"] == 1


async def test_a_sink_sees_every_row_once_and_in_order(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        cnt = Device("cnt")
        for _ in range(5):
            await send(hall, cnt, passage(cnt))
        first = await hall.core.outbox("a", 2)
        assert await hall.core.outbox("a", 2) == first
        await hall.core.advance("a", first[-1].position)
        await hall.core.advance("a", 1)  # never back
        assert hall.core.health()["outbox"] == {"a": 3}
    async with open_hall(tmp_path) as hall:
        rest = await hall.core.outbox("a", 100)
        assert [row.position for row in rest] == [3, 4, 5]
        assert (rest[0].topic_noun, rest[0].topic_verb) == ("count", "passage")
        await hall.core.advance("a", 10**9)  # never past the end
        await send(hall, cnt, passage(cnt))
        assert [row.position for row in await hall.core.outbox("a", 100)] == [6]


async def test_a_closed_core_says_so(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        pass
    await hall.core.close()
    with pytest.raises(StoreError, match="closed"):
        await hall.core.tick()


WORLD = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(seed=st.integers(0, 2**32 - 1))
@WORLD
def test_arrival_order_does_not_matter(tmp_path_factory: Any, seed: int) -> None:
    """Reordered, duplicated and delayed deliveries end in the same events as perfect ones."""
    asyncio.run(_any_order(tmp_path_factory.mktemp("hall"), random.Random(seed)))


async def _any_order(folder: Path, rng: random.Random) -> None:
    async with open_hall(folder) as hall:
        first, second = await hall.serve("A001"), await hall.serve("A002")
        third = await hall.serve("A003")
        keypad = Device("kp-1")
        payloads: list[bytes] = []
        truth: list[str] = []
        for session in (first, second, third):
            presses = rng.randint(0, 3)
            for number in range(presses):
                data = {"key": rng.randint(1, 5), "session": session}
                payloads.append(keypad.event("press", data, after_ms=1400 if number else 9000))
                truth.append("pressed")
            why = "lock" if presses else "end"
            payloads.append(keypad.event("close", {"session": session, "why": why}))
            truth.append("given" if presses else "none")
            if rng.random() < 0.5:
                payloads.append(keypad.event("press", {"key": 1, "session": None}))
                truth.append("quarantined")
        deliveries = payloads + rng.choices(payloads, k=rng.randint(0, 8))
        rng.shuffle(deliveries)
        for delivery in deliveries:
            await hall.core.event("kp-1", delivery)
        ack = await hall.core.event("kp-1", payloads[0])
        assert ack is not None
        assert ack.seq == len(payloads)
        ratings = await hall.events("hall.rating")
        assert [event["type"].removeprefix("hall.rating.") for event in ratings] == truth
        assert [e["id"] for e in ratings] == [f"kp-1/0000beef/{n + 1}" for n in range(len(truth))]
        health = hall.core.health()
        assert health["stored"] == len(payloads)
        assert health["duplicates"] == len(deliveries) + 1 - len(payloads)
