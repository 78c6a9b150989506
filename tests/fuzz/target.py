"""What a target is: a reader of bytes from outside, right inputs, and a bound on its time.

Here: one input through one target. Not here: which targets there are (targets.py), and where
inputs come from (mp_change.py, hypothesis, atheris).
"""

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from types import FrameType
from typing import Any, Literal

import cbor2

from fuzz import mp_change

CPU_S = 10.0
"""Of the processor, for one input: nothing takes a hundredth of it but a loop without an end."""

Pick = Callable[[int], int]
"""A number from 0 up to, and without, the one it is given."""


@dataclass(frozen=True)
class Target:
    """`run` is given bytes, returns whether they were taken, and raises what is wrong with the
    reader: any exception that the reader does not document, or an AssertionError.

    `seeds` are inputs that are right. `form` is what they are made of: "json" and "cbor" are
    changed as values, too. `words` are put in.
    """

    name: str
    run: Callable[[bytes], bool]
    seeds: Callable[[], Sequence[bytes]]
    form: Literal["bytes", "json", "cbor"] = "bytes"
    words: tuple[bytes, ...] = ()
    examples: int = 200
    """Of the bounded run."""

    @cached_property
    def right(self) -> tuple[bytes, ...]:
        """The seeds."""
        return tuple(self.seeds())

    def one(self, pick: Pick, seed: bytes | None = None) -> bytes:
        """An input: one that is right (or `seed`), with changes, or none that ever was."""
        if seed is None:
            seed = self.right[pick(len(self.right))]
        kind = pick(8)
        if kind == 0:
            return bytes(pick(256) for _ in range(pick(80)))
        if self.form != "bytes" and kind > 3:
            loads, dumps = _FORMS[self.form]
            with suppress(Exception):  # what a fuzzer has kept need not be of this form
                return dumps(mp_change.changed_value(loads(seed), pick))
        return mp_change.changed(seed, pick, self.right, self.words)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


_FORMS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "json": (json.loads, _json),
    "cbor": (cbor2.loads, cbor2.dumps),
}


class TooSlowError(AssertionError):
    """An input took too much of the processor."""


@contextmanager
def bounded(seconds: float = CPU_S) -> Iterator[None]:
    """Raises TooSlowError when what is inside takes more of the processor; not the clock, which
    others share."""

    def over(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlowError(f"more than {seconds:g} s of the processor for one input")

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
