"""Inputs that are nearly right: bytes, texts and JSON values with a few changes.

Runs in MicroPython and in CPython. `pick(n)` gives a number from 0 to n - 1 and is the only source
of chance, so that hypothesis, a fuzzer's own bytes or a seeded generator can be behind it. Not
here: what is read (mp_targets.py, targets_*.py).
"""

import json

BYTES = (0, 1, 7, 10, 32, 34, 63, 64, 91, 123, 127, 128, 192, 224, 237, 240, 254, 255)
NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 1 << 16, 0x3FFFFFFF, 1 << 30)
NUMBERS += (0x7FFFFFFF, 1 << 31, 0xFFFFFFFF, 1 << 32, 1 << 40, 1 << 48, 1 << 53, (1 << 63) - 1)
NUMBERS += (1 << 63, 1 << 64, 10**22, -(1 << 31), -(1 << 63), 10**40)
CHARACTERS = "\0\n\r\t \"'\\/@*{}[]<>%,:=#é\x7f\x80\u2028\ufeff\uffff号\U0001f600"
WORDS = ("", "a", "0", "-1", "1e999", "null", "x" * 40, "号" * 20, "..", "a" * 300)


def changed(data, pick, others=(), words=()):
    """`data` (bytes) with 1 to 4 changes. `others`: to splice with; `words`: to put in."""
    data = bytes(data)
    for _ in range(1 + pick(4)):
        data = _change(data, pick, others, words)
    return data


def _change(data, pick, others, words):
    kind = pick(12)
    at = pick(len(data) + 1)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[at:]
    if kind == 2:
        return data[:at] + bytes([pick(256) for _ in range(1 + pick(8))]) + data[at:]
    if kind == 3 and words:
        return data[:at] + words[pick(len(words))] + data[at:]
    if kind == 4 and others:
        other = others[pick(len(others))]
        return data[:at] + other[pick(len(other) + 1) :]
    end = min(len(data), at + 1 + pick(16))
    if kind == 5:
        return data[:at] + data[end:]
    if kind == 6:
        return data[:end] + data[at:end] * (1 + pick(30)) + data[end:]
    if kind == 7:
        size = 1 << pick(4)
        number = NUMBERS[pick(len(NUMBERS))] & (1 << 8 * size) - 1
        order = ("little", "big")[pick(2)]
        return data[:at] + number.to_bytes(size, order) + data[at + size :]
    if kind == 8:
        return data[:at] + str(NUMBERS[pick(len(NUMBERS))]).encode() + data[end:]
    if at == len(data):
        return data + bytes([BYTES[pick(len(BYTES))]])
    byte = BYTES[pick(len(BYTES))] if kind < 11 else data[at] ^ 1 << pick(8)
    return data[:at] + bytes([byte]) + data[at + 1 :]


def changed_value(value, pick):
    """`value`, of what JSON can say, with 1 to 3 changes; shares nothing with it."""
    value = json.loads(json.dumps(value))
    for _ in range(1 + pick(3)):
        value = _change_value(value, pick)
    return value


def _change_value(value, pick):
    if not isinstance(value, (dict, list)) or not value or pick(6) == 0:
        return strange(pick)
    keys = sorted(value) if isinstance(value, dict) else range(len(value))
    key = keys[pick(len(keys))]
    kind = pick(8)
    if kind == 0:
        del value[key]
    elif kind == 1 and isinstance(value, dict):
        value[word(pick)] = value.pop(key)
    elif kind == 2 and isinstance(value, dict):
        value[word(pick)] = strange(pick)
    elif kind == 3 and isinstance(value, list):
        value.append(strange(pick))
    elif kind == 4 and type(value[key]) is int:
        value[key] += (1, -1, 1 << 16, 1 << 32)[pick(4)]
    elif kind == 5 and isinstance(value[key], str):
        value[key] = _change_text(value[key], pick)
    else:
        value[key] = _change_value(value[key], pick)
    return value


def _change_text(text, pick):
    at = pick(len(text) + 1)
    return text[:at] + word(pick) + text[at + pick(3) :]


def word(pick):
    """A short text."""
    if pick(2):
        return WORDS[pick(len(WORDS))]
    return "".join([CHARACTERS[pick(len(CHARACTERS))] for _ in range(pick(6))])


def strange(pick, depth=0):
    """A value of any kind."""
    kind = pick(9)
    if kind < 3:
        return (None, True, False)[kind]
    if kind == 3:
        return NUMBERS[pick(len(NUMBERS))]
    if kind == 4:
        return NUMBERS[pick(len(NUMBERS))] / 3
    if kind == 5 and depth < 3:
        return [strange(pick, depth + 1) for _ in range(pick(4))]
    if kind == 6 and depth < 3:
        return {word(pick): strange(pick, depth + 1) for _ in range(pick(4))}
    if kind == 7 and depth == 0:
        value = strange(pick, 3)
        for _ in range(pick(40)):
            value = [value]
        return value
    return word(pick)
