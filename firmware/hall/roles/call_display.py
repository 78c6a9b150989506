"""The call display of a window: what it says, and the promise that it is never an old number.

Here: the views, their words, templates that fit the width, blinking and going stale. Not here:
pixels and segments; a face (canvas, segments) shows the lines.
"""

BLINK_MS = 250  # half a period: 2 Hz, below the 3 Hz that can trigger a seizure (WCAG 2.3.1)
IDENTIFY_MS = 10_000
# Where the gateway names no ttl_s: three keepalives of the link.
TTL_S = 60
TTL_MAX_S = 86400

# What a view needs, beside rev.
VIEWS = {
    "idle": (),
    "call": ("ticket", "window"),
    "closed": (),
    "text": ("text",),
    "caution": (),
    "test": (),
}

# What is said on a display that has Hanzi, and on one that has seven segments.
HANZI = {"wait": "请稍候", "closed": "暂停服务", "caution": "小心地滑", "idle": "欢迎光临"}
SEGMENTS = {"wait": "--------", "closed": "CLOSED", "caution": "CAUTION", "idle": "HELLO"}

# The first that fits is taken; when none does, the first of them scrolls.
ONE_ROW = ("请{t}号到{w}窗口", "请{t}号", "{t}号", "{t}")
UPPER_ROW = ("请{t}号", "{t}号", "{t}")
LOWER_ROW = ("到{w}号窗口", "到{w}窗口", "{w}窗口", "{w}")


class CallDisplay:
    """Desired state: {"rev", "view", "ticket", "window", "name", "text", "ttl_s"}.

    Event: shown {"rev"}, once for each rev with view "call", after a full frame of it was lit.
    Until the first desired state, and while the gateway has not answered for longer than `ttl_s`,
    the view is "wait": 请稍候.
    """

    def __init__(self, settings, face, ctx):
        self.PERIOD_MS = face.refresh_ms
        self._face = face
        self._ctx = ctx
        self._words = HANZI if face.hanzi else SEGMENTS
        self._blink_ms = int(settings["blink_s"] * 1000)
        self._desired = {"view": "wait"}
        self._view = "wait"  # the view on the face; None: not the one that is wanted, or unknown
        self._phase = None  # of the test pattern on the face
        self._blink_since = 0
        self._blink_until = 0
        self._shown = None  # the last rev that was reported as shown
        self._identify_until = 0
        face.show([self._words["wait"]], 0)

    def step(self, now):
        view = "test" if now < self._identify_until else self._wanted()
        if view != self._view:
            self._begin(view, now)
        if view == "test":
            self._test(now)
        blinking = now < self._blink_until
        lit = not blinking or (now - self._blink_since) // BLINK_MS & 1 == 0
        self._face.frame(now, lit)
        if view == "call" and lit and self._shown != self._desired["rev"]:
            self._shown = self._desired["rev"]
            self._ctx.emit("shown", {"rev": self._shown})

    def desire(self, desired, now):
        _check(desired)
        self._desired = desired
        # step() shows it: a face that fails there is the supervisor's, and is tried again.
        self._view = None

    def quiet(self):
        """Whether nobody would notice if the chip stood still for a moment."""
        return True

    def state(self):
        stale = self._wanted() != self._desired["view"]
        shown = {"view": self._view, "stale": stale, "missing": self._face.missing}
        if self._view == "call":
            shown["ticket"] = self._desired["ticket"]
        return shown

    def identify(self, now):
        self._identify_until = now + IDENTIFY_MS

    def selftest(self):
        return self._face.selftest()

    def _wanted(self):
        desired = self._desired
        if self._ctx.link_down_ms() > desired.get("ttl_s", TTL_S) * 1000:
            return "wait"
        return desired["view"]

    def _begin(self, view, now):
        self._view = self._phase = None
        self._blink_until = 0
        if view == "call" and self._shown != self._desired["rev"]:
            self._blink_since = now
            self._blink_until = now + self._blink_ms
        if view != "test":
            self._face.show(self._lines(view), now)
        self._view = view

    def _test(self, now):
        phase = now // 1000 & 1
        if phase != self._phase:
            self._face.pattern(phase)
            self._phase = phase

    def _lines(self, view):
        desired = self._desired
        if view == "call":
            return self._call(desired["ticket"], desired["window"])
        if view == "idle":
            return self._wrap(desired.get("name") or self._words["idle"])
        if view in ("text", "caution"):
            return self._wrap(desired.get("text") or self._words[view])
        return [self._words[view]]

    def _call(self, ticket, window):
        if not self._face.hanzi:
            # The ticket stands left, the window right.
            room = self._face.columns - len(ticket) - len(window)
            return [ticket + " " * room + window if room > 0 else ticket]
        rows = (UPPER_ROW, LOWER_ROW) if self._face.rows == 2 else (ONE_ROW,)
        return [self._fitting(row, ticket, window) for row in rows]

    def _fitting(self, templates, ticket, window):
        for template in templates:
            line = template.format(t=ticket, w=window)
            if self._face.width(line) <= self._face.columns:
                return line
        return templates[0].format(t=ticket, w=window)

    def _wrap(self, text):
        """As two lines when that makes it fit, otherwise as one, which may scroll."""
        face = self._face
        if face.rows == 2 and face.columns < face.width(text) <= 2 * face.columns:
            end = len(text)
            while face.width(text[:end]) > face.columns:
                end -= 1
            if face.width(text[end:]) <= face.columns:
                return [text[:end], text[end:]]
        return [text]


def _check(desired):
    view = desired.get("view")
    if not isinstance(view, str) or view not in VIEWS:
        raise ValueError("view must be one of " + ", ".join(sorted(VIEWS)))
    for name in VIEWS[view]:
        if not desired.get(name):
            raise ValueError("view %s needs %s" % (view, name))
    for name, limit in (("ticket", 8), ("window", 8), ("name", 32), ("text", 64)):
        value = desired.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > limit):
            raise ValueError("%s must be a text of at most %d characters" % (name, limit))
    ttl_s = desired.get("ttl_s", TTL_S)
    if type(ttl_s) is not int or not 1 <= ttl_s <= TTL_MAX_S:
        raise ValueError("ttl_s must be a whole number of seconds, 1 to %d" % TTL_MAX_S)
