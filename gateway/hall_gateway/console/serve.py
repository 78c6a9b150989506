"""The hall's console as a process.

Here: what it is made from. Not here: its listener and signals (listener.py), what it serves
(app.py).
"""

from collections.abc import Callable
from pathlib import Path

from hall_gateway.console.app import make_app
from hall_gateway.console.current import Current
from hall_gateway.console.listener import Named, listen
from hall_gateway.console.users import Users

_ADD_USER = "hall console user add NAME --role manager"


async def serve(file: Path, ready: Callable[[str], None]) -> None:
    """Run the console until SIGTERM or SIGINT; `file` is the gateway's settings file.

    `ready` gets one line with the address. Raises ConfigError, UsersError, ConsoleStartError.
    """
    current = Current(file)
    users = Users(current.config.console.users(file))
    named = Named("serves the hall manager's page", _ADD_USER, file)
    await listen(make_app(current, users), named, ready)
