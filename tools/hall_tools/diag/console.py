"""A device's console from the technician's side: ask, and get the answer to just that, or none.

Here: requests, their replies, sessions, and asking again. Not here: bytes (port.py), lines
(frames.py), and how anything is shown.

An answer counts when its CRC is right, its id is one of this question's, and none of its pieces is
missing. Whatever is less is asked for again after 0.3 s of silence, which is what makes a device
that has just reset known within a second.
"""

import os
import re
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from hall_tools.diag import frames
from hall_tools.diag.frames import End, Lines, Log, Piece
from hall_tools.diag.port import Port
from hall_tools.errors import UserError

SILENCE_S = 0.3
PATIENCE_S = 5.0
LOGS_KEPT = 200
OPEN = ("id", "health")
_LOCK_S = 3.0
_LOCKED = re.compile(r"locked for (\d{1,9}) ms")
_DEVICE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_NONCE = re.compile(r"[0-9a-f]{0,64}")
_STRANGE = "answers what no device of Hallkit says; is another program on it?"
_WRONG = (
    "wrong mac: the claim is not this device's; was it enrolled again since its label was printed?"
)

Claims = Callable[[str], bytes | None]
"""A device's id -> its claim, or None when it is not known here."""


class RefusedError(UserError):
    """The device answered that it will not."""


class SilentError(UserError):
    """Nothing that answers is at the other end, for as long as one was ready to wait."""


class Console:
    """One port, and whatever device answers there. UserError: see RefusedError, SilentError."""

    def __init__(self, port: Port, claims: Claims = lambda _device: None) -> None:
        self.port = port
        self.lines = Lines()
        self.logs: deque[str] = deque(maxlen=LOGS_KEPT)
        """The last lines of the device's log."""
        self.logged = 0
        """How many there were."""
        self.who: dict[str, Any] = {}
        """What `id` said last, without its nonce."""
        self._claims = claims
        self._nonce = ""
        self._number = 0
        self._asked: dict[str, dict[int, Any]] = {}  # of this question: id -> pieces by number
        self._end: End | None = None
        self._heard = 0.0  # when a request or a piece of its answer passed last
        self._stream: str | None = None  # the id under which samples come
        self._on_sample: Callable[[Any], None] = lambda _sample: None

    def identify(self, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Who is there, and which session."""
        answer = merged(self._ask("id", lambda _ident: "{}", patience_s))
        nonce, number = answer.pop("nonce", ""), answer.pop("n", 0)
        device = answer.get("device")
        if not (
            (device is None or (isinstance(device, str) and _DEVICE.fullmatch(device)))
            and isinstance(nonce, str)
            and _NONCE.fullmatch(nonce)
            and isinstance(number, int)
            and 0 <= number < 1 << 53
        ):
            raise RefusedError(f"{self.port.name}: {_STRANGE}")
        self._nonce, self._number = nonce, number
        self.who = answer
        return answer

    def ask(
        self, command: str, args: dict[str, Any] | None = None, patience_s: float = PATIENCE_S
    ) -> list[Any]:
        """The pieces of the answer, in order."""
        if command in OPEN:
            return self._ask(command, lambda _ident: "{}", patience_s)
        if not self._nonce:
            self.identify(patience_s)
        for _ in range(3):
            try:
                return self._ask(command, self._body(command, args or {}), patience_s)
            except RefusedError as refusal:
                # The device started again since, or somebody tried a wrong claim.
                if not self._may_again(str(refusal)):
                    raise
            device = self.who.get("device")
            if self.identify(patience_s).get("device") != device:
                raise RefusedError(
                    f"{self.port.name}: was {device}, is {self.who.get('device')} now",
                    os.EX_TEMPFAIL,
                )
        raise RefusedError(f"{self.port.name}: {command}: the device starts again and again")

    def watch(
        self, ms: int, on_sample: Callable[[Any], None], patience_s: float = PATIENCE_S
    ) -> None:
        """Begin a stream of sensor samples, or let it go on; they come while pump() is called.

        A device ends it by itself 30 s after it was last asked for.
        """
        self._on_sample = on_sample
        self.ask("sensor", {"ms": ms}, patience_s)

    def unwatch(self) -> None:
        """End the stream."""
        if self._stream is not None:
            self._stream = None
            self.ask("sensor", {"ms": 0})

    @property
    def watching(self) -> bool:
        """Whether a stream is under way, as far as is known."""
        return self._stream is not None

    def pump(self, seconds: float) -> None:
        """Take what comes in for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read()

    def _body(self, command: str, args: dict[str, Any]) -> Callable[[str], str]:
        device = str(self.who.get("device"))
        if not self.who.get("guarded"):
            raise RefusedError(
                f"{device}: has no claim, so that its console says no more than id and health; "
                f"enrol it: hall enroll {device}",
                os.EX_NOPERM,
            )
        claim = self._claims(device)
        if claim is None:
            raise RefusedError(
                f"{device}: {command} needs its claim, which is not known here: run this on the "
                f"gateway, name its hall.toml with --config, or give the code on the label with "
                "--claim-file",
                os.EX_NOPERM,
            )
        key = frames.console_key(claim)

        def body(ident: str) -> str:
            self._number += 1
            return frames.signed(key, self._nonce, ident, command, self._number, args)

        return body

    def _may_again(self, refusal: str) -> bool:
        if "another session" in refusal:
            return True
        if locked := _LOCKED.search(refusal):
            left = int(locked[1]) / 1000
            if left <= _LOCK_S:
                self.pump(left + 0.05)
                return True
        return False

    def _ask(self, command: str, body: Callable[[str], str], patience_s: float) -> list[Any]:
        """Asks until one of the requests is answered whole."""
        end = time.monotonic() + patience_s
        self._asked.clear()
        self._end = None
        self._heard = 0.0
        while time.monotonic() < end:
            if time.monotonic() - self._heard > SILENCE_S:
                ident = frames.new_id()
                self._asked[ident] = {}
                self.port.write(frames.encode(ident, command, body(ident)))
                self._heard = time.monotonic()
            self._read()
            if self._end is not None:
                return self._result(command, self._end)
            if command == "sensor" and self._stream in self._asked:
                return []
        if any(text.startswith(">>>") for text in list(self.logs)[-3:]):
            raise SilentError(
                f"{self.port.name}: it is at its MicroPython prompt; machine.reset() there starts "
                f"it again: mpremote connect {self.port.name} resume reset",
                os.EX_UNAVAILABLE,
            )
        raise SilentError(
            f"{self.port.name}: no answer in {patience_s:g} s; is it the right port, does the "
            "device have power, and does it run this firmware? What it logged last: "
            f"{self.logs[-1] if self.logs else 'nothing'}",
            os.EX_UNAVAILABLE,
        )

    def _result(self, command: str, end: End) -> list[Any]:
        if end.error is not None:
            device = self.who.get("device") or self.port.name
            why = _WRONG if end.error == "wrong mac" else end.error
            raise RefusedError(f"{device}: {command}: {why}", os.EX_NOPERM)
        pieces = self._asked[end.id]
        return [pieces[number] for number in sorted(pieces)]

    def _read(self) -> None:
        data = self.port.read()
        if data is None:
            self.lines.reset()
            self._heard = 0.0
            return
        for each in self.lines.feed(data):
            match each:
                case Log():
                    self.logs.append(each.text)
                    self.logged += 1
                case Piece():
                    self._take(each)
                case End():
                    self._take_end(each)

    def _take(self, piece: Piece) -> None:
        pieces = self._asked.get(piece.id)
        if pieces is not None:
            self._heard = time.monotonic()
            pieces[piece.number] = piece.value
            if piece.command == "sensor":
                self._stream = piece.id
        if piece.id == self._stream:
            self._on_sample(piece.value)

    def _take_end(self, end: End) -> None:
        if end.id == self._stream:
            self._stream = None
        pieces = self._asked.get(end.id)
        if pieces is None or self._end is not None:
            return
        self._heard = time.monotonic()
        whole = len(pieces) == end.pieces and sorted(pieces) == [*range(1, len(pieces) + 1)]
        if end.error is not None or whole:
            self._end = end
        else:
            self._heard = 0.0  # a piece was lost: ask again at once


def merged(pieces: list[Any]) -> dict[str, Any]:
    """The pieces of an object put together: objects by name, lists one after the other.

    Raises RefusedError: what came is no pieces of an object.
    """
    whole: dict[str, Any] = {}
    try:
        for piece in pieces:
            _merge(whole, piece)
    except (AttributeError, RecursionError):
        raise RefusedError(f"the device: {_STRANGE}") from None
    return whole


def _merge(into: dict[str, Any], piece: dict[str, Any]) -> None:
    for name, value in piece.items():
        old: Any = into.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            _merge(cast("dict[str, Any]", old), cast("dict[str, Any]", value))
        elif isinstance(old, list) and isinstance(value, list):
            into[name] = [*cast("list[Any]", old), *cast("list[Any]", value)]
        else:
            into[name] = value
