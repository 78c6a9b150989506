"""Somebody walks through two beams. Not here: a beam, which is a contact (`contact`)."""

import time

import board


def walk(direction, length, turns):
    contacts = board.current.contacts
    first, second = contacts["beam_a"], contacts["beam_b"]
    if direction == "out":
        first, second = second, first
    now = time.ticks_us()
    if turns:
        first.close(now, now + length * 1000)
        second.close(now + length * 300, now + length * 700)
    else:
        # A body is wider than the gap between the beams: for a moment it breaks both.
        first.close(now, now + length * 600)
        second.close(now + length * 400, now + length * 1000)
    return length
