"""The composed gateway: metrics, and what happens when a part of it fails."""

import asyncio
import os
from pathlib import Path

import pytest
from hall_gateway.config import GatewayConfig
from hall_gateway.devices_mqtt import DevicesMqtt
from hall_gateway.metrics import registry
from hall_gateway.mqtt import MqttClient
from hall_gateway.service import Gateway, composed, serve
from hall_tools.commands import gateway as command
from hall_tools.errors import UserError
from hall_tools.ports import free_port
from prometheus_client import generate_latest


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
        await asyncio.wait_for(serve(settings(tmp_path), lambda line: None), 20)
    assert caught.group_contains(ZeroDivisionError)


def test_a_failed_service_is_one_line_and_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(config: GatewayConfig, ready: object) -> None:
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [ZeroDivisionError("a defect")])])

    monkeypatch.setattr(command, "serve", fail)
    path = tmp_path / "hall.toml"
    path.write_text('hall = "demo"\n[store]\npath = "hall.db"\n[upstream]\n')
    with pytest.raises(UserError, match="the gateway stopped: ZeroDivisionError") as caught:
        command.run(path)
    assert caught.value.exit_code == os.EX_SOFTWARE


async def test_metrics_tell_what_the_core_and_the_links_count(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with composed(config) as gateway:
        text = await metrics_after_some_traffic(gateway, config)
    assert "hall_stored_total 1.0" in text
    assert "hall_duplicates_total 1.0" in text
    assert 'hall_refused_total{reason="topic"} 1.0' in text
    assert 'hall_refused_total{reason="unknown_device"} 1.0' in text
    assert 'hall_mqtt_connected{side="devices"} 1.0' in text
    assert 'hall_mqtt_connects_total{side="hall"} 1.0' in text
    assert 'hall_outbox_waiting{sink="hall"}' in text
    assert float(text.split("\nhall_store_bytes ")[1].split()[0]) > 0


async def metrics_after_some_traffic(gateway: Gateway, config: GatewayConfig) -> str:
    """An event, its duplicate, one of an unknown device, and one topic of another shape."""
    payload = b'{"epoch":1,"seq":1,"boot":1,"up":5,"t":null,"kind":"passage","data":{"dir":"in"}}'
    stop = asyncio.Event()
    running = asyncio.create_task(gateway.run(stop))
    for mqtt in gateway.brokers.values():
        await mqtt.wait_connected()
    await gateway.core.event("c-1", payload)
    await gateway.core.event("c-1", payload)
    await gateway.core.event("nobody", payload)
    async with MqttClient("test", config.upstream, "noise", ()) as noise:
        await noise.wait_connected()
        await noise.publish("device/v1/c-1/up/nonsense", b"x")
        async with asyncio.timeout(10):
            while not gateway.refused()["topic"]:  # noqa: ASYNC110 - a counter has no event
                await asyncio.sleep(0.01)
    metrics = registry(gateway.core.health, gateway.refused, gateway.brokers)
    text = generate_latest(metrics).decode()
    stop.set()
    await running
    return text
