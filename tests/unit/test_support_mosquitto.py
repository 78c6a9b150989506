"""The broker helper itself: what the other tests lean on must hold."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import paho.mqtt.publish as publish
import paho.mqtt.subscribe as subscribe
import pytest
from support.mosquitto import Mosquitto


def test_starts_and_stops_and_starts_again_on_its_port(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker", persistence=True)
    with broker:
        publish.single("kept", b"1", qos=1, retain=True, port=broker.port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", broker.port), timeout=1)
    with broker:
        assert subscribe.simple("kept", port=broker.port).payload == b"1"


def test_without_persistence_a_restart_forgets(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    with broker:
        publish.single("kept", b"old", retain=True, port=broker.port)
    with broker:
        publish.single("kept/later", b"new", qos=1, retain=True, port=broker.port)
        assert subscribe.simple("kept/#", port=broker.port).payload == b"new"


def test_the_device_listener_wants_a_pre_shared_key(tmp_path: Path) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        Mosquitto(tmp_path / "broker", psk={"kp-1": "00" * 32}) as broker,
        socket.create_connection(("127.0.0.1", broker.psk_port), timeout=5) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain)
