"""Battery devices at the gateway: events, acks, commands, heartbeats, over real CoAP and OSCORE."""

import asyncio
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from aiocoap.numbers import codes
from hall_gateway.config import load_config
from hall_gateway.core import Core
from hall_gateway.devices_coap import HEARTBEAT_S, MISSED, DevicesCoap
from hall_gateway.kept_out import KeptOut
from hall_gateway.keys import KeyStore
from hall_gateway.plan import plan_of
from hall_gateway.quarantine import Limits
from hall_gateway.values import DeviceOrder, StoreFullError
from hall_profiles import load
from support.battery import Battery, ask, client, protected, said
from support.battery_hall import PROFILE, CoapHall, battery_toml, coap_hall, enrolled
from support.core_hall import Clock


def battery(coap: Any, hall: CoapHall, device: str = "floor-1", number: int = 0) -> Battery:
    keys = KeyStore(hall.folder / "keys").get(device)
    assert keys is not None
    return Battery(coap, keys, hall.port, number)


async def test_a_wake_is_committed_and_acked(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall)
        events = device.events
        wake = [events.wet(), events.dry()]
        now = hall.hall.clock.now
        answer = {"epoch": events.epoch, "seq": 2, "now": now}
        assert said(await device.post(events=wake, state=events.state())) == answer
        told = await hall.hall.events("hall.floor")
        assert [event["type"] for event in told] == ["hall.floor.wet", "hall.floor.dry"]
        assert said(await device.post(events=wake)) == answer, "again, because no answer came"
        assert len(await hall.hall.events("hall.floor")) == 2
        assert hall.core.health()["duplicates"] == 2
        assert hall.refused() == {}
        state = json.loads(hall.core.device_states()["floor-1"])
        assert (state["online"], state["seen"]) == (True, now)
        assert state["state"]["profile"] == PROFILE


async def test_a_heartbeat_may_say_nothing(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall)
        assert said(await device.post()) == {"now": hall.hall.clock.now}
        hall.hall.clock.pass_s(3600)
        assert said(await device.post(events=[])) == {"now": hall.hall.clock.now}
        assert json.loads(hall.core.device_states()["floor-1"])["seen"] == hall.hall.clock.now


async def test_one_event_that_makes_no_sense_does_not_stop_the_others(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall)
        events = device.events
        wake = [events.wet(), events.event("press", {"key": 1}), {"what": 1}, 7, events.dry()]
        assert said(await device.post(events=wake, state=events.state()))["seq"] == 3
        assert len(await hall.hall.events("hall.floor.dry")) == 1
        health: Any = hall.core.health()
        assert health["quarantined"] == 3
        assert health["refused"] == {"poison": 1, "unreadable": 2}
        nothing = await device.post(events=[{"what": 2}])
        assert nothing.code is codes.BAD_REQUEST
        assert hall.refused() == {"unreadable": 1}


async def test_a_full_store_is_told_and_nothing_is_acked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall)
        said(await device.post())

        async def full(*_: object) -> None:
            raise StoreFullError("full")

        event = device.events.wet()
        with monkeypatch.context() as broken:
            broken.setattr(hall.core, "event", full)
            answer = await device.post(events=[event])
        assert (answer.code, answer.opt.max_age) == (codes.SERVICE_UNAVAILABLE, 60)
        assert hall.refused() == {"store": 1}
        assert said(await device.post(events=[event]))["seq"] == 1


async def order(hall: CoapHall, do: str, **more: object) -> None:
    """A `device` command, handed to the link as the gateway does."""
    assert await hall.hall.send("device", device="floor-1", do=do, **more) is None
    for taken in await hall.core.take_device_commands():
        hall.side.orders[taken.device](taken)


async def test_a_command_waits_for_the_wake_and_its_answer_for_the_next(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall)
        await order(hall, "identify", args={"seconds": 5}, ttl_s=600)
        await order(hall, "reboot", ttl_s=600)
        first = said(await device.post())["cmd"]
        assert [(c["do"], c["args"]) for c in first] == [
            ("identify", {"seconds": 5}),
            ("reboot", {}),
        ]
        # A reboot that was on its way is not sent again, for it may have been done.
        assert [c["do"] for c in said(await device.post())["cmd"]] == ["identify"]
        replies = [{"id": c["id"], "ok": True, "result": {}} for c in first]
        assert "cmd" not in said(await device.post(replies=replies))
        assert [json.loads(r.body)["ok"] for r in await hall.core.replies()] == [True, True]
        stray = said(await device.post(replies=replies))
        assert "cmd" not in stray


async def test_a_command_that_no_wake_came_for_is_not_sent(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    config = load_config(battery_toml(tmp_path, ["floor-1"]))
    passed = [0.0]
    core = await Core.open(config, Clock())
    try:
        devices = DevicesCoap(config, core, KeptOut(core, Limits()).quarantine, lambda: passed[0])
        order = b'{"id":"c-1","do":"identify","args":{},"ttl_s":30}'
        devices.orders["floor-1"](DeviceOrder("c-1", "floor-1", order))
        passed[0] = 29.0
        assert devices.due("floor-1")
        passed[0] = 31.0
        assert not devices.due("floor-1")
    finally:
        await core.close()


async def test_commands_that_do_not_fit_wait_for_the_next_wake(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall)
        for _ in range(3):
            await order(hall, "update", args={"url": "x" * 400}, ttl_s=600)
        sizes = [len(said(await device.post()).get("cmd", ())) for _ in range(3)]
        assert sizes == [2, 1, 0]


async def test_silence_is_told_after_two_heartbeats_that_did_not_come(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    config = load_config(battery_toml(tmp_path, ["floor-1"]))
    passed = [0.0]
    core = await Core.open(config, Clock())
    try:
        devices = DevicesCoap(config, core, KeptOut(core, Limits()).quarantine, lambda: passed[0])
        await devices.heard("floor-1")
        heartbeat = devices.heartbeat("floor-1")
        passed[0] = 2.4 * heartbeat
        assert devices.fallen_silent() == []
        passed[0] = MISSED * heartbeat + 1
        assert devices.fallen_silent() == ["floor-1"]
        devices.follow(config)
        assert devices.fallen_silent() == ["floor-1"], "new settings are no sign of life"
        await devices.heard("floor-1")
        assert devices.fallen_silent() == []
        assert heartbeat <= 24 * HEARTBEAT_S
    finally:
        await core.close()


async def test_a_silent_device_is_offline_and_comes_back(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1", "floor-2")
    config = load_config(battery_toml(tmp_path, ["floor-1", "floor-2"]))
    passed = [0.0]
    core = await Core.open(config, Clock())
    try:
        devices = DevicesCoap(config, core, KeptOut(core, Limits()).quarantine, lambda: passed[0])
        await devices.heard("floor-1")
        passed[0] = 1e6
        running = asyncio.create_task(devices.run())
        async with asyncio.timeout(60):
            while b'"online":false' not in core.device_states()["floor-1"]:
                await core.tick()
        await devices.heard("floor-1")
        assert b'"online":true' in core.device_states()["floor-1"]
        running.cancel()
        rows = await core.outbox("test", 100)
        kinds = [json.loads(row.body)["type"] for row in rows]
        verbs = [kind.rpartition(".")[2] for kind in kinds if "hall.device" in kind]
        assert verbs == ["online", "offline", "online"], "floor-2 was never there, so never went"
    finally:
        await core.close()


async def test_who_is_heard_while_the_gateway_looks_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(battery_toml(tmp_path, ["floor-1"]))
    passed = [0.0]
    core = await Core.open(config, Clock())
    try:
        devices = DevicesCoap(config, core, KeptOut(core, Limits()).quarantine, lambda: passed[0])
        passed[0] = MISSED * devices.heartbeat("floor-1") + 1
        look: list[list[str]] = []
        true_heard, true_online = core.heard, core.online

        async def heard(device: str) -> None:
            look.append(devices.fallen_silent())
            await true_heard(device)

        async def online(device: str, there: bool) -> None:
            await true_online(device, there)
            await devices.heard(device)  # the moment after
            running.cancel()

        monkeypatch.setattr(core, "heard", heard)
        monkeypatch.setattr(core, "online", online)
        running = asyncio.create_task(devices.run())
        await asyncio.wait([running])
        assert look == [[]]
        passed[0] *= 2
        assert devices.fallen_silent() == ["floor-1"], "it can fall silent once more"
    finally:
        await core.close()


async def test_revocation_and_new_keys_count_from_the_next_request(tmp_path: Path) -> None:
    store = enrolled(tmp_path, "floor-1", "floor-2")
    async with coap_hall(tmp_path, "floor-1", "floor-2") as hall, client() as coap:
        old, other = battery(coap, hall), battery(coap, hall, "floor-2")
        said(await old.post())
        said(await other.post())
        store.enrol("floor-1", load(PROFILE))
        answer = await ask(hall.port, protected(old.side, b"\xa0"))
        assert answer.code is codes.UNAUTHORIZED
        new = battery(coap, hall)
        said(await new.post())
        store.revoke("floor-1")
        answer = await ask(hall.port, protected(new.side, b"\xa0"))
        assert answer.code is codes.UNAUTHORIZED
        assert hall.refused() == {"unknown_key": 2}
        assert hall.side.figures()["challenged"] == 3, "once for each key"
        said(await other.post())
        assert hall.side.figures()["challenged"] == 3


async def test_revoked_in_the_settings_alone(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall)
        said(await device.post())
        file = battery_toml(tmp_path, ["floor-1"])
        text = file.read_text().replace('zone = "hall"\n', 'zone = "hall"\nrevoked = true\n', 1)
        file.write_text(text)
        config = load_config(file)
        await hall.core.follow(plan_of(config))
        hall.side.follow(config)
        answer = await ask(hall.port, protected(device.side, b"\xa0"))
        assert answer.code is codes.UNAUTHORIZED
        assert hall.refused() == {"unknown_key": 1}


async def test_a_key_file_that_cannot_be_read_shuts_out_its_device_only(tmp_path: Path) -> None:
    store = enrolled(tmp_path, "floor-1", "floor-2")
    async with coap_hall(tmp_path, "floor-1", "floor-2") as hall, client() as coap:
        one, two = battery(coap, hall), battery(coap, hall, "floor-2")
        store.path("floor-1").unlink()
        store.path("floor-1").write_text("{")
        store.path("floor-1").chmod(0o600)
        answer = await ask(hall.port, protected(one.side, b"\xa0"))
        assert answer.code is codes.UNAUTHORIZED
        said(await two.post())
        assert hall.side.figures()["key_files"] >= 1


async def test_an_orderly_end_costs_no_challenge_and_forgets_no_number(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall)
        said(await device.post())
        recorded = protected(device.side, b"\xa0")
        await ask(hall.port, recorded)
        number = device.side.sender_sequence_number
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall, number=number)
        answer = await ask(hall.port, recorded)
        assert (answer.code, hall.refused()) == (codes.UNAUTHORIZED, {"replayed": 1})
        said(await device.post())
        assert hall.side.figures()["challenged"] == 0


async def test_what_was_heard_before_a_crash_is_not_taken_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when an earlier gateway has ended in order: its window was taken from the store."""
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall)
        said(await device.post())
        number = device.side.sender_sequence_number
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall, number=number)
        recorded = protected(device.side, cbor2.dumps({"events": [device.events.wet()]}))
        await ask(hall.port, recorded)
        assert hall.side.figures()["challenged"] == 0

        async def nothing() -> None: ...

        monkeypatch.setattr(hall.side, "finish", nothing)
    async with coap_hall(tmp_path, "floor-1") as hall:
        for _ in range(2):
            assert (await ask(hall.port, recorded)).opt.oscore is not None, "a challenge"
        assert hall.side.figures()["challenged"] == 2
        assert hall.core.health()["duplicates"] == 0


async def test_a_window_from_long_ago_is_not_believed(tmp_path: Path) -> None:
    """As in a backup of a gateway that did not run: what was recorded since is none of it."""
    enrolled(tmp_path, "floor-1")
    clock = Clock()
    async with coap_hall(tmp_path, "floor-1", clock=clock) as hall, client() as coap:
        device = battery(coap, hall)
        said(await device.post())
    recorded = protected(device.side, b"\xa0")
    number = device.side.sender_sequence_number
    for passed_s, challenged in ((3600, 0), (3601, 1), (-1, 1)):
        clock.pass_s(passed_s)
        async with coap_hall(tmp_path, "floor-1", clock=clock) as hall, client() as coap:
            device = battery(coap, hall, number=number)
            if challenged:
                answer = await ask(hall.port, recorded)
                assert answer.opt.oscore is not None, "a challenge, and nothing done"
                assert hall.core.health()["stored"] == 0
            said(await device.post())
            number = device.side.sender_sequence_number
            assert bool(hall.side.figures()["challenged"]) == bool(challenged)


async def test_a_gateway_that_ends_asks_for_patience(tmp_path: Path) -> None:
    enrolled(tmp_path, "floor-1")
    async with coap_hall(tmp_path, "floor-1") as hall, client() as coap:
        device = battery(coap, hall)
        said(await device.post())
        await hall.side.finish()
        answer = await ask(hall.port, protected(device.side, b"\xa0"))
        assert (answer.code, answer.opt.max_age) == (codes.SERVICE_UNAVAILABLE, 60)


async def test_a_hundred_devices_at_once(tmp_path: Path) -> None:
    names = [f"floor-{number}" for number in range(100)]
    enrolled(tmp_path, *names)
    async with coap_hall(tmp_path, *names) as hall, client() as coap:
        devices = [battery(coap, hall, name) for name in names]
        for number, device in enumerate(devices):
            device.events.epoch = 1000 + number

        async def wake(device: Battery) -> Any:
            events = [device.events.wet(), device.events.dry()]
            return await device.post(events=events, state=device.events.state())

        for round in (2, 4):
            answers = await asyncio.gather(*map(wake, devices))
            assert [said(answer)["seq"] for answer in answers] == [round] * 100
        assert hall.core.health()["stored"] == 400
        assert hall.refused() == {}
