"""What is reported of a hall, as values: the rows that the figures are made of.

Here: frozen dataclasses, what a store hands out and kpis.py takes. Not here: where they come from
(projection.py, store_figures.py), what they add up to (kpis.py). Times are unix ms.
"""

from dataclasses import dataclass
from typing import Literal

HALL = "hall"
"""The place of the sum of the whole hall in `Inside`."""


@dataclass(frozen=True)
class TakenTicket:
    """A ticket that a customer took. `left` and `fate` are None while it waits."""

    ticket: str
    business: str | None
    priority: int
    taken: int
    left: int | None
    fate: Literal["called", "cancelled", "abandoned"] | None


@dataclass(frozen=True)
class Service:
    """One call of a ticket to a window, and what came of it. A transfer makes another one.

    `queued` ms from the take to the call, None when it was not taken or was transferred here;
    `served` ms from the start to the end, None when no service began. `verdict`: "given", or why
    there is no rating; None while there is none yet, and where none is asked for. `prompted`:
    whether the keypad asked, None while that is not known.
    """

    ticket: str
    window: str
    staff: str | None
    business: str | None
    queued: int | None
    transferred: bool
    called: int
    started: int | None
    ended: int | None
    served: int | None
    reason: Literal["completed", "next_call", "transfer", "no_show"] | None
    verdict: str | None
    prompted: bool | None
    mark: int | None
    presses: int | None
    why: str | None


@dataclass(frozen=True)
class FreeRating:
    """A rating at a window where nobody asks."""

    at: int
    window: str
    staff: str | None
    mark: int


@dataclass(frozen=True)
class Presses:
    """How many keys were pressed in the hour from `hour`; `reason` why they do not count, "" for
    those that may."""

    hour: int
    window: str
    reason: str
    presses: int


@dataclass(frozen=True)
class Passages:
    """How many passed a counter in the quarter of an hour from `quarter`; `place` is its subject,
    e.g. zone/entrance."""

    quarter: int
    place: str
    direction: Literal["in", "out"]
    passages: int


@dataclass(frozen=True)
class Inside:
    """The most that were told to be inside in the quarter of an hour from `quarter`."""

    quarter: int
    place: str
    peak: int


@dataclass(frozen=True)
class Span:
    """From `began` to `ended` a window was open, with `staff` logged in; None: it is."""

    window: str
    staff: str | None
    began: int
    ended: int | None


@dataclass(frozen=True)
class Facts:
    """All of one period. What was before `kept_from` is not kept, None when everything is."""

    tickets: tuple[TakenTicket, ...] = ()
    services: tuple[Service, ...] = ()
    free_ratings: tuple[FreeRating, ...] = ()
    presses: tuple[Presses, ...] = ()
    passages: tuple[Passages, ...] = ()
    inside: tuple[Inside, ...] = ()
    open: tuple[Span, ...] = ()
    kept_from: int | None = None
