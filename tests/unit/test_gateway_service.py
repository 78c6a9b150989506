"""The composed gateway: its figures, and what happens when a part of it fails."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hall_gateway import service
from hall_gateway.config import GatewayConfig
from hall_gateway.core import Core
from hall_gateway.devices_mqtt import DevicesMqtt
from hall_gateway.hall_link import HallLink
from hall_gateway.mqtt import MqttClient
from hall_gateway.service import Gateway, composed, serve
from hall_gateway.values import Reply, StoreError
from hall_panel.raspberry_pi import Gpio
from hall_tools.commands import gateway as command
from hall_tools.errors import UserError
from hall_tools.ports import free_port
from support.header import PI_5, Header

EVENT = b'{"epoch":1,"seq":1,"boot":1,"up":5,"t":null,"kind":"passage","data":{"dir":"in"}}'


def settings(tmp_path: Path) -> GatewayConfig:
    """An embedded broker on both sides, and one people counter."""
    port = free_port()
    return GatewayConfig.model_validate(
        {
            "hall": "demo",
            "store": {"path": str(tmp_path / "hall.db")},
            "broker": {"mode": "embedded", "port": port},
            "upstream": {"port": port},
            "device": [{"id": "c-1", "profile": "people-counter-beams", "zone": "entrance"}],
        }
    )


async def test_the_failure_of_one_part_ends_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: DevicesMqtt) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(DevicesMqtt, "run", fail)
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(serve(settings(tmp_path), lambda line: None), 60)
    assert caught.group_contains(ZeroDivisionError)


def test_a_failed_service_is_one_line_and_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object, **_options: object) -> None:
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [ZeroDivisionError("a defect")])])

    monkeypatch.setattr(command, "serve", fail)
    path = tmp_path / "hall.toml"
    path.write_text('hall = "demo"\n[store]\npath = "hall.db"\n[upstream]\n')
    with pytest.raises(UserError, match="the gateway stopped: ZeroDivisionError") as caught:
        command.run(path)
    assert caught.value.exit_code == os.EX_SOFTWARE


@asynccontextmanager
async def running(
    config: GatewayConfig, open_gpio: Callable[[], Gpio] = Gpio
) -> AsyncGenerator[Gateway]:
    """A gateway at work, connected on both sides."""
    async with composed(config, open_gpio) as gateway:
        stop = asyncio.Event()
        work = asyncio.create_task(gateway.run(stop))
        for mqtt in gateway.brokers.values():
            await mqtt.wait_connected()
        try:
            yield gateway
        finally:
            stop.set()
            await work


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - other tasks change it, no event of theirs is at hand
            await asyncio.sleep(0.01)


def refused(gateway: Gateway, reason: str) -> int:
    return gateway.health()["refused_by_links"][reason]  # type: ignore[index]


async def test_a_message_that_meets_a_defect_is_counted_and_the_service_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(self: Core, *_: object) -> None:
        raise RecursionError("a defect")

    monkeypatch.setattr(Core, "reply", fail)
    monkeypatch.setattr(Core, "command", fail)
    config = settings(tmp_path)
    async with running(config) as gateway, MqttClient("t", config.upstream, "t", ()) as client:
        await client.wait_connected()
        await client.publish("device/v1/c-1/up/reply", b"[" * 5000)
        await client.publish("hall/v1/demo/command/call", b"{}")
        await until(lambda: refused(gateway, "defect") == 2)
        await client.publish("device/v1/c-1/up/event", EVENT)
        await until(lambda: gateway.health()["stored"] == 1)
    assert "device/v1/c-1/up/reply" in caplog.text


async def test_a_store_that_cannot_be_read_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = {"outbox": 1, "replies": 1, "take_device_commands": 1}

    def fail_once(name: str) -> None:
        real = getattr(Core, name)

        async def call(self: Core, *arguments: object) -> object:
            if failures.pop(name, 0):
                raise StoreError("nothing was committed: disk I/O error")
            return await real(self, *arguments)

        monkeypatch.setattr(Core, name, call)

    for name in list(failures):
        fail_once(name)
    async with running(settings(tmp_path)) as gateway:
        await gateway.core.event("c-1", EVENT)
        await until(lambda: not failures and gateway.health()["outbox"] == {"hall": 0})


async def test_an_end_that_cannot_wait_for_the_devices_still_tells_the_hall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished: list[str] = []

    async def wait(self: DevicesMqtt) -> None:
        await asyncio.Event().wait()

    async def finish(self: HallLink) -> None:
        finished.append("told")

    monkeypatch.setattr(service, "DRAIN_S", 0.01)
    monkeypatch.setattr(DevicesMqtt, "idle", wait)
    monkeypatch.setattr(HallLink, "finish", finish)
    async with running(settings(tmp_path)):
        pass
    assert finished == ["told"]


async def test_a_tick_alone_changes_no_figure(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as gateway:
        await gateway.core.event("c-1", EVENT)
        await until(lambda: gateway.health()["outbox"] == {"hall": 0})
        core = gateway.core
        # The first ticks count what was forgotten, and tell the occupancy, which is acked later.
        for _ in range(10):
            before, last = gateway.health(), core.health()["last_commit"]
            await until(lambda last=last: core.health()["last_commit"] != last)
            if gateway.health() == before:
                return
        assert gateway.health() == before


async def test_topics_that_are_no_text_are_shown(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as gateway:
        gateway.brokers["devices"].counters.bad_topics += 2
        assert refused(gateway, "bad_topic") == 2


async def test_what_a_broker_kept_says_nothing_of_when_a_device_was_there(tmp_path: Path) -> None:
    state = b'{"journal":{"epoch":1,"acked":0,"next":1}}'
    async with composed(settings(tmp_path)) as gateway:
        await gateway.core.online("c-1", True, retained=True)
        await gateway.core.state("c-1", state, retained=True)
        assert json.loads(gateway.core.device_states()["c-1"])["seen"] is None
        await gateway.core.state("c-1", state)
        assert json.loads(gateway.core.device_states()["c-1"])["seen"] is not None


async def test_every_late_reply_is_published_at_once(tmp_path: Path) -> None:
    ids = {f"q-{number}" for number in range(130)}
    waiting = [Reply(id, b"{}") for id in sorted(ids)]

    class Replies(Core):
        async def replies(self, limit: int = 100) -> list[Reply]:
            return waiting[:limit]

        async def replied(self, command_id: str) -> None:
            waiting.remove(Reply(command_id, b"{}"))

    config = settings(tmp_path)
    core = await Replies.open(config, lambda: 1_800_000_000_000)
    async with MqttClient("away", config.upstream, "c", ()) as mqtt:
        sent: set[str] = set()

        async def publish(topic: str, payload: bytes, **more: object) -> None:
            if "/reply/" in topic:
                sent.add(topic.rpartition("/")[2])

        async def at_once(work: Callable[[], Awaitable[None]]) -> None:
            await work()

        mqtt.publish = publish
        mqtt.while_connected = at_once
        work = asyncio.create_task(HallLink("demo", mqtt, core, dict).run())
        await until(lambda: sent == ids and not waiting)
        work.cancel()
        await asyncio.wait((work,))
    await core.close()


BOARD = {"id": "board", "profile": "call-display-p10-64x16-pi", "window": "1"}


def with_board(tmp_path: Path, **more: object) -> tuple[GatewayConfig, Header]:
    """As settings(), and a display on this machine's own header, which is files."""
    told = settings(tmp_path).model_dump(by_alias=True)
    told["device"] = [*told["device"], {**BOARD, **more}]
    config = GatewayConfig.model_validate({**told, "window": [{"id": "1"}]})
    header = Header(tmp_path / "header", config.compiled(config.own_displays()[0]))
    header.make()
    return config, header


async def test_nobody_speaks_for_a_device_that_is_a_part_of_the_gateway(tmp_path: Path) -> None:
    config, header = with_board(tmp_path)
    async with (
        running(config, header.open) as gateway,
        MqttClient("t", config.upstream, "t", ["device/v1/board/#"]) as client,
    ):
        await client.wait_connected()
        await until(lambda: json.loads(gateway.core.device_states()["board"])["online"])
        for leaf in ("event", "state", "reply"):
            await client.publish(f"device/v1/board/up/{leaf}", EVENT)
        await client.publish("device/v1/board/up/online", b"0")
        await until(lambda: refused(gateway, "local") == 4)
        assert json.loads(gateway.core.device_states()["board"])["online"]
        heard = [await anext(client.messages()) for _ in range(4)]
        assert {message.topic.split("/")[3] for message in heard} == {"up"}


async def test_its_commands_are_answered_without_a_broker_between(tmp_path: Path) -> None:
    config, header = with_board(tmp_path, settings={"brightness": 31})
    async with running(config, header.open) as gateway:

        async def answer(id: str, do: str, **args: object) -> dict[str, Any]:
            asked = {"id": id, "device": "board", "do": do, "args": args}
            assert await gateway.core.command("device", json.dumps(asked).encode()) is None
            await until(lambda: id in replies)
            return replies[id]

        replies: dict[str, dict[str, Any]] = {}
        replied = gateway.core.replied

        async def keep(id: str) -> None:
            replies.update({r.id: json.loads(r.body) for r in await gateway.core.replies()})
            await replied(id)

        gateway.core.replied = keep  # type: ignore[method-assign]
        await until(lambda: b'"view"' in gateway.core.device_states()["board"])
        assert (await answer("c1", "identify"))["ok"]
        await until(lambda: b'"test"' in gateway.core.device_states()["board"])
        assert (await answer("c2", "selftest"))["result"] == {"glyphs": True, "refresh": True}
        told = (await answer("c3", "config"))["result"]
        assert (told["profile"], told["settings"]["brightness"]) == (BOARD["profile"], 31)
        for id, do, why in (
            ("c4", "reboot", "reboot: this display is a part of the gateway; do it to that"),
            ("c5", "update", "update: this display is a part of the gateway; do it to that"),
        ):
            assert await answer(id, do) == {"id": id, "ok": False, "error": why}
        refusal = await answer("c6", "config", brightness=5)
        assert refusal["error"] == "config can only be read, without args"


async def test_a_panel_that_cannot_be_driven_stops_nothing(tmp_path: Path) -> None:
    config, header = with_board(tmp_path)
    header.board.write_bytes(PI_5)
    async with (
        running(config, header.open) as gateway,
        MqttClient("t", config.upstream, "t", ()) as t,
    ):
        await until(lambda: b'"fault":"this is ' in gateway.core.device_states()["board"])
        await t.wait_connected()
        await t.publish("device/v1/c-1/up/event", EVENT)
        await until(lambda: gateway.health()["published"].get("hall.count.passage") == 1)  # type: ignore[index]


def test_check_notes_a_header_that_this_machine_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hall.toml"
    path.write_text(
        'hall = "demo"\n[store]\npath = "hall.db"\n[upstream]\n[[window]]\nid = "1"\n'
        '[[device]]\nid = "board"\nprofile = "call-display-p10-64x16-pi"\nwindow = "1"\n'
    )
    header = Header(tmp_path / "header", {})
    header.make()
    monkeypatch.setattr(command, "Gpio", header.open)
    command.check(path)
    assert "note: " not in capsys.readouterr().out
    header.board.write_bytes(PI_5)
    command.check(path)
    good, note = capsys.readouterr().out.splitlines()
    assert "good: hall demo, 1 windows, 1 devices" in good
    assert note.startswith(
        "note: board: this is raspberrypi,5-model-b: a panel on the header needs"
    )
    command.check(path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["ok"]
    assert told["notes"] == [note.removeprefix("note: ")]
