"""What will happen in the hall, drawn from a seed before anything starts.

Here: who comes, how long things take, which keys are pressed. Not here: doing it (world.py), and
when exactly it happens, which also depends on the hall. The same seed gives the same plan.
Durations are about fifty times shorter than in a real hall, so that a minute shows a day's variety.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

Conduct = Literal["rates", "corrects", "presses_late", "silent", "slow", "leaves", "transferred"]
"""How a customer behaves. `corrects`: presses another key within the 3 s that allow it.
`presses_late`: presses again after the rating was locked. `slow`: comes only when called again.
`leaves`: is gone when called. `transferred`: is sent on to the other window."""

_COMMON: tuple[Conduct, ...] = ("rates", "rates", "rates", "rates", "rates")
_DECK: tuple[Conduct, ...] = (*_COMMON, "corrects", "presses_late", "silent", "slow")
_RARE: tuple[Conduct, ...] = ("leaves", "transferred")

_KEY_WEIGHTS = (45, 28, 15, 7, 5)
"""How often keys 1 (非常满意) to 5 (非常不满意) are chosen."""


@dataclass(frozen=True)
class Press:
    """One press of a key: `after_s` since the previous one was over, or since its occasion.

    `hold_ms` and `bounce_ms` in ms: how long the key stays down, and how long its contact bounces.
    """

    after_s: float
    key: int
    hold_ms: int
    bounce_ms: int


@dataclass(frozen=True)
class Visit:
    """One customer. Durations in s; `passage_ms` is how long the body takes through the beams."""

    ticket: str
    conduct: Conduct
    gap_s: float  # after the customer before
    passage_ms: int
    walk_s: float  # from the seat to the window
    serve_s: float
    rating: tuple[Press, ...]  # the first counts from the end of the service
    child: tuple[Press, ...]  # somebody plays with the keypad while the customer is served
    tidy_s: float  # the clerk, from the end of the service to the next call, at least
    turns_back: bool  # somebody looks in before this customer and turns round in the doorway


@dataclass(frozen=True)
class Mopping:
    """Somebody mops: `after_s` since the floor was dry, `ohms` between the probe's wires then.

    The water stays `stays_s`, then dries over `dries_s`.
    """

    after_s: float
    ohms: int
    stays_s: float
    dries_s: float


def visits(seed: int) -> Iterator[Visit]:
    """Customers without end, in the order in which they come."""
    rng = random.Random(f"visits {seed}")
    rare = itertools.cycle(rng.sample(_RARE, len(_RARE)))
    numbers = itertools.count(rng.randrange(1, 400))
    queuing_outside = 3
    while True:
        # Every hand of ten has the same mixture, so that a short run of any seed shows everything.
        hand: list[Conduct] = [*_DECK, next(rare)]
        rng.shuffle(hand)
        child = rng.randrange(len(hand))
        for place, conduct in enumerate(hand):
            visit = _visit(rng, f"A{next(numbers) % 1000:03d}", conduct, with_child=place == child)
            if queuing_outside:
                queuing_outside -= 1
                visit = replace(visit, gap_s=0.1)
            yield visit


def _visit(rng: random.Random, ticket: str, conduct: Conduct, *, with_child: bool) -> Visit:
    return Visit(
        ticket=ticket,
        conduct=conduct,
        gap_s=_seconds(rng, 1.0, 2.0),
        passage_ms=rng.randrange(600, 800),
        walk_s=_seconds(rng, 0.5, 1.0),
        serve_s=_seconds(rng, 1.4, 2.2) + (0.6 if with_child else 0.0),
        rating=_rating(rng, conduct),
        child=_child(rng) if with_child else (),
        tidy_s=_seconds(rng, 1.8, 2.4),
        turns_back=rng.random() < 0.12,
    )


def _rating(rng: random.Random, conduct: Conduct) -> tuple[Press, ...]:
    first = _press(rng, _seconds(rng, 0.4, 0.9), _key(rng))
    if conduct in ("silent", "leaves"):
        return ()
    if conduct == "corrects":
        other = rng.choice([key for key in range(1, 6) if key != first.key])
        return first, _press(rng, _seconds(rng, 0.6, 0.9), other)
    if conduct == "presses_late":
        return first, _press(rng, _seconds(rng, 3.4, 3.6), _key(rng))
    return (first,)


def _child(rng: random.Random) -> tuple[Press, ...]:
    return tuple(_press(rng, _seconds(rng, 0.45, 0.6), _key(rng)) for _ in range(2))


def _press(rng: random.Random, after_s: float, key: int) -> Press:
    return Press(after_s, key, hold_ms=rng.randrange(120, 220), bounce_ms=rng.randrange(1, 9))


def _key(rng: random.Random) -> int:
    return rng.choices(range(1, 6), _KEY_WEIGHTS)[0]


def moppings(seed: int) -> Iterator[Mopping]:
    """Moppings without end."""
    rng = random.Random(f"moppings {seed}")
    after_s = _seconds(rng, 4.0, 6.0)
    while True:
        yield Mopping(
            after_s=after_s,
            ohms=rng.randrange(15_000, 60_000),
            stays_s=_seconds(rng, 5.0, 7.0),
            dries_s=_seconds(rng, 2.0, 3.0),
        )
        after_s = _seconds(rng, 20.0, 40.0)


def _seconds(rng: random.Random, low: float, high: float) -> float:
    return round(rng.uniform(low, high), 3)
