"""What `hall fleet config` writes, given to the programs that read it: nats-server, systemd, and
PostgreSQL."""

import asyncio
import json
import os
import pwd
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import nats
import psycopg
import pytest
from hall_fleet.console.settings import load_fleet
from hall_fleet.ingest_config import load_config
from hall_fleet.logins import inbox
from hall_gateway.jetstream_subjects import inbox as hall_inbox
from hall_tools.cli import app
from hall_tools.errors import UserError
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.postgres import Postgres
from hall_tools.fleet.process import Process, program
from hall_tools.fleet.production import UNITS
from hall_tools.ports import free_port
from support.certificate import self_signed
from support.office import office_folder
from support.systemd import DEBIANS, verify
from typer.testing import CliRunner

NODES = ("nats-1.example.com", "nats-2.example.com", "nats-3.example.com")
BUSY_S = 60.0
SERVICES = [unit for unit in UNITS if unit.endswith(".service")]
STRICT = [unit for unit in SERVICES if unit != "hall-record-backup.service"]


def config(folder: Path, *more: str, nodes: tuple[str, ...] = NODES) -> dict[str, str]:
    """What was done with each file."""
    named = [word for node in nodes for word in ("--node", node)]
    arguments = ["fleet", "config", "--dir", str(folder), "--json", *named, *more]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["files"]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The folder `production`, of a `hall` that is there."""
    config(tmp_path / "office", "--program", str(Path(sys.executable).with_name("hall")))
    return tmp_path / "office" / "production"


def refusal(folder: Path, *arguments: str) -> str:
    with pytest.raises(UserError) as refused:
        CliRunner().invoke(
            app,
            ["fleet", "config", "--dir", str(folder), *arguments],
            catch_exceptions=False,
            standalone_mode=False,
        )
    return str(refused.value)


def as_here(text: str, here: dict[str, str]) -> str:
    for there, place in here.items():
        text = text.replace(there, place)
    return text


@asynccontextmanager
async def nodes(office: Path, tls: Path) -> AsyncIterator[list[int]]:
    """The three nodes as they are written, but all on this machine; their ports for clients."""
    cert, key = self_signed(tls, "localhost")
    clients, routes, monitors = ([free_port() for _ in NODES] for _ in range(3))
    async with AsyncExitStack() as stack:
        for number in range(3):
            text = (office / f"production/n{number + 1}/etc/nats-server.conf").read_text()
            for other, host in enumerate(NODES):
                text = text.replace(f"{host}:6222", f"localhost:{routes[other]}")
            here = {
                "0.0.0.0:4222": f"127.0.0.1:{clients[number]}",
                f"{NODES[number]}:4222": f"localhost:{clients[number]}",
                "0.0.0.0:6222": f"127.0.0.1:{routes[number]}",
                "127.0.0.1:8222": f"127.0.0.1:{monitors[number]}",
                "/etc/nats/tls/server.crt": str(cert),
                "/etc/nats/tls/server.key": str(key),
                "/etc/nats/tls/nodes-ca.crt": str(cert),
                "/var/lib/nats": str(tls / f"store{number}"),
            }
            file = office / f"n{number}.conf"
            file.write_text(as_here(text, here))
            name = program("nats-server", "nats-server")
            process = Process(f"n{number}", [name, "-c", str(file)], tls / f"n{number}.log")
            stack.push_async_callback(process.stop)
            await process.start()
        yield clients


async def test_the_nodes_form_a_cluster_over_tls_and_let_a_hall_in(
    tmp_path: Path, written: Path
) -> None:
    office = written.parent
    keys = Credentials(office / "keys")
    [creds] = keys.add(["a"])
    async with nodes(office, tmp_path) as ports:
        tls = ssl.create_default_context(cafile=tmp_path / "cert.pem")

        async def login(creds: Path, prefix: str) -> nats.NATS:
            return await nats.connect(
                [f"tls://localhost:{port}" for port in ports],
                user_credentials=str(creds),
                inbox_prefix=prefix.encode(),
                tls=tls,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.05,
            )

        async with asyncio.timeout(BUSY_S):
            backoffice = await login(keys.creds("backoffice"), inbox("backoffice"))
            while True:
                try:
                    await backoffice.jetstream().add_stream(
                        name="HALL_EVENTS", subjects=["hall.v1.*.event.>"], num_replicas=3
                    )
                    break
                except (nats.errors.Error, nats.js.errors.Error):
                    await asyncio.sleep(0.05)  # the nodes have no leader yet
            hall = await login(creds, hall_inbox("a"))
            acked = await hall.jetstream().publish("hall.v1.a.event.rating.given", b"{}")
            assert acked.stream == "HALL_EVENTS"
        for client in (hall, backoffice):
            await client.close()
        with pytest.raises((nats.errors.Error, OSError, ssl.SSLError)):
            await nats.connect(
                f"tls://localhost:{ports[0]}",
                user_credentials=str(creds),
                tls=ssl.create_default_context(),  # which does not know the CA
                allow_reconnect=False,
            )


@pytest.mark.parametrize("number", [1, 2, 3])
def test_nats_server_has_nothing_to_say_of_its_configuration(
    tmp_path: Path, written: Path, number: int
) -> None:
    cert, key = self_signed(tmp_path, NODES[0])
    here = {"server.crt": cert.name, "server.key": key.name, "nodes-ca.crt": cert.name}
    text = as_here((written / f"n{number}/etc/nats-server.conf").read_text(), here)
    file = written.parent / "nats-server.conf"
    file.write_text(text.replace("/etc/nats/tls", str(tmp_path)))
    check = [program("nats-server", "nats-server"), "-t", "-c", str(file)]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "configuration file" in done.stderr + done.stdout
    file.write_text(file.read_text() + "\nmax_conections: 1\n")
    assert subprocess.run(check, capture_output=True, timeout=60).returncode != 0


def units(written: Path, folder: Path) -> Path:
    shutil.copytree(written / "record/etc/systemd/system", folder)
    shutil.copytree(written / "n1/etc/systemd/system", folder, dirs_exist_ok=True)
    shutil.copy(DEBIANS / "nats-server.service", folder)
    backup = folder / "hall-record-backup.service"
    script = written / "record/usr/local/sbin/hall-record-backup"
    backup.write_text(backup.read_text().replace("/usr/local/sbin/hall-record-backup", str(script)))
    return folder


def test_systemd_has_nothing_to_say_of_the_units(tmp_path: Path, written: Path) -> None:
    folder = units(written, tmp_path / "units")
    (folder / "hall-ingest@1.service").symlink_to("hall-ingest@.service")
    for unit in (*(u for u in UNITS if "@" not in u), "hall-ingest@1.service"):
        assert verify(folder, unit) == ""
    assert verify(folder, "nats-server.service") == ""
    drop_in = folder / "nats-server.service.d/hallkit.conf"
    drop_in.write_text(drop_in.read_text().replace("LimitNOFILE", "LimitNoFile"))
    assert "LimitNoFile" in verify(folder, "nats-server.service")


def test_the_units_leave_little_to_whoever_breaks_in(tmp_path: Path, written: Path) -> None:
    folder = units(written, tmp_path / "units")
    hardened = [folder / unit for unit in STRICT]
    whole = folder / "whole.service"  # a drop-in is not looked at offline
    drop_in = folder / "nats-server.service.d/hallkit.conf"
    whole.write_text((folder / "nats-server.service").read_text() + drop_in.read_text())
    for unit in (*hardened, whole):
        done = subprocess.run(
            [
                *("systemd-analyze", "security", "--offline=true", "--threshold=20"),
                *("--no-pager", str(unit)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout


def test_the_settings_are_taken(written: Path) -> None:
    folder = written / "record/etc/hallkit-fleet"
    servers = tuple(f"tls://{host}:4222" for host in NODES)
    ingest, setup = load_config(folder / "ingest.toml"), load_config(folder / "setup/setup.toml")
    assert ingest.nats.servers == setup.nats.servers == servers
    assert (setup.nats.replicas, setup.nats.max_gb) == (3, 80)
    assert setup.postgres.owner_dsn == "host=/run/postgresql dbname=hall user=hall_owner"
    assert load_fleet(folder / "console/fleet.toml").console.port == 8443


def test_another_machines_postgresql_is_verified(tmp_path: Path) -> None:
    config(tmp_path / "office", "--postgres", "db.example.com")
    folder = tmp_path / "office/production/record/etc"
    dsn = load_config(folder / "hallkit-fleet/ingest.toml").postgres.dsn
    assert "host=db.example.com" in dsn
    assert "sslmode=verify-full" in dsn
    assert "passfile=/etc/hallkit-fleet/ingest.pgpass" in dsn
    assert "scram-sha-256" in (folder / "postgresql/15/main/pg_hba.hallkit").read_text()
    assert "ssl = on" in (folder / "postgresql/15/main/conf.d/hallkit.conf").read_text()


async def test_postgresql_takes_its_lines_and_its_backup_is_whole(written: Path) -> None:
    here = written / "record/etc/postgresql/15/main"
    with office_folder() as folder:
        me = pwd.getpwuid(os.geteuid()).pw_name
        mine = "local postgres,replication postgres peer map=me\n"
        files = {
            "hba": mine + (here / "pg_hba.hallkit").read_text(),
            "ident": f"me {me} postgres\n" + (here / "pg_ident.hallkit").read_text(),
        }
        settings = (here / "conf.d/hallkit.conf").read_text().replace("2GB", "32MB").splitlines()
        for name, text in files.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o644)
            settings.append(f"{name}_file = '{folder / name}'")
        async with Postgres(folder / "pg", durable=False, settings=settings) as postgres:
            dsn = postgres.dsn("postgres", "postgres")
            async with await psycopg.AsyncConnection.connect(dsn) as connection:
                for view in ("pg_hba_file_rules", "pg_ident_file_mappings"):
                    query = f"SELECT error, count(*) FROM {view} GROUP BY error"
                    [(error, count)] = await (await connection.execute(query)).fetchall()
                    assert error is None
                    assert count >= 4
                await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            for role in ("hall_owner", "hall_ingest", "hall_bi"):
                with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
                    await psycopg.AsyncConnection.connect(postgres.dsn(role))
            before = await asyncio.to_thread(back_up, written, folder, dsn)
            copy = await asyncio.to_thread(back_up, written, folder, dsn)
        assert list((folder / "copies").iterdir()) == [copy] != [before]
        put_back(copy, folder / "pg/data")
        async with (
            Postgres(folder / "pg", durable=False, settings=settings) as postgres,
            await psycopg.AsyncConnection.connect(dsn) as connection,
        ):
            found = await connection.execute("SELECT answer FROM kept")
            assert await found.fetchall() == [(42,)]


def put_back(copy: Path, data: Path) -> None:
    owner = data.stat()
    shutil.rmtree(data)
    shutil.copytree(copy, data)
    for place in (data, *data.rglob("*")):
        os.chown(place, owner.st_uid, owner.st_gid)


def back_up(written: Path, folder: Path, dsn: str) -> Path:
    """Another copy, which is the only one that the script keeps."""
    script = written / "record/usr/local/sbin/hall-record-backup"
    parts = dict(re.findall(r"(\w+)=(\S+)", dsn))
    where = {"PGHOST": parts["host"], "PGPORT": parts["port"], "PGUSER": parts["user"]}
    (folder / "copies").mkdir(exist_ok=True)
    done = subprocess.run(
        ["sh", str(script), str(folder / "copies"), "1"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **where},
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.split(":")[0])


def test_what_was_changed_by_hand_is_kept(tmp_path: Path) -> None:
    office = tmp_path / "office"
    assert set(config(office).values()) == {"written"}
    keys = (office / "keys/accounts.json").read_bytes()
    path = "n2/etc/nats-server.conf"
    (office / "production" / path).write_text("# mine\n")
    again = config(office, "--store-gb", "7")
    assert again[path] == "differs"
    assert again["n2/etc/systemd/system/nats-server.service.d/hallkit.conf"] == "as it is"
    assert (office / "production" / path).read_text() == "# mine\n"
    assert "max_file_store: 7GB" in (office / "production" / f"{path}.new").read_text()
    assert (office / "keys/accounts.json").read_bytes() == keys


def test_wrong_use_is_told_in_a_line(tmp_path: Path) -> None:
    office = tmp_path / "office"
    assert "three nodes are needed" in refusal(office, "--node", "a")
    three = ["--node", "a", "--node", "b", "--node"]
    assert "three nodes are needed" in refusal(office, *three, "b")
    assert "'c:4222' is no host name" in refusal(office, *three, "c:4222")
    assert "'-x' is no host name" in refusal(office, *three, "c", "--postgres=-x")
    assert "give the whole path" in refusal(office, *three, "c", "--program", "hall")
    assert not office.exists()
