"""Chooses the application slot, counts the attempt, and starts it. Never updated over the air.

/slot.json holds {"slot", "attempts"}: starts since an application last confirmed that it works.
After every ATTEMPTS of them the other slot is tried, when there is one; boot.py slows them down.
A wake from deep sleep is no attempt: it would wear out the flash, and what sleeps has worked.
"""

import json
import os
import sys
import time

import machine

STATE = "/slot.json"
ATTEMPTS = 5
FAILED_WAIT_S = 2
BENCH_MS = 600_000


def load():
    try:
        with open(STATE) as file:
            stored = json.load(file)
        return {"slot": str(stored["slot"]), "attempts": int(stored["attempts"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"slot": "a", "attempts": 0}


def save(state):
    # By rename: a cut leaves the old state or the new one, never half of it.
    try:
        with open(STATE + ".new", "w") as file:
            json.dump(state, file)
        os.rename(STATE + ".new", STATE)
    except OSError as error:
        # A file system that is full: to start matters more than to count.
        print("main: the attempt is not counted:", error)


def confirm():
    """The application works: its attempts start from nought again."""
    if state["attempts"]:
        state["attempts"] = 0
        save(state)


def choose():
    """The next attempt's state: the slot that has its turn, and one attempt more."""
    state = load()
    if machine.reset_cause() == machine.DEEPSLEEP_RESET and state["slot"] in os.listdir("/"):
        return state
    slots = [name for name in ("a", "b") if name in os.listdir("/")]
    if state["slot"] not in slots or (state["attempts"] and state["attempts"] % ATTEMPTS == 0):
        others = [name for name in slots if name != state["slot"]]
        if others:
            state["slot"] = others[0]
    state["attempts"] += 1
    save(state)
    return state


try:
    state = choose()
    sys.path.insert(0, "/" + state["slot"])
    from hall import app

    app.run("/" + state["slot"], confirm)
except KeyboardInterrupt:
    # Somebody at the bench, right after the start: a watchdog that runs leaves them this long.
    machine.WDT(timeout=BENCH_MS)
except Exception as error:
    sys.print_exception(error)
    time.sleep(FAILED_WAIT_S)
    machine.reset()
