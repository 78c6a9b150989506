"""`hall console` as it is typed: its users, how it starts, and how it does not."""

import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

from hall_tools.ports import free_port
from support.certificate import self_signed
from support.console import PASSWORD, ConsoleProcess, write_settings


def hall(*arguments: str, settings: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    program = "from hall_tools.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "console", *arguments, "--config", str(settings)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_users_come_and_go(tmp_path: Path) -> None:
    settings = write_settings(tmp_path, 8080)
    added = hall("user", "add", "王经理", "--role", "manager", settings=settings, given=PASSWORD)
    assert added.returncode == os.EX_OK, added.stderr
    assert PASSWORD not in added.stdout + added.stderr
    again = hall("user", "add", "王经理", "--role", "viewer", settings=settings, given=PASSWORD)
    assert again.returncode == os.EX_DATAERR
    assert "there already" in again.stderr
    short = hall("user", "password", "王经理", settings=settings, given="short\n")
    assert short.returncode == os.EX_DATAERR
    assert "10 to 256 characters" in short.stderr
    listed = hall("user", "list", "--json", settings=settings)
    assert json.loads(listed.stdout) == [{"name": "王经理", "role": "manager"}]
    assert hall("user", "remove", "王经理", settings=settings).returncode == os.EX_OK
    assert hall("user", "list", settings=settings).stdout == ""


def test_it_says_why_it_does_not_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = write_settings(tmp_path, taken.getsockname()[1])
        ended = hall("run", settings=settings)
    assert ended.returncode == os.EX_UNAVAILABLE
    assert "see [console] in" in ended.stderr
    settings.write_text(
        settings.read_text().replace("[console]\n", '[console]\nhost = "0.0.0.0"\n')
    )
    ended = hall("run", settings=settings)
    assert ended.returncode == os.EX_CONFIG
    assert "passwords would cross the network in the clear" in ended.stderr


def test_with_a_certificate_it_speaks_https(tmp_path: Path) -> None:
    settings = write_settings(tmp_path, free_port())
    self_signed(tmp_path, "localhost")
    tls = '[console]\nhost = "localhost"\ncert_file = "cert.pem"\nkey_file = "key.pem"\n'
    settings.write_text(settings.read_text().replace("[console]\n", tls))
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    with ConsoleProcess(settings) as console:
        assert console.address.startswith("https://localhost:")
        with urllib.request.urlopen(f"{console.address}/login", context=context) as answer:
            cookie = answer.headers["Set-Cookie"]
            assert answer.headers["Strict-Transport-Security"]
        assert cookie.startswith("__Host-hall_form=")
        assert "Secure" in cookie
        assert "nobody can log in yet" in console.log
