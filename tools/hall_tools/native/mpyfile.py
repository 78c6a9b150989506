"""The .mpy file, version 6.3, of a native module without objects and static data.

Here: the bytes, as MicroPython's py/persistentcode.c reads them. Not here: how the text came about.
"""

from hall_tools.native.image import Image

_VERSION, _SUB_VERSION = 6, 3
# The module's code never looks into a small integer, so the size of those that every port has.
_SMALL_INT_BITS = 31
_VIPER = 2
_HAS_RELOCATIONS = 0x10
_END = 0xFF


def write_mpy(image: Image, number: int, word: int, name: str, names: list[str]) -> bytes:
    """`number` is the architecture's; `names` are those that the code uses, from index 1 on."""
    text = bytes(image.text) + bytes(-len(image.text) % word)
    content = bytearray(b"M" + bytes((_VERSION, number << 2 | _SUB_VERSION, _SMALL_INT_BITS)))
    content += variable(1 + len(names)) + variable(0)
    for string in (f"{name}.mpy", *names):
        encoded = string.encode()
        content += variable(len(encoded) << 1) + encoded + b"\0"
    content += variable(len(text) << 3 | _VIPER) + text
    if image.words:
        content += variable(_HAS_RELOCATIONS) + _relocations(image, word)
    else:
        content += variable(0)
    return bytes(content)


def _relocations(image: Image, word: int) -> bytes:
    stream = bytearray()
    expected = -1
    for offset in sorted(image.words):
        code = image.words[offset].value << 1
        index = offset // word
        if index == expected:
            stream.append(code)
        else:
            stream.append(code | 1)
            stream += variable(index << 1)
        expected = index + 1
    stream.append(_END)
    return bytes(stream)


def variable(value: int) -> bytes:
    """Seven bits a byte, the highest first; the top bit says that more follow."""
    encoded = bytearray((value & 0x7F,))
    while value := value >> 7:
        encoded.insert(0, 0x80 | value & 0x7F)
    return bytes(encoded)
