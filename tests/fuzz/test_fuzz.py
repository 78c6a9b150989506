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


@st.composite
def inputs(draw: st.DrawFn, target: Target) -> bytes:
    """What target.one() makes of hypothesis's choices, which it can make smaller."""
    return target.one(lambda count: draw(st.integers(0, count - 1)) if count > 1 else 0)


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
