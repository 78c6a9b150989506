"""Linking x64: pointers through a table behind the code, the rest relative to the program counter.

Names and numbers: System V ABI, AMD64 supplement, "Relocation Types".
"""

from hall_tools.native.image import Image, unknown
from hall_tools.native.objects import ObjectFile

_PC32 = 2
_PLT32 = 4
_GOTPCREL = 9
_GOTPCRELX = 41
_REX_GOTPCRELX = 42


def lay_out(code: ObjectFile) -> Image:
    image = Image(word=8, entry_bytes=5)
    for number, section in code.sections.items():
        image.place(number, section)
    image.text[0] = 0xE9  # jmp
    image.put_i32(1, image.address(code.entry) - 5)
    for number, section in code.sections.items():
        for relocation in section.relocations:
            at = image.start(number) + relocation.offset
            if relocation.kind in (_PC32, _PLT32):
                value = image.address(relocation.target)
            elif relocation.kind in (_GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX):
                value = image.pointer(relocation.target, 0)
            else:
                raise unknown(relocation.kind, section, relocation.offset)
            image.put_i32(at, value + relocation.addend - at)
    return image
