"""`hall.call.*` and `hall.service.*`: a ticket from its call to the end of its service.

Here: the data of these events. Not here: when which of them is sent (sessions.py, views.py).
"""

from typing import Annotated, Literal

from pydantic import Field

from hall_gateway import models
from hall_gateway.contract.words import (
    Business,
    Queued,
    Served,
    Staff,
    Ticket,
    Time,
    Told,
    Waited,
    Window,
    event,
    words,
)


class CallShown(Told):
    """A display has really shown the ticket: a whole frame of it was lit."""

    rev: Annotated[models.Rev, words("版本", "Revision", "the desired state that said so")]
    ticket: Annotated[
        Ticket | None, Field(description="null for a call that the gateway has forgotten")
    ]
    window: Window | None
    called_at: Annotated[
        Time | None, words("叫号时间", "Called at", "when it was called, or called again")
    ]


class ServiceStarted(Told):
    """A service has started: the called ticket came to its window."""

    ticket: Ticket
    window: Window
    staff: Staff | None
    business: Business | None
    waited_ms: Waited


class ServiceEnded(Told):
    """A ticket is done with at its window, whether it was served or not."""

    ticket: Ticket
    window: Window
    staff: Annotated[
        Staff | None, Field(description="logged in when the service started, else when it ended")
    ]
    business: Business | None
    queued_ms: Annotated[
        Queued | None,
        Field(description="from the take to the call; null as in `hall.ticket.called`"),
    ]
    waited_ms: Waited
    served_ms: Annotated[Served | None, Field(description="null when no service began")]
    reason: Annotated[
        Literal["completed", "next_call", "transfer", "no_show"],
        words("结束方式", "How it ended"),
    ]


TYPES = (
    event(
        "hall.call.shown",
        "叫号已显示",
        "Call shown",
        CallShown,
        "a display really shows a ticket; again after each recall",
        ("window", "zone"),
    ),
    event(
        "hall.service.started",
        "开始办理",
        "Service started",
        ServiceStarted,
        "at the command `start`",
    ),
    event(
        "hall.service.ended",
        "结束办理",
        "Service ended",
        ServiceEnded,
        "at the command `end`, or at what ended it: the next call, a transfer, a no-show",
    ),
)
