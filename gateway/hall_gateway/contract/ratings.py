"""`hall.rating.*`: the verdict of each service, and every press that led to it or did not count.

Here: the data of these events. Not here: when which of them is sent (ratings.py, verdicts.py).
"""

from typing import Annotated, Literal

from hall_profiles import MARKS
from pydantic import Field

from hall_gateway.contract.words import (
    Business,
    Key,
    Mark,
    Missing,
    Press,
    Session,
    Staff,
    Ticket,
    Time,
    Told,
    Window,
    event,
    words,
)

_LABELS = ", ".join(f"{mark} {title.zh}" for mark, title in MARKS.items())
Label = Annotated[
    Literal["非常满意", "满意", "一般", "不满意", "非常不满意"],
    words("评价", "Label", f"the mark in words: {_LABELS}"),
]
Refusal = Literal[
    "out_of_session",
    "mashing",
    "stuck_key",
    "service_too_short",
    "fast_best_run",
    "next_call",
    "too_soon",
    "locked",
    "late",
    "unknown_key",
    "no_rating",
]
"""Why a press does not count; docs/back-office.md says what each means, in both languages."""
NoneReason = Literal[
    "timeout",
    "next_call",
    "not_prompted",
    "press_lost",
    "no_keypad",
    "mashing",
    "stuck_key",
    "service_too_short",
    "fast_best_run",
    "locked",
]
"""Why a service has no rating; the last five: why the last press of its session did not count."""


EndedAt = Annotated[
    Time,
    words(
        "结束办理时间",
        "Ended at",
        "the `time` of the `hall.service.ended` that it belongs to; null where nobody asked",
    ),
]


class _Rated(Told):
    ticket: Annotated[Ticket | None, Field(description="null where nobody asked")]
    window: Window
    staff: Annotated[
        Staff | None, Field(description="logged in when the service started, else when it ended")
    ]
    business: Business | None
    session: Session | None


class RatingGiven(_Rated):
    """The rating of a service, once. The last press within 3 s of the first."""

    ended_at: EndedAt | None
    key: Key
    mark: Mark
    label: Label
    presses: Annotated[
        int,
        Field(ge=1),
        words("按键次数", "Presses", "above 1: the customer corrected the first one"),
    ]
    pressed_at: Annotated[Time, words("按下时间", "Pressed at", "the press that counts")]


class RatingNone(Told):
    """A service without a rating: nobody pressed, no press counts, or nobody was asked."""

    ticket: Ticket
    window: Window
    staff: Annotated[
        Staff | None, Field(description="logged in when the service started, else when it ended")
    ]
    business: Business | None
    session: Annotated[Session | None, Field(description="null when no session opened")]
    ended_at: EndedAt
    reason: Annotated[NoneReason, words("原因", "Reason")]
    prompted: Annotated[bool, words("已提示", "Prompted", "whether the keypad asked at all")]


class RatingPressed(_Rated):
    """A press that may count, at once. Not a rating: never count it as one."""

    key: Key
    mark: Mark
    press: Press


class RatingQuarantined(Told):
    """A press that is kept and does not count. `pressed_at` only where it was told as
    `hall.rating.pressed` before, with the same `press`; `staff` and `business` only where it was
    meant for a rating."""

    ticket: Annotated[Ticket | None, Field(description="null where it was meant for no rating")]
    window: Window | None
    staff: Staff | None = None
    business: Business | None = None
    session: Session | None
    key: Key
    mark: Annotated[
        Mark | None, Field(description="null: no such key, or a key that gives a reason")
    ]
    press: Press
    reason: Annotated[Refusal, words("原因", "Reason")]
    pressed_at: Annotated[
        Time | Missing,
        words("按下时间", "Pressed at", "left out unless the press was told before"),
    ] = None


class RatingReason(_Rated):
    """Why the customer gave a bad mark, by the keypad's keys, up to 30 s after the rating."""

    ended_at: EndedAt | None
    key: Key
    mark: Annotated[int, Field(ge=1, le=2), words("评分", "Mark", "2 or 1: of the rating")]
    reason: Annotated[
        str,
        Field(min_length=1, max_length=60),
        words("差评原因", "Reason", "as it stands on the key"),
    ]
    press: Press


TYPES = (
    event(
        "hall.rating.given",
        "评价",
        "Rating given",
        RatingGiven,
        "3 s after the first press of a session, or when the next ticket is called",
    ),
    event(
        "hall.rating.none",
        "未评价",
        "No rating",
        RatingNone,
        "a service ended and nobody pressed, no press counts, or nobody was asked",
    ),
    event(
        "hall.rating.pressed",
        "按键，未定",
        "Key pressed, not yet a rating",
        RatingPressed,
        "at each press inside a session, at once",
    ),
    event(
        "hall.rating.quarantined",
        "隔离的按键",
        "Press that does not count",
        RatingQuarantined,
        "at a press that does not count, or when one that was told does not count after all",
        ("window", "zone"),
    ),
    event(
        "hall.rating.reason",
        "差评原因",
        "Reason of a bad mark",
        RatingReason,
        "after a bad mark, when the customer presses a key that stands for a reason",
    ),
)
