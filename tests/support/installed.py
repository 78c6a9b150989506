"""A gateway's installation below a test's own folder, made by the steps of `hall gateway setup`.

What differs from a real one: all users are whoever runs the test, the ports are free ones, and
paths in mosquitto's files are rewritten when it is started, for they name those of the machine.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hall_gateway.keys import DeviceKeys, KeyStore
from hall_profiles import load
from hall_tools.doctor.examine import examine
from hall_tools.doctor.findings import Doctor, Finding, Site
from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.firewall import NFT
from hall_tools.gateway_setup.plan import make_plan, own_program
from hall_tools.gateway_setup.steps import Result, run
from hall_tools.ports import free_port

from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.warm import PROGRAM

DEBIANS = Path("/etc/mosquitto/mosquitto.conf")

HALL = """
[[window]]
id = "1"
[[device]]
id = "kp-1"
profile = "keypad-5"
window = "1"
[[device]]
id = "count-1"
profile = "people-counter-beams"
zone = "entrance"
"""
DEVICES = {"kp-1": "keypad-5", "count-1": "people-counter-beams"}


class OwnMachine(Doctor):
    """A machine below `root` whose every user is the one that runs the test."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.clock: float | None = 0.1
        self.free: int | None = None
        for folder in ("etc/mosquitto/conf.d", "var/lib", "run/hallkit"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self.users({layout.USER: os.geteuid(), layout.BROKER_USER: os.geteuid()})
        self.path(layout.BROKER_MAIN).write_text(DEBIANS.read_text())
        nft = self.path(NFT)
        nft.parent.mkdir(parents=True, exist_ok=True)
        nft.touch()

    def users(self, uids: dict[str, int]) -> None:
        everyone = {"root": os.geteuid(), **uids}
        lines = [f"{name}:x:{uid}:{os.getegid()}::/:/bin/false\n" for name, uid in everyone.items()]
        self.path("/etc/passwd").write_text("".join(lines))

    @property
    def is_root(self) -> bool:
        return True

    def clock_error_s(self) -> float | None:
        return self.clock

    def free_bytes(self, folder: Path) -> int:
        return super().free_bytes(folder) if self.free is None else self.free


class Broker(Mosquitto):
    """The real mosquitto on Debian's own file and on what setup wrote."""

    def __init__(self, machine: OwnMachine, port: int, psk_port: int) -> None:
        self._machine = machine
        super().__init__(machine.path("/var/lib/mosquitto"))
        self.port, self.psk_port = port, psk_port
        for folder in ("run/mosquitto", "var/log/mosquitto"):
            (machine.root / folder).mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start it on the files as they are now."""
        root = self._machine.root
        own = root / "etc/mosquitto-of-this-test"
        own.mkdir(exist_ok=True)
        text = self._machine.path(layout.BROKER_CONF).read_text()
        (own / "hallkit.conf").write_text(text.replace("/etc/hallkit/", f"{root}/etc/hallkit/"))
        text = self._machine.path(layout.BROKER_MAIN).read_text()
        text = text.replace("/etc/mosquitto/conf.d", str(own))
        for place in ("/run/", "/var/"):
            text = text.replace(f" {place}", f" {root}{place}")
        # Its files are private to whoever runs the test.
        self._config.write_text(f"user {'root' if os.geteuid() == 0 else 'mosquitto'}\n{text}")
        super().start()

    @property
    def _log_path(self) -> Path:
        return self._machine.path("/var/log/mosquitto/mosquitto.log")


class Installation:
    """What `hall gateway setup` makes, and enrolled `devices` (id: profile), which are in `tables`.

    Nothing is started.
    """

    def __init__(
        self,
        root: Path,
        monkeypatch: pytest.MonkeyPatch,
        upstream_port: int,
        *,
        tables: str = HALL,
        devices: Mapping[str, str] = DEVICES,
    ) -> None:
        self.machine = OwnMachine(root)
        self.port, self.psk_port = free_port(), free_port()
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(self.machine.path(layout.RUNTIME)))
        self.config = self.machine.path(layout.CONFIG)
        self.config.parent.mkdir(parents=True)
        self.store = self.machine.path("/var/lib/hallkit/hall.db")
        self.settings(upstream_port, tables)
        self.setup()
        for device, profile in devices.items():
            self.keys.enrol(device, load(profile))
        self.write_keys()
        self.broker = Broker(self.machine, self.port, self.psk_port)

    def settings(self, upstream_port: int, tables: str = HALL) -> None:
        """hall.toml, as somebody filled it in."""
        login = 'username = "gateway"\npassword_file = "broker.password"\n'
        self.config.write_text(
            f'hall = "demo"\n[store]\npath = "{self.store}"\nmax_mb = 8\n'
            f'[broker]\ndevice_host = "127.0.0.1"\ndevice_port = {self.psk_port}\n'
            f"port = {self.port}\n{login}[upstream]\nport = {upstream_port}\n{tables}",
            encoding="utf-8",
        )

    @property
    def keys(self) -> KeyStore:
        return KeyStore(self.config.parent / layout.KEYS)

    @property
    def broker_folder(self) -> Path:
        return self.config.parent / layout.BROKER_FOLDER

    def write_keys(self) -> None:
        """mosquitto's key files, as the key store has it."""
        self.keys.write_mosquitto(self.broker_folder)

    def psk(self, device: str) -> str:
        keys = self.keys.get(device)
        assert isinstance(keys, DeviceKeys)
        assert keys.psk is not None
        return keys.psk

    def setup(self, *, dry_run: bool = False) -> list[Result]:
        """Run setup; its results."""
        results: list[Result] = []
        plan = make_plan(self.machine, own_program())
        run(plan.steps, self.machine, dry_run=dry_run, told=results.append)
        return results

    def gateway(self, folder: Path, program: str = PROGRAM) -> Gateway:
        """The gateway of this installation, as a process that was not started yet; `program` is
        run in place of `hall`."""
        gateway = Gateway(folder, self.port, program=program)
        gateway.config, gateway.store = self.config, self.store
        return gateway

    def await_health(self, **connected: bool) -> None:
        """Wait until the gateway's health file says of each broker whether it is connected."""
        path = self.machine.path(f"{layout.RUNTIME}/health.json")
        deadline = time.monotonic() + 15
        while not path.exists() or connected != {
            name: told["connected"]
            for name, told in json.loads(path.read_text())["brokers"].items()
        }:
            assert time.monotonic() < deadline, path
            time.sleep(0.02)

    @staticmethod
    def await_rows(gateway: Gateway, query: str) -> None:
        """Wait until the store has rows for that query."""
        deadline = time.monotonic() + 10
        while not gateway.rows(query):
            assert time.monotonic() < deadline, query
            time.sleep(0.02)

    def examine(self) -> list[tuple[str, Finding]]:
        """What the doctor finds."""
        return list(examine(Site(self.config, self.machine)))
