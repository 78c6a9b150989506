"""Who may log in at the console, in a file that only its owner can read.

Here: names, roles and passwords (argon2id, RFC 9106), and changing the file. Not here: how often a
password may be tried (throttle.py), who is logged in (sessions.py).
"""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, cast, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hall_gateway.files import FileError, read_secret, write_secret

Role = Literal["viewer", "manager", "technician"]
"""Each may do what those before it may."""

ROLES: tuple[Role, ...] = get_args(Role)

MIN_PASSWORD = 10
MAX_PASSWORD = 256
"""Characters. NIST SP 800-63B, 5.1.1, asks for 8 at least and no rules of composition."""

MAX_NAME = 32

HASHER = PasswordHasher(time_cost=3, memory_cost=19 * 1024, parallelism=1)
"""Argon2id: OWASP's least memory, 19 MiB, so that a Raspberry Pi has it, with a pass more than the
two that go with it."""


class UsersError(Exception):
    """Users that cannot be read or changed: what is wrong, and what to do, in one line."""


@dataclass(frozen=True)
class User:
    """A person, or a screen on the wall. `hash` is the encoded argon2id hash."""

    name: str
    role: Role
    hash: str

    @property
    def mark(self) -> str:
        """Another one after every change of role or password: sessions of before are over then."""
        return sha256(f"{self.role} {self.hash}".encode()).hexdigest()

    def may(self, role: Role) -> bool:
        """Whether the user may do what needs `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def __repr__(self) -> str:
        return f"User({self.name!r}, {self.role!r})"


class Users:
    """The users in the file at `path`, read again whenever it has changed. `command` changes it."""

    def __init__(
        self, path: Path, hasher: PasswordHasher = HASHER, command: str = "hall console user"
    ) -> None:
        self.path = path
        self._command = command
        self._hasher = hasher
        self._stamp: tuple[int, ...] | None = None
        self._known: dict[str, User] = {}
        self._nobody = hasher.hash(os.urandom(16).hex())

    def all(self) -> dict[str, User]:
        """By name. Raises UsersError."""
        try:
            found = self.path.stat()
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UsersError(f"{self.path}: {error.strerror}") from None
        if stamp != self._stamp:
            self._known = self._read()
            self._stamp = stamp
        return self._known

    def get(self, name: str) -> User | None:
        """Raises UsersError."""
        return self.all().get(name)

    def verify(self, name: str, password: str) -> User | None:
        """The user, when the password is right. As long for a name that nobody has.

        It takes a noticeable time, on purpose: not for the event loop. Raises UsersError.
        """
        user = self.get(name)
        try:
            self._hasher.verify(user.hash if user else self._nobody, password)
        except (VerificationError, InvalidHashError):
            return None
        return user

    def add(self, name: str, role: Role, password: str) -> None:
        """Raises UsersError: a name that is taken or will not do, a password that is too short."""
        if not (1 <= len(name) <= MAX_NAME and name.isprintable() and name == name.strip()):
            raise UsersError(
                f"a name has 1 to {MAX_NAME} printable characters, no blanks around it"
            )
        hash = self._hash(name, password)
        with self._changing() as users:
            if name in users:
                raise UsersError(
                    f"{name} is there already; {self._command} password changes the password"
                )
            users[name] = User(name, role, hash)

    def remove(self, name: str) -> None:
        """Raises UsersError."""
        with self._changing() as users:
            self._known_in(users, name)
            del users[name]

    def set_password(self, name: str, password: str) -> None:
        """Raises UsersError."""
        hash = self._hash(name, password)
        with self._changing() as users:
            users[name] = replace(self._known_in(users, name), hash=hash)

    def _hash(self, name: str, password: str) -> str:
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise UsersError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
        if password.casefold() == name.casefold():
            raise UsersError("the password is the name; choose another")
        return self._hasher.hash(password)

    def _known_in(self, users: dict[str, User], name: str) -> User:
        if name not in users:
            raise UsersError(f"{name} is not in {self.path}; {self._command} list shows who is")
        return users[name]

    @contextmanager
    def _changing(self) -> Generator[dict[str, User]]:
        """The users, to be changed: by one process at a time."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UsersError(f"{self.path.parent}: {error.strerror}") from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            users = self._read()
            yield users
            body = {"users": [asdict(user) for user in users.values()]}
            text = json.dumps(body, ensure_ascii=False, indent=1) + "\n"
            try:
                write_secret(self.path, text.encode())
            except FileError as error:
                raise UsersError(str(error)) from None
        finally:
            os.close(folder)

    def _read(self) -> dict[str, User]:
        try:
            content = read_secret(self.path)
        except FileError as error:
            raise UsersError(str(error)) from None
        if content is None:
            return {}
        try:
            listed = cast(list[Any], json.loads(content)["users"])
            users = [User(str(u["name"]), _role(u["role"]), str(u["hash"])) for u in listed]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UsersError(
                f"{self.path}: is not a file of {self._command}; move it away and add the users "
                "again"
            ) from None
        return {user.name: user for user in users}


def _role(text: str) -> Role:
    if text not in ROLES:
        raise ValueError(text)
    return text
