"""The machine that an installation lies on: its paths, accounts and services.

Here: what is asked of the operating system, behind one class, so that an installation can lie
below any folder. Not here: what ought to be there.
"""

import os
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from stat import S_IXGRP, S_IXOTH, S_IXUSR

_COMMAND_S = 620
"""systemctl waits until a service is ready, at most its TimeoutStartSec, and says so itself."""


@dataclass(frozen=True)
class Account:
    """A user and the groups it is in."""

    name: str
    uid: int
    gid: int
    groups: frozenset[int]

    def may(self, path: Path, bits: int) -> bool:
        """Whether the account has all of `bits` (4 read, 2 write, 1 enter) at `path`, and may get
        there. What the caller may not see counts as closed."""
        try:
            found = path.stat()
            parents = [parent.stat() for parent in path.resolve().parents]
        except OSError:
            return False
        return self._has(found, bits) and all(self._has(parent, 1) for parent in parents)

    def _has(self, found: os.stat_result, bits: int) -> bool:
        return self.has(found.st_uid, found.st_gid, found.st_mode, bits)

    def has(self, uid: int, gid: int, mode: int, bits: int) -> bool:
        """Whether the account has all of `bits` on a file of that owner, group and mode."""
        if self.uid == 0:
            return not bits & 1 or bool(mode & (S_IXUSR | S_IXGRP | S_IXOTH))
        shift = 6 if uid == self.uid else 3 if gid in self.groups else 0
        return mode >> shift & bits == bits


class CommandError(Exception):
    """A command that failed, with what it said, in one line."""


class Machine:
    """This machine, or the one whose files lie below `root` (an image of an SD card)."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    @property
    def live(self) -> bool:
        """Whether services can be started here: this machine itself, run by systemd."""
        return self.root == Path("/") and Path("/run/systemd/system").is_dir()

    @property
    def is_root(self) -> bool:
        return os.geteuid() == 0

    def path(self, name: str | Path) -> Path:
        """Where the file lies that this machine knows as `name`."""
        return self.root / str(name).lstrip("/")

    def account(self, name: str) -> Account | None:
        """The account in this machine's own files; None when there is none."""
        for fields in self._lines("/etc/passwd", 7):
            if fields[0] == name:
                gid = int(fields[3])
                return Account(name, int(fields[2]), gid, frozenset({gid, *self._groups(name)}))
        return None

    def known(self, name: str) -> Account:
        """The account, which has to be there: LookupError otherwise."""
        if (account := self.account(name)) is None:
            raise LookupError(f"there is no user {name}")
        return account

    def own(self, path: Path, owner: str, mode: int) -> None:
        """Give a folder, in one of root's, its owner and mode. Raises OSError, LookupError for no
        such account."""
        account = self.known(owner)
        found = path.stat()
        if (found.st_uid, found.st_gid) != (account.uid, account.gid):
            os.chown(path, account.uid, account.gid)
        path.chmod(mode)

    def owned(self, path: Path, owner: str) -> bool:
        """Whether the file or folder belongs to that user."""
        account = self.account(owner)
        return account is not None and path.stat().st_uid == account.uid

    def run(self, *command: str) -> str:
        """What the command prints. Raises CommandError."""
        shown = " ".join(command)
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_COMMAND_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CommandError(f"{shown}: {error}") from None
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise CommandError(f"{shown}: {said[-1]}")
        return done.stdout

    def has_group(self, name: str) -> bool:
        """Whether the group is in this machine's own files."""
        return any(fields[0] == name for fields in self._lines("/etc/group", 4))

    def _groups(self, name: str) -> set[int]:
        return {
            int(fields[2])
            for fields in self._lines("/etc/group", 4)
            if name in fields[3].split(",")
        }

    def _lines(self, name: str, columns: int) -> Generator[list[str]]:
        try:
            text = self.path(name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        for line in text.splitlines():
            fields = line.split(":")
            if len(fields) == columns and fields[2].isdecimal():
                yield fields
