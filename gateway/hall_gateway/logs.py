"""Where the gateway's log goes, and how much of it.

Here: the journal of systemd with its fields, or lines on stderr; and the limit on lines that say
the same. Not here: what is logged. The journal has a cap of its own, which `hall gateway setup`
sets.

No line is left out silently: the next one of its kind says how many were, or a line of its own
does, and /metrics counts them.
"""

import logging
import os
import socket
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TextIO

JOURNAL = "/run/systemd/journal/socket"
BURST = 20
"""Lines of one kind in a period: what a start with many devices may say of each."""
PERIOD_S = 60.0
MAX_KINDS = 500
_SYSLOG = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


@dataclass
class _Kind:
    begun: float
    said: int = 0
    left_out: int = 0


class Limit(logging.Filter):
    """Lets BURST lines of one kind pass in PERIOD_S: the same logger, level and text but for what
    is filled in. `clock` gives seconds, and never jumps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.total = 0
        """Lines left out so far."""
        self._clock = clock
        self._kinds: OrderedDict[tuple[str, int, str], _Kind] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.name, record.levelno, str(record.msg))
        now = self._clock()
        kind = self._kinds.setdefault(key, _Kind(now))
        self._kinds.move_to_end(key)
        if len(self._kinds) > MAX_KINDS:
            self._kinds.popitem(last=False)
        if now - kind.begun >= PERIOD_S:
            if kind.left_out:
                record.msg = f"{record.msg} ({kind.left_out} like this were left out)"
            kind.begun, kind.said, kind.left_out = now, 0, 0
        kind.said += 1
        if kind.said > BURST:
            kind.left_out += 1
            self.total += 1
            return False
        if kind.said == BURST:
            text = f"more like this within {PERIOD_S:.0f} s are left out, and counted"
            record.msg = f"{record.msg} ({text})"
        return True


class Journal(logging.Handler):
    """To systemd's journal, with priority, logger and place as fields (systemd.journal-fields(7));
    what it does not take goes to stderr, which it reads too."""

    def __init__(
        self, address: str = JOURNAL, stderr: TextIO | None = None, name: str = "hall-gateway"
    ) -> None:
        super().__init__()
        self._program = name
        self._address = address
        self._stderr = stderr or sys.stderr
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._emit(record)
        except Exception:
            self.handleError(record)  # what cannot be logged ends no part of the gateway

    def _emit(self, record: logging.LogRecord) -> None:
        priority = next((p for level, p in _SYSLOG if record.levelno >= level), 7)
        text = self.format(record)
        fields = {
            "MESSAGE": text,
            "PRIORITY": str(priority),
            "SYSLOG_IDENTIFIER": self._program,
            "LOGGER": record.name,
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
        }
        try:
            self._socket.sendto(b"".join(map(_field, fields.items())), self._address)
        except OSError:  # too long for a datagram, or the journal is away or behind
            for line in text.splitlines():
                print(f"<{priority}>{line}", file=self._stderr, flush=True)

    def close(self) -> None:
        self._socket.close()
        super().close()


def _field(field: tuple[str, str]) -> bytes:
    name, value = field[0].encode(), field[1].encode("utf-8", "replace")
    return name + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"


def begin(environment: Mapping[str, str], name: str = "hall-gateway") -> None:
    """Log from here on, all that the program `name` has to say, within its limit."""
    if _is_journal(environment.get("JOURNAL_STREAM", "")):
        handler: logging.Handler = Journal(name=name)
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    handler.addFilter(Limit())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("yoyo").setLevel(logging.WARNING)  # each step of each migration


def left_out() -> int:
    """How many lines were, since the start."""
    filters = [found for handler in logging.getLogger().handlers for found in handler.filters]
    return sum(found.total for found in filters if isinstance(found, Limit))


def _is_journal(stream: str) -> bool:
    """Whether stderr is what systemd gave this process (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"
