"""The presses at one keypad, whoever's they are: mashing, and what became of each press.

Here: the memory behind the rules that look at more than one press, as pure functions of events.
Not here: what a press means for a rating (ratings.py).

Times are ms of the keypad's uptime, and only those of one boot are compared.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from hall_gateway.state import HallState, Json, Keypad, Press

MASH_MS = 2_000
"""Three presses that begin within this time are mashing: nobody corrects a slip twice so fast."""

STOOD_MS = 1_000
"""A press that has stood alone for this long is no part of a mashing that begins with the next one:
another hand, which has to see it first, cannot take a choice away."""

CALM_MS = 3_000
"""A mashing is over when nobody has pressed for this long: as long as a rating takes to lock."""

NO_BOOT = -1
"""A boot that no event is of."""

RUNS_KEPT = 16
"""Clerks whose runs of fast best marks are remembered for each keypad."""


class Heard(NamedTuple):
    """When and as which CloudEvent something came from a device: `up` ms since boot `boot`, which
    is unix ms `at`."""

    boot: int
    up: int
    at: int
    id: str = ""


@dataclass(frozen=True)
class Noted:
    """A press in the keypad's memory. `mashing_since`: presses from this uptime on are part of the
    mashing that it belongs to; None when it belongs to none."""

    keypad: Keypad
    mashing_since: int | None


def memory(state: HallState, device: str, now: int) -> Keypad:
    """What is known of a keypad; `now` is unix ms."""
    return state.keypads.get(device) or Keypad(device, now)


def note(keypad: Keypad, heard: Heard, key: int, together: bool) -> Noted:
    """`keypad` after a press of `key`. `together`: keys that were told before were still down."""
    keypad = in_boot(keypad, heard.boot)
    up = heard.up
    ups = tuple(each for each in keypad.ups if each <= up)
    since: int | None = None
    if keypad.mashed is not None and 0 <= up - keypad.mashed < CALM_MS:
        since = up
    if together:
        # The first key of several that are down is the last one that was pressed before.
        since = ups[-1] if ups and up - ups[-1] < STOOD_MS else up
    if len(ups) == 2 and up - ups[0] < MASH_MS:  # this one is the third
        since = ups[0] if ups[1] - ups[0] < STOOD_MS else ups[1]
    mashed = keypad.mashed if since is None else up
    last = {**keypad.last, str(key): up}
    return Noted(replace(keypad, ups=(*ups, up)[-2:], mashed=mashed, last=last), since)


def in_boot(keypad: Keypad, boot: int) -> Keypad:
    """`keypad` as far as it can be compared with the uptimes of `boot`."""
    if keypad.boot == boot:
        return keypad
    return replace(keypad, boot=boot, ups=(), last={}, mashed=None, replaced=None, rated=None)


def spoiled(presses: tuple[Press, ...], heard: Heard, since: int) -> tuple[Press, ...]:
    """Which of `presses` belong to the mashing that began at `since`."""
    return tuple(p for p in presses if p.boot == heard.boot and p.up >= since)


def ran(keypad: Keypad, clerk: str, fast_best: bool) -> tuple[Keypad, int]:
    """`keypad` after a rating of `clerk`, and how long the run of fast best marks is by it."""
    runs = dict(keypad.runs)
    run = runs.pop(clerk, 0) + 1 if fast_best else 0
    if not fast_best:
        runs.pop(clerk, None)
    else:
        runs[clerk] = run
        while len(runs) > RUNS_KEPT:
            del runs[next(iter(runs))]
    return replace(keypad, runs=runs), run


def count(keypad: Keypad, group: str, reason: str | None = None, by: int = 1) -> Keypad:
    """`keypad` with one more of `group`: pressed, accepted, corrected, or with its reason
    quarantined or none."""
    counts: Json = dict(keypad.counts)
    if reason is None:
        counts[group] = counts.get(group, 0) + by
    else:
        reasons: dict[str, int] = counts.get(group, {})
        counts[group] = {**reasons, reason: reasons.get(reason, 0) + by}
    return replace(keypad, counts=counts)


def tally(keypad: Keypad) -> Json:
    """The counts as they are published: presses as they came, and what became of them.

    pressed = accepted + corrected + all quarantined + those of an open session.
    """
    counts = keypad.counts
    return {
        "since": keypad.since,
        "pressed": counts.get("pressed", 0),
        "accepted": counts.get("accepted", 0),
        "corrected": counts.get("corrected", 0),
        "quarantined": counts.get("quarantined", {}),
        "none": counts.get("none", {}),
        "refused_logins": counts.get("refused_logins", {}),
    }
