"""CBOR (RFC 8949) of a device as JSON's values, for a map that somebody else has written.

Here: the part of CBOR that has a meaning in JSON: numbers, text, arrays, maps with text for keys,
true, false and null, each with a length of its own. Not here: tags, byte strings and items without
a length, which a general decoder would turn into dates, patterns or references; and writing CBOR.

Nothing is made larger than what has arrived, and nothing is nested deeper than MAX_DEPTH.

>>> decode(bytes.fromhex("a16161820120"))
{'a': [1, -1]}
"""

import struct

MAX_DEPTH = 16
"""Of arrays and maps in each other. A reply's result in its list has 4 of them."""

_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_SIMPLE: dict[int, object] = {20: False, 21: True, 22: None}


class CborError(ValueError):
    """What is wrong with it, and at which byte, in one line."""


def decode(data: bytes) -> object:
    """The one item that `data` is. Raises CborError."""
    reader = _Reader(data)
    value = reader.item(MAX_DEPTH)
    if reader.at != len(data):
        raise CborError(f"{len(data) - reader.at} bytes follow its end")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def item(self, depth: int) -> object:
        began = self.at
        head = self._take(1)[0]
        major, more = head >> 5, head & 31
        if major == 7:
            return self._float_or_simple(more, began)
        number = self._argument(more, began)
        match major:
            case 0:
                return number
            case 1:
                return -1 - number
            case 3:
                return self._text(number, began)
            case 4 | 5 if depth == 0:
                raise CborError(f"byte {began}: nested deeper than {MAX_DEPTH}")
            case 4:
                self._check(number, began)
                return [self.item(depth - 1) for _ in range(number)]
            case 5:
                self._check(2 * number, began)
                return self._map(number, depth - 1)
            case _:
                what = "a byte string" if major == 2 else "a tag"
                raise CborError(f"byte {began}: {what} has no meaning here")

    def _map(self, pairs: int, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        for _ in range(pairs):
            began = self.at
            key = self.item(depth)
            if not isinstance(key, str):
                raise CborError(f"byte {began}: a key that is no text")
            if key in found:
                raise CborError(f"byte {began}: the same key again")
            found[key] = self.item(depth)
        return found

    def _text(self, size: int, began: int) -> str:
        try:
            return self._take(size).decode()
        except UnicodeDecodeError:
            raise CborError(f"byte {began}: text that is not UTF-8") from None

    def _float_or_simple(self, more: int, began: int) -> object:
        if format := _FLOATS.get(more):
            return struct.unpack(format, self._take(struct.calcsize(format)))[0]
        if more in _SIMPLE:
            return _SIMPLE[more]
        raise CborError(f"byte {began}: neither a number nor true, false or null")

    def _argument(self, more: int, began: int) -> int:
        if more < 24:
            return more
        if more > 27:
            raise CborError(f"byte {began}: an item without a length")
        return int.from_bytes(self._take(1 << (more - 24)), "big")

    def _check(self, items: int, began: int) -> None:
        """Each item is a byte at least: a length that cannot be is refused before it costs."""
        if items > len(self._data) - self.at:
            raise CborError(f"byte {began}: {items} items do not fit into what is left")

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self.at:
            raise CborError(f"byte {self.at}: {size} bytes more are announced, and it ends there")
        taken = self._data[self.at : self.at + size]
        self.at += size
        return taken
