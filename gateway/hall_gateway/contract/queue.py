"""`hall.ticket.*` and `hall.window.*`: who waits, and which window is open.

Here: the data of these events. Not here: when which of them is sent (tickets.py, windows.py).
"""

from typing import Annotated, Literal

from pydantic import Field

from hall_gateway.contract.words import (
    Business,
    Queued,
    Staff,
    Ticket,
    Time,
    Told,
    Window,
    event,
    words,
)

Priority = Annotated[
    int, Field(ge=0, le=9), words("优先级", "Priority", "0 ordinary to 9 first, as `take` said")
]


class TicketTaken(Told):
    """A customer took a ticket."""

    ticket: Ticket
    business: Business | None
    priority: Priority


class TicketCalled(Told):
    """A ticket is asked to come to a window. A recall is not told again."""

    ticket: Ticket
    window: Window
    staff: Staff | None
    business: Business | None
    priority: Annotated[Priority | None, Field(description="null when it was not taken")]
    queued_ms: Annotated[
        Queued | None, Field(description="null when it was not taken, and after a transfer")
    ]
    transferred: Annotated[bool, words("转号", "Transferred", "it comes from another window")]


class TicketLeft(Told):
    """A ticket waits no more, and was never called."""

    ticket: Ticket
    business: Business | None
    priority: Priority
    taken_at: Annotated[Time, words("取号时间", "Taken at")]
    queued_ms: Queued


class WindowAttended(Told):
    """What makes a window open or not: a clerk who is logged in there, and a pause."""

    window: Window
    staff: Staff | None


class WindowClosed(Told):
    """No clerk is at a window any more."""

    window: Window
    staff: Annotated[Staff, Field(description="who has gone")]
    reason: Annotated[
        Literal["logout", "night", "clock"],
        words(
            "原因",
            "Reason",
            "night: the hall's day is over and nobody had logged out; clock: the gateway's clock "
            "was set, and the window is opened again at once",
        ),
    ]
    until: Annotated[
        Time,
        words(
            "截止时间",
            "Until",
            "with night: when something last happened at the window; "
            "with clock: what it was before",
        ),
    ]


TYPES = (
    event(
        "hall.ticket.taken", "取号", "Ticket taken", TicketTaken, "at the command `take`", ("hall",)
    ),
    event(
        "hall.ticket.called",
        "叫号",
        "Ticket called",
        TicketCalled,
        "at the commands `call` and `transfer`",
    ),
    event(
        "hall.ticket.cancelled",
        "弃号",
        "Ticket cancelled",
        TicketLeft,
        "at the command `cancel`",
        ("hall",),
    ),
    event(
        "hall.ticket.abandoned",
        "过时未叫",
        "Ticket abandoned",
        TicketLeft,
        "the hall's day is over, and the ticket was still waiting",
        ("hall",),
    ),
    event(
        "hall.window.opened",
        "窗口开放",
        "Window opened",
        WindowAttended,
        "a clerk logged in at a window, took it over, or used it again after a night",
    ),
    event(
        "hall.window.paused",
        "窗口暂停",
        "Window paused",
        WindowAttended,
        "a pause began, which waits for the ticket to be done with",
    ),
    event("hall.window.resumed", "窗口恢复", "Window resumed", WindowAttended, "a pause is over"),
    event(
        "hall.window.closed",
        "窗口关闭",
        "Window closed",
        WindowClosed,
        "the clerk logged out, or the hall's day is over",
    ),
)
