"""The evaluation keypad: debounced presses and rating sessions.

Here: what happens in time at one keypad; the device is the authority on that. Every press is
journalled as it happened. Not here: what a customer sees and hears of it (answer.py), and what a
press is worth; the gateway judges it from its store, by the same rules (docs/decisions, "what
becomes of a mashed session").
"""

from ..debounce import Debounce
from .answer import Answer

BLINK_MS = 500  # half a period: 1 Hz, slow enough to be calm, fast enough to be a prompt
ASK_MS = 150  # half a period of the lamps that stand for reasons: another question
OUTSIDE_MS = 50  # the flash that answers a press that cannot count: the lamp alone, and short
# Three presses within MASH_MS, or two keys at once, are mashing until CALM_MS without a press. One
# that has stood alone for STOOD_MS is no part of it: another hand cannot take a choice away.
MASH_MS = 2000
CALM_MS = 3000
STOOD_MS = 1000
FREE = 0  # the session of a rating that nobody asked for; a real one is a rev, and above 0
_LONG_AGO = -1_000_000


class Keypad:
    """Desired state: {"rev", "session": null or {"ticket", "until": unix ms, "window_s"}, "free"}.

    A session is known by its rev. It opens as soon as the clock is set, and closes with `close`
    and a reason: "lock" `lock_s` after its first press (the customer may correct until then, also
    past the end of the window), "end" when its window is over, "next" when another desired state
    replaces it, "late" when it was never prompted because it came after its time. A key that is
    still held then may be stuck: the close waits until that is known. With "free" a press where
    nobody asks is a rating too, whose `close` has the session null.
    """

    PERIOD_MS = 5

    def __init__(self, settings, keys, ctx, login=None):
        # A card reader's part (login.py), stepped with this one: `login(keypad)` makes it.
        self.reader = login(self) if login else None
        self._keys = keys
        self._ctx = ctx
        self._lock_ms = int(settings["lock_s"] * 1000)
        self._feedback_ms = settings["feedback_ms"]
        self._stuck_ms = int(settings["stuck_s"] * 1000)
        self._reason_ms = int(settings.get("reason_s", 0) * 1000)
        self._all = (1 << keys.count) - 1
        # Metal that still bounces never rests for half of it, and 50 ms are soon over; a press that
        # is answered needs all of it to end, or one press would be two.
        hold_ms = settings["debounce_ms"]
        self._debounce = Debounce(keys.count, hold_ms, hold_ms // 2)
        self._down_at = [0] * keys.count
        self._stuck = 0
        self._free = False
        self._session = None  # rev of the open session, or FREE
        self._opened_at = 0
        self._ends_at = 0
        self._locks_at = 0
        self._choices = []  # of the open session: (when, mask of the key)
        self._chosen = 0  # the last one's mask
        self._pending = None  # (rev, until, window_ms): wanted, but the clock is not set yet
        self._closing = None  # (session, why, mask): closed, as soon as that key is known
        self._asking = None  # session whose bad mark may get a reason
        self._asks_until = 0
        self._now = 0  # of the last step
        self._before = self._last = _LONG_AGO  # the last two presses
        self._calm_at = _LONG_AGO  # when a mashing is over
        self._answer = Answer(keys)
        self.identify = self._answer.identify
        self.beep = self._answer.beep

    def step(self, now):
        self._now = now
        if self._pending:
            self._open(self._pending, now)
        if self._session is not None:
            self._pass_time(now)
        changed = self._debounce.step(self._keys.read(), now)
        if changed:
            self._edges(changed, now)
        held = self._debounce.stable & ~self._stuck
        if held:
            self._watch_stuck(now)
        closing = self._closing
        if closing and not closing[2] & self._debounce.stable & ~self._stuck:
            self._end_closing(closing)
        if self._asking is not None and now >= self._asks_until:
            self._asking = None
        if self.reader:
            self.reader.step(now)
        self._answer.show(now, self._lamps(now))

    def desire(self, desired, now):
        wanted = _session_of(desired)
        if self.reader:
            self.reader.desire(desired)
        if self._session is not None:
            self._close("next", now)
        elif self._pending:
            self._emit_close(self._pending[0], "late")
        self._asking = None
        self._free = desired.get("free") is True
        self._pending = wanted
        if wanted:
            self._open(wanted, now)

    def quiet(self):
        """Whether nobody would notice if the chip stood still for a moment: not soon after a press,
        which may not be the last."""
        asked = self._session is not None or self._pending or self._asking is not None
        busy = self._debounce.stable & ~self._stuck or self._now - self._last < CALM_MS
        return not asked and not busy

    def state(self):
        stuck = [n + 1 for n in range(self._keys.count) if self._stuck >> n & 1]
        return {"session": self._session or None, "stuck": stuck}

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
        self._opened_at = now
        # The shorter of the two: a clock that is wrong must not hold a prompt open for hours.
        self._ends_at = now + min(left, window_ms)
        self._answer.speak(now)

    def _pass_time(self, now):
        if not self._chosen:
            if now >= self._ends_at:
                self._close("end", now)
        elif now >= self._locks_at and not self._chosen & self._debounce.stable & ~self._stuck:
            self._close("lock", now)

    def _close(self, why, now):
        session, chosen = self._session, self._chosen
        self._session = None
        self._choose([])
        held = chosen & self._debounce.stable & ~self._stuck
        if held:
            if self._closing:
                self._end_closing(self._closing)
            self._closing = (session, why, held)
            return
        self._emit_close(session, why)
        if why == "lock" and chosen & self._keys.bad and self._reason_ms:
            self._asking = session
            self._asks_until = now + self._reason_ms

    def _end_closing(self, closing):
        session, why, _ = closing
        self._closing = None
        self._emit_close(session, why)

    def _emit_close(self, session, why):
        self._ctx.emit("close", {"session": session or None, "why": why})

    def _choose(self, choices):
        self._choices = choices
        self._chosen = choices[-1][1] if choices else 0

    def _edges(self, changed, now):
        down = self._debounce.stable
        self._stuck &= down
        pressed = changed & down
        if not pressed:
            return
        held = down & ~pressed & ~self._stuck
        mashing = self._mashing(pressed, held, now)
        asking, self._asking = self._asking, None
        reason = asking is not None and not mashing and pressed & self._keys.reasons
        self._feedback(pressed, now, mashing, reason)
        for index in range(self._keys.count):
            bit = pressed & 1 << index
            if not bit:
                continue
            self._down_at[index] = now
            if reason:
                self._ctx.emit("reason", {"key": index + 1, "session": asking or None})
                continue
            # Of two that went down together one is told first: the other was pressed beside it.
            held |= bit
            data = {"key": index + 1, "session": self._session or None}
            if held != bit:
                data["n"] = _bits(held)
            self._ctx.emit("press", data)
        if mashing:
            self._end_free(now)

    def _mashing(self, pressed, held, now):
        """Whether these presses belong to a mashing; it takes the choices with it that are part of
        it."""
        since = None if now >= self._calm_at else now
        if held or pressed & (pressed - 1):
            since = self._last if held and now - self._last < STOOD_MS else now
        while pressed:
            pressed &= pressed - 1
            before, last = self._before, self._last
            if now - before < MASH_MS:
                since = before if last - before < STOOD_MS else last
            self._before, self._last = last, now
        if since is None:
            return False
        self._calm_at = now + CALM_MS
        self._choose([choice for choice in self._choices if choice[0] < since])
        return True

    def _feedback(self, pressed, now, mashing, reason):
        """Before the journal: the customer comes first, and flash memory can take milliseconds."""
        if self._session is None and self._free and not mashing and not reason:
            self._session = FREE
        if mashing or (self._session is None and not reason):
            self._answer.flash(now, pressed, OUTSIDE_MS)
        else:
            if not reason:
                if not self._chosen:
                    self._locks_at = now + self._lock_ms
                self._choose(self._choices + [(now, pressed)])
            self._answer.flash(now, pressed, self._feedback_ms)
            self.beep(now, 0, self._feedback_ms)
        self._answer.show(now, self._lamps(now))

    def _watch_stuck(self, now):
        for index in range(self._keys.count):
            bit = 1 << index
            held = self._debounce.stable & ~self._stuck & bit
            if held and now - self._down_at[index] >= self._stuck_ms:
                self._stuck |= bit
                self._ctx.emit("fault", {"code": "key_stuck", "value": index + 1})
                if self._choices and self._choices[-1] == (self._down_at[index], bit):
                    self._choose(self._choices[:-1])
                    self._end_free(now)

    def _end_free(self, now):
        """A rating that nobody asked for is over without a choice."""
        if self._session == FREE and not self._chosen:
            self._close("lock", now)

    def _lamps(self, now):
        """The lamps that are lit while no press is being answered."""
        if self._asking is not None:
            return self._keys.reasons if (self._asks_until - now) // ASK_MS & 1 else 0
        if self._chosen:
            return self._chosen
        if not self._session or now < self._calm_at:
            return 0
        return 0 if (now - self._opened_at) // BLINK_MS & 1 else self._all


def _bits(mask):
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


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
