"""The tickets that wait: taken, called, cancelled, or left over when the night comes.

Here: the queue as the gateway knows it, and how long it waits, as pure functions of the state;
times are unix ms. Not here: who is called next, which the queue system decides; windows
(sessions.py).

A ticket may be called without having been taken: a hall whose queue system does not tell `take`
works as before, and only has no figures of its queue.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hall_gateway.hall_clock import HallClock
from hall_gateway.kpi_math import nearest_rank
from hall_gateway.models import CancelCommand, TakeCommand
from hall_gateway.occupancy import HALL
from hall_gateway.state import Dropped, Emit, HallState, Json, Outcome, RefusedError, Ticket, Window
from hall_gateway.wire import rfc3339

MAX_WAITING = 1000
"""Tickets that may wait in one hall at once."""


@dataclass(frozen=True)
class Waiting:
    """Who waits now: how many, the longest wait and the one that 90 % do not exceed (nearest rank),
    in ms so far; None when nobody waits."""

    count: int
    oldest_ms: int | None
    p90_ms: int | None


@dataclass(frozen=True)
class Queue:
    """The whole queue, and that of each business; None is for tickets that name none."""

    whole: Waiting
    by_business: dict[str | None, Waiting]


def waiting(state: HallState, now: int) -> Queue:
    """How the queue stands at `now`. A clock that was set back makes no wait negative."""
    by_business: dict[str | None, list[int]] = {}
    for ticket in state.tickets.values():
        by_business.setdefault(ticket.business, []).append(max(0, now - ticket.taken))
    every = [wait for waits in by_business.values() for wait in waits]
    return Queue(_waiting(every), {name: _waiting(waits) for name, waits in by_business.items()})


def take(state: HallState, command: TakeCommand, clock: HallClock, now: int) -> Outcome:
    """A customer took a ticket. Raises RefusedError."""
    id = command.ticket
    if id in state.tickets:
        raise RefusedError(f"ticket {id} is waiting already; cancel it first, or give another")
    if window := _called_today(state.windows.values(), id, clock.began(now)):
        raise RefusedError(f"ticket {id} is at window {window}; a ticket is taken before its call")
    if len(state.tickets) >= MAX_WAITING:
        raise RefusedError(f"{MAX_WAITING} tickets are waiting already; call or cancel one first")
    ticket = Ticket(id, now, command.business, command.priority)
    outcome = Outcome()
    outcome.keep(state, ticket)
    outcome.emits.append(Emit("hall.ticket.taken", HALL, _told(ticket)))
    outcome.result = {"ticket": id, "waiting": len(state.tickets)}
    return outcome


def cancel(state: HallState, command: CancelCommand, now: int) -> Outcome:
    """A customer gave up before the call. Raises RefusedError."""
    ticket = state.tickets.get(command.ticket)
    if ticket is None:
        raise RefusedError(
            f"ticket {command.ticket} is not waiting; only one that was taken and not yet called "
            "can be cancelled"
        )
    outcome = Outcome()
    _leaves(state, ticket, "cancelled", outcome, now)
    outcome.result = {"ticket": ticket.ticket, "waiting": len(state.tickets)}
    return outcome


def called(state: HallState, id: str, outcome: Outcome) -> Ticket | None:
    """Ticket `id` waits no more, because it is called; None when it was never taken."""
    ticket = state.tickets.get(id)
    if ticket is not None:
        outcome.keep(state, Dropped(id))
    return ticket


def asked(window: Window, taken: Ticket | None, transferred: bool) -> Emit:
    """The ticket of `window` is asked to come there. A transferred one has waited before."""
    data: Json = {
        "ticket": window.ticket,
        "window": window.id,
        "staff": window.staff,
        "business": window.business,
        "priority": taken.priority if taken else None,
        "queued_ms": window.queued,
        "transferred": transferred,
    }
    return Emit("hall.ticket.called", f"window/{window.id}", data)


def night(state: HallState, clock: HallClock, now: int) -> Outcome:
    """Whoever still waits with a ticket of a day that is over has gone."""
    outcome = Outcome()
    began = clock.began(now)
    for ticket in [each for each in state.tickets.values() if each.taken < began]:
        _leaves(state, ticket, "abandoned", outcome, now)
    return outcome


def _leaves(state: HallState, ticket: Ticket, verb: str, outcome: Outcome, now: int) -> None:
    outcome.keep(state, Dropped(ticket.ticket))
    told = _told(ticket) | {
        "taken_at": rfc3339(ticket.taken),
        "queued_ms": max(0, now - ticket.taken),
    }
    outcome.emits.append(Emit(f"hall.ticket.{verb}", HALL, told))


def _told(ticket: Ticket) -> Json:
    return {
        "ticket": ticket.ticket,
        "business": ticket.business,
        "priority": ticket.priority,
    }


def _called_today(windows: Iterable[Window], ticket: str, began: int) -> str | None:
    """The window that `ticket` is at since today; one forgotten yesterday is in nobody's way."""
    for window in windows:
        if window.ticket == ticket and (window.called or 0) >= began:
            return window.id
    return None


def _waiting(waits: list[int]) -> Waiting:
    return Waiting(len(waits), max(waits, default=None), nearest_rank(waits, 90))
