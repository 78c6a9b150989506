"""CBOR (RFC 8949), as far as the battery devices' payloads use it.

Here: integers of 64 bits, texts, byte strings, lists, maps with texts as keys, true, false, null,
and floating-point numbers of 32 and 64 bits. Not here: tags, indefinite lengths and half precision,
which are refused; what a payload means.
"""

import struct

DEPTH_MAX = 8  # of lists and maps in one another
_U64 = 0xFFFFFFFFFFFFFFFF
_WORDS = {20: False, 21: True, 22: None}


class CborError(ValueError):
    """These bytes are no CBOR of the kinds above, or this value cannot become such."""


def dumps(value):
    """`value` in bytes, each length and number in its shortest form. CborError: it cannot be."""
    out = bytearray()
    _put(out, value, 0)
    return bytes(out)


def head(major, number):
    """The first bytes of an item: its major type and its value, length or count."""
    major <<= 5
    if number < 24:
        return bytes([major | number])
    if number <= 0xFF:
        return bytes([major | 24, number])
    if number <= 0xFFFF:
        return struct.pack(">BH", major | 25, number)
    if number <= 0xFFFFFFFF:
        return struct.pack(">BI", major | 26, number)
    if number <= _U64:
        return struct.pack(">BII", major | 27, number >> 32, number & 0xFFFFFFFF)
    raise CborError("a number of more than 64 bits")


def loads(data):
    """The value of `data`, all of it. CborError: what is wrong with it, and where."""
    value, end = _item(data, 0, 0)
    if end != len(data):
        raise CborError("%d bytes after the end" % (len(data) - end))
    return value


def _put(out, value, depth):
    kind = type(value)
    if depth > DEPTH_MAX:
        raise CborError("more than %d levels" % DEPTH_MAX)
    if value is None:
        out.append(0xF6)
    elif kind is bool:
        out.append(0xF5 if value else 0xF4)
    elif kind is int:
        out.extend(head(0, value) if value >= 0 else head(1, -1 - value))
    elif kind is bytes:
        out.extend(head(2, len(value)))
        out.extend(value)
    elif kind is str:
        text = value.encode()
        out.extend(head(3, len(text)))
        out.extend(text)
    elif kind in (list, tuple):
        out.extend(head(4, len(value)))
        for each in value:
            _put(out, each, depth + 1)
    elif kind is dict:
        out.extend(head(5, len(value)))
        for key in value:
            _put(out, key, depth + 1)
            _put(out, value[key], depth + 1)
    elif kind is float:
        out.extend(struct.pack(">Bd", 0xFB, value))
    else:
        raise CborError("%s has no place in CBOR" % kind.__name__)


def _item(data, at, depth):
    """(value, where the next item begins)."""
    if depth > DEPTH_MAX:
        raise CborError("more than %d levels at %d" % (DEPTH_MAX, at))
    first = _take(data, at, 1)[0]
    major, number = first >> 5, first & 31
    at += 1
    if number > 27:
        raise CborError("byte %02x at %d" % (first, at - 1))
    if major == 7:
        return _simple(data, at, number)
    if number >= 24:
        size = 1 << (number - 24)
        number = int.from_bytes(_take(data, at, size), "big")
        at += size
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major < 4:
        content = bytes(_take(data, at, number))
        return (content if major == 2 else _text(content, at)), at + number
    if major == 6:
        raise CborError("a tag at %d" % (at - 1))
    # Each item has a byte at least: so a count that is too large is known before memory is taken.
    _take(data, at, number if major == 4 else 2 * number)
    return (_list if major == 4 else _map)(data, at, number, depth + 1)


def _list(data, at, count, depth):
    items = []
    for _ in range(count):
        value, at = _item(data, at, depth)
        items.append(value)
    return items, at


def _map(data, at, count, depth):
    items = {}
    for _ in range(count):
        key, end = _item(data, at, depth)
        if type(key) is not str or key in items:
            raise CborError("a key that is no text, or is there twice, at %d" % at)
        items[key], at = _item(data, end, depth)
    return items, at


def _simple(data, at, number):
    if number in _WORDS:
        return _WORDS[number], at
    if number in (26, 27):
        size = 4 if number == 26 else 8
        return struct.unpack(">f" if size == 4 else ">d", _take(data, at, size))[0], at + size
    raise CborError("simple value %d at %d" % (number, at - 1))


def _text(content, at):
    try:
        return content.decode()
    except UnicodeError:
        raise CborError("no UTF-8 at %d" % at)


def _take(data, at, count):
    if count > len(data) - at:
        raise CborError("%d bytes are missing at %d" % (count - (len(data) - at), at))
    return memoryview(data)[at : at + count]
