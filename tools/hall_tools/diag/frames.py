"""The lines of a serial console: frames made, and found in whatever comes in.

    @<id> <command> <json>*<crc32 hex>

Here: bytes in, frames and log lines out. Not here: which reply belongs to what, and who may ask
(console.py). The same is written for the device in firmware/hall/console.py, which says why.
"""

import hashlib
import hmac
import json
import re
import secrets
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

FRAME_MAX = 250
"""Bytes of a frame, without @ and newline, that a device takes."""
LINE_MAX = 4096
"""Bytes of a line that is looked at; a longer one is noise."""

_CONTROL = bytes(byte for byte in range(32) if byte != 9)
_FRAME = re.compile(rb"@([0-9A-Za-z]{1,16}) ([a-z_]{1,16}) (.*)\*([0-9a-f]{8})", re.DOTALL)
_BEGUN = re.compile(rb"@[0-9a-f]{8} [a-z]")


class Piece(NamedTuple):
    """One frame of a reply's result; they are numbered from 1."""

    id: str
    command: str
    number: int
    value: Any


class End(NamedTuple):
    """The last frame of a reply: how many pieces there were, or why not."""

    id: str
    pieces: int
    error: str | None


class Log(NamedTuple):
    """A line of the log, or noise."""

    text: str


def printable(text: str) -> str:
    """A device's text with nothing in it that a terminal would obey."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def new_id() -> str:
    """An id that no reply to an earlier request has, of this program or of another."""
    return secrets.token_hex(4)


def encode(ident: str, command: str, body: str) -> bytes:
    """A request on a line of its own: the newline in front ends whatever was begun."""
    content = f"{ident} {command} {body}".encode()
    assert len(content) + 9 <= FRAME_MAX, "no request is that long"
    return b"\n@%s*%08x\n" % (content, zlib.crc32(content))


def dumps(value: object) -> str:
    """JSON in ASCII, with nothing in it that means something to the line."""
    return json.dumps(value, separators=(",", ":")).replace("@", "\\u0040")


def console_key(claim: bytes) -> bytes:
    """What keys a console's HMAC."""
    return hmac.digest(claim, b"hallkit console", hashlib.sha256)


def signed(
    key: bytes, nonce: str, ident: str, command: str, number: int, args: dict[str, Any]
) -> str:
    """The body of a guarded request."""
    body = dumps({"s": nonce[:8], "n": number, "args": args})[:-1]
    message = f"{nonce}{ident} {command} {body}".encode()
    mac = hmac.digest(key, message, hashlib.sha256)[:16].hex()
    return f'{body},"mac":"{mac}"}}'


class Lines:
    """Replies' frames and log lines out of bytes, however those are cut and whatever is between."""

    def __init__(self) -> None:
        self.broken = 0
        """Lines that began as a frame and were none, or were too long."""
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[Piece | End | Log]:
        """What is complete with `data`, in order."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_MAX:
            self.broken += not self._skipping
            self._skipping = True
            self._rest = b""
        for line in lines:
            if self._skipping or len(line) > LINE_MAX:
                self.broken += not self._skipping
                self._skipping = False
            else:
                yield from self._line(line.translate(None, _CONTROL))

    def reset(self) -> None:
        """The line was interrupted: what was begun is void."""
        self._rest = b""
        self._skipping = False

    def _line(self, line: bytes) -> Iterator[Piece | End | Log]:
        before, at, rest = line.rpartition(b"@")
        frame = _frame(at + rest) if at else None
        if frame is None and _BEGUN.search(line):
            self.broken += 1
            before = line[: _begin(line)]
        elif frame is None:
            before = line
        if before.strip():
            yield Log(printable(before.replace(b"\t", b" ").decode("utf-8", "replace")))
        if frame is not None:
            yield frame


def _begin(line: bytes) -> int:
    found = _BEGUN.search(line)
    assert found is not None
    return found.start()


def _frame(line: bytes) -> Piece | End | None:
    found = _FRAME.fullmatch(line)
    if found is None or b"%08x" % zlib.crc32(line[1:-9]) != found[4]:
        return None
    try:
        value: Any = json.loads(found[3])
    except (ValueError, RecursionError):
        return None
    ident = found[1].decode()
    match value:
        case [int(number), piece]:
            return Piece(ident, found[2].decode(), number, piece)
        case {"error": str(error)}:
            return End(ident, 0, printable(error))
        case {"ok": int(pieces)}:
            return End(ident, pieces, None)
        case _:
            return None
