"""`hall.staff.*`: who logs in and out at the keypads' readers.

Here: the data of these events; no card number and no PIN is in any. Not here: who may log in
(hall_gateway.staff, logins.py).
"""

from typing import Annotated, Literal

from pydantic import Field

from hall_gateway.contract.words import By, Staff, Told, Window, event, words


class StaffLogin(Told):
    """A clerk has logged in, or out, at the reader of a window's keypad."""

    window: Window
    staff: Annotated[Staff, Field(description="as `hall staff` named the clerk")]
    by: By


class StaffRefused(Told):
    """A card or PIN that logs nobody in. Neither number is told."""

    window: Window | None
    by: By
    reason: Annotated[
        Literal["unknown", "locked", "late"],
        words("原因", "Reason", "locked: too many wrong PINs; late: more than a minute old"),
    ]


TYPES = (
    event("hall.staff.login", "员工登录", "Clerk logged in", StaffLogin, "a card or PIN was read"),
    event(
        "hall.staff.logout",
        "员工退出",
        "Clerk logged out",
        StaffLogin,
        "the same card or PIN was read again",
    ),
    event(
        "hall.staff.refused",
        "登录被拒",
        "Login refused",
        StaffRefused,
        "a card or PIN was read that logs nobody in",
        ("window", "zone"),
    ),
)
