"""Reads a native .mpy file the way MicroPython does, from its documentation alone.

Here: a decoder that shares no line with what writes such files (`mpyfile`), so that it can check
it. Reference: py/persistentcode.c of MicroPython 1.24: `mp_raw_code_load`, `load_raw_code`,
`mp_native_relocate`. Not here: executing the text (`emulator`).
"""

import struct
from dataclasses import dataclass, field

_WORD = {2: 8, 10: 4, 11: 4}
_BASES = {0: "text", 8: "fun_table"}


@dataclass
class Reader:
    data: bytes
    at: int = 0

    def byte(self) -> int:
        return self.bytes(1)[0]

    def bytes(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError(f".mpy: ends at byte {len(self.data)}, in the middle of something")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self) -> int:
        value = 0
        while True:
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                return value

    def need(self, condition: bool, what: str) -> None:
        if not condition:
            raise ValueError(f".mpy, before byte {self.at}: not {what}")


@dataclass
class Module:
    architecture: int
    names: list[str]  # the file's own name first
    text: bytes
    adjusted: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """(offset of a word in the text, its base: "text" or "fun_table")"""

    @property
    def mpy(self) -> int:
        """What `sys.implementation._mpy` has to be for this file to load."""
        return (self.architecture << 2 | 3) << 8 | 6

    def relocated(self, **bases: int) -> bytes:
        """The text as the loader leaves it, with the addresses of both bases."""
        word = _WORD[self.architecture]
        code = {4: "<I", 8: "<Q"}[word]
        text = bytearray(self.text)
        for offset, base in self.adjusted:
            (value,) = struct.unpack_from(code, text, offset)
            struct.pack_into(code, text, offset, (value + bases[base]) % 256**word)
        return bytes(text)


def decode(data: bytes) -> Module:
    """Raises ValueError for what is no native module without static data."""
    reader = Reader(data)
    reader.need(reader.bytes(2) == b"M\x06", "a .mpy file of version 6")
    flags, small_int_bits = reader.byte(), reader.byte()
    reader.need(flags & 3 == 3, "sub-version 3")
    reader.need(not flags & 0x40, "without flags of the architecture")
    architecture = flags >> 2 & 0xF
    reader.need(architecture in _WORD, "for x64, xtensawin or rv32imc")
    reader.need(small_int_bits <= 31, "for small integers of 31 bits")
    names_count, objects_count = reader.number(), reader.number()
    reader.need(objects_count == 0, "without objects")
    names = [_name(reader) for _ in range(names_count)]
    kind = reader.number()
    reader.need(kind & 7 == 2, "machine code of the kind viper, without children")
    module = Module(architecture, names, reader.bytes(kind >> 3))
    scope = reader.number()
    reader.need(scope & ~0x10 == 0, "without rodata and bss")
    if scope:
        _relocations(reader, module)
    reader.need(reader.at == len(data), "the end")
    return module


def _name(reader: Reader) -> str:
    length = reader.number()
    reader.need(not length & 1, "a name of its own")
    name = reader.bytes(length >> 1).decode()
    reader.need(reader.byte() == 0, "the end of a name")
    return name


def _relocations(reader: Reader, module: Module) -> None:
    word = _WORD[module.architecture]
    at: int | None = None
    while (operation := reader.byte()) != 0xFF:
        if operation & 1:
            place = reader.number()
            reader.need(not place & 1, "a word of the text")
            at = (place >> 1) * word
        code = operation >> 1
        reader.need(code in _BASES, "relative to the text or to the function table")
        if at is None or at + word > len(module.text):
            raise ValueError(f".mpy, before byte {reader.at}: a relocation outside the text")
        module.adjusted.append((at, _BASES[code]))
        at += word
