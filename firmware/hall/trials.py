"""What an application decides about its slot: main.Start and the fields of /slot.json.

Here: the fields as the application, updates and safe mode set them; choose.py describes them, reads
them, and is never updated. It is imported when it is needed and dropped after.
"""

from micropython import const

_ATTEMPTS = const(5)  # choose.py's: so many bad starts later another slot has its turn


def confirm(start):
    """The application works: what is on trial is in service now, and attempts begin anew."""
    state = start.state
    if start.trial:
        slot, _, counter, _ = state["trial"]
        state["spare"] = "" if state["turn"] else state["slot"]
        state.update(slot=slot, counter=max(counter, state["counter"]), trial=None)
        start.trial = False
        start.timer.deinit()
    elif state["turn"] == 1:
        # It fell back to this one, unless the other's folder was simply gone.
        fell = state["attempts"] > _ATTEMPTS
        state.update(slot=start.slot, spare="", reverted=fell and ["", start.why])
    elif not state["attempts"]:
        return
    if start.slot != "safe":
        state.update(turn=0, rounds=0)
    state["attempts"] = 0
    start.save()


def settle(device):
    """As confirm(), for an app.Device; the hall is told what that decided."""
    start = device.start
    if start.trial:
        device.update["s"] = "confirmed"
        device.emit("update", {"s": "confirmed", "v": device.update["v"]})
    confirm(start)
    if start.state.get("reverted"):
        tell(device)
    device.log("confirmed: this start counts as healthy")


def free(start):
    """The folder for a new application, a or b; from now on nothing falls back to what is in it.

    To be called before the first file in it is touched."""
    state = start.state
    running = state["slot"] if start.slot == "safe" else start.slot
    name = "a" if running == "b" else "b"
    if state["spare"] == name:
        state["spare"] = ""
        start.save()
    return name


def try_slot(start, slot, version, counter):
    """The next start runs `slot` (a or b, whole), on trial. OSError: that could not be written."""
    state = start.state
    state["trial"], state["reverted"] = [slot, version, counter, 3], None
    if not start.save():
        state["trial"] = None
        raise OSError("flash: /slot.json is not written")


def reverted(start):
    """None, or {version, why} of what was given up until told() is called. `version` is "" when it
    had been in service: then it is what the manifest of the other slot says."""
    gone = start.state.get("reverted")
    return gone and {"version": gone[0], "why": gone[1]}


def told(start):
    """The hall has been told, or the journal has it: reverted() is None from now on."""
    start.state["reverted"] = None
    start.save()


def tell(device):
    """Journals what was given up, with its version, and says so in the reported state."""
    start = device.start
    gone = reverted(start)
    version = gone["version"]
    if not version:
        from . import release

        version = release.of_slot("/b" if start.slot == "a" else "/a")[0]
    device.update["s"] = gone["why"]
    device.emit("update", {"s": gone["why"], "v": version})
    told(start)


def again(start):
    """In safe mode: the next start lets the slots try again, each so often as ever."""
    state = start.state
    state.update(turn=0, attempts=0, rounds=state["rounds"] + 1)
    start.save()
