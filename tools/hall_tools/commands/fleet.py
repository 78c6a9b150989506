"""`hall fleet`: the back office of many halls.

Here: how its commands hang together. Not here: what each does; they live in fleet_*.py.
"""

import typer

from hall_tools.commands import fleet_command, fleet_config, fleet_console, fleet_hall, fleet_up

app = typer.Typer(
    no_args_is_help=True,
    help="The back office of many halls: NATS, PostgreSQL, and its console.",
)
app.command("up")(fleet_up.up)
app.command("command")(fleet_command.command)
app.command("config")(fleet_config.config)
app.command("console")(fleet_console.console)
app.add_typer(fleet_console.user, name="user")
app.add_typer(fleet_hall.app, name="hall")
