"""Chooses the application slot, counts the attempt, and starts it. Never updated over the air.

/slot.json holds {"slot", "attempts"}: starts of that slot since the application last confirmed that
it works. After ATTEMPTS of them the other slot is tried, when there is one.
"""

import json
import os
import sys
import time

import machine

STATE = "/slot.json"
ATTEMPTS = 5
FAILED_WAIT_S = 2


def load():
    try:
        with open(STATE) as file:
            stored = json.load(file)
        return {"slot": str(stored["slot"]), "attempts": int(stored["attempts"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"slot": "a", "attempts": 0}


def save(state):
    # By rename: a cut leaves the old state or the new one, never half of it.
    with open(STATE + ".new", "w") as file:
        json.dump(state, file)
    os.rename(STATE + ".new", STATE)


def confirm():
    """The application works: its attempts start from nought again."""
    if state["attempts"]:
        state["attempts"] = 0
        save(state)


state = load()
slots = [name for name in ("a", "b") if name in os.listdir("/")]
if state["slot"] not in slots or (state["attempts"] and state["attempts"] % ATTEMPTS == 0):
    others = [name for name in slots if name != state["slot"]]
    if others:
        state = {"slot": others[0], "attempts": 0}
state["attempts"] += 1
save(state)
sys.path.insert(0, "/" + state["slot"])
try:
    from hall import app

    app.run("/" + state["slot"], confirm)
except Exception as error:
    sys.print_exception(error)
    time.sleep(FAILED_WAIT_S)
    machine.reset()
