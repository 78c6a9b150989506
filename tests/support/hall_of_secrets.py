"""A hall in which each kind of secret is known to the test.

Here: making it, and what its secrets are. Not here: where they are looked for (secrets_known.py,
tests/hall/test_secrets.py).
"""

from __future__ import annotations

import base64
import os
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hall_gateway.staff import read_staff
from hall_tools.cli import app
from hall_tools.fleet.credentials import Credentials
from hall_tools.ports import free_port
from typer.testing import CliRunner

from support.certificate import self_signed
from support.installed import HALL, Installation
from support.mosquitto import Mosquitto
from support.secrets_known import Secrets

PIN, PASSWORD, MQTT = "739154", "Zaunkoenig-4711-xyz", "mqtt-pass-5d1c0ffee"
WEBHOOK = base64.b64encode(b"hush hush hush hush hush hush").decode()
TOKEN, PASSPHRASE = "token-in-path-77", "korrektes Pferd"


@contextmanager
def hall_of_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Installation]:
    """Installed, with the hall system's broker running; its files with secrets are in
    `tmp_path`/files."""
    with Mosquitto(tmp_path / "upstream") as upstream:
        files = tmp_path / "files"
        files.mkdir(mode=0o700)
        put_private(files / "hall.password", f"{MQTT}\n")
        put_private(files / "office.secret", f"whsec_{WEBHOOK}\n")
        self_signed(files, "127.0.0.1")
        (files / "key.pem").chmod(0o600)
        (creds,) = Credentials(files / "nats").add(["demo"])
        hall("staff", "add", "王芳", "--pin", "--file", files / "staff.json", says=f"{PIN}\n")
        coap = '[[device]]\nid = "floor-9"\nprofile = "wet-floor-battery"\nzone = "door"\n'
        tables = (
            f'username = "hall"\npassword_file = "{files}/hall.password"\n'
            f'[coap]\nhost = "127.0.0.1"\nport = {free_port()}\n[http]\nport = {free_port()}\n'
            f'[staff]\nfile = "{files}/staff.json"\n[console]\nport = {free_port()}\n'
            f'cert_file = "{files}/cert.pem"\nkey_file = "{files}/key.pem"\n'
            f'[jetstream]\nservers = ["nats://127.0.0.1:{free_port()}"]\ncreds_file = "{creds}"\n'
            f'[[webhook]]\nid = "office"\nurl = "http://127.0.0.1:{free_port()}/{TOKEN}"\n'
            f'secret_file = "{files}/office.secret"\n{HALL}{coap}'
        )
        yield Installation(
            tmp_path / "root",
            monkeypatch,
            upstream.port,
            tables=tables,
            devices={"kp-1": "keypad-5", "floor-9": "wet-floor-battery"},
        )


def secrets_of(installation: Installation, tmp_path: Path) -> Secrets:
    """Of that hall."""
    files, found = tmp_path / "files", Secrets()
    staff = read_staff(files / "staff.json")
    found.known = {
        "PIN": PIN,
        "key of the PINs": staff.key,
        "code of the PIN": str(staff.staff[0].pins[0]),
        "console password": PASSWORD,
        "MQTT password of the hall": MQTT,
        "webhook secret": WEBHOOK,
        "webhook secret, decoded": base64.b64decode(WEBHOOK).decode(),
        "token in a webhook's URL": TOKEN,
        "passphrase": PASSPHRASE,
    }
    found.add_installation(installation)
    found.add_pem("the console's TLS key", files / "key.pem")
    for path in (files / "nats").rglob("*.creds"):
        found.add_creds(path.name, path)
    for path in (files / "nats").glob("*.seed"):
        found.known[path.name] = path.read_text().strip()
    return found


def put_private(path: Path, content: str) -> None:
    """A file for its owner alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)


def hall(*words: object, says: str = "") -> str:
    """What a command prints, on either side, and the text of what it failed with."""
    done = CliRunner().invoke(app, [str(word) for word in words], input=says)
    failed = "".join(traceback.format_exception(done.exception)) if done.exception else ""
    return done.output + failed
