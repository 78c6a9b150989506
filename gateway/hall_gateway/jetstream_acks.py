"""What a NATS stream answers to what was published, and what was published and is not answered yet.

Here: reading an answer (PubAck), and whom it is for. Pure but for the clock that is handed in. Not
here: the connection (jetstream_connection.py), what follows from an answer (jetstream_link.py).
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.wire import one_line

_STATUS = "Status"
_NO_RESPONDERS = "503"


class NotTakenError(DisconnectedError):
    """The stream did not take a message, or did not say that it has; the text says why. The
    connection may be as good as before. `stream`: who refuses it, None when nobody answered."""

    def __init__(self, why: str, stream: str | None = None) -> None:
        super().__init__(why)
        self.stream = stream


@dataclass(frozen=True)
class PubAck:
    """A stream has the message, from now on or since it came before."""

    stream: str

    def by(self, stream: str, subject: str) -> None:
        """Raises NotTakenError when the message, on `subject`, went to another one."""
        if self.stream != stream:
            raise NotTakenError(
                f"{subject} goes to the stream {self.stream:.100}, and not to {stream}"
            )


def read_answer(subject: str, headers: Mapping[str, str] | None, payload: bytes) -> PubAck:
    """The answer to a message on `subject`. Raises NotTakenError."""
    if (headers or {}).get(_STATUS) == _NO_RESPONDERS:
        raise NotTakenError(f"no stream takes {subject}: there is none, or it has no leader now")
    try:
        told: Any = json.loads(payload)
        if error := told.get("error"):
            code = error.get("err_code", error.get("code"))
            where = one_line(str(told.get("stream") or "the stream"))
            why = one_line(f"{where} refuses: {error.get('description')!s:.200} ({code})", 300)
            raise NotTakenError(why, where)
        return PubAck(one_line(str(told["stream"])))
    except (ValueError, KeyError, AttributeError, RecursionError):
        raise NotTakenError(f"what answers on {subject} is no stream") from None


@dataclass
class _Waiting:
    subject: str
    since: float
    answer: "asyncio.Future[PubAck]"


class Acks:
    """Futures of what was published, each done at its answer, or with NotTakenError. `clock` gives
    seconds and never jumps."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._last = 0
        self._waiting: dict[str, _Waiting] = {}  # in the order in which they were published

    def __len__(self) -> int:
        return len(self._waiting)

    def expect(self, subject: str) -> tuple[str, asyncio.Future[PubAck]]:
        """A token that the answer will name, and the future of the answer."""
        self._last += 1
        token = str(self._last)
        answer: asyncio.Future[PubAck] = self._loop.create_future()
        self._waiting[token] = _Waiting(subject, self._clock(), answer)
        return token, answer

    def answered(self, token: str, headers: Mapping[str, str] | None, payload: bytes) -> None:
        """An answer has come; one that nobody waits for (any more) says nothing."""
        if waiting := self._waiting.pop(token, None):
            try:
                _settle(waiting.answer, read_answer(waiting.subject, headers, payload))
            except NotTakenError as error:
                _settle(waiting.answer, error)

    def refused(self, text: str) -> None:
        """The server does not let this login publish what `text` names, and answers nothing else
        to it."""
        for token, waiting in list(self._waiting.items()):
            if f'"{waiting.subject.lower()}"' in text.lower():
                why = f"the credentials do not let this hall publish {waiting.subject}"
                self._give_up(token, NotTakenError(why))

    def late(self, after_s: float) -> None:
        """What was not answered for so long will not be."""
        for token, waiting in list(self._waiting.items()):
            if self._clock() - waiting.since < after_s:
                return
            why = f"no stream answered on {waiting.subject} for {after_s:.0f} s"
            self._give_up(token, NotTakenError(why))

    def end(self, error: DisconnectedError) -> None:
        """Nothing more will be answered."""
        for token in list(self._waiting):
            self._give_up(token, error)

    def _give_up(self, token: str, error: DisconnectedError) -> None:
        _settle(self._waiting.pop(token).answer, error)


def _settle(answer: asyncio.Future[PubAck], found: PubAck | DisconnectedError) -> None:
    if answer.done():
        return
    if isinstance(found, PubAck):
        answer.set_result(found)
    else:
        answer.set_exception(found)
        answer.exception()  # nobody may wait for it any more
