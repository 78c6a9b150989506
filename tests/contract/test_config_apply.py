"""`hall gateway config apply` against a real gateway: tried, reverted by itself, confirmed."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hall_gateway.trial import record
from hall_tools.commands.gateway_config import app
from hall_tools.control_client import NoGatewayError, ask
from hall_tools.errors import UserError
from hall_tools.ports import free_port
from support.gateway import Gateway
from support.mosquitto import Mosquitto
from typer.testing import CliRunner


def config(gateway: Gateway, *arguments: str, code: int = 0) -> str:
    """What `hall gateway config` says."""
    done = CliRunner().invoke(app, [*arguments, "--config", str(gateway.config)])
    if isinstance(done.exception, UserError):
        assert done.exception.exit_code == code
        return str(done.exception)
    assert done.exit_code == code, done.exception
    return done.output


def until_trial(gateway: Gateway, version: int | None) -> None:
    """Until the gateway runs with that version on trial, or with none."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(NoGatewayError):  # it starts again
            told = ask(gateway.store, "/config")
            if (told["trial"] and told["trial"]["version"]) == version and not told["pending"]:
                return
        time.sleep(0.05)
    raise AssertionError(f"version {version} is not what runs: {gateway.log}")


@contextmanager
def service_manager(address: str) -> Iterator[list[str]]:
    """What the gateway tells its service manager."""
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)

        def listen() -> None:
            while message := manager.recv(4096):
                told.append(message.decode())

        thread = threading.Thread(target=listen)
        thread.start()
        yield told
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", address)
        thread.join()


def over_in(gateway: Gateway, seconds: float) -> None:
    """Have the trial end earlier than it would."""
    path = record(gateway.config)
    trial = json.loads(path.read_text())
    trial["until"] = round((time.time() + seconds) * 1000)
    path.write_text(json.dumps(trial))


def test_a_change_that_needs_a_start_is_tried_survives_a_kill_and_is_taken_back(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    gateway = Gateway(tmp_path / "gateway", broker.port)
    new = tmp_path / "new.toml"
    with service_manager(str(tmp_path / "notify")) as told, gateway:
        before = gateway.config.read_text()
        new.write_text(f'{before}[coap]\nhost = "127.0.0.1"\nport = {free_port()}\n')
        assert "starts itself again for: coap" in config(gateway, "apply", str(new))
        until_trial(gateway, 2)
        gateway.kill()
        assert "CoAP at" in gateway.start()
        assert gateway.config.read_text() == before
        over_in(gateway, 0.5)
        until_trial(gateway, None)
        # No gateway can start with these; it goes on with those before.
        new.write_text(before + '[coap]\nhost = "192.0.2.1"\n')  # no address of this machine
        said = config(gateway, "apply", str(new), code=69)
        assert "cannot follow them, and goes on as before" in said
        assert gateway.config.read_text() == before
        until_trial(gateway, None)
        # What can be followed is kept without another start.
        new.write_text(before.replace('name = "综合业务"', 'name = "开户"'))
        assert '~ window[1].name = "综合业务" -> "开户"' in config(gateway, "apply", str(new))
        assert "version 2" in config(gateway, "confirm")
        assert gateway.config.read_text() == new.read_text()
        until_trial(gateway, None)
        # For its service manager this was no end.
        assert told.count("RELOADING=1\nWATCHDOG_USEC=600000000") == 3
        assert not any("STOPPING=1" in line for line in told)
        assert sum(line.endswith("WATCHDOG_USEC=60000000") for line in told) == 5
    assert "Traceback" not in gateway.log


@pytest.mark.parametrize("path", ["/health", "/metrics", "/config"])
def test_the_socket_is_gone_with_the_gateway(tmp_path: Path, path: str) -> None:
    with pytest.raises(NoGatewayError, match="No such file"):
        ask(tmp_path / "hall.db", path)
