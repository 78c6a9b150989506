"""The composition of a device that sleeps: of app.Device, what the others do not load.

Here: what a start may know of the sleep before it, and the one task in the place of role, link and
Wi-Fi. Not here: what that task does (napper.py), and its parts (battery.py).
"""

import random

from micropython import const

from . import battery, hal_sleep

_PATIENCE_MS = const(30_000)
_HOUSE_PATIENCE_MS = const(5_000)
_FAILURES_ALLOWED = const(5)


def wake_up(cause, clock):
    """(what was kept over a sleep or None, whether this start ends one)."""
    state = battery.remembered(hal_sleep)
    woken = state is not None and cause == "deep_sleep"
    if woken:
        battery.go_on(state, hal_sleep, clock)
    return state, woken


def compose(device, who, state, woken):
    """Adds the task that samples, talks and sleeps to `device` (app.Device). Errors as of
    battery.make_napper()."""
    supervisor = device.supervisor
    check_in = device.checks_in("napper")
    device._parts["wifi"] = wifi = hal_sleep.Wifi(who["wifi"], device.log, check_in)
    napper = battery.make_napper(
        hal_sleep,
        device._config,
        who,
        state,
        woken,
        device._journal,
        device._clock,
        device._role,
        wifi,
        device._errors,
        device.log,
        device.about(),
        desire=device.desire,
        command=device._command,
        randint=random.randint,
        busy=device.reboots_soon,
        confirm=device._confirm_start,
        check_in=check_in,
    )
    device.talks(napper)
    device._console.heard = napper.stay_awake
    supervisor.add("napper", napper.run, _PATIENCE_MS, _FAILURES_ALLOWED)
    supervisor.add("house", device._keep_house, _HOUSE_PATIENCE_MS, _FAILURES_ALLOWED)
