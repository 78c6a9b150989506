"""The keys of a back office's NATS servers: operator, accounts, its own logins, and the halls.

Here: making them, keeping them in one folder, and what the servers are told. Not here: the tokens'
form (jwt.py), what each login may do (hall_fleet.logins), making servers read it (nats_server.py).

    operator.seed      signs the accounts: needed to revoke a hall, else it may be locked away
    halls.seed         signs the halls and the back office's logins
    accounts.json      public: the operator's token, the two accounts' keys
    logins.json        public: who was given which key, and what was revoked
    backoffice.creds ingest.creds console.creds sys.creds    the back office's own logins
    halls/{hall}.creds       handed to a hall; not needed here afterwards

Servers trust the operator, so a hall that is added needs no change there. Revoking one changes the
account HALLS, which the servers must read again.
"""

import fcntl
import os
import re
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar, get_args

from hall_fleet.logins import Rights, Role, hall_rights, role_rights
from hall_gateway.files import (
    FileError,
    check_secret_folder,
    make_secret_folder,
    read_secret,
    write_secret,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hall_tools.errors import UserError
from hall_tools.fleet.jwt import (
    Key,
    Kind,
    TokenError,
    account_token,
    claims_of,
    creds_file,
    operator_token,
    read_creds,
    user_token,
)

_HALL = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_OPERATOR = "hallkit"
_Model = TypeVar("_Model", bound=BaseModel)


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HallLogin(_Kept):
    """A hall's key. Times in unix seconds; `revoked`: when it became worth nothing."""

    hall: str
    public: str
    issued: int
    revoked: int | None = None


class _Accounts(_Kept):
    v: Literal[1] = 1
    operator: str
    system: str
    halls: str


class _Logins(_Kept):
    v: Literal[1] = 1
    halls: list[HallLogin] = Field(default_factory=list[HallLogin])


class Credentials:
    """All keys in `folder`, which is made with new ones when it is not there.

    Raises UserError when something in it cannot be read or written. `now` gives unix seconds.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self.folder = folder.absolute()
        self._now = now
        with _told():
            make_secret_folder(self.folder)
            check_secret_folder(self.folder)
            make_secret_folder(self.folder / "halls")
            with self._locked():
                if not (self.folder / "accounts.json").exists():
                    self._make()
                elif (self.folder / "halls.seed").exists():
                    self._renew()

    def creds(self, role: Role | Literal["sys"]) -> Path:
        """The .creds file of one of the back office's own logins; `sys` watches the servers."""
        return self.folder / f"{role}.creds"

    def hall_creds(self, hall: str) -> Path:
        """The .creds file of a hall; not there when it was never added, or moved away."""
        return self.folder / "halls" / f"{hall}.creds"

    def halls(self) -> list[HallLogin]:
        """All keys ever given to a hall, by hall and then by time."""
        return sorted(self._logins().halls, key=lambda login: (login.hall, login.issued))

    def add(self, halls: Sequence[str], *, again: bool = False) -> list[Path]:
        """Give each hall a key of its own; its .creds file. `again`: those that have one get a new
        one, and the old one is revoked, as soon as the servers have read it (server_settings).

        UserError when a hall has one, unless `again`, or when its id is none.
        """
        with self._locked():
            self._check(halls)
            logins, signer = self._logins().halls, self._key("halls")
            active = {login.hall for login in logins if login.revoked is None}
            if not again and (known := sorted(active.intersection(halls))):
                raise UserError(
                    f"{', '.join(known)}: has a key already; --again gives a new one and makes the "
                    "old one worthless",
                    os.EX_DATAERR,
                )
            now = int(self._now())
            users = {hall: Key.make(Kind.USER) for hall in halls}
            new = [
                HallLogin(hall=hall, public=key.public, issued=now) for hall, key in users.items()
            ]
            # Before the files: no key is about that could not be revoked.
            self._write("logins.json", _Logins(halls=_revoked(logins, set(halls), now) + new))
            for hall, key in users.items():
                token = user_token(signer, key.public, hall, hall_rights(hall), now)
                with _told():
                    write_secret(self.hall_creds(hall), creds_file(token, key))
            return [self.hall_creds(hall) for hall in halls]

    def revoke(self, halls: Sequence[str]) -> None:
        """Make the halls' keys worthless, as soon as the servers have read it (server_settings).

        UserError when one has none.
        """
        with self._locked():
            logins = self._logins().halls
            active = {login.hall for login in logins if login.revoked is None}
            if unknown := sorted(set(halls) - active):
                raise UserError(
                    f"{', '.join(unknown)}: has no key here; hall fleet hall list shows who has",
                    os.EX_DATAERR,
                )
            self._write(
                "logins.json", _Logins(halls=_revoked(logins, set(halls), int(self._now())))
            )
            for hall in halls:
                self.hall_creds(hall).unlink(missing_ok=True)

    def server_settings(self) -> str:
        """What each nats-server has in its configuration to know operator, accounts and what was
        revoked. Nothing in it is secret."""
        accounts = self._accounts()
        operator, now = self._key("operator"), int(self._now())
        revoked: dict[str, int] = {}
        for login in self._logins().halls:
            if login.revoked is not None:
                revoked[login.public] = login.revoked
        preload = {
            accounts.system: account_token(operator, accounts.system, "SYS", now, streams=False),
            accounts.halls: account_token(
                operator, accounts.halls, "HALLS", now, streams=True, revoked=revoked
            ),
        }
        lines = [
            f"operator: {accounts.operator}",
            f"system_account: {accounts.system}",
            "resolver: MEMORY",
            "resolver_preload: {",
            *(f"  {account}: {token}" for account, token in preload.items()),
            "}",
        ]
        return "\n".join(lines) + "\n"

    def _make(self) -> None:
        """Runs once: accounts.json is written last."""
        operator, system, halls = (
            Key.make(Kind.OPERATOR),
            Key.make(Kind.ACCOUNT),
            Key.make(Kind.ACCOUNT),
        )
        now = int(self._now())
        write_secret(self.folder / "operator.seed", operator.seed + b"\n")
        write_secret(self.folder / "halls.seed", halls.seed + b"\n")
        for role in get_args(Role):
            self._make_login(halls, role, role_rights(role), now)
        self._make_login(system, "sys", Rights(("$SYS.>",), ("$SYS.>", "_INBOX.SYS.>")), now)
        self._write("logins.json", _Logins())
        token = operator_token(operator, _OPERATOR, system.public, now)
        self._write(
            "accounts.json", _Accounts(operator=token, system=system.public, halls=halls.public)
        )

    def _renew(self) -> None:
        """The back office's own logins may do what this version needs; their keys stay."""
        halls, now = self._key("halls"), int(self._now())
        for role in get_args(Role):
            path = self.creds(role)
            if not path.exists():
                continue
            try:
                had, user = read_creds(self._read(path))
            except TokenError as error:
                raise UserError(f"{path}: {error}; put it back from your backup") from None
            token = user_token(halls, user.public, role, role_rights(role), now)
            if claims_of(token)["nats"] != claims_of(had)["nats"]:
                with _told():
                    write_secret(path, creds_file(token, user))

    def _make_login(self, account: Key, name: str, rights: Rights, now: int) -> None:
        user = Key.make(Kind.USER)
        token = user_token(account, user.public, name, rights, now)
        write_secret(self.folder / f"{name}.creds", creds_file(token, user))

    def _check(self, halls: Sequence[str]) -> None:
        for hall in halls:
            if not _HALL.fullmatch(hall):
                raise UserError(
                    f"{hall!r} is no hall's id: use a-z, 0-9 and -, at most 32, not - first",
                    os.EX_DATAERR,
                )
        if twice := sorted({hall for hall in halls if halls.count(hall) > 1}):
            raise UserError(f"{', '.join(twice)}: named twice", os.EX_DATAERR)

    def _key(self, name: str) -> Key:
        path = self.folder / f"{name}.seed"
        content = self._read(path)
        try:
            return Key(content.strip())
        except TokenError as error:
            raise UserError(f"{path}: {error}; put the right one back from your backup") from None

    def _accounts(self) -> _Accounts:
        return self._read_model("accounts.json", _Accounts)

    def _logins(self) -> _Logins:
        return self._read_model("logins.json", _Logins)

    def _read_model(self, name: str, model: type[_Model]) -> _Model:
        path = self.folder / name
        try:
            return model.model_validate_json(self._read(path))
        except ValidationError as error:
            what = error.errors(include_input=False)[0]["msg"]
            raise UserError(f"{path}: {what}; put it back from your backup") from None

    def _read(self, path: Path) -> bytes:
        with _told():
            content = read_secret(path)
        if content is None:
            raise UserError(
                f"{path} is not there: put it back from your backup, or begin with a new folder",
                os.EX_NOINPUT,
            )
        return content

    def _write(self, name: str, content: BaseModel) -> None:
        with _told():
            write_secret(self.folder / name, f"{content.model_dump_json(indent=1)}\n".encode())

    @contextmanager
    def _locked(self) -> Generator[None]:
        """Nobody else changes keys meanwhile; waits for who does."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _revoked(logins: Sequence[HallLogin], halls: set[str], now: int) -> list[HallLogin]:
    return [
        login.model_copy(update={"revoked": now})
        if login.hall in halls and login.revoked is None
        else login
        for login in logins
    ]


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except FileError as error:
        raise UserError(str(error), os.EX_IOERR) from None
