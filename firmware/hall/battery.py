"""The parts of a device that sleeps, from what it has kept over its last sleep.

Here: which of it a start may go on with, and the composition of napper.py with post.py, oscore.py
and piv.py. Not here: what is common to all devices (app.py).
"""

import json

from . import coap, ident, napper, post
from .form import fits
from .oscore import Context
from .piv import Numbers
from .reported import Reported

# Of what Napper.freeze() gives, as form.fits() has it; and the items of its lists.
_KEPT = {"up": "i", "clock": "i", "unix": "ni", "boot": "i", "piv": ["i", "i"], "rev": "ni"}
_KEPT.update({"place": ("n", ["i", "i"]), "talk": ["ni", "i", "i", "i"], "fruitless": "i"})
_LISTS = {"errors": ["i", "i", "t"], "stats": "i"}
# A sleep ends sooner: what the clock says beyond that is no sleep.
_SLEPT_MAX = 1 << 32


def remembered(hal):
    """What freeze() of the last life gave, as a dict; None after a power cut or an update."""
    try:
        state = json.loads(hal.kept())
        if state["v"] != napper.VERSION or not all(fits(state[it], _KEPT[it]) for it in _KEPT):
            return None
        for name in _LISTS:
            if not fits(state[name], [_LISTS[name]] * len(state[name])):
                return None
        return state
    except (KeyError, ValueError, TypeError):
        return None


def go_on(state, hal, clock):
    """After a wake: uptime and time of day as if it had not slept."""
    gone = min(max(0, hal.clock_ms() - state["clock"]), _SLEPT_MAX)
    hal.went_on(state["up"] + gone)
    if state["unix"] is not None:
        clock.set(state["unix"] + gone)


class _Marks:
    """Of the identity: whether its keys have been used."""

    def __init__(self, block):
        self._block = block

    def used(self):
        return ident.used(self._block)

    def mark_used(self):
        ident.mark_used(self._block)


def make_napper(
    hal, config, who, state, woken, journal, clock, role, wifi, errors, log, about, **calls
):
    """The napper.Napper of the device `who` (of ident.read()).

    `state`: of remembered(), or None; `woken`: whether this start is a wake, which goes on with all
    of it; another, without a power cut between, goes on with its numbers alone.
    `calls`: desire, command, randint, busy, confirm, check_in. ValueError: there are no keys, or
    the role does not sleep.
    """
    if not hasattr(role, "freeze"):
        raise ValueError("config: role %s does not sleep, so transport is mqtt" % config["role"])
    keys = who.get("oscore")
    if not keys:
        raise ValueError("ident: no oscore keys, enrol this device again")
    context = Context(
        *[bytes.fromhex(keys[name]) for name in ("secret", "salt", "id", "gateway_id")]
    )
    stats = {}
    for names in (napper.COUNTED, coap.COUNTED, post.COUNTED):
        for name in names.split():
            stats[name] = 0
    made = []
    numbers = Numbers(
        journal,
        _Marks(hal.partition("ident")),
        lambda: made[0].remember(),
        state and state["piv"],
        keys.get("start", 0),
    )
    reported = Reported(journal, role.state, about, stats, errors, 0, 0)
    said = post.Post(
        journal,
        clock,
        hal.uptime_ms,
        context,
        numbers,
        lambda rev: reported.content(rev, role.state(), hal.uptime_ms()),
        calls["desire"],
        calls["command"],
        errors.report,
        stats,
    )
    gateway = config["gateway"]
    made.append(
        napper.Napper(
            hal,
            config["settings"],
            (gateway["host"], gateway["port"]),
            config.get("ip"),
            wifi,
            journal,
            clock,
            numbers,
            said,
            role,
            errors,
            log,
            stats,
            calls["randint"],
            calls["busy"],
            calls["confirm"],
            calls["check_in"],
        )
    )
    if state and woken:
        try:
            made[0].thaw(state)
        except (KeyError, ValueError) as error:
            errors.report("kept over the sleep, and not understood: %s" % error)
    return made[0]
