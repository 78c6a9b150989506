"""`hall enroll`, `revoke` and `replace` on a hall that runs: the real mosquitto with the files that
setup writes, the real gateway, and devices in MicroPython that come in by TLS-PSK.

What a device may and may not is seen from its own side, and from that of who listens.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from hall_gateway.config import load_config
from hall_tools.device_broker import cut
from paho.mqtt.enums import CallbackAPIVersion
from support import micropython
from support.gateway import Gateway
from support.installed import HALL, Installation
from support.link_device import LinkDevice
from support.mosquitto import Mosquitto
from support.paho_client import PlainClient
from support.plain_device import PlainDevice
from support.plain_hall import PlainHall

LOCAL = '[[device]]\nid = "own"\nprofile = "call-display-p10-64x16-pi"\nwindow = "9"\n'
STUBBORN = Path(__file__).with_name("mp_stubborn.py")
WAIT_S = 60.0
AT_ONCE_MS = 1000
"""How long a withdrawn device may still be connected after `hall revoke` has returned."""


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with Mosquitto(tmp_path / "upstream") as upstream:
        installation = Installation(tmp_path / "root", monkeypatch, upstream.port)
        pid_file = installation.machine.path("/run/mosquitto/mosquitto.pid")
        text = installation.config.read_text()
        text = text.replace("[broker]\n", f'[broker]\npid_file = "{pid_file}"\n')
        installation.config.write_text(text)
        yield installation


def hall(config: Path, *arguments: str) -> dict[str, Any]:
    """What a `hall` command that succeeds prints as JSON."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from hall_tools.cli import main; main()"),
            *(*arguments, "--config", str(config), "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Stubborn:
    """mp_stubborn.py as a process; `said` is everything that it has noticed so far."""

    def __init__(self, folder: Path, port: int, identity: str, psk: str) -> None:
        told = {"port": port, "identity": identity, "psk": psk, "pause_ms": 20}
        file = folder / f"stubborn-{identity}.json"
        file.write_text(json.dumps(told))
        argv, environment = micropython.command(STUBBORN, str(file))
        self.said: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.endswith("\n"):
                return  # killed within a line
            with self._news:
                self.said.append(json.loads(line))
                self._news.notify_all()

    def all(self, what: str) -> list[dict[str, Any]]:
        return [news for news in list(self.said) if what in news]

    def until(self, condition: Callable[[], object]) -> None:
        with self._news:
            assert self._news.wait_for(condition, WAIT_S), self.said[-20:]

    def __enter__(self) -> Stubborn:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Listener:
    """With the gateway's login on this machine: hears all devices, speaks to any."""

    def __init__(self, installation: Installation) -> None:
        login = load_config(installation.config).broker
        self.heard: list[tuple[float, str, bytes]] = []
        self._subscribed = threading.Event()
        self._paho = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener")
        self._paho.username_pw_set(login.username or "", login.password())
        self._paho.on_message = lambda _client, _user, message: self.heard.append(
            (time.time() * 1000, message.topic, message.payload)
        )
        self._paho.on_subscribe = lambda *_: self._subscribed.set()
        self._port = login.port

    def __enter__(self) -> Listener:
        self._paho.connect("127.0.0.1", self._port)
        self._paho.subscribe("device/v1/+/up/#", 1)
        self._paho.loop_start()
        assert self._subscribed.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()

    def tell(self, device: str, payload: str) -> None:
        self._paho.publish(f"device/v1/{device}/down/cmd", payload, 1).wait_for_publish(WAIT_S)

    def of(self, device: str) -> list[bytes]:
        """The events of a device so far."""
        topic = f"device/v1/{device}/up/event"
        return [payload for _, heard, payload in list(self.heard) if heard == topic]


async def test_a_device_joins_a_hall_that_runs(installation: Installation, tmp_path: Path) -> None:
    """Nothing is started again: not the broker, not the gateway."""
    with installation.broker, installation.gateway(tmp_path / "gateway") as gateway:
        told = hall(
            installation.config,
            *("enroll", "count-9", "--profile", "people-counter-beams", "--zone", "exit"),
        )
        assert told["broker"] == "reloaded"
        psk = installation.psk("count-9")
        device = LinkDevice(installation.psk_port, tmp_path, device="count-9", psk=psk)
        async with device:
            last = await device.append(3)
            await device.until(lambda report: report["acked"] == last)
        rows = gateway.rows("SELECT device, seq FROM events ORDER BY seq")
        assert rows == [("count-9", seq) for seq in range(1, last + 1)]
        assert "taken anew: 3 devices" in gateway.log


def test_a_revoked_device_is_shut_out_at_once(installation: Installation, tmp_path: Path) -> None:
    psk, other = installation.psk("kp-1"), installation.psk("count-1")
    port = installation.psk_port
    with (
        installation.broker,
        Listener(installation) as listener,
        Stubborn(tmp_path, port, "kp-1", psk) as victim,
        Stubborn(tmp_path, port, "count-1", other) as bystander,
    ):
        victim.until(lambda: len(victim.all("sent")) >= 5)
        listener.tell("kp-1", "before")
        victim.until(lambda: victim.all("heard"))
        bystander.until(lambda: bystander.all("sent"))
        hall(installation.config, "revoke", "kp-1")
        returned = time.time() * 1000
        listener.tell("kp-1", "after")
        victim.until(lambda: len(victim.all("refused")) >= 5)
        (closed,) = victim.all("closed")
        assert closed["ms"] - returned < AT_ONCE_MS
        assert len(victim.all("connected")) == 1
        assert [news["heard"] for news in victim.all("heard")] == ["before"]
        heard = len(listener.of("kp-1"))
        assert heard
        # Nobody else has noticed.
        count = len(bystander.all("sent"))
        bystander.until(lambda: len(bystander.all("sent")) >= count + 5)
        assert not bystander.all("closed")
        assert len(listener.of("kp-1")) == heard


def test_the_access_list_alone_makes_a_revoked_device_deaf_and_dumb(
    installation: Installation, tmp_path: Path
) -> None:
    """Before its connection is ended, and if it never were."""
    psk = installation.psk("kp-1")
    with (
        installation.broker as broker,
        Listener(installation) as listener,
        Stubborn(tmp_path, installation.psk_port, "kp-1", psk) as victim,
    ):
        victim.until(lambda: len(victim.all("sent")) >= 3)
        installation.keys.revoke("kp-1")
        installation.write_keys()
        broker.reload()
        listener.tell("count-1", "the broker has read its files before it takes this")
        before = len(victim.all("sent"))
        victim.until(lambda: len(victim.all("sent")) >= before + 3)
        heard = len(listener.of("kp-1"))
        listener.tell("kp-1", "for nobody")
        before = len(victim.all("sent"))
        victim.until(lambda: len(victim.all("sent")) >= before + 5)  # it is told that they arrived
        assert len(listener.of("kp-1")) == heard
        assert not victim.all("heard")
        assert not victim.all("closed")
        cut(load_config(installation.config).broker, ["kp-1"])
        victim.until(lambda: victim.all("refused"))


def test_old_keys_are_worth_nothing_after_enrolling_again(
    installation: Installation, tmp_path: Path
) -> None:
    old, port = installation.psk("kp-1"), installation.psk_port
    with (
        installation.broker,
        Stubborn(tmp_path, port, "kp-1", old) as before,
    ):
        before.until(lambda: before.all("sent"))
        told = hall(installation.config, "enroll", "kp-1", "--profile", "keypad-5", "--window", "1")
        assert told["devices"][0]["generation"] == 2
        before.until(lambda: len(before.all("refused")) >= 3)
        assert len(before.all("connected")) == 1
        with Stubborn(tmp_path, port, "kp-1", installation.psk("kp-1")) as after:
            after.until(lambda: after.all("sent"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """One without any access list, so that only the gateway is left to refuse."""
    pid_file = tmp_path / "mosquitto.pid"
    with Mosquitto(tmp_path / "broker", settings=[f"pid_file {pid_file}"]) as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path / "gateway", broker.port, tables=HALL)
    text = gateway.config.read_text()
    pid_file = tmp_path / "mosquitto.pid"
    gateway.config.write_text(text.replace("[broker]\n", f'[broker]\npid_file = "{pid_file}"\n'))
    with gateway:
        yield gateway


def test_the_gateway_refuses_a_revoked_device_and_says_so(
    broker: Mosquitto, gateway: Gateway
) -> None:
    with PlainHall(broker.port) as system:
        with PlainDevice(broker.port, "count-1") as device:
            device.emit("passage", {"dir": "in"})
            device.deliver()
        hall(gateway.config, "revoke", "count-1")
        gateway.await_log("taken anew")
        with PlainDevice(broker.port, "count-1", epoch=7) as device:
            for payload in ({"dir": "in"}, {"dir": "out"}):
                event = device.emit("passage", payload)
                device.client.publish("device/v1/count-1/up/event", json.dumps(event))
            state = "hall/v1/demo/state/gateway"

            def refused() -> bool:
                states = [m for m in list(system.client.received) if m.topic == state]
                told = json.loads(states[-1].payload)["refused"] if states else {}
                return told.get("revoked_device") == 2

            assert system.client.until(refused)
            assert device.acked == 0
        gateway.await_log("count-1: refused: this device is revoked")
        assert gateway.rows("SELECT count(*) FROM events") == [(1,)]


def test_a_spare_takes_over_what_is_going_on(broker: Mosquitto, gateway: Gateway) -> None:
    hall(gateway.config, "enroll", "kp-1", "--profile", "keypad-5", "--window", "1")
    hall(gateway.config, "enroll", "kp-9", "--profile", "keypad-5", "--spare")
    with PlainHall(broker.port) as system, PlainDevice(broker.port, "kp-9") as spare:
        for name, more in (("call", {"ticket": "A001"}), ("start", {}), ("end", {})):
            assert system.command(name, window="1", **more)["ok"]
        done = hall(gateway.config, "replace", "kp-1", "--with", "kp-9")
        assert (done["window"], done["replaces"]) == ("1", "kp-1")

        def asked() -> int | None:
            for message in list(spare.client.received):
                if message.topic == "device/v1/kp-9/down/desired":
                    desired = json.loads(message.payload)
                    if desired["session"]:
                        assert desired["session"]["ticket"] == "A001"
                        return desired["rev"]
            return None

        assert spare.client.until(lambda: asked() is not None)
        spare.emit("press", {"key": 1, "session": asked()})
        spare.emit("close", {"session": asked(), "why": "lock"})
        spare.deliver()
        given = system.client.on_topic("hall/v1/demo/event/rating/given")[-1]
        event = json.loads(given.payload)
        assert (event["source"], event["data"]["ticket"]) == ("/hall/demo/kp-9", "A001")
        # What the old one should have been is gone from the broker.
        with PlainClient(broker.port, ["device/v1/kp-1/down/#"], name="kp-1") as old:
            old.publish("device/v1/kp-1/down/last", b"")
            old.on_topic("device/v1/kp-1/down/last")
            assert [m.topic for m in old.received] == ["device/v1/kp-1/down/last"]


def test_a_mistake_in_the_settings_leaves_the_gateway_as_it_was(
    broker: Mosquitto, gateway: Gateway
) -> None:
    good = gateway.config.read_text()
    gateway.config.write_text(good.replace('"count-1"', '"count 1"'))
    gateway.await_log("the new settings are refused, the gateway goes on as before")
    gateway.await_log("count 1")
    with PlainDevice(broker.port, "count-1") as device:
        device.emit("passage", {"dir": "in"})
        device.deliver()
    gateway.config.write_text(good.replace('"count-1"', '"count-2"'))
    gateway.await_log("taken anew: 2 devices")
    with PlainDevice(broker.port, "count-2") as device:
        device.emit("passage", {"dir": "in"})
        device.deliver()


def test_what_waits_for_a_restart_keeps_nobody_waiting(broker: Mosquitto, gateway: Gateway) -> None:
    with PlainHall(broker.port) as system:
        text = gateway.config.read_text().replace('"count-1"', '"count-2"')
        gateway.config.write_text(text + '[[window]]\nid = "9"\n' + LOCAL)
        gateway.await_log("waits until the gateway is started again: the display on this machine's")
        with PlainDevice(broker.port, "count-2") as device:
            device.emit("passage", {"dir": "in"})
            device.deliver()
        state = "hall/v1/demo/state/gateway"

        def told() -> bool:
            states = [m for m in list(system.client.received) if m.topic == state]
            settings = json.loads(states[-1].payload)["settings"] if states else {}
            return settings.get("pending") == ["the display on this machine's own header"]

        assert system.client.until(told)
