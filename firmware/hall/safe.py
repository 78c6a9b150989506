"""Safe mode: no application slot starts, so this folder's modules keep the device in reach.

Here: what such a device does instead of its role, and when it lets the slots try again. Network,
link, updates and console are those of every device. Not here: when it comes to this (main.py).
"""

from micropython import const

from .no_role import NoRole

WHY = "safe mode: no application starts"

# Then the slots try again: what kept them from starting may be gone, a weak supply for example.
# Shorter than a hall's day, for a hall that is switched off at night; and so seldom that the flash
# and the journal, which each start writes to, bear it for ever.
_FIRST_MS = const(3_600_000)
_LAST_MS = const(6 * 3_600_000)


def role(device):
    """The role of `device` (app.Device). The hall is told, the reboot is set."""
    rounds = device.start.state["rounds"]
    if not device._confirmed:  # no wake from deep sleep
        device.emit("fault", {"code": "safe_mode", "value": rounds})
    device.report(WHY)
    device._reboot_at = wait_ms(rounds)
    return NoRole(WHY)


def wait_ms(rounds):
    """ms of uptime after which the slots try again, for the time after `rounds`."""
    return min(_FIRST_MS << min(rounds, 4), _LAST_MS)
