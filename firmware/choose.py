"""Which folder starts: a, b or safe. Never updated over the air; dropped when it has chosen.

/slot.json has what differs from nought; docs/updates.md tells its story:
  slot, spare   of the folders a and b: the one in service, and the one that was before it
  turn          0: slot starts, 1: spare, 2: safe; the next one after _ATTEMPTS bad starts
  attempts      starts since one was confirmed; boot.py slows them down
  counter       the highest rollback counter that was confirmed
  rounds        how often safe mode has let the slots try again
  trial         [slot, version, counter, starts left]: starts first, until confirmed or given up
  reverted      [version or "", why] of what was given up
A wake from deep sleep is no attempt: it would wear out the flash, and what sleeps has worked.
"""

import json
import os

import machine
from micropython import const

NOUGHT = {"slot": "a", "spare": "", "turn": 0, "attempts": 0, "counter": 0, "rounds": 0}
_TRIAL_STARTS = const(3)
_ATTEMPTS = const(5)
_TRIAL_MS = const(1_800_000)
_MOST = const(999_999_999)
_TEXT_MAX = const(16)


def begin(start, path):
    """Fills in `start` (main.Start), and counts the attempt."""
    there, cause = os.listdir("/"), machine.reset_cause()
    start.why = ended(cause)
    woken = cause == machine.DEEPSLEEP_RESET
    try:
        start.state = read(path)
        choose(start, there, woken)
    except Exception:
        # Without a state that makes sense: by what is there. Nothing else would start this device.
        start.state = NOUGHT | {"spare": "b"}
        choose(start, there, woken)


def read(path):
    """The state on flash. An exception: there is none, or a field is none that is written; what
    came through here, an application does not stumble over."""
    with open(path) as file:
        found = NOUGHT | json.load(file)
    state = {name: found[name] for name in NOUGHT}
    slots, texts = [state["slot"], state["spare"] or "a"], []
    numbers = [state[name] for name in ("turn", "attempts", "counter", "rounds")]
    if found.get("trial"):
        slot, version, counter, left = state["trial"] = list(found["trial"])
        slots.append(slot)
        texts.append(version)
        numbers += counter, left
    if found.get("reverted"):
        version, why = state["reverted"] = list(found["reverted"])
        texts += version, why
    if not (
        all(slot in ("a", "b") for slot in slots)
        and all(type(text) is str and len(text) <= _TEXT_MAX for text in texts)
        and all(type(number) is int and 0 <= number <= _MOST for number in numbers)
    ):
        raise ValueError
    return state


def choose(start, there, woken):
    """Which of the folders that are `there` has its turn, and whether it is on trial."""
    state, start.trial = start.state, False
    trial = state.get("trial")
    if trial and (trial[0] not in there or (trial[3] < 1 and not woken)):
        state["trial"], state["reverted"] = None, [trial[1], start.why]
    elif trial:
        trial[3] = min(trial[3], _TRIAL_STARTS) - (not woken)
        start.trial = woken or start.save()  # what cannot be counted is not tried
    if start.trial:
        start.slot, start.timer = trial[0], machine.Timer(0)
        start.timer.init(mode=machine.Timer.ONE_SHOT, period=_TRIAL_MS, callback=start.late)
        return
    turns = (state["slot"], state["spare"], "safe")
    state["turn"] += not woken and state["attempts"] % _ATTEMPTS == 0 < state["attempts"]
    for _ in turns:
        state["turn"] %= len(turns)
        if turns[state["turn"]] in there:
            break
        state["turn"] += 1
    start.slot = turns[state["turn"]]
    if not woken:
        state["attempts"] += 1
        start.save()


def ended(cause):
    """How the last start ended. A brown-out reads as power-on: neither says what the slot did."""
    memory = machine.RTC().memory()  # of hal.py: HK, a length, and so much of why it reset
    if cause == machine.WDT_RESET or b"no progress" in memory[3 : 3 + sum(memory[2:3])]:
        return "hang"
    return "no_service" if cause == machine.PWRON_RESET else "crash"
