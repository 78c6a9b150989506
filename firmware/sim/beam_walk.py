"""Somebody walks through two beams. Not here: a beam, which is a contact (`contact`)."""

import board


def walk(direction, start, end, turns):
    contacts = board.current.contacts
    first, second = contacts["beam_a"], contacts["beam_b"]
    if direction == "out":
        first, second = second, first
    tenth = (end - start) // 10
    if turns:
        first.close(start, end)
        second.close(start + 3 * tenth, end - 3 * tenth)
    else:
        # A body is wider than the gap between the beams: for a moment it breaks both.
        first.close(start, end - 4 * tenth)
        second.close(start + 4 * tenth, end)
    return end
