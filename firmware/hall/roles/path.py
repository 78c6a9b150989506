"""The way somebody takes through two zones, and whether it was a passage.

Here: the strict path. In is a, then both, then b alone, then none; out is the reverse (ST UM2600
has the same path). A step back within the doorway is part of it: where it was entered and where it
was left decides. Not here: what makes a zone seem taken (beams, distances, a radar's targets).
"""

A = 1
B = 2
BOTH = 3

# Passages of several paths can be added up, three of each.
IN = 1
OUT = 4

# A cart is in the doorway for at least so long: it is longer than a child who walks ahead.
_CART_MS = 800
# What is low for so long, in zones that come and go, is a parked cart that is seen now and then.
# People take each zone once: that is four changes of the zones, or six with a gap in them.
_PARKED_MS = 2000
_LOW_MM = 550
_FLICKER = 8
# Where only low things were, maybe such a cart, nobody else is believed to come sooner than that.
_NEXT_MS = 700
# Two who pass each other take longer than that; somebody who runs does not.
_HURRIED_MS = 350


class Path:
    """One way at a time.

    A way without headway for `timeout_ms` (to its next stage: the first zone, both, the other) is a
    lingerer's. It is void, and so is whatever follows until the doorway was free for `clear_ms`, or
    for longer where something low stands; or until somebody comes from the other side, where the
    lingerer did not go.
    `unsure_ms`: so long zones may seem free though somebody is there, as when a sensor looks at one
    after the other and sees the dark badly; 0 where that cannot be. A passage is then said when the
    doorway has been free for so long, or somebody behind has come as far. Whoever appears again
    where they went, or steps back out where they came from, had only turned round.

    `pair_ms`: nobody turns round in less. What came and went on the same side in that time were two
    who passed each other, one in and one out, or one who ran, whose zones were not left in order; 0
    where everybody has a path of their own.
    """

    def __init__(self, timeout_ms, clear_ms, unsure_ms, pair_ms=0):
        self.where = 0  # the zones taken: A, B, BOTH or 0
        self._timeout_ms = timeout_ms
        self._clear_ms = clear_ms
        self._unsure_ms = unsure_ms
        self._pair_ms = pair_ms
        self._changed_at = 0
        self._entered = 0  # the zone the way began with
        self._crossed = False  # both were taken at once since then
        self._void = False
        self._last = 0  # the only zone that was taken before the doorway was free
        self._stage = 0  # the farthest since the doorway was free for long
        self._headway_at = 0
        self._lingers = False
        self._waiting = 0  # a passage that is not sure yet: IN, OUT or both
        self._came_at = 0  # the doorway had been free for long until then
        self._highest = 0  # of this way
        self._busy_at = 0  # the doorway had been free for very long until then, or somebody passed
        self._top = 0  # the highest since then
        self._changes = 0  # of the zones since the doorway had been free for very long
        self._cart = 0  # so high was whose passage waits, if that may be a cart

    def step(self, where, now, height=0, there=False):
        """Takes the zones as they are now, how high that is, where it is known, and whether
        somebody still is `there` where no zone is taken.

        IN, OUT or both when that makes sure of a passage, else 0.
        """
        before = self.where
        if before and height > self._highest:
            self._highest = height
            self._top = max(self._top, height)
        waited = now - self._changed_at
        sure = 0
        if not before:
            if not there and waited >= (_PARKED_MS if self._is_low() else self._clear_ms):
                self._clear()
            if waited >= self._unsure_ms:
                sure = self._waiting
                self._waiting = 0
        if where == before:
            if before and now - self._headway_at >= self._timeout_ms:
                self._lingers = True
            return sure
        self.where = where
        self._changed_at = now
        self._changes += 1
        if not where:
            return self._leave(before)
        if not before:
            self._enter(where, waited)
            self._reach(1, now)
            return sure
        if where == BOTH:
            self._crossed = True
            self._reach(2, now)
        elif before != BOTH:
            # From one zone to the other without both: not one body.
            self._void = True
        elif where != self._entered:
            self._reach(3, now)
            return self._behind(where)
        return 0

    def busy(self):
        """Whether somebody is in the doorway, or has passed and is not counted yet."""
        return bool(self.where or self._waiting)

    def _is_low(self):
        return 0 < self._highest < _LOW_MM

    def _is_parked(self):
        """Whether that was no way of its own, or followed on more of the same."""
        return self._changes >= _FLICKER and (
            self._low_since(self._came_at, self._highest)
            or self._low_since(self._busy_at, self._top)
        )

    def _low_since(self, since, highest):
        return self._changed_at - since >= _PARKED_MS and 0 < highest < _LOW_MM

    def _clear(self):
        self._stage = 0
        self._lingers = False

    def _reach(self, stage, now):
        if stage > self._stage:
            self._stage = stage
            self._headway_at = now

    def _enter(self, where, waited):
        soon = waited < self._unsure_ms
        if not soon:
            self._came_at = self._changed_at
            if where == BOTH - self._last and (waited >= _NEXT_MS or self._top >= _LOW_MM):
                self._clear()
        if waited >= _PARKED_MS:
            self._busy_at = self._changed_at
            self._top = 0
            self._changes = 1
        if soon and not self._void:
            if self._waiting and where != BOTH - self._last:
                # The same one, who is still there.
                self._waiting = 0
                return
            if self._last and not self._crossed and where == BOTH - self._last:
                # Nothing was seen in the middle.
                self._crossed = True
                return
        self._void = where == BOTH  # both at once: the direction was never seen
        self._entered = where
        self._crossed = False
        self._highest = 0

    def _leave(self, last):
        self._last = last
        self._waiting = 0
        if self._void or self._lingers or not self._crossed or last == BOTH:
            return 0
        took = self._changed_at - self._came_at
        passage = IN if last == B else OUT
        if last == self._entered:
            if took >= self._pair_ms:
                return 0
            if took >= _HURRIED_MS:
                self._waiting = IN + OUT
                return 0
            passage = IN + OUT - passage
        if self._is_parked():
            return 0
        self._stage = self._top = 0
        self._busy_at = self._changed_at
        self._cart = self._highest if took >= _CART_MS else 0
        if not self._unsure_ms:
            return passage
        self._waiting = passage
        return 0

    def _behind(self, where):
        """The next one has come as far as the last one, who was sure to have gone, then."""
        sure = self._waiting
        if sure != (IN if where == B else OUT):
            return 0
        self._waiting = 0
        if self._cart and 2 * self._highest > 3 * self._cart:
            return 0  # long, low, and somebody higher behind it: a cart and who pushes it
        return sure
