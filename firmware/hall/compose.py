"""Composes a device, once: what its config names, or what says why it cannot work.

Here: config, identity, journal, role and link, in this order, and their tasks. Not here: what the
device does from then on (app.py), and what only one that sleeps has (sleeper.py). This goes back to
the heap afterwards; a function or a lambda of it that a device kept would keep all of it.
"""

import asyncio
import os
import random

from micropython import const

from . import hal, journal, kept
from .app import KEPT, LEAN
from .errors import words

# How long a task may take to its next check-in: a step of a role is never far, a connection may
# take as long as its time-outs and its longest wait together.
_ROLE_PATIENCE_MS = const(5_000)
_LINK_PATIENCE_MS = const(120_000)
_WIFI_PATIENCE_MS = const(30_000)
_CONSOLE_PATIENCE_MS = const(5_000)
_FAILURES_ALLOWED = const(5)


def compose(device):
    """Gives `device` (app.Device) its parts and its tasks; one that cannot work, what says why."""
    console = device._console
    device.supervisor.add("console", console.run, _CONSOLE_PATIENCE_MS, _FAILURES_ALLOWED)
    try:
        _compose(device)
    except (ValueError, KeyError, OSError) as error:
        _stand_by(device, words(error))


def _compose(device):
    """Builds what the config names. ValueError, KeyError, OSError: the device cannot work."""
    from . import config, ident

    device._parts["config"] = settings = config.load("/config.json")
    who = ident.read(hal.partition("ident"))
    claim = who.get("claim")
    device._console.enrol(claim and bytes.fromhex(claim))
    if who["device"] != settings["device"]:
        raise ValueError("ident is of %s, config of %s" % (who["device"], settings["device"]))
    state, woken = None, False
    sleeps = settings["transport"] == "coap"
    if sleeps:
        from . import sleeper

        state, woken = sleeper.wake_up(device._cause, device._clock)
    boot = state["boot"] if state and woken else None
    device._parts["journal"] = events = _mount_journal(device, boot)
    device.records(settings, events, _load(device, KEPT), _load(device, LEAN))
    if device._asked:
        os.remove(LEAN)  # one start, whatever comes of it
    device._confirmed = woken and not device.start.trial  # main.py counts no wake
    if not woken:
        device.emit("boot", {"cause": device._cause})
    if device.start.state.get("reverted"):
        from . import trials

        trials.tell(device)
    device.plays(_make_role(device))
    device.forget(("build_%s" % settings.get("role"),))
    if sleeps:
        sleeper.compose(device, who, state, woken)
        return
    link = _make_link(device, who)
    device.talks(link)
    device._kick, link.quiet = link.kick, device._role.quiet
    add = device.supervisor.add
    add("role", device._run_role, _ROLE_PATIENCE_MS, _FAILURES_ALLOWED)
    add("link", link.run, _LINK_PATIENCE_MS, _FAILURES_ALLOWED)
    add("house", device._keep_house, _ROLE_PATIENCE_MS, _FAILURES_ALLOWED)
    if device._asked:
        device.load("update").take(device, device._asked)
    if who["wifi"]:
        device._parts["wifi"] = wifi = hal.Wifi(who["wifi"], device.log, device.checks_in("wifi"))
        add("wifi", wifi.run, _WIFI_PATIENCE_MS, _FAILURES_ALLOWED)
    else:
        device.report("ident: no Wi-Fi network, enrol this device again")


def _stand_by(device, why):
    """The device cannot work: it stays up, says why, and waits for a technician."""
    device.report(why)

    async def wait():
        while True:
            device.log("stopped: " + why)
            for _ in range(10):
                device.supervisor.check_in("stand_by")
                device._reboot_when_asked()
                await asyncio.sleep_ms(1000)

    device.supervisor.add("stand_by", wait, _ROLE_PATIENCE_MS, _FAILURES_ALLOWED)


def _mount_journal(device, boot):
    block = hal.partition("jrnl")
    try:
        return journal.Journal(block, hal.uptime_ms, device.unix_ms, boot)
    except journal.UnformattedError:
        device.log("journal: formatting")
    journal.Journal.format(block, _random_u32())
    return journal.Journal(block, hal.uptime_ms, device.unix_ms)


def _load(device, path):
    """What was kept there; nothing, if that makes no sense."""
    try:
        return kept.load(path)
    except ValueError as error:
        device.report(str(error))
        return {}


def _make_role(device):
    if device._asked:
        from .no_role import NoRole

        return NoRole("update")
    if device.start.slot == "safe":
        from . import safe

        return safe.role(device)
    from . import build

    try:
        chip = hal.Hal(device._config["chip"])
        return build.make_role(device._config, chip, device, device._slot + "/hall/glyphs.bin")
    except Exception as error:
        # Whatever a config can do to a driver: without its role the device still reports.
        why = words(error)
    device.report(why)
    from .no_role import NoRole

    return NoRole(why)


def _make_link(device, who):
    broker = device._config["broker"]
    psk = None
    if broker["tls"] == "psk":
        if not who.get("psk"):
            raise ValueError("ident: no psk, and the broker asks for one")
        psk = bytes.fromhex(who["psk"])

    # After the role, whose large buffers want the heap in one piece.
    from .link import Link

    return Link(
        who["device"],
        (broker["host"], broker["port"]),
        psk,
        device._journal,
        device._clock,
        hal.uptime_ms,
        device.desire,
        device._command,
        device._role.state,
        device.about(),
        device._errors,
        random.randint,
        device.checks_in("link"),
    )


def _random_u32():
    """A random number from 1 to 2**32 - 1, of the chip's own source."""
    while True:
        number = int.from_bytes(os.urandom(4), "big")
        if number:
            return number
