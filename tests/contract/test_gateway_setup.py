"""What `hall gateway setup` writes, given to the programs that read it: systemd and mosquitto."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.publish as publish
import pytest
from hall_gateway.config import load_config
from hall_gateway.config_links import BrokerConfig
from hall_tools.doctor.mqtt_login import LoginError, RefusedError, log_in
from hall_tools.doctor.tls_psk import Answer, handshake
from hall_tools.gateway_setup.firewall import NFT
from support.installed import DEVICES, Installation
from support.link_device import LinkDevice
from support.mosquitto import Mosquitto
from support.psk_client import PskClient
from support.systemd import DEBIANS, verify

UNITS = ("hallkit-gateway.service", "hallkit-console.service", "hallkit-firewall.service")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with Mosquitto(tmp_path / "upstream") as upstream:
        yield Installation(tmp_path / "root", monkeypatch, upstream.port)


def dry_run(root: Path) -> dict[str, Any]:
    """What `hall gateway setup --dry-run` would write, by path."""
    command = ["gateway", "setup", "--dry-run", "--json", "--root", str(root)]
    done = subprocess.run(
        [sys.executable, "-c", "from hall_tools.cli import main; main()", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {step["step"]: step for step in json.loads(done.stdout)["steps"]}


def units(root: Path, folder: Path) -> Path:
    """The units of a dry run, and Debian's mosquitto, which they add to."""
    written = dry_run(root)
    for path in (*UNITS, "mosquitto.service.d/hallkit.conf"):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        # nftables may not be installed where the tests run.
        text = written[f"/etc/systemd/system/{path}"]["text"].replace(NFT, "/bin/true")
        file.write_text(text)
    shutil.copy(DEBIANS / "mosquitto.service", folder)
    return folder


def test_systemd_has_nothing_to_say_of_the_units(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    folder = units(tmp_path / "root", tmp_path / "units")
    for unit in UNITS:
        assert verify(folder, unit) == ""
    assert verify(folder, "mosquitto.service") == ""
    assert not list((tmp_path / "root").iterdir())


def test_systemd_would_say_something(tmp_path: Path) -> None:
    """That the check above can fail: with a misspelt setting, and with a program that is away."""
    (tmp_path / "root").mkdir()
    folder = units(tmp_path / "root", tmp_path / "units")
    unit = folder / "hallkit-gateway.service"
    right = unit.read_text()
    unit.write_text(right.replace("WatchdogSec", "WatchDogSec"))
    assert "WatchDogSec" in verify(folder, unit.name)
    unit.write_text(right.replace("/bin/hall ", "/bin/away "))
    assert "away" in verify(folder, unit.name)


@pytest.mark.parametrize("unit", UNITS[:2])
def test_a_unit_leaves_little_to_whoever_breaks_in(tmp_path: Path, unit: str) -> None:
    (tmp_path / "root").mkdir()
    folder = units(tmp_path / "root", tmp_path / "units")
    done = subprocess.run(
        [
            *("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager"),
            str(folder / unit),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


async def test_an_event_goes_the_whole_way(installation: Installation, tmp_path: Path) -> None:
    """A device's own MicroPython by TLS-PSK, mosquitto, and the gateway by its login."""
    psk = installation.psk("count-1")
    with installation.broker, installation.gateway(tmp_path / "gateway") as gateway:
        device = LinkDevice(installation.psk_port, tmp_path, device="count-1", psk=psk)
        async with device:
            last = await device.append(3)
            await device.until(lambda report: report["acked"] == last)
        assert gateway.rows("SELECT device, seq FROM events ORDER BY seq") == [
            ("count-1", seq) for seq in range(1, last + 1)
        ]


def test_no_device_speaks_for_another_or_hears_what_is_not_for_it(
    installation: Installation, tmp_path: Path
) -> None:
    """Seen from the other device's side, and from the gateway's."""
    login = load_config(installation.config).broker
    port = installation.psk_port
    victim = {"identity": "count-1", "psk": installation.psk("count-1")}
    intruder = {"identity": "kp-1", "psk": installation.psk("kp-1")}
    spoken = [
        ["device/v1/count-1/up/online", "1"],
        ["device/v1/count-1/down/cmd", "forged"],
        ["device/v1/kp-1/up/online", "0"],
    ]
    with (
        installation.broker,
        installation.gateway(tmp_path / "gateway") as gateway,
        PskClient(tmp_path, port, **victim, subscribe=["device/v1/count-1/down/#"]) as other,
    ):
        other.until("published")
        with PskClient(
            tmp_path, port, **intruder, subscribe=["#", "device/v1/count-1/down/#"], publish=spoken
        ) as forger:
            forger.until("published")
            messages = [(f"device/v1/{name}/down/cmd", f"to {name}") for name in DEVICES]
            publish.multiple(
                [(topic, text, 1, False) for topic, text in reversed(messages)],
                port=login.port,
                auth={"username": "gateway", "password": login.password() or ""},
            )
            # Each is the last that could come.
            heard = forger.until("heard device/v1/kp-1/down/cmd")
            assert heard == ["heard device/v1/kp-1/down/cmd to kp-1"]
            heard = other.until("heard device/v1/count-1/down/cmd to")
            assert heard == ["heard device/v1/count-1/down/cmd to count-1"]
        installation.await_rows(gateway, "SELECT 1 FROM devices WHERE device = 'kp-1'")
        assert gateway.rows("SELECT device, online FROM devices") == [("kp-1", 0)]


@pytest.mark.parametrize("identity", ["kp-1", "kp-9"], ids=["wrong key", "no such device"])
def test_a_key_that_is_not_the_devices(
    installation: Installation, tmp_path: Path, identity: str
) -> None:
    told = {"identity": identity, "psk": "0e" * 32}
    with installation.broker, PskClient(tmp_path, installation.psk_port, **told) as client:
        client.until("refused")


def test_a_revoked_key_is_refused_without_a_restart(installation: Installation) -> None:
    keys = bytes.fromhex(installation.psk("kp-1"))
    with installation.broker as broker:
        assert handshake("127.0.0.1", broker.psk_port, "kp-1", keys) is Answer.ACCEPTED
        installation.keys.revoke("kp-1")
        installation.setup()  # writes both files again
        broker.reload()
        other = bytes.fromhex(installation.psk("count-1"))
        assert handshake("127.0.0.1", broker.psk_port, "count-1", other) is Answer.ACCEPTED
        assert handshake("127.0.0.1", broker.psk_port, "kp-1", keys) is Answer.REFUSED


def test_only_the_gateways_login_comes_in_by_loopback(
    installation: Installation, tmp_path: Path
) -> None:
    right = load_config(installation.config).broker
    wrong = tmp_path / "wrong"
    wrong.write_text("guessed\n")
    with installation.broker:
        log_in(right, "device/v1/kp-1/up/online")
        for settings in (
            BrokerConfig(port=right.port),
            BrokerConfig(port=right.port, username="gateway", password_file=wrong),
            BrokerConfig(port=right.port, username="kp-1", password_file=right.password_file),
        ):
            with pytest.raises(RefusedError):
                log_in(settings, "device/v1/kp-1/up/online")
        with pytest.raises(LoginError):
            log_in(BrokerConfig(port=installation.psk_port), "x")
