"""No secret is in what Hallkit says: logs, reports, figures, errors, and its objects' text.

The real gateway and mosquitto run with secrets of each kind that are known here, and things go
wrong with each. Not here: that files with secrets are for their owners alone (test_keys.py).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hall_gateway.config import load_config
from hall_gateway.core import Core
from hall_gateway.keys import KeyStoreError
from hall_gateway.plan import plan_of
from hall_gateway.staff import read_staff
from hall_gateway.toml_input import ConfigError
from hall_tools.cli import app
from hall_tools.doctor.tls_psk import handshake
from hall_tools.ports import free_port
from support.installed import HALL, Installation
from support.mosquitto import Mosquitto
from typer.testing import CliRunner

PIN, PASSWORD, MQTT = "739154", "Zaunkoenig-4711-xyz", "mqtt-pass-5d1c0ffee"
WEBHOOK = base64.b64encode(b"hush hush hush hush hush hush").decode()


class Secrets:
    """What nobody may say, by what it is."""

    def __init__(self, installation: Installation) -> None:
        self.known: dict[str, str] = {
            "PIN": PIN,
            "console password": PASSWORD,
            "MQTT password of the hall": MQTT,
            "webhook secret": WEBHOOK,
            "webhook secret, decoded": base64.b64decode(WEBHOOK).decode(),
            "MQTT password": (installation.config.parent / "broker.password").read_text().strip(),
        }
        for device in ("kp-1", "floor-9"):
            keys = installation.keys.get(device)
            assert keys is not None
            self.known[f"claim of {device}"] = keys.claim
            if keys.psk is not None:
                self.known[f"psk of {device}"] = keys.psk
            if keys.oscore is not None:
                self.known[f"OSCORE secret of {device}"] = keys.oscore.master_secret
                self.known[f"OSCORE salt of {device}"] = keys.oscore.master_salt

    def none_in(self, where: str, text: str) -> None:
        lower = text.lower()
        for what, secret in self.known.items():
            assert secret.lower() not in lower, f"{what} is in {where}"


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with Mosquitto(tmp_path / "upstream") as upstream:
        files = tmp_path / "files"
        files.mkdir(mode=0o700)
        _private(files / "hall.password", f"{MQTT}\n")
        _private(files / "office.secret", f"whsec_{WEBHOOK}\n")
        hall("staff", "add", "王芳", "--pin", "--file", files / "staff.json", says=f"{PIN}\n")
        coap = '[[device]]\nid = "floor-9"\nprofile = "wet-floor-battery"\nzone = "door"\n'
        tables = (
            f'username = "hall"\npassword_file = "{files}/hall.password"\n'
            f'[coap]\nhost = "127.0.0.1"\nport = {free_port()}\n[http]\nport = {free_port()}\n'
            f'[staff]\nfile = "{files}/staff.json"\n[console]\nport = {free_port()}\n'
            f'[[webhook]]\nid = "office"\nurl = "http://127.0.0.1:{free_port()}/token-in-path"\n'
            f'secret_file = "{files}/office.secret"\n{HALL}{coap}'
        )
        yield Installation(
            tmp_path / "root",
            monkeypatch,
            upstream.port,
            tables=tables,
            devices={"kp-1": "keypad-5", "floor-9": "wet-floor-battery"},
        )


def _private(path: Path, content: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)


def hall(*words: object, says: str = "") -> str:
    """What a command prints, on either side, and the text of what it failed with."""
    done = CliRunner().invoke(app, [str(word) for word in words], input=says)
    failed = "".join(traceback.format_exception(done.exception)) if done.exception else ""
    return done.output + failed


def soon(read: Callable[[], str]) -> str:
    """What a gateway that is ready says, perhaps a moment later, by HTTP or in a file."""
    ends = time.monotonic() + 60
    while True:
        try:
            return read()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)


def asked(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_nothing_that_runs_says_a_secret(installation: Installation, tmp_path: Path) -> None:
    secrets = Secrets(installation)
    config = installation.config
    staff = read_staff(tmp_path / "files/staff.json")
    secrets.known["key of the PINs"] = staff.key
    secrets.known["code of the PIN"] = str(staff.staff[0].pins[0])
    said: dict[str, str] = {}
    said["console user add"] = hall(
        *("console", "user", "add", "boss", "--role", "manager", "--config", config),
        says=f"{PASSWORD}\n{PASSWORD}\n",
    )
    gateway = installation.gateway(tmp_path / "gateway")
    with installation.broker, gateway:
        told = load_config(config)
        assert told.http is not None
        for path in ("health", "metrics"):
            url = f"http://127.0.0.1:{told.http.port}/{path}"
            said[f"/{path}"] = soon(partial(asked, url))
        handshake("127.0.0.1", installation.psk_port, "kp-1", bytes(32))
        said["doctor --json"] = hall("doctor", "--json", "--config", config)
        said["config show"] = hall("gateway", "config", "show", "--json", "--config", config)
        other = tmp_path / "other.toml"
        other.write_text(config.read_text().replace('"entrance"', '"door"'))
        said["config diff"] = hall("gateway", "config", "diff", other, "--json", "--config", config)
        said["check"] = hall("gateway", "check", "--config", config)
        said["setup --dry-run"] = json.dumps([str(r) for r in installation.setup(dry_run=True)])
        said["health file"] = soon(installation.machine.path("/run/hallkit/health.json").read_text)
    said["gateway's log"] = gateway.log
    said["mosquitto's log"] = installation.broker.log
    for where, text in said.items():
        assert len(text) > 10, where
        secrets.none_in(where, text)


def test_no_error_and_no_object_says_a_secret(installation: Installation, tmp_path: Path) -> None:
    secrets = Secrets(installation)
    folder, files = installation.config.parent, tmp_path / "files"
    config = load_config(installation.config)
    staff = read_staff(files / "staff.json")
    secrets.known["key of the PINs"] = staff.key
    secrets.known["code of the PIN"] = str(staff.staff[0].pins[0])
    keys = [installation.keys.get(device) for device in ("kp-1", "floor-9")]
    for thing in (config, *config.webhooks, config.staff, staff, plan_of(config), *keys, Core):
        secrets.none_in(f"repr of a {type(thing).__name__}", repr(thing) + str(thing))
    for keys_of in ("kp-1", "floor-9"):
        path = folder / "keys" / f"{keys_of}.json"
        whole = path.read_text()
        path.write_text(whole.replace('"v":1', '"v":9').replace('"v": 1', '"v": 9'))
        with pytest.raises(KeyStoreError) as damaged:
            installation.keys.get(keys_of)
        secrets.none_in(f"the error about keys of {keys_of}", text_of(damaged.value))
        path.write_text(whole)
    for name, wrong in (
        ("office.secret", f"{WEBHOOK}\n"),
        ("staff.json", json.dumps({"key": staff.key, "staff": [{"id": "x", "pins": [PIN]}]})),
    ):
        _private(files / name, wrong)
        with pytest.raises(ConfigError) as refused:
            asyncio.run(_checked(installation.config))
        secrets.none_in(f"the error about {name}", text_of(refused.value))


async def _checked(path: Path) -> None:
    config = load_config(path)
    for webhook in config.webhooks:
        webhook.check_files()


def text_of(error: BaseException) -> str:
    """All that a log with its traceback would have, and what it is made of."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__cause__)
