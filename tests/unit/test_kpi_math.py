"""Rounding, ranks and the Wilson interval, against published values and the definitions."""

from fractions import Fraction

import pytest
from hall_gateway.kpi_math import DIGITS, mean, nearest_rank, share, wilson
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("good", "n", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, Table I, method 3 (score, no correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_as_published(good: int, n: int, low: float, high: float) -> None:
    assert wilson(good, n) == (low, high)


@given(st.integers(1, 10_000), st.data())
def test_wilson_has_the_share_inside_and_mirrors(n: int, data: st.DataObject) -> None:
    good = data.draw(st.integers(0, n))
    low, high = wilson(good, n) or (2, -1)
    assert 0 <= low <= round(good / n, DIGITS) <= high <= 1
    mirrored = wilson(n - good, n) or (0, 0)
    assert (round(1 - mirrored[1], DIGITS), round(1 - mirrored[0], DIGITS)) == (low, high)


@given(st.lists(st.integers(0, 10**8), min_size=1), st.integers(1, 100))
def test_a_nearest_rank_is_the_first_that_enough_do_not_exceed(
    values: list[int], percent: int
) -> None:
    found = nearest_rank(values, percent)
    assert found in values
    enough = [v for v in values if 100 * sum(w <= v for w in values) >= percent * len(values)]
    assert found == min(enough)


def test_the_median_of_two_is_the_lower() -> None:
    assert nearest_rank([30, 10], 50) == 10
    assert nearest_rank([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 90) == 9


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_share_is_rounded_half_up_from_the_exact_one(part: int, whole: int) -> None:
    exact = Fraction(part, whole) * 10**DIGITS
    rounded = int(exact + Fraction(1, 2))
    assert share(part, whole) == rounded / 10**DIGITS


@given(st.lists(st.integers(0, 10**8), min_size=1))
def test_a_mean_is_rounded_half_up(values: list[int]) -> None:
    assert mean(values) == int(Fraction(sum(values), len(values)) + Fraction(1, 2))


def test_nothing_of_nothing() -> None:
    assert (share(0, 0), mean([]), nearest_rank([], 90), wilson(0, 0)) == (None,) * 4
