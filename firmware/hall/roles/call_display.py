"""The call display of a window: what it says, and the promise that it is never an old number.

Here: the views, their words and colours, templates that fit the width, the idle clock, blinking,
going stale, and brightness by the hour. Not here: pixels and segments; a face (canvas, segments)
shows the lines.
"""

BLINK_MS = 250  # half a period: 2 Hz, below the 3 Hz that can trigger a seizure (WCAG 2.3.1)
IDENTIFY_MS = 10_000  # a whole round of the test pictures, on any face
# Where one row has no room for both, name and clock take turns: the name is what a customer looks
# for and has more to read, and who wants the time waits no longer than it takes to read the name.
NAME_S = 5
CLOCK_S = 3
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

RED, GREEN, YELLOW = 1, 2, 3
COLOURS = {
    "idle": GREEN,
    "call": RED,
    "closed": RED,
    "text": YELLOW,
    "caution": YELLOW,
    "wait": YELLOW,
}

# What is said on a display that has Hanzi, and on one that has seven segments.
HANZI = {"wait": "请稍候", "closed": "暂停服务", "caution": "小心地滑", "idle": "欢迎光临"}
SEGMENTS = {"wait": "--------", "closed": "CLOSED", "caution": "CAUTION", "idle": "HELLO"}

# The first that fits is taken; when none does, the first of them scrolls.
ONE_ROW = ("请{t}号到{w}窗口", "请{t}号", "{t}号", "{t}")
UPPER_ROW = ("请{t}号", "{t}号", "{t}")
LOWER_ROW = ("到{w}号窗口", "到{w}窗口", "{w}窗口", "{w}")

# No line begins with one of these: it goes down together with the character before it.
CLOSING = "，。、；：？！）》”"


class CallDisplay:
    """Desired state: {"rev", "view", "ticket", "window", "name", "text", "ttl_s"}.

    Event: shown {"rev"}, once for each rev with view "call", after a full frame of it was lit.
    Until the first desired state, and while the gateway has not answered for longer than `ttl_s`,
    the view is "wait": 请稍候.
    """

    def __init__(self, settings, face, ctx):
        self.PERIOD_MS = face.refresh_ms
        self._settings = settings
        self._face = face
        self._ctx = ctx
        self._words = HANZI if face.hanzi else SEGMENTS
        self._brightness = settings["brightness"]  # what the face has now, percent
        self._desired = {"view": "wait"}
        self._view = None  # the view on the face; None: not the one that is wanted, or unknown
        self._since = 0  # when it began
        self._next_second = 0  # when something else may be due on the face
        self._lines = None  # its lines on the face
        self._blink_until = 0
        self._shown = None  # the last rev that was reported as shown
        self._identify_until = 0

    def step(self, now):
        view = "test" if now < self._identify_until else self._wanted()
        if view != self._view:
            self._begin(view, now)
        # Once a second and not each frame: unix time, and after 12 days the uptime, are too large
        # for a small integer. So what is calculated with them takes heap, and whoever collects
        # that stops the scan.
        if now >= self._next_second:
            second = (now - self._since) // 1000
            self._second_of(view, second)
            self._next_second = self._since + 1000 * (second + 1)
            self._view = view
        blinking = now < self._blink_until
        lit = not blinking or (now - self._since) // BLINK_MS & 1 == 0
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
        self._view = self._lines = None
        self._since = self._next_second = now
        self._blink_until = 0
        if view == "call" and self._shown != self._desired["rev"]:
            self._blink_until = now + self._settings["blink_s"] * 1000

    def _second_of(self, view, second):
        """Shows what this second of the view is to show, where that is not on the face yet."""
        minute = self._minute()
        self._dim(minute)
        if view == "test":
            self._face.pattern(second)
        elif view == "idle" or self._lines is None:
            lines = self._idle(minute, second) if view == "idle" else self._say(view)
            if lines != self._lines:
                self._face.show(lines, self._since, COLOURS[view])
                self._lines = lines

    def _minute(self):
        """The minute of the hall's day, or None while the clock is not set."""
        unix_ms = self._ctx.unix_ms()
        if unix_ms is None:
            return None
        return (unix_ms // 60_000 + self._settings["utc_offset_min"]) % 1440

    def _dim(self, minute):
        settings = self._settings
        percent = settings["brightness"]
        if minute is not None:
            start, end = settings["night_from_h"], settings["night_to_h"]
            # Hours since nightfall against the night's length: a night may have a midnight in it.
            if (minute // 60 - start) % 24 < (end - start) % 24:
                percent = settings["night_brightness"]
        if percent != self._brightness:
            self._face.dim(percent)
            self._brightness = percent

    def _say(self, view):
        desired = self._desired
        if view == "call":
            return self._call(desired["ticket"], desired["window"])
        # Seven segments have their own word for a caution, which is more than dashes for Hanzi.
        if view == "text" or (view == "caution" and self._face.hanzi and desired.get("text")):
            return self._wrap(desired["text"], self._face.rows)
        return [self._words[view]]

    def _idle(self, minute, second):
        """The window's name and the clock: below each other, beside each other, or in turns."""
        face = self._face
        name = self._desired.get("name") or self._words["idle"]
        if not face.hanzi:
            return [self._words["idle"] if minute is None else "%02d-%02d" % divmod(minute, 60)]
        if minute is None:
            return self._wrap(name, face.rows)
        clock = "%02d:%02d" % divmod(minute, 60)
        if face.rows > 1:
            return self._wrap(name, face.rows - 1) + [clock]
        both = name + " " + clock
        # A name that has to scroll takes the clock along.
        if face.width(both) <= face.columns or face.width(name) > face.columns:
            return [both]
        return [name] if second % (NAME_S + CLOCK_S) < NAME_S else [clock]

    def _call(self, ticket, window):
        if not self._face.hanzi:
            # The ticket stands left, the window right.
            room = self._face.columns - len(ticket) - len(window)
            return [ticket + " " * room + window if room > 0 else ticket]
        rows = (UPPER_ROW, LOWER_ROW) if self._face.rows > 1 else (ONE_ROW,)
        return [self._fitting(row, ticket, window) for row in rows]

    def _fitting(self, templates, ticket, window):
        for template in templates:
            line = template.format(t=ticket, w=window)
            if self._face.width(line) <= self._face.columns:
                return line
        return templates[0].format(t=ticket, w=window)

    def _wrap(self, text, rows):
        """As lines that fit, if at most `rows` of them will do; otherwise as one, which scrolls."""
        if self._face.width(text) <= rows * self._face.columns:
            # A text that stands still but breaks badly is read sooner than one that scrolls.
            for well in (True, False):
                lines = self._break(text, well)
                if len(lines) <= rows:
                    return lines
        return [text]

    def _break(self, text, well):
        """As lines that fit: `well` keeps words whole and CLOSING with what it closes."""
        face = self._face
        lines = []
        while text:
            end = len(text)
            while end > 1 and face.width(text[:end]) > face.columns:
                end -= 1
            if well and 1 < end < len(text):
                if text[end] in CLOSING:
                    end -= 1
                end = text.rfind(" ", 1, end + 1) + 1 or end
            lines.append(text[:end].strip())
            text = text[end:].strip()
        return lines


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
