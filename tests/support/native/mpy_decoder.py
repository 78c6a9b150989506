"""Reads a native .mpy file the way MicroPython does, from its documentation alone.

Here: a decoder that shares no line with the linker that it checks. Reference: py/persistentcode.c
of MicroPython 1.24: `mp_raw_code_load`, `load_raw_code`, `mp_native_relocate`.
"""

import struct
from dataclasses import dataclass, field

WORD = {2: 8, 10: 4, 11: 4}


@dataclass
class Reader:
    data: bytes
    at: int = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def bytes(self, count: int) -> bytes:
        assert self.at + count <= len(self.data), "the file ends early"
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self) -> int:
        value = 0
        while True:
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                return value


@dataclass
class Module:
    architecture: int
    names: list[str]  # the file's own name first
    text: bytes
    adjusted: list[tuple[int, str]] = field(default_factory=list)  # (offset of a word, its base)

    @property
    def mpy(self) -> int:
        """What `sys.implementation._mpy` has to be for this file to load."""
        return (self.architecture << 2 | 3) << 8 | 6

    def relocated(self, **bases: int) -> bytes:
        word = WORD[self.architecture]
        code = {4: "<I", 8: "<Q"}[word]
        text = bytearray(self.text)
        for offset, base in self.adjusted:
            (value,) = struct.unpack_from(code, text, offset)
            struct.pack_into(code, text, offset, (value + bases[base]) % 256**word)
        return bytes(text)


def decode(data: bytes) -> Module:
    reader = Reader(data)
    assert reader.bytes(2) == b"M\x06"
    flags, small_int_bits = reader.byte(), reader.byte()
    assert flags & 3 == 3, "sub-version"
    assert not flags & 0x40, "flags of the architecture"
    architecture = flags >> 2 & 0xF
    assert small_int_bits <= 31
    names_count, objects_count = reader.number(), reader.number()
    assert objects_count == 0
    names = [_name(reader) for _ in range(names_count)]
    kind = reader.number()
    assert kind & 7 == 2, "machine code of the kind viper, without children"
    module = Module(architecture, names, reader.bytes(kind >> 3))
    scope = reader.number()
    assert scope & ~0x10 == 0, "no rodata, no bss"
    if scope:
        _relocations(reader, module)
    assert reader.at == len(data), "bytes behind the end"
    return module


def _name(reader: Reader) -> str:
    length = reader.number()
    assert not length & 1, "no static names"
    name = reader.bytes(length >> 1).decode()
    assert reader.byte() == 0
    return name


def _relocations(reader: Reader, module: Module) -> None:
    word = WORD[module.architecture]
    at = None
    while (operation := reader.byte()) != 0xFF:
        if operation & 1:
            place = reader.number()
            assert not place & 1, "the text, not rodata"
            at = (place >> 1) * word
        code = operation >> 1
        assert at is not None
        assert code in (0, 8)
        assert at + word <= len(module.text)
        module.adjusted.append((at, {0: "text", 8: "fun_table"}[code]))
        at += word
