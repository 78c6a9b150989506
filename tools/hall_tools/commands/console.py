"""`hall console`: the hall manager's web page, and who may log in there.

Here: its options, and what ends it. Not here: the page (hall_gateway.console), the users' commands
(console_users.py).
"""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from hall_gateway.config import load_config
from hall_gateway.console.listener import ConsoleStartError
from hall_gateway.console.serve import serve
from hall_gateway.console.users import Users, UsersError
from hall_gateway.toml_input import ConfigError

from hall_tools.commands.console_users import users_app
from hall_tools.commands.options import HALL_TOML
from hall_tools.errors import UserError

CONFIG_HELP = "The gateway's TOML file, with a \\[console] table."

app = typer.Typer(no_args_is_help=True, help="The hall manager's web page, and its users.")

ConfigOption = Annotated[Path, typer.Option("--config", help=CONFIG_HELP)]


@app.command()
def run(config: ConfigOption) -> None:
    """Serve the page until SIGTERM or Ctrl-C; logs go to stderr."""
    serving(serve, config)


def serving(serve: Callable[[Path, Callable[[str], None]], Awaitable[None]], config: Path) -> None:
    """Run a console with its settings in `config`; what it says when ready goes to stdout."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(message)s"
    )

    async def running() -> None:
        await serve(config, lambda line: print(line, flush=True))

    try:
        asyncio.run(running())
    except ConsoleStartError as error:
        raise UserError(str(error), os.EX_UNAVAILABLE) from None
    except (ConfigError, UsersError) as error:
        raise UserError(str(error), os.EX_CONFIG) from None


def _users(config: Path) -> Users:
    try:
        settings = load_config(config, secrets=False).console
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None
    return Users(settings.users(config))


app.add_typer(
    users_app(
        _users,
        HALL_TOML,
        CONFIG_HELP,
        "viewer: sees; manager: acts on alerts and tasks, shows texts; technician: also commands "
        "devices.",
    ),
    name="user",
)
