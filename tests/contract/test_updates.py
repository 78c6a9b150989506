"""Releases over the wire: fetched piece by piece, rolled out ring by ring, stopped, gone on with.

A real gateway process and a real mosquitto; the devices are scripted.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.release_store import ReleaseStore
from hall_tools import control_client
from hall_tools.commands.update import app
from support import releases
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from support.plain_hall import PlainHall
from support.updated_device import UpdatedDevice
from typer.testing import CliRunner

WAIT_S = 60.0
DEVICES = [f"kp-{number}" for number in range(1, 6)]
TABLES = '[updates]\nkeys = ["release.pub"]\nfrom = 0\nto = 0\n' + "".join(
    f'[[window]]\nid = "{at}"\n[[device]]\nid = "{name}"\nprofile = "keypad-5"\nwindow = "{at}"\n'
    for at, name in enumerate(DEVICES, 1)
)


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto) -> Iterator[Gateway]:
    folder = tmp_path / "gateway"
    folder.mkdir()
    releases.write_public(folder / "release.pub")
    with Gateway(folder, broker.port, tables=TABLES) as running:
        yield running


@pytest.fixture
def devices(broker: Mosquitto, gateway: Gateway) -> Iterator[dict[str, UpdatedDevice]]:
    with ExitStack() as stack:
        found = {n: stack.enter_context(UpdatedDevice(broker.port, n)) for n in DEVICES}
        for device in found.values():
            device.come()
        yield found


def hall_update(gateway: Gateway, *arguments: str) -> Any:
    told = CliRunner().invoke(
        app, [*arguments, "--config", str(gateway.config), "--json"], catch_exceptions=False
    )
    assert told.exit_code == 0, told.output
    return json.loads(told.output)


def newest(gateway: Gateway) -> dict[str, Any]:
    return control_client.ask(gateway.store, "/updates")["roll_outs"][0]


def await_state(gateway: Gateway, **wanted: object) -> dict[str, Any]:
    """The newest roll-out, once it is so."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        rollout = newest(gateway)
        if all(rollout[name] == value for name, value in wanted.items()):
            return rollout
        time.sleep(0.05)
    raise AssertionError(f"not {wanted}: {newest(gateway)}")


def await_online(gateway: Gateway, count: int = len(DEVICES)) -> None:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        told = control_client.ask(gateway.store, "/updates")["devices"]
        if sum(device["online"] and bool(device["update"]) for device in told) == count:
            return
        time.sleep(0.05)
    raise AssertionError("not all devices are there")


def of_ring(rollout: dict[str, Any], ring: int) -> list[str]:
    return [member["device"] for member in rollout["members"] if member["ring"] == ring]


def test_a_release_reaches_every_device_ring_by_ring(
    gateway: Gateway, devices: dict[str, UpdatedDevice], hall: PlainHall, tmp_path: Path
) -> None:
    await_online(gateway)
    file = releases.write_release(tmp_path / "new.release", "0.2.0", 7)
    begun = hall_update(gateway, "roll-out", str(file))
    assert [len(of_ring(begun, ring)) for ring in range(3)] == [1, 1, 3]
    for ring in range(3):
        for name in of_ring(begun, ring):
            command = devices[name].await_command()
            assert command["args"]["until"] > time.time() * 1000
            assert devices[name].install(command) == "0.2.0"
        later = [name for other in range(ring + 1, 3) for name in of_ring(begun, other)]
        assert [devices[name].commands() for name in later] == [[]] * len(later)
        for name in of_ring(begun, ring):
            devices[name].confirm()
    done = await_state(gateway, state="done")
    assert {member["phase"] for member in done["members"]} == {"confirmed"}
    staged = hall.await_events("hall.update.staged", count=5)
    assert {event["data"]["version"] for event in staged} == {"0.2.0"}
    hall.await_events("hall.update.confirmed", count=5)
    assert [len(device.commands()) for device in devices.values()] == [1] * 5
    table = CliRunner().invoke(app, ["status", "--config", str(gateway.config)]).output
    assert table.startswith("0.2.0: done; 5 confirmed\n")
    assert "kp-5    yes     0.2.0    b     confirmed" in table


def test_one_that_goes_back_stops_it_until_somebody_goes_on(
    gateway: Gateway, devices: dict[str, UpdatedDevice], hall: PlainHall, tmp_path: Path
) -> None:
    await_online(gateway)
    file = releases.write_release(tmp_path / "new.release", "0.2.0", 7)
    named = [argument for name in DEVICES[:3] for argument in ("--device", name)]
    hall_update(gateway, "roll-out", str(file), *named)
    bad, fetching, trying = (devices[name] for name in DEVICES[:3])
    bad.install(bad.await_command())
    fetching.answer(fetching.await_command())
    fetching.says("fetch")
    trying.install(trying.await_command())
    bad.version, bad.slot = "0.1.0", "a"
    bad.tells("no_service", "0.2.0")
    stopped = await_state(gateway, state="stopped")
    assert (stopped["device"], stopped["why"]) == ("kp-1", "no_service")
    (reverted,) = hall.await_events("hall.update.reverted")
    assert reverted["data"] == {"version": "0.2.0", "reason": "no_service"}
    (alert,) = hall.await_events("hall.alert.raised")
    assert (alert["data"]["rule"], alert["data"]["level"]) == ("firmware-update", "critical")
    assert "kp-1" in alert["data"]["text"]["zh"]
    # Whoever has not switched is called off; whoever tries it goes on with that.
    assert fetching.await_command(2)["args"] == {"release": None}
    trying.confirm()
    assert len(trying.commands()) == 1
    refused = CliRunner().invoke(app, ["stop", "--config", str(gateway.config)])
    assert "is stopped already" in str(refused.exception)
    # A gateway that starts again leaves it at that.
    gateway.kill()
    gateway.start()
    assert await_state(gateway, state="stopped")["device"] == "kp-1"
    hall_update(gateway, "resume")
    hall.await_events("hall.alert.cleared")
    for again, count in ((bad, 2), (fetching, 3)):
        again.says("idle")
        again.install(again.await_command(count))
        again.confirm()
    done = await_state(gateway, state="done")
    assert {member["phase"] for member in done["members"]} == {"confirmed"}
    assert len(trying.commands()) == 1


def test_a_gateway_that_is_killed_goes_on_and_tells_nobody_twice(
    gateway: Gateway, devices: dict[str, UpdatedDevice], tmp_path: Path
) -> None:
    await_online(gateway)
    file = releases.write_release(tmp_path / "new.release", "0.2.0", 7)
    hall_update(gateway, "roll-out", str(file), "--device", "kp-1", "--device", "kp-2")
    one, two = devices["kp-1"], devices["kp-2"]
    first = one.await_command()
    one.answer(first)
    one.says("fetch")
    manifest = one.fetch(first["args"]["release"])
    two.install(two.await_command())
    gateway.kill()
    # Nobody answers; the device asks again, and has its answer when the gateway is back.
    sha256 = manifest.decode().splitlines()[6].split(" ")[1]
    one.ask({"sha256": sha256, "at": 0})
    gateway.start()
    assert one.client.until(lambda: bool(one.chunks(sha256, 0)))
    one.install(first)
    one.confirm()
    two.confirm()
    await_state(gateway, state="done")
    assert (len(one.commands()), len(two.commands())) == (1, 1)


def test_only_what_is_there_is_handed_out(
    gateway: Gateway, broker: Mosquitto, devices: dict[str, UpdatedDevice]
) -> None:
    bundle = releases.release()
    ids = ReleaseStore(gateway.store.with_name("releases"), [releases.public_key()]).take(bundle)
    device = devices["kp-1"]
    manifest = bundle.manifests["xtensa"]
    app_file = next(file for file in manifest.files if file.path == "hall/app.mpy")
    empty = next(file for file in manifest.files if not file.size)
    assert device.fetch(ids["xtensa"]) == manifest.content
    assert device.fetch(app_file.sha256) == bundle.blobs[app_file.sha256]
    assert device.chunk(empty.sha256, 0)["data"] == ""
    unknown = "0" * 64
    assert device.chunk(unknown, 0) == {"sha256": unknown, "at": 0, "error": "not here"}
    beyond = device.chunk(app_file.sha256, app_file.size)
    assert beyond["error"] == f"the file has {app_file.size} bytes"
    for bad in ("x", {"sha256": "../../hall.db", "at": 0}, {"sha256": unknown}, {"at": -1}):
        device.ask(bad)
    with UpdatedDevice(broker.port, "stranger") as stranger:
        stranger.ask({"sha256": ids["xtensa"], "at": 0})
        device.fetch(ids["xtensa"])
        assert stranger.chunks(ids["xtensa"], 0) == []
    # And nobody has more than so many a second.
    greedy, modest = devices["kp-2"], devices["kp-3"]
    asked = {"sha256": ids["xtensa"], "at": 0}
    began = time.monotonic()
    for _ in range(60):
        greedy.client.publish_soon(f"{greedy.root}/up/fetch", json.dumps(asked))
    assert modest.fetch(ids["xtensa"])
    assert greedy.client.until(lambda: len(greedy.chunks(ids["xtensa"], 0)) >= 40)
    assert len(greedy.chunks(ids["xtensa"], 0)) <= 41 + 40 * (time.monotonic() - began)
    # What the disk has damaged is not handed out either.
    blob = gateway.store.with_name("releases") / "blobs" / bundle.manifests["riscv"].files[0].sha256
    gateway.kill()
    blob.write_bytes(b"x" + blob.read_bytes()[1:])
    gateway.start()
    assert device.chunk(blob.name, 0)["error"] == "not here"
    assert "damaged" in gateway.log
