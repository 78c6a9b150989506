"""Who may get at what a hall's programs make, when nobody has set a umask: files, folders, sockets.

All that makes a file with a secret in it runs here for real, and whatever is found with one in it,
by its bytes, has to be for its owner alone. Not here: that such a file which others can read is
refused (tests/unit/test_keys.py), and that no secret is anywhere else (test_secrets.py).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hall_gateway.config import load_config
from hall_gateway.staff import read_staff
from hall_tools.cli import app
from hall_tools.gateway_setup import layout
from hall_tools.ports import free_port
from support.console import ConsoleProcess
from support.console_forms import Forms
from support.installed import HALL, Installation
from support.mosquitto import Mosquitto
from typer.testing import CliRunner

PIN, PASSWORD = "739154", "Zaunkoenig-4711-xyz"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
SHARED = {"control.sock": 0o660, "hall.db.lock": 0o660}
"""What the gateway's group may write: the console speaks to the one, the other is empty."""


TESTS_OWN = {"gateway", "gateway.log", "gateway.toml", "hall.log"}


class Made(NamedTuple):
    """A hall that runs. `secrets`: what they are, and their bytes."""

    root: Path
    folders: list[Path]
    secrets: dict[str, bytes]


def hall(*words: object, says: str = "") -> None:
    done = CliRunner().invoke(app, [str(word) for word in words], input=says)
    assert done.exit_code == 0, done.output


@pytest.fixture
def nobodys_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nobodys_umask: None) -> Iterator[Made]:
    with Mosquitto(tmp_path / "upstream") as upstream:
        tables = (
            f"[http]\nport = {free_port()}\n[console]\nport = {free_port()}\n"
            f'[coap]\nhost = "127.0.0.1"\nport = {free_port()}\n{HALL}'
            '[[device]]\nid = "floor-9"\nprofile = "wet-floor-battery"\nzone = "door"\n'
        )
        installation = Installation(
            tmp_path / "root",
            monkeypatch,
            upstream.port,
            tables=tables,
            devices={"kp-1": "keypad-5", "floor-9": "wet-floor-battery"},
        )
        config, own = installation.config, tmp_path / "own"
        own.mkdir(mode=0o755)
        hall("staff", "add", "王芳", "--pin", "--file", own / "staff.json", says=f"{PIN}\n")
        config.write_text(f'{config.read_text()}[staff]\nfile = "{own}/staff.json"\n')
        user = ("console", "user", "add", "screen", "--role", "viewer", "--config", config)
        hall(*user, says=f"{PASSWORD}\n{PASSWORD}\n")
        hall("update", "keys", own / "release")
        counter = ("count-2", "--profile", "people-counter-beams", "--spare")
        hall("enroll", *counter, "--config", config)
        gateway = installation.gateway(own / "gateway")
        with installation.broker, gateway, ConsoleProcess(config) as console:
            with Forms(console.address) as forms:
                forms.log_in("screen", PASSWORD)
                session = forms.cookies["hall_session"]
            hall("gateway", "backup", "--config", config, "--to", own / "hall.tar")
            secrets = known(installation, own)
            secrets["a session at the console"] = session.encode()
            folders = [installation.machine.path(name) for name in
                       (layout.FOLDER, layout.STATE, layout.CONSOLE_STATE, layout.RUNTIME,
                        layout.UNITS)]  # fmt: skip
            config.chmod(0o644)  # which the test wrote
            installation.machine.path(layout.RUNTIME).chmod(0o755)  # which systemd makes so
            yield Made(tmp_path, [*folders, own], secrets)


def known(installation: Installation, own: Path) -> dict[str, bytes]:
    """Every secret that is in a file by itself."""
    password = load_config(installation.config).broker.password()
    assert password is not None
    staff = read_staff(own / "staff.json")
    found = {
        "MQTT password": password,
        "key of the PINs": staff.key,
        "release key": (own / "release.key").read_text().splitlines()[5],
    }
    for device in ("kp-1", "floor-9", "count-2"):
        keys = installation.keys.get(device)
        assert keys is not None
        found[f"claim of {device}"] = keys.claim
        if keys.psk is not None:
            found[f"psk of {device}"] = keys.psk
        if keys.oscore is not None:
            found[f"OSCORE secret of {device}"] = keys.oscore.master_secret
    return {what: text.encode() for what, text in found.items()}


def open_to_others(made: Made) -> list[str]:
    """What others may get at and must not, with why."""
    wrong: list[str] = []
    for path in sorted(made.root.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and mode & OTHERS:
            content = path.read_bytes()
            wrong += [f"{path}: {what}" for what, text in made.secrets.items() if text in content]
    for path in (each for folder in made.folders for each in (folder, *folder.rglob("*"))):
        mode = path.lstat().st_mode
        bits = stat.S_IMODE(mode)
        if path.name in SHARED:
            if bits != SHARED[path.name]:
                wrong.append(f"{path}: {bits:04o}, not {SHARED[path.name]:04o}")
        elif path.name not in TESTS_OWN and not stat.S_ISLNK(mode) and bits & OTHERS_WRITE:
            wrong.append(f"{path}: {bits:04o}, others may change it")
    return wrong


def test_what_has_a_secret_in_it_is_for_its_owner_alone(made: Made) -> None:
    assert open_to_others(made) == []
    held = {
        what
        for path in made.root.rglob("*")
        if path.is_file()
        for what, text in made.secrets.items()
        if text in path.read_bytes()
    }
    # The session is kept as its hash only; all others are in the files that were looked at.
    assert held == made.secrets.keys() - {"a session at the console"}
    assert any(path.name == "console-screens.json" for path in made.root.rglob("*"))
    # And that one of each kind which is open would be seen.
    for name, mode in (
        ("root/etc/hallkit/keys/kp-1.json", 0o640),
        ("own/hall.tar", 0o604),
        ("own/release.key", 0o644),
        ("root/var/lib/hallkit/control.sock", 0o666),
        ("root/etc/hallkit", 0o777),
    ):
        path = made.root / name
        before = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode)
        assert open_to_others(made), name
        path.chmod(before)
