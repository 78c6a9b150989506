"""No secret is in what the back office's own programs say, and none in their arguments or
environment.

A worker and the fleet console run as processes with a .creds file, a password file and users, and
neither is let in anywhere. Not here: a gateway with its own (tests/hall/test_secrets.py), which
also shows that a leak is seen.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hall_fleet.console.settings import load_fleet
from hall_fleet.ingest_config import load_config
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.nats_server import NatsCluster
from hall_tools.ports import free_port
from support.console import PASSWORD, START_S, write_users
from support.console_forms import Forms
from support.hall_of_secrets import hall, put_private
from support.secrets_known import Secrets, below
from support.warm import PROGRAM

PGPASS = "pg-Kuckuck-8812"


@contextmanager
def process(log: Path, *words: object) -> Generator[None]:
    """`hall` with these arguments, until the end of the block."""
    with log.open("wb") as file:
        running = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, words)], stdout=file, stderr=file
        )
    try:
        yield
        assert running.poll() is None, log.read_text()
    finally:
        running.terminate()
        running.wait(30)


def until(log: Path, text: str) -> None:
    ends = time.monotonic() + START_S
    while text not in log.read_text(errors="replace"):
        assert time.monotonic() < ends, log.read_text(errors="replace")
        time.sleep(0.05)


def asked(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode()


def everything(folder: Path, ingest: Path, fleet: Path, secrets: Secrets) -> dict[str, str]:
    """What worker and console say that run with these settings, and the commands beside them."""
    said: dict[str, str] = {}
    logs = {name: folder / f"{name}.log" for name in ("worker", "console")}
    with (
        process(logs["worker"], "ingest", "run", "--config", ingest),
        process(logs["console"], "fleet", "console", "--config", fleet),
    ):
        until(logs["console"], "ready: ")
        until(logs["worker"], "uthoriz")
        http = load_config(ingest).http
        assert http is not None
        for path in ("health", "metrics"):
            said[f"/{path}"] = asked(f"http://127.0.0.1:{http.port}/{path}")
        with Forms(f"http://127.0.0.1:{load_fleet(fleet).console.port}") as forms:
            forms.log_in("tech", PASSWORD)
            secrets.known |= {f"cookie {name}": text for name, text in forms.cookies.items()}
            for path in ("/", "/account"):  # one that waits for the record, one that does not
                said[f"page {path}"] = forms.get(path)
        said |= below(os.getpid())
    for words in (("migrate",), ("setup",), ("retain",), ("poison", "list")):
        said[" ".join(words)] = hall("ingest", *words, "--config", ingest)
    return said | {f"log of the {name}": path.read_text() for name, path in logs.items()}


async def test_nothing_of_the_back_office_says_a_secret(tmp_path: Path) -> None:
    secrets, ours = Secrets(), Credentials(tmp_path / "ours")
    others = Credentials(tmp_path / "others")
    (hall_creds,) = ours.add(["hall-1"])
    put_private(tmp_path / "pgpass", f"*:*:*:*:{PGPASS}\n")
    secrets.known = {"password of PostgreSQL": PGPASS, "console password": PASSWORD}
    for path in (*ours.folder.rglob("*.creds"), *others.folder.rglob("*.creds")):
        secrets.add_creds(f"{path.parent.name}/{path.name}", path)
    for path in (*ours.folder.glob("*.seed"), *others.folder.glob("*.seed")):
        secrets.known[f"{path.parent.name}/{path.name}"] = path.read_text().strip()
    dsn = f"host=127.0.0.1 port={free_port()} dbname=hall passfile={tmp_path}/pgpass user="
    ingest, fleet = tmp_path / "ingest.toml", tmp_path / "fleet.toml"
    fleet.write_text(f'[postgres]\ndsn = "{dsn}hall_console"\n[console]\nport = {free_port()}\n')
    write_users(fleet)
    # Servers that know other keys, so that ours are refused.
    async with NatsCluster(tmp_path / "nats", 1, settings=others.server_settings()) as cluster:
        ingest.write_text(
            f'[nats]\nservers = ["{cluster.servers[0]}"]\ncreds_file = "{ours.creds("ingest")}"\n'
            f'[postgres]\ndsn = "{dsn}hall_ingest"\nowner_dsn = "{dsn}hall_owner"\n'
            f"[http]\nport = {free_port()}\n"
        )
        said = await asyncio.to_thread(everything, tmp_path, ingest, fleet, secrets)
    for where, text in said.items():
        assert text, where
        secrets.none_in(where, text)
    assert len(secrets.known) > 15
    planted = f"{said['/metrics']}# {hall_creds.read_text()}"
    assert secrets.in_text(planted) == ["halls/hall-1.creds: seed", "halls/hall-1.creds: token"]
