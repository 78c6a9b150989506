"""Steps of a setup: each looks whether it is due, and does one thing.

Here: the kinds of steps, and running them. Not here: which there are, in which order (plan.py).

A step that is done is not due any more, so that a second run changes nothing. A file that setup
wrote says so in its first line, with a hash of the rest: as long as that holds nobody changed it,
and a newer Hallkit may replace it.
"""

import difflib
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from hall_gateway.files import FileError, put_file

from hall_tools.errors import UserError
from hall_tools.gateway_setup.machine import CommandError, Machine

State = Literal["done", "due", "unchanged", "kept", "later"]

_STAMP = '# Written by "hall gateway setup" ({}). Change it, and it is yours: setup keeps it.\n'


@dataclass(frozen=True)
class Look:
    """What a step found. `text`: the content to be written, or the difference of a kept file."""

    state: State
    detail: str = ""
    text: str = ""


@dataclass(frozen=True)
class Result:
    """A step, after it was run or only looked at. `path`: the file, if it is one."""

    name: str
    look: Look
    path: str | None = None
    owner: str | None = None
    mode: int | None = None


class Step(Protocol):
    @property
    def name(self) -> str: ...

    def look(self, machine: Machine, done: Sequence[str]) -> Look:
        """`done`: the names of the steps before this one that changed something."""
        ...

    def do(self, machine: Machine) -> None: ...


@dataclass(frozen=True)
class User:
    """A system user with a group of its own name, which nobody can log in as."""

    user: str
    title: str
    home: str

    @property
    def name(self) -> str:
        return f"user {self.user}"

    def look(self, machine: Machine, done: Sequence[str]) -> Look:
        return Look("unchanged" if machine.account(self.user) else "due", self.title)

    def do(self, machine: Machine) -> None:
        line = f'u {self.user} - "{self.title}" {self.home}'
        machine.run("systemd-sysusers", f"--root={machine.root}", "--inline", line)


@dataclass(frozen=True)
class Folder:
    """A folder with its owner and mode."""

    name: str
    owner: str
    mode: int

    def look(self, machine: Machine, done: Sequence[str]) -> Look:
        path = machine.path(self.name)
        wanted = f"folder, {self.owner}, {self.mode:04o}"
        if not path.is_dir():
            return Look("due", wanted)
        return _drift(machine, path, self.owner, self.mode) or Look("unchanged", wanted)

    def do(self, machine: Machine) -> None:
        path = machine.path(self.name)
        _make_folders(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        machine.own(path, self.owner, self.mode)


@dataclass(frozen=True)
class File:
    """A file of which only setup knows the content, until somebody changes it."""

    name: str
    content: str
    owner: str = "root"
    mode: int = 0o644

    def look(self, machine: Machine, done: Sequence[str]) -> Look:
        path = machine.path(self.name)
        wanted = stamped(self.content)
        try:
            found = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return Look("due", "new", wanted)
        except PermissionError:
            return Look("due", "cannot be read: run with sudo", wanted)
        if found == wanted:
            return _drift(machine, path, self.owner, self.mode, wanted) or Look("unchanged")
        if is_stamped(found):
            return Look("due", "written by another version of Hallkit", wanted)
        difference = difflib.unified_diff(
            found.splitlines(keepends=True),
            wanted.splitlines(keepends=True),
            f"{self.name} (kept)",
            f"{self.name} (as setup would write it)",
        )
        detail = "changed by hand; to have setup's, move it away and run setup again"
        return Look("kept", detail, "".join(difference))

    def do(self, machine: Machine) -> None:
        write(machine, self.name, stamped(self.content), self.owner, self.mode)


@dataclass(frozen=True)
class Settings:
    """A file that setup begins and somebody else goes on with: written only when it is absent."""

    name: str
    content: str
    owner: str = "root"
    mode: int = 0o644

    def look(self, machine: Machine, done: Sequence[str]) -> Look:
        if machine.path(self.name).exists():
            return Look("unchanged", "yours")
        return Look("due", "new; it is yours to change", self.content)

    def do(self, machine: Machine) -> None:
        write(machine, self.name, self.content, self.owner, self.mode)


@dataclass(frozen=True)
class Secret:
    """A file that nobody but its owner may read, and that is never shown.

    `right` says whether a content will do; it is only asked when the file can be read. `make` makes
    one that will, when it is due.
    """

    name: str
    owner: str
    right: Callable[[str], bool]
    make: Callable[[], str] = field(repr=False)
    wrong: str = "does not fit"
    mode: int = 0o600

    def look(self, machine: Machine, done: Sequence[str]) -> Look:
        path = machine.path(self.name)
        hidden = "(secret, made when it is written)\n"
        try:
            content = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Look("due", "new", hidden)
        except PermissionError:
            return Look("due", "cannot be read: run with sudo", hidden)
        except UnicodeDecodeError:
            return Look("due", self.wrong, hidden)
        if not self.right(content):
            return Look("due", self.wrong, hidden)
        return _drift(machine, path, self.owner, self.mode, hidden) or Look("unchanged")

    def do(self, machine: Machine) -> None:
        path = machine.path(self.name)
        content = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        if not self.right(content):
            content = self.make()
        write(machine, self.name, content, self.owner, self.mode)


@dataclass(frozen=True)
class Call:
    """Something that is done by what exists already: `due` says why it has to be, or None."""

    name: str
    due: Callable[[Machine, Sequence[str]], str | None]
    call: Callable[[Machine], object]

    def look(self, machine: Machine, done: Sequence[str]) -> Look:
        why = self.due(machine, done)
        return Look("unchanged") if why is None else Look("due", why)

    def do(self, machine: Machine) -> None:
        self.call(machine)


@dataclass(frozen=True)
class Later:
    """Something that setup cannot do here, and why."""

    name: str
    why: str

    def look(self, machine: Machine, done: Sequence[str]) -> Look:
        return Look("later", self.why)

    def do(self, machine: Machine) -> None:
        raise AssertionError("is never due")


def run(
    steps: Sequence[Step], machine: Machine, *, dry_run: bool, told: Callable[[Result], object]
) -> None:
    """Run `steps`, or with `dry_run` only look; `told` gets each as soon as it is known.

    Raises UserError at the first that fails; what was done before it stays.
    """
    done: list[str] = []
    for step in steps:
        try:
            look = step.look(machine, done)
            if look.state == "due":
                done.append(step.name)
                if not dry_run:
                    step.do(machine)
                    look = Look("done", look.detail)
        except CommandError as error:
            raise UserError(f"{step.name}: {error}", os.EX_UNAVAILABLE) from None
        except FileError as error:
            raise UserError(str(error), os.EX_CANTCREAT) from None
        except (OSError, LookupError) as error:
            why = getattr(error, "strerror", None) or error
            raise UserError(f"{step.name}: {why}", os.EX_CANTCREAT) from None
        path, owner, mode = (getattr(step, name, None) for name in ("name", "owner", "mode"))
        told(Result(step.name, look, path if owner else None, owner, mode))


def stamped(content: str) -> str:
    """`content` with a first line that says who wrote it."""
    return _STAMP.format(_hash(content)) + content


def is_stamped(found: str) -> bool:
    """Whether a file is exactly as some setup wrote it."""
    first, _, rest = found.partition("\n")
    return f"({_hash(rest)})" in first


def _hash(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def write(machine: Machine, name: str, content: str, owner: str, mode: int) -> None:
    """Replace a file in one step, so that it is never half there. Raises FileError, OSError,
    LookupError for no such owner."""
    path, account = machine.path(name), machine.known(owner)
    _make_folders(path.parent)
    put_file(path, content.encode(), mode, account.uid, account.gid)


def _make_folders(folder: Path) -> None:
    """As the system's own are, whatever root's umask is."""
    if not folder.exists():
        _make_folders(folder.parent)
        folder.mkdir(mode=0o755)


def _drift(machine: Machine, path: Path, owner: str, mode: int, text: str = "") -> Look | None:
    """A file that is right but for its owner or mode."""
    if not machine.owned(path, owner):
        return Look("due", f"belongs to another than {owner}", text)
    if (found := stat.S_IMODE(path.stat().st_mode)) != mode:
        return Look("due", f"mode {found:04o} instead of {mode:04o}", text)
    return None
