"""The fleet console as a process.

Here: what it is made from. Not here: its listener and signals (hall_gateway.console.listener), what
it serves (app.py).
"""

from collections.abc import Callable
from pathlib import Path

from hall_gateway.console.listener import Named, listen
from hall_gateway.console.users import Users

from hall_fleet.console.app import make_app
from hall_fleet.console.settings import FleetConfig, load_fleet

COMMAND = "hall fleet user"


def users_of(config: FleetConfig, file: Path) -> Users:
    """Who may log in; `file` is where the settings stand."""
    return Users(config.console.users(file), command=COMMAND)


async def serve(file: Path, ready: Callable[[str], None]) -> None:
    """Run the console until SIGTERM or SIGINT; `file` is fleet.toml.

    `ready` gets one line with the address. Raises ConfigError, UsersError, ConsoleStartError.
    """
    config = load_fleet(file)
    named = Named("serves the back office's page", f"{COMMAND} add NAME --role manager", file)
    await listen(make_app(config, users_of(config, file)), named, ready)
