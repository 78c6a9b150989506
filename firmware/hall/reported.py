"""The device's reported state, up/state: what it shows, its journal, its health, its last errors.

Here: what stands in it and when it is due. Not here: sending it.
"""

import gc
import json

from .downlink import PAYLOAD_MAX

ERRORS = 3  # of the last ones; more would leave too little room for what is shown


class Reported:
    """shows() -> dict of what the role shows or senses. about: {"fw", "profile", "cause",
    "update": {"s", ...}}.

    stats: the link's counters. errors: hall.errors.Errors. Due at connect, when shows(), rev or
    what an update does (its "s") changed (at most once in check_ms), and every repeat_ms.
    """

    def __init__(self, journal, shows, about, stats, errors, check_ms, repeat_ms):
        self._journal = journal
        self._shows = shows
        self._about = about
        self._stats = stats
        self._errors = errors
        self._check = check_ms
        self._repeat = repeat_ms
        self._last = None  # rev and shows as last sent, as JSON; None: send in any case
        self._at = 0

    def renew(self):
        """A new connection: the state is due."""
        self._last = None

    def due(self, rev, now):
        """The payload if it is time to send it, else None."""
        age = now - self._at
        if self._last is not None and age < self._check:
            return None
        shows = self._shows()
        this = json.dumps([rev, self._about["update"]["s"], shows])
        if this == self._last and age < self._repeat:
            return None
        self._last = this
        self._at = now
        return self._payload(rev, shows, now)

    def content(self, rev, shows, now):
        """The state as it is now, however long."""
        journal = self._journal
        stats = self._stats
        health = {
            "up_s": now // 1000,
            "boot": journal.boot,
            "cause": self._about["cause"],
            "heap": gc.mem_free(),
            "connects": stats["connects"],
            "stale": stats["stale"],
            "refused": stats["malformed"] + stats["desired_refused"] + stats["acks_refused"],
            "errors": ["%d s, x%d: %s" % tuple(error) for error in self._errors.last[-ERRORS:]],
        }
        return {
            "rev": rev,
            "shows": shows,
            "journal": {
                "epoch": journal.epoch,
                "acked": journal.acked,
                "next": journal.next,
                "dropped": journal.dropped,
                "lost": journal.lost,
                "torn": journal.torn,
            },
            "health": health,
            "fw": self._about["fw"],
            "profile": self._about["profile"],
            "update": self._about["update"],
        }

    def _payload(self, rev, shows, now):
        state = self.content(rev, shows, now)
        payload = _dump(state)
        if len(payload) > PAYLOAD_MAX:
            state["health"]["errors"] = []
            payload = _dump(state)
        if len(payload) > PAYLOAD_MAX:
            state["shows"] = {"error": "too long to report"}
            payload = _dump(state)
        return payload


def _dump(value):
    return json.dumps(value, separators=(",", ":")).encode()
