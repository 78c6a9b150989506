"""`hall ingest`: the record of many halls: make it, fill it, drop what is too old.

Here: options, output, exit codes. Not here: what is done (hall_fleet).
"""

import asyncio
import faulthandler
import json
import logging
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, cast

import typer
from hall_fleet import ingest, retention, roles
from hall_fleet import migrate as migrations
from hall_fleet import poison as poisoned
from hall_fleet.ingest_config import IngestConfig, load_config
from hall_fleet.link import Link, LinkError
from hall_fleet.streams import copies, forget
from hall_fleet.streams import setup as set_up
from hall_gateway import logs
from hall_gateway.toml_input import ConfigError

from hall_tools.commands.options import JsonOption
from hall_tools.errors import UserError

app = typer.Typer(
    no_args_is_help=True, help="The back office's record of many halls: from NATS to PostgreSQL."
)
_poison = typer.Typer(no_args_is_help=True, help="Messages that are no event, and why.")
app.add_typer(_poison, name="poison")

ConfigOption = Annotated[
    Path, typer.Option("--config", help="The TOML file of ingest; see docs/ingest.md.")
]


@app.command("roles")
def roles_(
    database: Annotated[str, typer.Option(help="The name of the database.")] = "hall",
) -> None:
    """Print the SQL that makes the roles and the database, for a superuser's psql, once."""
    if not database.isidentifier() or not database.isascii():
        raise UserError(f"{database}: not a plain name of a database; give one such as hall")
    print("\n".join(f"{statement};" for statement in roles.statements(database)))


@app.command()
def migrate(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Make the record's tables and views, or bring them up to date. Needs owner_dsn."""
    try:
        applied = migrations.migrate(_owner(_load(config), config))
    except migrations.MigrationError as error:
        raise UserError(str(error), os.EX_UNAVAILABLE) from None
    if as_json:
        print(json.dumps({"applied": applied}))
    else:
        print(f"applied: {', '.join(applied)}" if applied else "the record is up to date")


@app.command()
def setup(
    config: ConfigOption,
    again: Annotated[
        bool,
        typer.Option("--again", help="Take all that the streams still have once more."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the streams and consumers, or change what differs. Needs the back office's .creds.

    Says which servers have all of each stream: no second one may stop while one is behind.

    With --again, after the record came from a backup, workers get everything once more that the
    streams have, seven days of it; what the record has is not taken twice.
    """
    settings = _load(config)

    async def run() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        nats = settings.nats
        async with Link(nats.servers, nats.credentials(), nats.tls(), "backoffice") as link:
            if again:
                await forget(link)
            return await set_up(link, nats), await copies(link)

    try:
        done, kept = asyncio.run(run())
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None
    except LinkError as error:
        raise UserError(str(error), os.EX_UNAVAILABLE) from None
    if as_json:
        print(json.dumps({**done, "copies": kept}))
    else:
        for name, what in done.items():
            servers = kept.get(name, {}).items()
            print(
                "; ".join([f"{name}: {what}", *(f"{server} {state}" for server, state in servers)])
            )


@app.command()
def run(config: ConfigOption) -> None:
    """Run a worker until SIGTERM or Ctrl-C; logs go to stderr. Start as many as are wanted."""
    settings = _load(config)
    logs.begin(os.environ, "hall-ingest")
    faulthandler.enable()  # the service manager's watchdog ends a worker that hangs by SIGABRT
    try:
        asyncio.run(ingest.serve(settings, lambda line: print(line, flush=True)))
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None
    except ExceptionGroup as group:
        logging.critical("the worker stopped because a part of it failed", exc_info=group)
        raise UserError(f"the worker stopped: {_first(group)!r}", os.EX_SOFTWARE) from None


@app.command()
def retain(
    config: ConfigOption,
    months: Annotated[
        int, typer.Option(min=1, max=1200, help="Whole months to keep before this one.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Drop the events of older months, and older poison. The sums of days stay. Needs owner_dsn."""
    since = retention.first_kept(datetime.now(UTC).date(), months)
    try:
        done = retention.retain(_owner(_load(config), config), since)
    except retention.RetentionError as error:
        raise UserError(str(error), os.EX_UNAVAILABLE) from None
    if as_json:
        print(json.dumps(asdict(done), default=str))
        return
    for month in done.dropped:
        events = "an unknown number of" if month.events is None else f"about {month.events}"
        print(f"{month.month}: dropped {events} events, {month.bytes} bytes")
    print(f"events are kept from {done.since} on; {done.poison} older poison messages dropped")


@_poison.command("list")
def list_(
    config: ConfigOption,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="So many, the newest.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show messages that are no event, the newest first."""
    try:
        found = poisoned.newest(_load(config).postgres.dsn, most)
    except poisoned.ReadError as error:
        raise UserError(str(error), os.EX_UNAVAILABLE) from None
    if as_json:
        print(json.dumps([asdict(each) for each in found], default=str, ensure_ascii=False))
        return
    for each in found:
        where = f"{each.stream} {each.sequence}"
        print(f"{each.received:%Y-%m-%d %H:%M:%S} {where} {each.subject}: {each.reason}: ", end="")
        print(each.detail)
    if not found:
        print("there is none")


def _load(path: Path) -> IngestConfig:
    try:
        return load_config(path)
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None


def _owner(settings: IngestConfig, path: Path) -> str:
    if settings.postgres.owner_dsn is None:
        why = f"{path}: [postgres] owner_dsn is missing; this needs {roles.OWNER}'s connection"
        raise UserError(why, os.EX_CONFIG)
    return settings.postgres.owner_dsn


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error
