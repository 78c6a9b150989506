"""The folder of a back office: what lies where in it, and what is remembered.

Here: names and `office.json`. Not here: what is in the other files (credentials.py, trial_files.py,
production.py).

    office.json          how to get to the servers, and the ports of a trial
    keys/                credentials.py
    nats/accounts.conf   what each nats-server reads of the keys; n1/ n2/ n3/: a trial's nodes
    postgres/            a trial's PostgreSQL
"""

import os
from pathlib import Path
from typing import Literal

from hall_gateway.files import FileError, read_secret, write_secret
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hall_tools.errors import UserError
from hall_tools.fleet.credentials import Credentials

ACCOUNTS = "accounts.conf"


class Ports(BaseModel):
    """A trial's, on 127.0.0.1. Of the nodes: client, route, monitor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nodes: tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]
    workers: tuple[int, int]
    console: int


class Remembered(BaseModel):
    """What `office.json` holds. `ca_file`: beside it, or absolute."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = 1
    servers: list[str] = Field(min_length=1)
    ca_file: str | None = None
    ports: Ports | None = None


class Layout:
    """The places in `folder`; nothing is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.nats = self.folder / "nats"
        self.accounts = self.nats / ACCOUNTS
        self.postgres = self.folder / "postgres"
        self._office = self.folder / "office.json"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def node(self, number: int) -> Path:
        """Of a trial's node 1 to 3."""
        return self.nats / f"n{number}"

    def credentials(self) -> Credentials:
        """The keys that are there; UserError when this is no back office's folder."""
        if not (self.keys / "accounts.json").exists():
            raise UserError(
                f"{self.folder}: no back office's folder; hall fleet up or hall fleet config makes "
                "one",
                os.EX_NOINPUT,
            )
        return Credentials(self.keys)

    def remembered(self) -> Remembered | None:
        """None when nothing is; UserError when it cannot be read."""
        try:
            content = read_secret(self._office)
            return None if content is None else Remembered.model_validate_json(content)
        except FileError as error:
            raise UserError(str(error), os.EX_IOERR) from None
        except ValidationError as error:
            what = error.errors(include_input=False)[0]["msg"]
            raise UserError(
                f"{self._office}: {what}; remove it: what it remembers is found anew", os.EX_DATAERR
            ) from None

    def remember(self, what: Remembered) -> None:
        try:
            write_secret(self._office, f"{what.model_dump_json(indent=1)}\n".encode())
        except FileError as error:
            raise UserError(str(error), os.EX_CANTCREAT) from None

    def write_accounts(self, credentials: Credentials) -> None:
        """Write what the servers read of the keys; running ones must be told (reload.py)."""
        self.nats.mkdir(mode=0o700, exist_ok=True)
        try:
            write_secret(self.accounts, credentials.server_settings().encode())
        except FileError as error:
            raise UserError(str(error), os.EX_CANTCREAT) from None
