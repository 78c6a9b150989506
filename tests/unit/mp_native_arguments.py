"""The native module of the unix port against wrong and random arguments: exceptions, no crashes."""

import gc
import random
from array import array

import scan

LAYOUT, CLEAR, SET, ENABLE, LIGHT, CLOCK, START_CLEAR, START_SET, DARK = range(9)
SCANS, GROUPS, LINES, LIT, DEAD, TABLES = range(9, 15)
PANEL = array("I", [1, 0x3FF4400C, 0x3FF44008, 8, 8, 1, 7, 0, 0, 2, 3, 1, 20, 2])
PANEL.extend(array("I", [0x10, 4, 0, 0, 0x14, 3, 0, 1, 2, 2, 0]))
PICTURE = bytes(range(6))
ROOM = 4 * (2 + 2 + 1 + 2 * 12 * 3 * 2)


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


program, log = bytearray(ROOM), bytearray(4096)
used = scan.build(program, PICTURE, PANEL)
assert 0 < used <= ROOM
assert used % 4 == 0
assert scan.version == 1
words = scan.frame(program, PANEL, log)
assert words % 2 == 0
assert scan.blank(PANEL, log) == 2
assert array("I", log[:8]) == array("I", [8, 0])

# The buffers.
assert error(scan.build, bytearray(ROOM - 4), PICTURE, PANEL) == -6
assert error(scan.build, program, PICTURE[:5], PANEL) == -5
assert error(scan.build, program, b"", PANEL) == -5
assert error(scan.build, memoryview(bytearray(ROOM + 4))[1:], PICTURE, PANEL) == -9
assert error(scan.build, program, PICTURE, memoryview(bytes(PANEL) + b"    ")[1:]) == -9
assert error(scan.frame, program, PANEL, log) == -7, "a build that failed leaves no program"
scan.build(program, PICTURE, PANEL)
need = used + 4 * (4 + 12 * 2)
assert 4 * words <= need
assert error(scan.frame, program, PANEL, bytearray(need)) is None
assert error(scan.frame, program, PANEL, bytearray(need - 4)) == -8
assert error(scan.frame, program, PANEL, bytearray(used)) == -8
assert error(scan.frame, program, PANEL, memoryview(log)[2:]) == -9
assert error(scan.blank, PANEL, bytearray(7)) == -8
both = bytearray(8192)
inside = memoryview(both)[4096 : 4096 + 4 * len(PANEL)]
inside[:] = bytes(PANEL)
assert error(scan.build, both, PICTURE, inside) == -11
assert error(scan.frame, program, inside, both) == -11
assert error(scan.frame, program, PANEL, program) == -11
assert error(scan.blank, inside, inside) == -11

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
    {"START_CLEAR": 3 - 1},
    {"START_CLEAR": 15},
    {"START_SET": 1},
    {"START_SET": 8},
    {"LIGHT": 16},
    {"CLOCK": 0x80},
    {"ENABLE": 4},
):
    assert error(scan.build, program, PICTURE, changed(**wrong)) == -3, wrong
for wrong in ({"LIT": 15_000}, {"LIT": 1 << 31}, {"DEAD": 40_000}, {"LIT": 14_000, "DEAD": 1_500}):
    assert error(scan.frame, program, changed(**wrong), log) == -4, wrong

# The program.
assert error(scan.frame, bytearray(ROOM), PANEL, log) == -7
assert error(scan.frame, program[: used - 4], PANEL, log) == -7
assert error(scan.frame, b"", PANEL, log) == -7
assert error(scan.frame, program, changed(START_CLEAR=0x27), log) == -7

# What is no buffer, or not to be written.
for wrong in (
    (1, PICTURE, PANEL),
    (program, None, PANEL),
    (bytes(ROOM), PICTURE, PANEL),
    (program,),
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
    fresh = bytearray(ROOM)
    scan.build(fresh, PICTURE, array("I", PANEL))
    assert bytes(fresh[:used]) == before[:used]
    scan.frame(fresh, PANEL, bytearray(4096))

# Whatever the words are: an exception, or a frame within the log.
random.seed(3)
reached = {}
for _turn in range(20_000):
    words = array("I", PANEL)
    for _ in range(random.randrange(4)):
        words[random.randrange(len(words))] = random.choice(
            (0, 1, 2, 7, 8, 31, 32, 255, 256, random.getrandbits(16), random.getrandbits(32))
        )
    if not random.randrange(4):
        words = words[: random.randrange(len(words) + 1)]
    room = bytearray(random.choice((0, 4, 40, ROOM, ROOM, 2 * ROOM)))
    found = error(scan.build, room, PICTURE, words)
    reached[found] = reached.get(found, 0) + 1
    if random.randrange(2) and room:
        for _ in range(random.randrange(6)):
            room[random.randrange(len(room))] = random.getrandbits(8)
    found = error(scan.frame, room, words, log)
    reached[found] = reached.get(found, 0) + 1
    error(scan.blank, words, log)
    error(scan.frame, bytes(random.getrandbits(8) for _ in range(60)), words, log)
assert {None, -1, -2, -3, -4, -5, -6, -7} <= set(reached), reached
assert reached[None] > 1000, reached
print("ok")
