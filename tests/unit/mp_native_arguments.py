"""The native module of the unix port against wrong and random arguments: exceptions, no crashes."""

import gc
import random
from array import array

import scan

LAYOUT, REGISTERS, ENABLE, LIGHT, CLOCK, DATA, START_CLEAR, START_SET, DARK = range(9)
SCANS, GROUPS, LINES, LIT, DEAD, TABLES = range(9, 15)
# Light 8, clock 1, data 2, latch 0x40, address 0x10: 2 scans of 24 clocks.
PANEL = array("I", [1, 0x3FF44000, 8, 8, 1, 2, 0x40, 0, 0, 2, 3, 1, 20, 2])
PANEL.extend(array("I", [0x10, 0x40, 0, 0, 0x50, 3, 0, 1, 2, 2, 0]))
PICTURE = bytes(range(6))
USED = 4 * (2 + 2 * 3 * 8)
LOG = 4 * (1 + 2 + 24 + 2 * (16 + 24))


def error(function, *args):
    try:
        function(*args)
    except ValueError as raised:
        return raised.args[0]
    return None


def changed(**words):
    other = array("I", PANEL)
    for name, value in words.items():
        other[globals()[name]] = value
    return other


program, log = bytearray(USED), bytearray(LOG)
assert scan.version == 1
assert scan.build(program, PICTURE, PANEL) == USED
log[:4] = b"\xff\x00\x00\xff"
words = scan.frame(program, PANEL, log)
assert 4 * words <= LOG
assert log[:4] == b"\xb5\x00\x00\xff", "the panel's lines are where it left them, all others kept"
assert scan.blank(PANEL, log) == 3
assert array("I", log[4:12]) == array("I", [8, 0])

# The buffers.
assert error(scan.build, bytearray(USED - 1), PICTURE, PANEL) == -6
assert error(scan.build, program, PICTURE[:5], PANEL) == -5
assert error(scan.build, program, b"", PANEL) == -5
assert error(scan.build, memoryview(bytearray(USED + 4))[1:], PICTURE, PANEL) == -9
assert error(scan.build, program, PICTURE, memoryview(bytes(PANEL) + b"    ")[1:]) == -9
assert error(scan.frame, program, PANEL, log) == -7, "a build that failed leaves no program"
scan.build(program, PICTURE, PANEL)
assert error(scan.frame, program, PANEL, bytearray(LOG)) is None
for room in (0, 3, 4, 7, USED, LOG - 4, LOG - 1):
    assert error(scan.frame, program, PANEL, bytearray(room)) == -8, room
    assert error(scan.blank, PANEL, bytearray(room)) == -8, room
assert error(scan.frame, program, PANEL, memoryview(bytearray(2 * LOG))[2:]) == -9
both = bytearray(8192)
inside = memoryview(both)[4096 : 4096 + 4 * len(PANEL)]
inside[:] = bytes(PANEL)
assert error(scan.build, both, PICTURE, inside) == -11
assert error(scan.build, both, memoryview(both)[6000:], PANEL) == -11
assert error(scan.frame, program, inside, both) == -11
assert error(scan.frame, program, PANEL, program) == -11
assert error(scan.blank, inside, inside) == -11
# Beside each other is no overlap.
assert (
    error(scan.build, memoryview(both)[: 4096 - 6], memoryview(both)[4096 - 6 : 4096], inside)
    is None
)

# The description.
for count in range(len(PANEL)):
    assert error(scan.build, program, PICTURE, PANEL[:count]) == -1, count
for wrong in (
    {"SCANS": 0},
    {"SCANS": 33},
    {"GROUPS": 0},
    {"GROUPS": 257},
    {"LINES": 0},
    {"LINES": 9},
):
    assert error(scan.build, program, PICTURE, changed(**wrong)) == -2, wrong
for wrong in ({"LAYOUT": 2}, {"LAYOUT": 0}, {"GROUPS": 200}):
    assert error(scan.build, program, PICTURE, changed(**wrong)) == -1, wrong
for wrong in (
    {"LIGHT": 16},
    {"LIGHT": 24},
    # A line of two parts.
    {"CLOCK": 8},
    {"CLOCK": 0},
    {"CLOCK": 2},
    {"DATA": 0},
    {"DATA": 4},
    {"DATA": 3},
    {"DATA": 0x0A},
    {"DATA": 0x12},
    {"DATA": 0x42},
    {"START_CLEAR": 0x48},
    {"START_CLEAR": 0x42},
    {"START_SET": 1},
    {"START_SET": 8},
    {"ENABLE": 0x10},
    {"ENABLE": 0x40},
    {"TABLES": 8},
):
    assert error(scan.build, program, PICTURE, changed(**wrong)) == -3, wrong
# All lines but the light's would be cleared: in a log, the mark of clocks.
marked = changed(ENABLE=1, LIGHT=0, CLOCK=0, DATA=0, START_CLEAR=0xFFFFFFFE)
marked[-2] = 0
assert error(scan.blank, marked, log) == -3
marked[CLOCK], marked[START_CLEAR] = 2, 0xFFFFFFFC
assert error(scan.blank, marked, log) == -3
for wrong in ({"LIT": 15_000}, {"LIT": 1 << 31}, {"DEAD": 40_000}, {"LIT": 14_000, "DEAD": 1_500}):
    assert error(scan.frame, program, changed(**wrong), log) == -4, wrong

# The program.
scan.build(program, PICTURE, PANEL)
assert error(scan.frame, bytearray(USED), PANEL, log) == -7
assert error(scan.frame, program[: USED - 4], PANEL, log) == -7
assert error(scan.frame, b"", PANEL, log) == -7
assert error(scan.frame, program, changed(DATA=0x22), log) == -7
assert error(scan.frame, program, changed(GROUPS=2), log) == -7

# What is no buffer, or not to be written.
for wrong in (
    (1, PICTURE, PANEL),
    (program, None, PANEL),
    (bytes(USED), PICTURE, PANEL),
    (program,),
    (program, PICTURE, PANEL, log),
):
    try:
        scan.build(*wrong)
    except TypeError:
        continue
    raise AssertionError(wrong)

# The garbage collector moves nothing, but takes what nobody holds.
before = bytes(program)
for _turn in range(200):
    gc.collect()
    fresh = bytearray(USED)
    scan.build(fresh, PICTURE, array("I", PANEL))
    assert bytes(fresh) == before
    scan.frame(fresh, PANEL, bytearray(LOG))

# Whatever the words are: an exception, or a frame within the log, which ends dark. The buffers lie
# in one arena, at random places, between bytes that nobody may change.
random.seed(3)
EXTREMES = (0, 1, 2, 7, 8, 31, 32, 255, 256, 30_000, 0x7FFF, 0x8000, 0x7FFFFFFF, 0xFFFFFFFF)
GUARD = 0xA5
CLEAN = bytes([GUARD]) * 8192
arena = bytearray(CLEAN)
reached = {}


def word():
    kind = random.randrange(3)
    if kind == 0:
        return random.choice(EXTREMES)
    return 1 << random.randrange(32) if kind == 1 else random.getrandbits(32)


def piece(size, start):
    """A part of the arena at about `start`, sometimes not at a word."""
    start += 4 * random.randrange(4) + (0 if random.randrange(20) else random.randrange(4))
    return start, memoryview(arena)[start : start + size]


def untouched(*written):
    """Every byte outside the parts (start, bytes) that may be written is the guard's."""
    at = 0
    for start, size in sorted(written):
        assert arena[at:start] == CLEAN[at:start], (at, start)
        at = start + size
    assert arena[at:] == CLEAN[at:], at


def attempt(function, *args):
    found = error(function, *args)
    key = (function, found)
    reached[key] = reached.get(key, 0) + 1
    return found


for _turn in range(3000):
    words = array("I", PANEL)
    for _ in range(random.choice((0, 0, 0, 1, 1, 2, 9))):
        words[random.randrange(len(words))] = word()
    if not random.randrange(8):
        words = words[: random.randrange(len(words) + 1)]
    arena[:] = CLEAN
    room = random.choice((0, 4, 40, USED - 1, USED, USED, USED, 2 * USED))
    log_room = random.choice((0, 3, 4, LOG - 4, LOG, LOG, LOG, 4 * LOG))
    at, room = piece(room, 1000)
    log_at, record = piece(log_room, 3000)
    found = attempt(scan.build, room, PICTURE, words)
    untouched((at, len(room)))
    if random.randrange(2) and len(room) > 8:
        # Somebody else's program: forged, or of the panel's size but with any words.
        forged = array("I", [word() for _ in range(len(room) // 4)])
        if random.randrange(4) and len(words) > DATA:
            forged[0], forged[1] = words[DATA], 2 * 3 * 8
        room[: 4 * len(forged)] = bytes(forged)
    found = attempt(scan.frame, room, words, record)
    untouched((at, len(room)), (log_at, len(record)))
    if found is None:
        level = int.from_bytes(bytes(record[:4]), "little")
        assert level & words[ENABLE] == words[ENABLE] ^ words[LIGHT], words
    attempt(scan.blank, words, record)
    untouched((at, len(room)), (log_at, len(record)))
    # Two that overlap, or nearly so.
    _, first = piece(LOG, random.randrange(400))
    _, second = piece(USED, random.randrange(400))
    attempt(scan.frame, second, words, first)
    attempt(scan.build, first, second, words)
for wanted in (None, -1, -2, -3, -4, -5, -6, -9, -11):
    assert reached[scan.build, wanted] >= 5, (wanted, reached)
for wanted in (None, -1, -2, -3, -4, -7, -8, -9, -11):
    assert reached[scan.frame, wanted] >= 5, (wanted, reached)
assert reached[scan.build, None] > 500, reached
assert reached[scan.frame, None] > 300, reached
print("ok")
