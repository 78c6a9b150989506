"""Every reader of bytes from outside, bounded and always alike: nothing but what it documents.

`make fuzz` goes on from here for as long as there is time (docs/fuzzing.md).
"""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzz.target import Target, bounded
from fuzz.targets import TARGETS


class Picks:
    """Numbers out of drawn bytes, and 0 after them: to draw each by itself took half of the run.

    Of many, the first and the last come more often than the others.
    """

    LENGTH = 96

    def __init__(self, drawn: bytes) -> None:
        self._drawn = drawn
        self._at = 0

    def __call__(self, count: int) -> int:
        if count <= 1:
            return 0
        if count <= 256:
            return self._number(1) % count
        kind, number = self._number(1) % 8, self._number(3)
        if kind == 1:
            return number % 16
        return count - 1 - number % 16 if kind == 2 else number % count

    def _number(self, length: int) -> int:
        start, self._at = self._at, self._at + length
        return int.from_bytes(self._drawn[start : self._at], "big")


@st.composite
def inputs(draw: st.DrawFn, target: Target) -> bytes:
    """What target.one() makes of hypothesis's choices, which it can make smaller."""
    return target.one(Picks(draw(st.binary(min_size=Picks.LENGTH, max_size=Picks.LENGTH))))


def fuzz(target: Target, examples: int, *, shrink: bool = True) -> Counter[bool]:
    """How many were taken, and how many refused. With `shrink` what is wrong is made small."""
    outcome: Counter[bool] = Counter()

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(target))
    def each(data: bytes) -> None:
        with bounded():
            outcome[target.run(data)] += 1

    each()
    return outcome


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """aiohttp warns of every header that is none."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_is_taken_or_refused(name: str) -> None:
    target = TARGETS[name]
    taken = [seed for seed in target.right if target.run(seed)]
    assert taken, "nothing that is right is taken"
    outcome = fuzz(target, target.examples)
    assert outcome[False], "nothing was refused"
