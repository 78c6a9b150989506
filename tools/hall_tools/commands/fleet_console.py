"""`hall fleet console` and `hall fleet user`: the back office's web page, and who may log in there.

Here: their options. Not here: the page (hall_fleet.console), the users' commands
(console_users.py).
"""

import os
from pathlib import Path
from typing import Annotated

import typer
from hall_fleet.console.serve import serve, users_of
from hall_fleet.console.settings import load_fleet
from hall_gateway.console.users import Users
from hall_gateway.toml_input import ConfigError

from hall_tools.commands.console import serving
from hall_tools.commands.console_users import users_app
from hall_tools.errors import UserError

FLEET_TOML = Path("fleet.toml")
CONFIG_HELP = "The console's TOML file, with \\[postgres] and \\[console] tables."


def console(
    config: Annotated[Path, typer.Option("--config", help=CONFIG_HELP)] = FLEET_TOML,
) -> None:
    """Serve the back office's page until SIGTERM or Ctrl-C; logs go to stderr."""
    serving(serve, config)


def _users(config: Path) -> Users:
    try:
        return users_of(load_fleet(config), config)
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None


user = users_app(
    _users,
    FLEET_TOML,
    CONFIG_HELP,
    "viewer: sees; manager and technician: also see what refused messages and events say.",
)
