"""The settings of a trial's programs, on this machine alone.

Here: their TOML files, and its ports. Not here: keys (credentials.py), who starts what (trial.py),
settings for production (production.py).
"""

import json
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from hall_gateway.files import write_secret

from hall_tools.fleet.layout import Layout, Ports, Remembered
from hall_tools.fleet.places import hall_class, hall_id, hall_name
from hall_tools.fleet.postgres import Postgres
from hall_tools.ports import free_port

REPLICAS = 3
_NAME = "试用供电公司 · Trial"


@dataclass(frozen=True)
class Settings:
    """Where each program's settings are."""

    setup: Path
    workers: tuple[Path, Path]
    console: Path
    halls: Path


def ports_of(layout: Layout, say: Callable[[str], None]) -> Ports:
    """Those that are remembered, as far as nobody else has taken them since; the others anew."""
    remembered = layout.remembered()
    before = None if remembered is None else remembered.ports
    taken: set[int] = set()

    def place(port: int | None) -> int:
        if port is not None and _free(port):
            chosen = port
        else:
            chosen = free_port()
            while chosen in taken:
                chosen = free_port()
            if port is not None:
                say(f"port {port} is taken by another program: {chosen} instead")
        taken.add(chosen)
        return chosen

    def node(number: int) -> tuple[int, int, int]:
        old = before.nodes[number] if before else (None, None, None)
        return place(old[0]), place(old[1]), place(old[2])

    old_workers = before.workers if before else (None, None)
    ports = Ports(
        nodes=(node(0), node(1), node(2)),
        workers=(place(old_workers[0]), place(old_workers[1])),
        console=place(before.console if before else None),
    )
    layout.remember(Remembered(servers=servers(ports), ports=ports))
    return ports


def servers(ports: Ports) -> list[str]:
    """The addresses that a client is given."""
    return [f"nats://127.0.0.1:{client}" for client, _, _ in ports.nodes]


def write_settings(
    layout: Layout, ports: Ports, postgres: Postgres, numbers: Sequence[int], seed: int
) -> Settings:
    """All programs' settings; nothing in them is secret, but they are for their owner alone.

    `numbers`: of the simulated halls."""
    folder = layout.folder
    keys = layout.credentials()

    def nats(creds: Path) -> dict[str, Any]:
        return {"servers": servers(ports), "creds_file": str(creds), "replicas": REPLICAS}

    def worker(number: int) -> Path:
        return _write(
            folder / f"ingest-{number}.toml",
            {
                "nats": nats(keys.creds("ingest")),
                "postgres": {"dsn": postgres.dsn("hall_ingest")},
                "http": {"host": "127.0.0.1", "port": ports.workers[number - 1]},
            },
        )

    setup = {
        "nats": nats(keys.creds("backoffice")),
        "postgres": {"dsn": postgres.dsn("hall_ingest"), "owner_dsn": postgres.dsn("hall_owner")},
    }
    console = {
        "name": _NAME,
        "postgres": {"dsn": postgres.dsn("hall_console")},
        "console": {
            "host": "127.0.0.1",
            "port": ports.console,
            "users_file": str(folder / "users.json"),
        },
    }
    spec = {
        "servers": servers(ports),
        "ca_file": None,
        "folder": str(folder / "halls"),
        "seed": seed,
        "halls": [
            {
                "hall": hall_id(number),
                "name": hall_name(number),
                "class": hall_class(number),
                "creds_file": str(keys.hall_creds(hall_id(number))),
            }
            for number in numbers
        ],
    }
    halls_file = folder / "halls.json"
    write_secret(halls_file, json.dumps(spec, ensure_ascii=False, indent=1).encode())
    return Settings(
        setup=_write(folder / "setup.toml", setup),
        workers=(worker(1), worker(2)),
        console=_write(folder / "fleet.toml", console),
        halls=halls_file,
    )


def _write(path: Path, content: dict[str, Any]) -> Path:
    write_secret(path, tomlkit.dumps(content).encode())
    return path


def _free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
