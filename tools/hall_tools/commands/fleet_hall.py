"""`hall fleet hall`: which halls may speak to the back office.

Here: options, output, exit codes. Not here: their keys (hall_tools.fleet.credentials).
"""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hall_tools.commands.options import JsonOption
from hall_tools.errors import UserError
from hall_tools.fleet.credentials import Credentials, HallLogin
from hall_tools.fleet.layout import Layout
from hall_tools.fleet.reload import reload

app = typer.Typer(no_args_is_help=True, help="Which halls may speak to the back office.")

DirOption = Annotated[
    Path,
    typer.Option("--dir", metavar="FOLDER", help="The back office's folder, with its keys."),
]
_HALLS = typer.Argument(metavar="HALL", help="Their ids: beijing-chaoyang-3.")


@app.command()
def add(
    folder: DirOption,
    halls: Annotated[list[str] | None, _HALLS] = None,
    listed: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A file of ids, one a line.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="New keys for halls that have some: the old are void.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Give halls keys of their own; the servers need no change.

    Prints where each hall's .creds file is. Bring it to the hall's gateway, as creds_file under
    [jetstream] in hall.toml, and treat it as a password.
    """
    wanted = _wanted(halls, listed)
    layout = Layout(folder)
    credentials = layout.credentials()
    had = {login.hall for login in credentials.halls() if login.revoked is None}
    made = credentials.add(wanted, again=again)
    told = _spread(layout, credentials) if had.intersection(wanted) else None
    if as_json:
        rows = [{"hall": h, "creds_file": str(c)} for h, c in zip(wanted, made, strict=True)]
        print(json.dumps({"halls": rows, **({} if told is None else {"servers": told})}))
        return
    for hall, creds in zip(wanted, made, strict=True):
        print(f"{hall}: {creds}")
    if told is not None:
        _print_told(layout, told)


@app.command()
def revoke(
    folder: DirOption, halls: Annotated[list[str], _HALLS], as_json: JsonOption = False
) -> None:
    """Make halls' keys void: the servers end their connections, and let none of them in again.

    What they have sent stays. A hall that is added again gets another key.
    """
    layout = Layout(folder)
    credentials = layout.credentials()
    credentials.revoke(halls)
    told = _spread(layout, credentials)
    if as_json:
        print(json.dumps({"halls": halls, "servers": told}))
        return
    for hall in halls:
        print(f"{hall}: revoked")
    _print_told(layout, told)


@app.command("list")
def list_halls(folder: DirOption, as_json: JsonOption = False) -> None:
    """Show which halls have keys, since when, and which were revoked."""
    logins = Layout(folder).credentials().halls()
    if as_json:
        print(json.dumps({"halls": [_row(login) for login in logins]}))
        return
    if not logins:
        print("no hall has a key yet: hall fleet hall add")
    for login in logins:
        void = "" if login.revoked is None else f"  revoked {_when(login.revoked)}"
        print(f"{login.hall:<32}  since {_when(login.issued)}{void}")


def _wanted(halls: list[str] | None, listed: Path | None) -> list[str]:
    wanted = list(halls or [])
    if listed is not None:
        try:
            lines = listed.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            raise UserError(f"{listed}: no such file", os.EX_NOINPUT) from None
        except UnicodeDecodeError:
            raise UserError(f"{listed}: not UTF-8 text", os.EX_DATAERR) from None
        wanted += [line.strip() for line in lines if line.strip()]
    if not wanted:
        raise UserError("which halls? name them, or give --from FILE", os.EX_USAGE)
    return wanted


def _spread(layout: Layout, credentials: Credentials) -> str:
    """How the servers learn of what is void: "reloaded", "not running", or "elsewhere"."""
    layout.write_accounts(credentials)
    remembered = layout.remembered()
    if remembered is None or remembered.ports is None:
        return "elsewhere"
    return "reloaded" if asyncio.run(reload(layout, remembered.ports)) else "not running"


def _print_told(layout: Layout, told: str) -> None:
    if told == "reloaded":
        print("nats-server: has read its files again")
    elif told == "not running":
        print("nats-server: does not run; it reads its files when it starts")
    else:
        print(
            f"now bring {layout.accounts} to each node, as /etc/nats/{layout.accounts.name}, and "
            "run there: sudo systemctl reload nats-server"
        )


def _row(login: HallLogin) -> dict[str, Any]:
    when = {"issued": _when(login.issued)}
    if login.revoked is not None:
        when["revoked"] = _when(login.revoked)
    return {"hall": login.hall, "public": login.public, **when}


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
