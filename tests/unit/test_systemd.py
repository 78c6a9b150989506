"""What the service manager is told, and that a gateway which stands still tells nothing."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hall_gateway import ordered
from hall_gateway.config import GatewayConfig
from hall_gateway.core import Core
from hall_gateway.devices_mqtt import DevicesMqtt
from hall_gateway.mqtt import MqttClient
from hall_gateway.service import composed
from hall_gateway.store import Store
from hall_gateway.systemd import ServiceManager
from hall_tools.ports import free_port
from support.gateway import Gateway
from support.mosquitto import Mosquitto

FEED = "WATCHDOG=1"
STATE = b'{"journal":{"epoch":1,"acked":0,"next":1}}'


class Systemd:
    """The socket of a service manager; `heard` gives what was said to it."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """Every line since the last call."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    manager = Systemd(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    yield manager
    manager.close()


def test_nothing_is_told_where_nobody_listens(tmp_path: Path) -> None:
    ServiceManager({}, lambda: 0).progressed(dict)
    away = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "away")}, lambda: 0)
    away.ready("works")
    away.progressed(dict)
    assert not list(tmp_path.iterdir())


def test_an_abstract_address(tmp_path: Path) -> None:
    name = f"hall-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}, lambda: 0).ready("works")
        assert listener.recv(100) == b"READY=1\nSTATUS=works"


def test_the_health_file_is_whole_and_readable_by_all(tmp_path: Path) -> None:
    manager = ServiceManager({"RUNTIME_DIRECTORY": f"{tmp_path}:/elsewhere"}, lambda: 17)
    before = os.umask(0o077)
    try:
        manager.progressed(lambda: {"stored": 1})
        manager.progressed(lambda: {"stored": 2})
    finally:
        os.umask(before)
    assert [path.name for path in tmp_path.iterdir()] == ["health.json"]
    file = tmp_path / "health.json"
    assert json.loads(file.read_text()) == {"at": 17, "stored": 2}
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_health_file_that_cannot_be_written_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager = ServiceManager({"RUNTIME_DIRECTORY": str(tmp_path / "away")}, lambda: 17)
    manager.progressed(dict)
    assert "the health file cannot be written" in caplog.text


def test_a_gateway_process_from_start_to_end(systemd: Systemd, tmp_path: Path) -> None:
    """READY once the gateway works, though nobody has a broker for it."""
    gateway = Gateway(tmp_path / "gateway", free_port())
    gateway.launch()
    heard: list[str] = []
    deadline = time.monotonic() + 20
    while heard.count(FEED) < 2:
        heard += systemd.heard()
        gateway.assert_running()
        assert time.monotonic() < deadline, heard
        time.sleep(0.02)
    assert heard[0] == "READY=1"
    health = json.loads((tmp_path / "health.json").read_text())
    assert health["brokers"]["devices"]["connected"] is False
    assert gateway.stop() == os.EX_OK
    assert systemd.heard()[-1] == "STOPPING=1"


def settings(tmp_path: Path, port: int) -> GatewayConfig:
    return GatewayConfig.model_validate(
        {
            "hall": "demo",
            "store": {"path": str(tmp_path / "hall.db")},
            "broker": {"port": port},
            "upstream": {"port": port},
            "device": [{"id": "c-1", "profile": "people-counter-beams", "zone": "entrance"}],
        }
    )


async def feeds(systemd: Systemd, config: GatewayConfig, *, messages: int = 0) -> int:
    """How often a gateway feeds the watchdog in 3 s, at most 2 are counted, when it got messages
    of a device."""
    async with composed(config) as gateway, asyncio.timeout(60):
        stop = asyncio.Event()
        work = asyncio.create_task(gateway.run(stop))
        await gateway.brokers["devices"].wait_connected()
        if messages:
            async with MqttClient("t", config.upstream, "t", ()) as client:
                await client.wait_connected()
                for _ in range(messages):
                    await client.publish("device/v1/c-1/up/state", STATE)
        systemd.heard()
        fed, deadline = 0, time.monotonic() + 3.2
        while fed < 2 and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            fed += systemd.heard().count(FEED)
        stop.set()
        work.cancel()
        await asyncio.wait((work,))
    return fed


async def test_a_gateway_that_works_feeds_the_watchdog(systemd: Systemd, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        assert await feeds(systemd, settings(tmp_path, broker.port), messages=20) == 2


async def test_a_store_that_answers_no_more_is_standing_still(
    systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(self: Core) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Core, "tick", hang)
    with Mosquitto(tmp_path / "broker") as broker:
        assert await feeds(systemd, settings(tmp_path, broker.port)) == 0


async def test_messages_that_nobody_takes_are_standing_still(
    systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(self: DevicesMqtt) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(DevicesMqtt, "receive", hang)
    with Mosquitto(tmp_path / "broker") as broker:
        assert await feeds(systemd, settings(tmp_path, broker.port), messages=3) == 0


async def test_a_full_store_is_not_standing_still(
    systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More messages wait than are handled at once, and none is: on purpose."""
    monkeypatch.setattr(Store, "used", lambda self: 1.0)
    monkeypatch.setattr(ordered, "BATCH", 2)
    with Mosquitto(tmp_path / "broker") as broker:
        assert await feeds(systemd, settings(tmp_path, broker.port), messages=20) == 2


def test_the_status_is_told_when_it_changes(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(60)
        manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")}, lambda: 0)
        for line in ("ok", "ok", "degraded: a sink"):
            manager.status(line)
        assert listener.recv(100) == b"STATUS=ok"
        assert listener.recv(100) == b"STATUS=degraded: a sink"
