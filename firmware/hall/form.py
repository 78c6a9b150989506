"""Whether a value of JSON has the form that it should have.

Here: the comparison. Not here: what is kept in which form (battery.py, the roles): RTC memory has a
CRC, but what is behind it may be another version's.
"""

_MOST = 1 << 48  # of a time in ms


def fits(value, form):
    """`form`: which kinds will do, a letter each (n None, b True or False, i an integer from 0 up,
    t a text); a list of forms, one for each item; a tuple of forms, of which one has to fit."""
    if type(form) is tuple:
        return any(fits(value, each) for each in form)
    if type(form) is list:
        if type(value) is not list or len(value) != len(form):
            return False
        return all(fits(value[at], form[at]) for at in range(len(form)))
    if type(value) is int:
        return "i" in form and 0 <= value < _MOST
    kind = {type(None): "n", bool: "b", str: "t"}.get(type(value), "?")
    return kind in form
