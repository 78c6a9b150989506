"""The files of a PostgreSQL server for a trial or a test, and whose they are.

Here: its folder, initdb, its configuration, its socket's place, and the unprivileged user it runs
as when root starts it. Not here: the running server (postgres.py).
"""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from hall_gateway.files import put_file

from hall_tools.errors import UserError
from hall_tools.fleet.process import Process, as_user, last_words

Role = Literal["hall_owner", "hall_ingest", "hall_console", "hall_bi", "postgres"]

PORT = 5432
"""Only a part of the socket's name."""
_LONGEST = 107
"""Of a socket's path in bytes (unix(7): sun_path)."""
_INSTALLED = Path("/usr/lib/postgresql")
_UNPRIVILEGED = ("postgres", "nobody")
_HBA = "local all,replication all peer map=hall\n"


class PostgresFolder:
    """Of one server; made by make(). `user`: whom the server runs as when that is not we."""

    def __init__(self, folder: Path, durable: bool, settings: Sequence[str]) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.programs = _programs()
        self.user = _unprivileged() if os.geteuid() == 0 else None
        self._durable = durable
        self._settings = settings

    @property
    def _version(self) -> str:
        """Its major version, as its programs' folder has it."""
        return self.programs.parent.name

    async def make(self) -> None:
        """Make what is not there yet: folders, and a server's files by initdb. UserError."""
        self._make_folders()
        if (self.data / "PG_VERSION").exists():
            self._check_version()
            return
        # What an interrupted initdb left is not taken for a server's.
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._own_folder(unfinished, 0o700)
        arguments = [
            *(str(self.programs / "initdb"), "--pgdata", str(unfinished)),
            *("--username", "postgres", "--auth", "reject", "--encoding", "UTF8"),
            *("--locale", "C.UTF-8", "--no-instructions"),
            *(() if self._durable else ("--no-sync",)),
        ]
        process = Process("initdb", arguments, self.folder / "initdb.log", user=self.user)
        await process.start()
        try:
            code = await process.wait()
        finally:
            await process.stop()
        if code:
            raise UserError(
                f"initdb could not make {self.data}: {last_words(process.log)}", os.EX_CANTCREAT
            )
        unfinished.rename(self.data)

    def _make_folders(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            # Passable for PostgreSQL's own user, not more.
            self.folder.chmod(0o711 if self.user else 0o700)
        if self.user is not None:
            check_passable(self.folder, self.user)
        self._own_folder(self.socket(), 0o711)

    def _own_folder(self, folder: Path, mode: int) -> None:
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
        os.chown(folder, *self._owner())

    def _owner(self) -> tuple[int, int]:
        if self.user is None:
            return os.geteuid(), os.getegid()
        found = pwd.getpwnam(self.user)
        return found.pw_uid, found.pw_gid

    def socket(self) -> Path:
        """Its socket's folder: here when its path is short enough, else in /tmp, and noted here."""
        beside = self.folder / "socket"
        if len(os.fsencode(beside / f".s.PGSQL.{PORT}.lock")) <= _LONGEST:
            return beside
        note = self.folder / "socket-folder"
        with suppress(FileNotFoundError):
            elsewhere = Path(note.read_text(encoding="utf-8"))
            if _ours(elsewhere):
                return elsewhere
        elsewhere = Path(tempfile.mkdtemp(prefix="hall-pg-", dir="/tmp"))
        elsewhere.chmod(0o711)
        note.write_text(str(elsewhere), encoding="utf-8")
        return elsewhere

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if made_by != self._version:
            raise UserError(
                f"{self.data} is of PostgreSQL {made_by}, and {self._version} is installed: "
                "see pg_upgrade(1), or begin with a new folder",
                os.EX_CONFIG,
            )

    def configure(self) -> None:
        """Write its configuration; a server reads it when it starts."""
        on = "on" if self._durable else "off"
        lines = [
            "listen_addresses = ''",
            f"unix_socket_directories = {_quoted(str(self.socket()))}",
            f"port = {PORT}",
            "timezone = 'UTC'",
            "log_timezone = 'UTC'",
            f"fsync = {on}",
            f"full_page_writes = {on}",
            *([] if self._durable else ["synchronous_commit = off"]),
            *self._settings,
        ]
        me = pwd.getpwuid(os.geteuid()).pw_name
        self._put("postgresql.auto.conf", "")
        self._put("postgresql.conf", "".join(f"{line}\n" for line in lines))
        self._put("pg_hba.conf", _HBA)
        self._put("pg_ident.conf", "".join(f'hall "{me}" {role}\n' for role in get_args(Role)))

    def _put(self, name: str, content: str) -> None:
        put_file(self.data / name, content.encode(), 0o600, *self._owner())


def check_passable(folder: Path, user: str) -> None:
    """UserError when `user` cannot get to `folder`, which says where it cannot pass."""
    for place in (*reversed(folder.parents), folder):
        passable = subprocess.run([*as_user(user), "test", "-x", str(place)], check=False)
        if passable.returncode:
            raise UserError(
                f"PostgreSQL runs as the user {user}, who may not enter {place}: choose a folder "
                f"elsewhere, such as /var/lib/hall-fleet, or run: chmod o+x {place}",
                os.EX_NOPERM,
            )


def remove(folder: Path) -> None:
    """Remove a server's files, wherever they are; it must not run."""
    with suppress(FileNotFoundError):
        elsewhere = Path((folder / "socket-folder").read_text(encoding="utf-8"))
        if _ours(elsewhere):
            shutil.rmtree(elsewhere)
    shutil.rmtree(folder, ignore_errors=True)


def _ours(folder: Path) -> bool:
    """Whether nobody else could have put it there."""
    with suppress(OSError):
        found = folder.lstat()
        mine = {os.geteuid(), *(pwd.getpwnam(n).pw_uid for n in _UNPRIVILEGED if _known(n))}
        return stat.S_ISDIR(found.st_mode) and found.st_uid in mine
    return False


def _known(user: str) -> bool:
    with suppress(KeyError):
        return bool(pwd.getpwnam(user))
    return False


def _unprivileged() -> str:
    return next(user for user in _UNPRIVILEGED if _known(user))


def _programs() -> Path:
    """Of the newest version that is installed; UserError."""
    found = [
        (int(path.parent.parent.name), path.parent)
        for path in _INSTALLED.glob("*/bin/postgres")
        if path.parent.parent.name.isdecimal()
    ]
    if not found:
        raise UserError("PostgreSQL is missing: sudo apt-get install postgresql", os.EX_UNAVAILABLE)
    return max(found)[1]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
