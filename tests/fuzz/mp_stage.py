"""What the device's readers are put on: roles, a journal in RAM, a link and a console.

Runs in MicroPython and in CPython, where support of MicroPython's own modules is `firmware.py`'s.
Not here: what is read, and what must hold (mp_wire.py, mp_flash.py).
"""

import json

from hall import console as console_module
from hall import diagnosis
from hall.clock import Clock
from hall.errors import Errors
from hall.journal import Journal
from hall.link import Link
from hall.post import COUNTED, Post
from nor_flash import NorFlash

NOON = 1_790_000_000_000
EPOCH = 99
CLAIM = bytes(range(16))


class Now:
    """The time of all that is on the stage; only who feeds it moves it."""

    ms = 1000

    def __call__(self):
        return self.ms


now = Now()
faults = []  # of callbacks: whatever is raised there and is no ValueError
told = []  # (kind, payload) that the device would send; a host judges them as the gateway does


def refusing(call):
    """`call`, which may raise ValueError; anything else is a fault."""

    def inner(*arguments):
        try:
            return call(*arguments)
        except ValueError:
            raise
        except Exception as error:
            faults.append(error)
            raise

    return inner


def check_faults():
    """Raises what a callback should not have raised."""
    if faults:
        error = faults[0]
        faults.clear()
        raise error


class Context:
    """What app.py gives a role."""

    def __init__(self):
        self.kept = {}

    def keep(self):
        json.dumps(self.kept)

    def emit(self, kind, data):
        journal.append(kind, data)

    def unix_ms(self):
        return NOON + now.ms

    def link_down_ms(self):
        return 0


class Panel:
    """A matrix of LEDs that only checks what it is given."""

    refresh_ms = 40

    def __init__(self, width, height, colours):
        self.width, self.height, self.colours = width, height, colours

    def show(self, picture):
        assert len(picture) == self.width * self.height * self.colours // 8

    def scan(self):
        pass

    def dim(self, percent):
        assert 1 <= percent <= 100


class Digits:
    """Eight digits of seven segments."""

    digits = 8
    refresh_ms = 100

    def show(self, text):
        assert len(text) <= 16, text

    def scan(self):
        pass

    def dim(self, percent):
        pass


class Keys:
    count = 5
    bad = 0b11000
    reasons = 0b00111
    down = 0

    def read(self):
        return self.down

    def lamp(self, key, on):
        pass

    def buzzer(self, on):
        pass

    def voice(self, on):
        pass


class Cards:
    """A reader that nobody uses."""

    def poll(self):
        return None


class Probe:
    end_ohms = 100_000
    raw_uv = (1_000_000, 1_000_000)

    def measure(self):
        return 50_000, None


def new_flash(blocks=4, size=512, image=None):
    return NorFlash(blocks, size, None, image)


def new_journal(epoch=EPOCH, flash=None):
    """An empty journal in RAM."""
    flash = flash or new_flash()
    Journal.format(flash, epoch)
    return Journal(flash, now, lambda: NOON + now.ms)


journal = new_journal()
clock = Clock(now)
errors = Errors(now, lambda _line: None)
DISPLAY = {"blink_s": 3, "brightness": 80, "night_brightness": 20, "night_from_h": 20}
DISPLAY.update({"night_to_h": 7, "utc_offset_min": 480})
KEYPAD = {"lock_s": 3, "feedback_ms": 300, "stuck_s": 30, "debounce_ms": 20, "reason_s": 10}
FLOOR = {"wet_kohm": 30, "dry_kohm": 60, "wet_s": 5, "dry_s": 60, "escalate_min": 10}


def roles(glyphs):
    """One of each that takes a desired state, by name. `glyphs`: the path of the glyph pack."""
    from hall.canvas import MatrixFace
    from hall.glyphs import GlyphPack
    from hall.roles.call_display import CallDisplay
    from hall.roles.keypad import Keypad
    from hall.roles.login import Login
    from hall.segments import SegmentFace

    pack = GlyphPack(glyphs)
    return {
        "small": CallDisplay(DISPLAY, MatrixFace(Panel(64, 16, 1), pack), Context()),
        "large": CallDisplay(DISPLAY, MatrixFace(Panel(64, 32, 3), pack), Context()),
        "segments": CallDisplay(DISPLAY, SegmentFace(Digits()), Context()),
        "keypad": Keypad(KEYPAD, Keys(), Context(), lambda it: Login(Cards(), it, Context())),
    }


class Desk:
    """Where desired states and commands go: to every role, one after the other."""

    roles = {}

    def desire(self, desired):
        refused = None
        for role in self.roles.values():
            try:
                role.desire(desired, now.ms)
            except ValueError as error:
                refused = error
            for _ in range(3):
                role.step(now.ms)
                now.ms += 700
            assert len(json.dumps(role.state())) < 300
            role.quiet()
        if refused:
            raise refused

    def command(self, do, args):
        """As app.py does them; what is asked comes back, so that a reply can be of any size."""
        if do == "selftest":
            return {name: role.selftest() for name, role in self.roles.items()}
        if do == "identify":
            for role in self.roles.values():
                role.identify(now.ms)
            return {}
        if do == "login":
            self.roles["keypad"].reader.answer(args.get("ok") is True, now.ms)
            return {}
        return args


desk = Desk()


class Quiet:
    """In asyncio's place where only its sleep is used."""

    @staticmethod
    async def sleep_ms(ms):
        assert 0 <= ms < 60_000, ms


def drive(task):
    """What a coroutine returns that has nothing to wait for."""
    try:
        task.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


def new_link():
    return Link(
        "d-1",
        ("127.0.0.1", 1),
        None,
        journal,
        clock,
        now,
        refusing(desk.desire),
        refusing(desk.command),
        dict,
        {"fw": "0", "profile": "p", "cause": "power_on"},
        errors,
        lambda low, high: low,
        lambda: None,
    )


def new_post():
    stats = dict.fromkeys((COUNTED + " malformed").split(), 0)
    return Post(
        journal,
        clock,
        now,
        None,
        None,
        dict,
        refusing(desk.desire),
        refusing(desk.command),
        errors.report,
        stats,
    )


class Terminal:
    """A serial line: `feed()` is heard, `lines` are what was written."""

    def __init__(self):
        self.lines = []
        self._heard = b""
        self._at = 0

    def feed(self, data):
        self._heard = data
        self._at = 0

    def waiting(self):
        return self._at < len(self._heard)

    def read(self):
        if not self.waiting():
            return -1
        self._at += 1
        return self._heard[self._at - 1]

    def write(self, line):
        self.lines.append(line)

    def interruptible(self, on):
        pass


class Chip:
    """What Diagnosis uses of hal."""

    @staticmethod
    def uptime_ms():
        return now.ms

    @staticmethod
    def idf_heap():
        return None


class Heap:
    """In gc's place: CPython has none of these."""

    @staticmethod
    def mem_free():
        return 20_000

    @staticmethod
    def mem_alloc():
        return 100_000


class Sensor:
    """A role that is asked for samples."""

    def state(self):
        return {"in": 1, "out": 2}

    def selftest(self):
        return {"beams": True}

    def identify(self, at):
        raise ValueError("a people counter has no lamp and no buzzer")

    def sense(self):
        return {"raw": {"a": 1}, "filtered": {"in": 1}}


def new_console(terminal):
    """A console with everything behind it; its nonce is always the same."""
    console_module.asyncio = Quiet
    diagnosis.gc = Heap
    config = {"device": "d-1", "profile": "p", "role": "people_counter", "chip": "esp32"}
    parts = {"config": config, "journal": journal, "role": Sensor()}
    shown = diagnosis.Diagnosis(
        Chip,
        parts,
        "0.1.0",
        "/a",
        ("power_on", None),
        errors,
        clock,
        refusing(desk.command),
        lambda: None,
    )
    made = console_module.Console(terminal, shown, now, lambda: None)
    made.enrol(CLAIM)
    made._nonce = "00112233445566778899aabbccddeeff"
    return made


link = post = console = None
terminal = Terminal()


def set_up(glyphs):
    """Puts everything on the stage, once. `glyphs`: the path of the glyph pack."""
    global link, post, console
    desk.roles = roles(glyphs)
    link = new_link()
    post = new_post()
    console = new_console(terminal)


def journal_of(events):
    """What is on flash after so many events, of which all but five are acknowledged."""
    flash = new_flash()
    kept = new_journal(EPOCH, flash)
    kept.reserve(8)
    for number in range(events):
        kept.append("press", {"key": number % 9, "session": None})
        if number > 5:
            kept.ack(EPOCH, number - 5)
    kept.flush_ack()
    return bytes(flash.image)
