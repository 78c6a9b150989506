"""A real broker and a real gateway process for each contract test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.plain_device import PlainDevice
from support.plain_hall import PlainHall


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """One mosquitto, for the devices and for the hall system."""
    with Mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto) -> Iterator[Gateway]:
    with Gateway(tmp_path / "gateway", broker.port) as running:
        yield running


@pytest.fixture
def hall(broker: Mosquitto) -> Iterator[PlainHall]:
    with PlainHall(broker.port) as system:
        yield system


@pytest.fixture
def keypad(broker: Mosquitto, gateway: Gateway) -> Iterator[PlainDevice]:
    """`kp-1`, a keypad at window 1."""
    with PlainDevice(broker.port, "kp-1") as device:
        yield device


@pytest.fixture
def display(broker: Mosquitto, gateway: Gateway) -> Iterator[PlainDevice]:
    """`disp-1`, a display at window 1."""
    with PlainDevice(broker.port, "disp-1") as device:
        yield device
