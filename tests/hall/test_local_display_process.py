"""A gateway process whose own header has the main board: call, kill, start again, stop."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hall_gateway.config import load_config
from support.gateway import Gateway
from support.header import Header
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.plain_hall import ROOT, PlainHall

TESTS = Path(__file__).parents[1]
HALL = """
[[window]]
id = "1"
name = "综合业务"
[[device]]
id = "board"
profile = "{profile}"
window = "1"
"""
CALLED = {
    "call-display-hub75-64x32-pi": "请{}号\n到1窗口",
    "call-display-p10-64x16-pi": "请{}号",
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


def gateway_with_header(profile: str, folder: Path, port: int) -> tuple[Gateway, Header]:
    header = folder / "header"
    program = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r}); "
        f"from support.pi_gateway import main; main({str(header)!r})"
    )
    tables = HALL.format(profile=profile)
    gateway = Gateway(folder / "gateway", port, tables=tables, program=program)
    config = load_config(gateway.config)
    return gateway, Header(header, config.compiled(config.devices[0]))


SHOWN = "SELECT count(*) FROM events WHERE kind = 'shown'"


def eventually(client: PlainClient, what: Callable[[], object], expected: object) -> None:
    """`what` becomes `expected`; `client` only lends its patience."""
    assert client.until(lambda: what() == expected), (what(), expected)


@pytest.mark.parametrize("profile", CALLED)
def test_the_main_board_of_a_small_hall(profile: str, broker: Mosquitto, tmp_path: Path):
    called = CALLED[profile]
    gateway, header = gateway_with_header(profile, tmp_path, broker.port)
    header.make()
    with PlainHall(broker.port) as hall, gateway:
        hall.command("call", ticket="A015", window="1")
        eventually(hall.client, header.seen, called.format("A015"))
        shown = hall.await_events("hall.call.shown")
        assert [event["data"]["ticket"] for event in shown] == ["A015"]
        assert shown[0]["source"] == "/hall/demo/board"
        assert shown[0]["clockquality"] == "synced"
        hall.client.on_topic(f"{ROOT}/state/board")

        gateway.kill()
        assert header.outputs()  # as the kernel leaves a killed process's pins
        header.given.unlink()
        gateway.start()
        eventually(hall.client, header.seen, called.format("A015"))
        eventually(hall.client, lambda: gateway.rows(SHOWN), [(2,)])
        hall.command("call", ticket="B007", window="1")
        eventually(hall.client, header.seen, called.format("B007"))
        shown = hall.await_events("hall.call.shown", count=2)
        # The restarted display reported its number again: that is stored, and no second event.
        assert [event["data"]["ticket"] for event in shown] == ["A015", "B007"]
        assert gateway.rows(SHOWN) == [(3,)]
        started = hall.await_events("hall.device.started", count=2)
        assert len({event["id"] for event in started}) == 2

        assert gateway.stop() == os.EX_OK
        hall.await_events("hall.device.offline", where=lambda e: e["data"]["device"] == "board")
        assert header.is_dark()
        assert "Traceback" not in gateway.log
        gateway.start()


def test_without_the_header_the_gateway_bridges_on(broker: Mosquitto, tmp_path: Path):
    gateway, header = gateway_with_header("call-display-hub75-64x32-pi", tmp_path, broker.port)
    header.make()
    header.device.unlink()
    with PlainHall(broker.port) as hall, gateway:
        gateway.await_log("gpiomem: No such file or directory: let this user into the group gpio")
        fault = hall.await_events("hall.device.fault")
        assert fault[0]["data"] == {"code": "access", "value": 2}
        assert hall.command("call", ticket="A015", window="1")["ok"]
        assert hall.events("hall.call.shown") == []
        answer = hall.command("device", device="board", do="identify")
        assert not answer["ok"]
        assert answer["error"].startswith("dark: ")
