"""What nobody may say, and where it would be seen: texts, arguments and environments of processes.

Here: looking for secrets that a test knows. Not here: who is asked for what (tests/hall/
test_secrets.py).
"""

from __future__ import annotations

import base64
import binascii
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.installed import Installation


class Secrets:
    """What nobody may say, by what it is."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def add_installation(self, installation: Installation) -> None:
        """The password and the devices' keys that setup and enrolment made."""
        folder = installation.config.parent
        self.known["MQTT password"] = (folder / "broker.password").read_text().strip()
        for keys in installation.keys.devices():
            self.known[f"claim of {keys.device}"] = keys.claim
            if keys.psk is not None:
                self.known[f"psk of {keys.device}"] = keys.psk
            if keys.oscore is not None:
                self.known[f"OSCORE secret of {keys.device}"] = keys.oscore.master_secret
                self.known[f"OSCORE salt of {keys.device}"] = keys.oscore.master_salt

    def add_pem(self, what: str, path: Path) -> None:
        """The key in a PEM file: its second line of base64, for the first is much the same in
        all."""
        lines = path.read_text().splitlines()
        self.known[what] = next(line for line in lines[2:] if not line.startswith("-"))

    def add_creds(self, what: str, path: Path) -> None:
        """The two parts of a NATS .creds file: the token, and the seed that proves that it is
        ours."""
        lines = [
            line for line in path.read_text().splitlines() if len(line) > 40 and line[0] != "-"
        ]
        self.known[f"{what}: seed"] = next(line for line in lines if line.startswith("S"))
        self.known[f"{what}: token"] = next(line for line in lines if line.startswith("ey"))

    def in_text(self, text: str) -> list[str]:
        """Which are in it, as they are, in capitals, or in base64 or hexadecimal digits."""
        lower = text.lower()
        return [
            what
            for what, secret in self.known.items()
            if any(spelled.lower() in lower for spelled in _spelled(secret))
        ]

    def none_in(self, where: str, text: str) -> None:
        assert not (found := self.in_text(text)), f"{where} says: {', '.join(found)}"


def _spelled(secret: str) -> set[str]:
    content = secret.encode()
    with suppress(ValueError):
        content = bytes.fromhex(secret)
    try:
        decoded = base64.b64decode(secret, validate=True)
    except binascii.Error:
        decoded = content
    written = {base64.b64encode(content), base64.urlsafe_b64encode(content)}
    plain = {content.hex(), decoded.hex()} if len(content) >= 8 else set[str]()
    return {secret, *plain, *(each.decode().rstrip("=") for each in written if len(content) >= 8)}


def below(pid: int) -> dict[str, str]:
    """Arguments and environment of every process that `pid` has started, and what they have."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # gone meanwhile
        children.setdefault(parent, []).append(int(folder.name))
    found: dict[str, str] = {}
    waiting = list(children.get(pid, []))
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        for name in ("cmdline", "environ"):
            try:
                text = Path(f"/proc/{one}/{name}").read_bytes().replace(b"\0", b"\n").decode()
            except OSError:
                continue
            found[f"{name} of process {one}"] = text
    return found


_starts: list[str] | None = None
_hooked = False


def _told(event: str, arguments: tuple[object, ...]) -> None:
    if _starts is not None and event == "subprocess.Popen":
        _starts.append(repr(arguments))


@contextmanager
def started() -> Generator[list[str]]:
    """Arguments and environment of each process that this one starts, however soon it ends."""
    global _starts, _hooked
    if not _hooked:
        sys.addaudithook(_told)
        _hooked = True
    _starts = [repr(os.environ)]
    try:
        yield _starts
    finally:
        _starts = None
