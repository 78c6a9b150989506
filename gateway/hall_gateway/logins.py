"""A clerk logs in or out at a keypad's reader.

Here: whose card or PIN it is, and what follows, as pure functions of events and state. Not here:
the staff's file (staff.py). No card number and no PIN is in what is published.
"""

from dataclasses import replace

from hall_gateway.keypads import Heard, count, memory
from hall_gateway.plan import Plan, PlannedDevice
from hall_gateway.state import Emit, HallState, Json, Order, Outcome

WRONG_PINS = 5
"""Wrong PINs at one keypad, one after the other, until PINs are refused there."""

LOCKED_MS = 300_000
"""So long after the last wrong one: 1,440 tries a day, of 10,000 PINs of four digits."""

LATE_MS = 60_000
"""A login that comes later than this is of somebody who has gone on without it."""


def login(
    plan: Plan, state: HallState, device: PlannedDevice, heard: Heard, mark: str, now: int
) -> tuple[Outcome, str | None]:
    """`mark` was read at `device`: as Staff.who() has it. The clerk, or None when nobody is."""
    outcome = Outcome()
    keypad = memory(state, device.id, now)
    by = "pin" if mark.startswith("pin:") else "card"
    if by == "pin" and now - keypad.wrong_at >= LOCKED_MS:
        keypad = replace(keypad, wrong=0)
    clerk = plan.staff.get(mark)
    reason = None
    if now - heard.at > LATE_MS:
        reason = "late"
    elif by == "pin" and keypad.wrong >= WRONG_PINS:
        reason = "locked"
    elif clerk is None:
        reason = "unknown"
        if by == "pin":
            keypad = replace(keypad, wrong=keypad.wrong + 1, wrong_at=now)
    told: Json = {"window": device.window, "by": by}
    if reason is None:
        keypad = replace(keypad, wrong=0)
    else:
        told |= {"reason": reason}
        keypad = count(keypad, "refused_logins", reason)
        outcome.emits.append(Emit("hall.staff.refused", device.subject, told, own=False))
    outcome.keep(state, keypad)
    if reason != "late":
        outcome.orders.append(Order(device.id, "login", {"ok": reason is None}))
    return outcome, None if reason else clerk
