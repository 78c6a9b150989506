"""The files of a back office on machines of its own: three NATS nodes, and one with the record.

Here: which files there are, where each goes, and what is filled in. Not here: their fixed text
(templates/), keys (credentials.py), why and in which order (docs/back-office-fleet.md).

    production/n1/ n2/ n3/   for each NATS node, as it lies below /
    production/record/       for the machine of PostgreSQL, workers and console, likewise

pg_hba.hallkit and pg_ident.hallkit are lines for files that PostgreSQL has already.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import tomlkit
from hall_fleet import roles
from psycopg.conninfo import make_conninfo

from hall_tools.errors import UserError
from hall_tools.fleet.postgres import DATABASE

FOLDER = "production"
NODES = 3
CLIENTS = 4222
ROUTES = 6222
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_ETC = "etc/hallkit-fleet"
_UNITS = "etc/systemd/system"
_POSTGRES = "15"
"""Debian 12's."""
UNITS = (
    "hall-ingest@.service",
    "hall-ingest-retain.service",
    "hall-ingest-retain.timer",
    "hall-fleet-console.service",
    "hall-record-backup.service",
    "hall-record-backup.timer",
)
"""Of the machine with the record."""


@dataclass(frozen=True)
class Production:
    """What is to be filled in. `nodes`: their host names. `postgres`: the host name of PostgreSQL
    when it is not on the machine of the workers. `program`: the `hall` there. `months`: how long
    events are kept in the record, `copies`: how many nights' backups."""

    nodes: Sequence[str]
    postgres: str | None
    program: Path
    store_gb: int
    months: int
    copies: int = 7

    def check(self) -> None:
        """Raises UserError for what cannot be."""
        if len(self.nodes) != NODES or len(set(self.nodes)) != NODES:
            raise UserError("three nodes are needed, each named once: --node HOST --node …")
        for host in (*self.nodes, *([self.postgres] if self.postgres else ())):
            if not _HOST.fullmatch(host):
                raise UserError(f"{host!r} is no host name: nats-1.example.com")

    @property
    def servers(self) -> list[str]:
        return [f"tls://{host}:{CLIENTS}" for host in self.nodes]


def contents(wanted: Production) -> dict[str, str]:
    """The text of each file, by its path in `production/`. Keys are not among them."""
    routes = "\n".join(f'    "nats-route://{host}:{ROUTES}"' for host in wanted.nodes)
    found: dict[str, str] = {}
    for number, host in enumerate(wanted.nodes, 1):
        found[f"n{number}/etc/nats-server.conf"] = _filled(
            "nats-server.conf",
            name=f"n{number}",
            host=host,
            store_gb=str(wanted.store_gb),
            routes=routes,
        )
        unit = f"n{number}/{_UNITS}/nats-server.service.d/hallkit.conf"
        found[unit] = _filled("nats-server.service.conf")
    for path, text in {**_units(wanted), **_postgres(wanted), **_settings(wanted)}.items():
        found[f"record/{path}"] = text
    return found


def _units(wanted: Production) -> dict[str, str]:
    filled = {
        "program": str(wanted.program),
        "home": _protect_home(wanted.program),
        "months": str(wanted.months),
        "copies": str(wanted.copies),
    }
    return {
        **{f"{_UNITS}/{name}": _filled(name, **filled) for name in UNITS},
        "etc/sysusers.d/hallkit-fleet.conf": _text("sysusers.conf"),
        "usr/local/sbin/hall-record-backup": _text("hall-record-backup"),
    }


def _postgres(wanted: Production) -> dict[str, str]:
    folder = f"etc/postgresql/{_POSTGRES}/main"
    listen, remote = "", ""
    if wanted.postgres:
        listen = "listen_addresses = '*'\nssl = on\n"
        remote = (
            "# Workers and the console elsewhere, by password and TLS; better only theirs.\n"
            "hostssl hall    hall_owner,hall_ingest,hall_console   samenet   scram-sha-256"
        )
    texts = {
        "conf.d/hallkit.conf": _filled(
            "postgresql.conf", version=_POSTGRES, buffers="2GB", listen=listen
        ),
        "pg_hba.hallkit": _filled("pg_hba.conf", version=_POSTGRES, remote=remote),
        "pg_ident.hallkit": _filled("pg_ident.conf", version=_POSTGRES),
    }
    statements = "".join(f"{statement};\n" for statement in roles.statements(DATABASE))
    return {
        **{f"{folder}/{name}": text for name, text in texts.items()},
        f"{folder}/hallkit-roles.sql": statements,
    }


def _settings(wanted: Production) -> dict[str, str]:
    def nats(creds: str) -> dict[str, Any]:
        return {"servers": list(wanted.servers), "creds_file": creds, "ca_file": f"/{_ETC}/ca.crt"}

    max_gb = max(1, wanted.store_gb * 4 // 5)
    setup = {
        "nats": {**nats("backoffice.creds"), "replicas": NODES, "max_gb": max_gb},
        "postgres": {
            "dsn": _dsn(wanted, "hall_owner", "setup/owner"),
            "owner_dsn": _dsn(wanted, "hall_owner", "setup/owner"),
        },
    }
    ingest = {
        "nats": nats("ingest.creds"),
        "postgres": {"dsn": _dsn(wanted, "hall_ingest", "ingest")},
    }
    console = {
        "name": "供电公司",
        "postgres": {"dsn": _dsn(wanted, "hall_console", "console/console")},
        "console": {
            "host": "0.0.0.0",
            "port": 8443,
            "users_file": "/var/lib/hall-fleet-console/users.json",
            "cert_file": f"/{_ETC}/console/server.crt",
            "key_file": f"/{_ETC}/console/server.key",
        },
    }
    return {
        f"{_ETC}/setup/setup.toml": tomlkit.dumps(setup),
        f"{_ETC}/ingest.toml": tomlkit.dumps(ingest),
        f"{_ETC}/console/fleet.toml": tomlkit.dumps(console),
    }


def _dsn(wanted: Production, role: str, passfile: str) -> str:
    if wanted.postgres is None:
        return make_conninfo(host="/run/postgresql", dbname=DATABASE, user=role)
    return make_conninfo(
        host=wanted.postgres,
        dbname=DATABASE,
        user=role,
        sslmode="verify-full",
        sslrootcert=f"/{_ETC}/ca.crt",
        passfile=f"/{_ETC}/{passfile}.pgpass",
    )


def _protect_home(program: Path) -> str:
    """systemd's ProtectHome: a program below a home must be seen there."""
    return "read-only" if any(program.is_relative_to(home) for home in _HOMES) else "true"


def _text(name: str) -> str:
    return files("hall_tools.fleet").joinpath("templates", name).read_text(encoding="utf-8")


def _filled(template: str, **values: str) -> str:
    return Template(_text(template)).substitute(values)
