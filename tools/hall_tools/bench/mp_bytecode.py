# pyright: basic
"""The player in plain MicroPython, to compare with: a display without machine code.

Runs in MicroPython, and under CPython in tests. Here: the plainest loops that make the same stores
in the same order as firmware/native/scan.c, from the same program, nothing spent on checks; the
registers are an array of OUT, SET and CLEAR. Not here: anything that ships.
"""

OUT, SET, CLEAR = 0, 1, 2
# Places in a description, and what a program begins with: firmware/native/scan.h, scan.c.
ENABLE, LIGHT, CLOCK, DATA, START_CLEAR, START_SET = 2, 3, 4, 5, 6, 7
SCANS, GROUPS, LIT, DEAD, TABLES = 9, 10, 12, 13, 14
PROGRAM = 2


def frame(program, description, registers):
    """Plays one whole frame. `program` and `description` are arrays of words."""
    high = description[LIGHT]
    low = description[ENABLE] ^ high
    row = 8 * description[GROUPS]
    lit = description[LIT]
    while_lit = min(row, lit)
    registers[CLEAR] = high
    registers[SET] = low
    at = PROGRAM
    shifted = 0
    for scan in range(description[SCANS]):
        clocks(program, at + shifted, at + row, description, registers)
        place = TABLES + 3 * scan
        registers[CLEAR] = description[place]
        registers[SET] = description[place + 1]
        registers[CLEAR] = description[START_CLEAR]
        registers[SET] = description[START_SET]
        rest(description[DEAD], registers)
        at = PROGRAM if scan + 1 == description[SCANS] else at + row
        registers[CLEAR] = low
        registers[SET] = high
        clocks(program, at, at + while_lit, description, registers)
        rest(lit - while_lit, registers)
        registers[CLEAR] = high
        registers[SET] = low
        shifted = while_lit


def clocks(program, start, end, description, registers):
    clock = description[CLOCK]
    base = registers[OUT] & ~(clock | description[DATA])
    for at in range(start, end):
        registers[OUT] = base | program[at]
        registers[SET] = clock


def rest(pairs, registers):
    for _ in range(pairs):
        registers[CLEAR] = 0
        registers[SET] = 0
