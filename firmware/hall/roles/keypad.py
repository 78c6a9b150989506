"""The evaluation keypad: debounced presses, the feedback a customer feels, and rating sessions.

Here: what happens in time at one keypad; the device is the authority on that. Every press is
journalled as it happened. Not here: what a press is worth; the gateway judges it from its store.
"""

from ..debounce import Debounce

BLINK_MS = 500  # half a period: 1 Hz, slow enough to be calm, fast enough to be a prompt
OUTSIDE_MS = 50  # the flash that answers a press when nobody asked: the lamp alone, and short
IDENTIFY_MS = 10_000


class Keypad:
    """Desired state: {"rev", "session": null or {"ticket", "until": unix ms, "window_s"}}.

    A session is known by its rev. It opens as soon as the clock is set, and closes with `close`
    and a reason: "lock" `lock_s` after its first press (the customer may correct until then, also
    past the end of the window), "end" when its window is over, "next" when another desired state
    replaces it, "late" when it was never prompted because it came after its time.
    """

    PERIOD_MS = 5

    def __init__(self, settings, keys, ctx):
        self._keys = keys
        self._ctx = ctx
        self._lock_ms = int(settings["lock_s"] * 1000)
        self._feedback_ms = settings["feedback_ms"]
        self._stuck_ms = int(settings["stuck_s"] * 1000)
        self._all = (1 << keys.count) - 1
        self._debounce = Debounce(keys.count, settings["debounce_ms"])
        self._down_at = [0] * keys.count
        self._stuck = 0
        self._session = None  # rev of the open session
        self._opened_at = 0
        self._closes_at = 0
        self._chosen = 0  # mask of the key last pressed in the open session
        self._pending = None  # (rev, until, window_ms): wanted, but the clock is not set yet
        self._flash = 0  # mask of the keys whose feedback is being given
        self._flash_until = 0
        self._buzz_until = 0
        self._identify_until = 0
        self._lamps_on = 0
        self._buzzer_on = False
        keys.lamp(None, False)
        keys.buzzer(False)

    def step(self, now):
        if self._pending:
            self._open(self._pending, now)
        if self._session is not None and now >= self._closes_at:
            self._close("lock" if self._chosen else "end")
        changed = self._debounce.step(self._keys.read(), now)
        if changed:
            self._edges(changed, now)
        if self._debounce.stable & ~self._stuck:
            self._watch_stuck(now)
        self._show(now)

    def desire(self, desired, now):
        wanted = _session_of(desired)
        if self._session is not None:
            self._close("next")
        elif self._pending:
            self._emit_close(self._pending[0], "late")
        self._pending = wanted
        if wanted:
            self._open(wanted, now)

    def quiet(self):
        """Whether nobody would notice if the chip stood still for a moment."""
        asked = self._session is not None or self._pending
        return not asked and not self._debounce.stable & ~self._stuck

    def state(self):
        stuck = [n + 1 for n in range(self._keys.count) if self._stuck >> n & 1]
        return {"session": self._session, "stuck": stuck}

    def identify(self, now):
        self._identify_until = now + IDENTIFY_MS

    def selftest(self):
        return {"keys_released": self._debounce.stable == 0}

    def sense(self):
        """Keys as masks, bit 0 is key 1: for a technician who watches."""
        filtered = {"keys": self._debounce.stable, "stuck": self._stuck}
        return {"raw": {"keys": self._keys.read()}, "filtered": filtered}

    def _open(self, wanted, now):
        unix_ms = self._ctx.unix_ms()
        if unix_ms is None:
            return
        rev, until, window_ms = wanted
        self._pending = None
        left = until - unix_ms
        if left <= 0:
            self._emit_close(rev, "late")
            return
        self._session = rev
        self._chosen = 0
        self._opened_at = now
        # The shorter of the two: a clock that is wrong must not hold a prompt open for hours.
        self._closes_at = now + min(left, window_ms)

    def _close(self, why):
        session = self._session
        self._session = None
        self._chosen = 0
        self._emit_close(session, why)

    def _emit_close(self, session, why):
        self._ctx.emit("close", {"session": session, "why": why})

    def _edges(self, changed, now):
        down = self._debounce.stable
        self._stuck &= down
        pressed = changed & down
        if not pressed:
            return
        self._feedback(pressed, now)
        for index in range(self._keys.count):
            if pressed >> index & 1:
                self._down_at[index] = now
                self._ctx.emit("press", {"key": index + 1, "session": self._session})

    def _feedback(self, pressed, now):
        """Before the journal: the customer comes first, and flash memory can take milliseconds."""
        self._flash = pressed
        if self._session is None:
            self._flash_until = now + OUTSIDE_MS
        else:
            if not self._chosen:
                self._closes_at = now + self._lock_ms
            self._chosen = pressed
            self._flash_until = self._buzz_until = now + self._feedback_ms
        self._show(now)

    def _watch_stuck(self, now):
        for index in range(self._keys.count):
            bit = 1 << index
            held = self._debounce.stable & ~self._stuck & bit
            if held and now - self._down_at[index] >= self._stuck_ms:
                self._stuck |= bit
                self._ctx.emit("fault", {"code": "key_stuck", "value": index + 1})

    def _lamps(self, now):
        if now < self._flash_until:
            return self._flash
        if now < self._identify_until:
            return self._all if (self._identify_until - now) // 250 & 1 else 0
        if self._session is None:
            return 0
        if self._chosen:
            return self._chosen
        return 0 if (now - self._opened_at) // BLINK_MS & 1 else self._all

    def _show(self, now):
        lamps = self._lamps(now)
        changed = lamps ^ self._lamps_on
        if changed:
            self._lamps_on = lamps
            for index in range(self._keys.count):
                if changed >> index & 1:
                    self._keys.lamp(index + 1, lamps >> index & 1)
        buzzer = now < self._buzz_until or (
            now < self._identify_until and (self._identify_until - now) // 250 & 3 == 1
        )
        if buzzer != self._buzzer_on:
            self._buzzer_on = buzzer
            self._keys.buzzer(buzzer)


def _session_of(desired):
    """(rev, until, window_ms) of a desired state, or None when it wants no session."""
    session = desired.get("session")
    if session is None:
        return None
    if not isinstance(session, dict):
        raise ValueError("session must be null or an object")
    until = session.get("until")
    window_s = session.get("window_s")
    if type(until) is not int or until <= 0:
        raise ValueError("session.until must be unix milliseconds")
    if type(window_s) is not int or not 1 <= window_s <= 3600:
        raise ValueError("session.window_s must be 1 to 3600 seconds")
    return desired["rev"], until, window_s * 1000
