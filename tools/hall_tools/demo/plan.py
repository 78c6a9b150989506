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
`presses_late`: presses again when the rating is locked and nobody is asked any more. `slow`: comes
only when called again. `leaves`: is gone when called. `transferred`: is sent on to the other
window."""

_COMMON: tuple[Conduct, ...] = ("rates", "rates", "rates", "rates", "rates")
_DECK: tuple[Conduct, ...] = (*_COMMON, "corrects", "presses_late", "silent", "slow")
_RARE: tuple[Conduct, ...] = ("leaves", "transferred")

_KEY_WEIGHTS = (45, 28, 15, 7, 5)
"""How often keys 1 (非常满意) to 5 (非常不满意) are chosen."""


@dataclass(frozen=True)
class Press:
    """One press of a key: `after_s` since the previous one was over, or since its occasion. What is
    pressed when nobody may still be asked waits for that too.

    `hold_ms` and `bounce_ms` in ms: how long the key stays down, and how long its contact bounces.
    """

    after_s: float
    key: int
    hold_ms: int
    bounce_ms: int


@dataclass(frozen=True)
class Visit:
    """One customer, and who else has a finger on the keypad. Durations in s; `passage_ms` is how
    long the body takes through the lane."""

    ticket: str
    conduct: Conduct
    gap_s: float  # after the customer before
    passage_ms: int
    walk_s: float  # from the seat to the window
    serve_s: float
    rating: tuple[Press, ...]  # the first counts from the end of the service
    child: tuple[Press, ...]  # somebody plays with the keypad while the customer is served
    child_first: tuple[Press, ...]  # and while the customer is asked, before the customer presses
    together: tuple[Press, ...]  # two keys at once, before the customer chooses one
    clerk: tuple[Press, ...]  # the clerk, when the customer has left
    tidy_s: float  # the clerk, from the end of the service to the next call, at least
    turns_back: bool  # somebody looks in before this customer and turns round in the doorway
    lingers_ms: int  # or stays there for so long, and goes; 0: nobody


@dataclass(frozen=True)
class Shower:
    """It rains on the plate outside: `after_s` since the last one, for `lasts_s`."""

    after_s: float
    lasts_s: float


@dataclass(frozen=True)
class Mopping:
    """Somebody mops: `after_s` since the floor was dry, `ohms` between the probe's wires then.

    The water stays `stays_s`, then dries over `dries_s`. `attended`: the cleaner presses the button
    at the sensor, if there is one.
    """

    after_s: float
    ohms: int
    stays_s: float
    dries_s: float
    attended: bool


def visits(seed: int) -> Iterator[Visit]:
    """Customers without end, in the order in which they come."""
    rng = random.Random(f"visits {seed}")
    rare = itertools.cycle(rng.sample(_RARE, len(_RARE)))
    numbers = itertools.count(rng.randrange(1, 400))
    queuing_outside = 3
    for number in itertools.count():
        # Every hand of ten has the same mixture, so that a short run of any seed shows everything.
        hand: list[Conduct] = [*_DECK, next(rare)]
        rng.shuffle(hand)
        child = rng.choice([at for at, conduct in enumerate(hand) if conduct != "leaves"])
        # Two who mash one after the other leave a customer no time to rate.
        calm = [at for at, conduct in enumerate(hand) if conduct == "rates" and at != child]
        child_first, together, clerk = rng.sample(calm, 3)
        lingers = rng.randrange(len(hand))
        for at, conduct in enumerate(hand):
            visit = _visit(rng, f"A{next(numbers) % 1000:03d}", conduct)
            if at == child:
                played = _child(rng, rng.randrange(4, 7))
                visit = replace(visit, child=played, serve_s=_seconds(rng, 2.6, 3.0))
            if at == child_first:
                visit = replace(visit, child_first=_child(rng, rng.randrange(3, 6)))
            if at == together:
                visit = replace(visit, together=_together(rng))
            if at == clerk and number % 2 == 0:
                visit = replace(visit, clerk=(_press(rng, _seconds(rng, 0.1, 0.3), 1),))
            if at == lingers:
                visit = replace(visit, turns_back=False, lingers_ms=rng.randrange(3800, 4600))
            if queuing_outside:
                queuing_outside -= 1
                visit = replace(visit, gap_s=0.1, turns_back=False, lingers_ms=0)
            yield visit


def _visit(rng: random.Random, ticket: str, conduct: Conduct) -> Visit:
    return Visit(
        ticket=ticket,
        conduct=conduct,
        gap_s=_seconds(rng, 0.2, 0.8),
        passage_ms=rng.randrange(600, 800),
        walk_s=_seconds(rng, 0.5, 1.0),
        serve_s=_seconds(rng, 1.4, 2.2),
        rating=_rating(rng, conduct),
        child=(),
        child_first=(),
        together=(),
        clerk=(),
        tidy_s=_seconds(rng, 1.8, 2.4),
        turns_back=rng.random() < 0.12,
        lingers_ms=0,
    )


def _rating(rng: random.Random, conduct: Conduct) -> tuple[Press, ...]:
    first = _press(rng, _seconds(rng, 0.4, 0.9), _key(rng))
    if conduct in ("silent", "leaves"):
        return ()
    if conduct == "corrects":
        other = rng.choice([key for key in range(1, 6) if key != first.key])
        return first, _press(rng, _seconds(rng, 0.6, 0.9), other)
    if conduct == "presses_late":
        return first, _press(rng, _seconds(rng, 0.1, 0.3), _key(rng))
    return (first,)


def _child(rng: random.Random, presses: int) -> tuple[Press, ...]:
    """Three of these always begin within 2 s."""
    return tuple(
        Press(
            after_s=_seconds(rng, 0.05, 0.15),
            key=rng.randrange(1, 6),
            hold_ms=rng.randrange(80, 140),
            bounce_ms=rng.randrange(1, 9),
        )
        for _ in range(presses)
    )


def _together(rng: random.Random) -> tuple[Press, ...]:
    """Two keys, held so long that both are down for a while."""
    after_s = _seconds(rng, 0.4, 0.9)
    keys = rng.sample(range(1, 6), 2)
    return tuple(Press(after_s, key, rng.randrange(600, 700), rng.randrange(1, 9)) for key in keys)


def _press(rng: random.Random, after_s: float, key: int) -> Press:
    return Press(after_s, key, hold_ms=rng.randrange(120, 220), bounce_ms=rng.randrange(1, 9))


def _key(rng: random.Random) -> int:
    return rng.choices(range(1, 6), _KEY_WEIGHTS)[0]


def moppings(seed: int, where: str, first_s: float) -> Iterator[Mopping]:
    """Moppings of the floor at the device `where` without end, the first after about `first_s`."""
    rng = random.Random(f"moppings {where} {seed}")
    after_s = first_s + _seconds(rng, 0.0, 2.0)
    attended = True
    while True:
        yield Mopping(
            after_s=after_s,
            ohms=rng.randrange(15_000, 60_000),
            stays_s=_seconds(rng, 5.0, 7.0),
            dries_s=_seconds(rng, 2.0, 3.0),
            attended=attended,
        )
        after_s = _seconds(rng, 20.0, 40.0)
        attended = rng.random() < 0.5


def showers(seed: int) -> Iterator[Shower]:
    """Showers without end."""
    rng = random.Random(f"showers {seed}")
    after_s = _seconds(rng, 14.0, 20.0)
    while True:
        yield Shower(after_s, lasts_s=_seconds(rng, 10.0, 15.0))
        after_s = _seconds(rng, 25.0, 45.0)


def _seconds(rng: random.Random, low: float, high: float) -> float:
    return round(rng.uniform(low, high), 3)
