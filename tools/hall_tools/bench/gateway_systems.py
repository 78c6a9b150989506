"""The systems that are compared, each as its makers say it should be set up to lose nothing.

Here: settings, processes, and where a message carries the identities of its events. Not here:
ThingsBoard's, which needs more (gateway_thingsboard.py); what is measured (gateway.py).
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hall_tools.bench.gateway_load import DEVICES, Id
from hall_tools.bench.gateway_processes import Broker, Process
from hall_tools.ports import free_port

HALL = "bench"


@dataclass(frozen=True)
class Place:
    """Where a system works: its folder, and the ports of the brokers on both sides."""

    folder: Path
    devices: int
    hall: int

    @classmethod
    def new(cls, folder: Path) -> "Place":
        return cls(folder, free_port(), free_port())


class System(Protocol):
    """One that is compared. `process` is what is measured and killed."""

    name: str
    process: Process
    broker: Broker | None
    """The devices' broker; None when the system itself is one."""
    listens: list[str]
    """The hall system's subscriptions."""
    acks: bool
    """Whether it acks events to devices when they are stored."""

    def read(self, topic: str, payload: bytes) -> Iterable[Id]:
        """The events in a message of the hall's broker."""
        ...


class Hallkit:
    """`hall gateway run` between two mosquittos."""

    name = "Hallkit"
    acks = True

    def __init__(self, place: Place) -> None:
        self.listens = [f"hall/v1/{HALL}/event/count/passage"]
        self.broker: Broker | None = Broker(place.folder, "devices", place.devices)
        config = place.folder / "gateway.toml"
        devices = "".join(
            f'[[device]]\nid = "{device}"\nprofile = "people-counter-beams"\nzone = "entrance"\n'
            for device in DEVICES
        )
        config.write_text(
            f'hall = "{HALL}"\n'
            f'[store]\npath = "hall.db"\n'
            f'[broker]\nmode = "external"\nport = {place.devices}\n'
            # These devices know no window, and send 500 events at once: no honest one does.
            f"[limits]\nburst = 1000000\n"
            f"[upstream]\nport = {place.hall}\n{devices}",
            encoding="utf-8",
        )
        start = "from hall_tools.cli import main; main()"
        command = [sys.executable, "-c", start, "gateway", "run", "--config", str(config)]
        self.process = Process(place.folder, "gateway", command)

    def read(self, topic: str, payload: bytes) -> Iterable[Id]:
        device, _, seq = json.loads(payload)["id"].split("/")
        return [(device, int(seq))]


class Bridge:
    """A mosquitto for the devices that bridges to the hall's, its queue without a limit."""

    name = "mosquitto bridge"
    acks = False
    broker: Broker | None = None

    def __init__(self, place: Place) -> None:
        self.listens = ["device/v1/+/up/event"]
        self.process: Process = Broker(
            place.folder,
            "bridge",
            place.devices,
            [
                "connection hall",
                f"address 127.0.0.1:{place.hall}",
                "topic device/v1/+/up/event out 1",
                "cleansession false",
                "restart_timeout 1 2",
                "try_private true",
            ],
        )

    def read(self, topic: str, payload: bytes) -> Iterable[Id]:
        return [(topic.split("/")[2], json.loads(payload)["seq"])]
