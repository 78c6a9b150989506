"""Linking RISC-V (rv32imc): pairs of instructions that build an address from the program counter.

Names and numbers: RISC-V ELF psABI, "Relocations"; instruction formats: the unprivileged ISA.
"""

from hall_tools.errors import UserError
from hall_tools.native.image import Image, unknown
from hall_tools.native.objects import CodeSection, ObjectFile, Relocation

_CALL_PLT = 19
_GOT_HI20 = 20
_PCREL_HI20 = 23
_PCREL_LO12_I = 24
_PCREL_LO12_S = 25


def lay_out(code: ObjectFile) -> Image:
    image = Image(word=4, entry_bytes=4)
    for number, section in code.sections.items():
        image.place(number, section)
    image.put_u32(0, _jump(image.address(code.entry)))
    # The low half names the place of the high half, which names the target.
    distances: dict[int, int] = {}
    halves: list[tuple[int, CodeSection, Relocation]] = []
    for number, section in code.sections.items():
        for relocation in section.relocations:
            at = image.start(number) + relocation.offset
            if relocation.kind in (_PCREL_LO12_I, _PCREL_LO12_S):
                halves.append((at, section, relocation))
            else:
                distances[at] = _high(image, at, section, relocation)
    for at, section, relocation in halves:
        high = image.address(relocation.target)
        if high not in distances or relocation.addend:
            raise UserError(
                f"{section.name}+0x{relocation.offset:x}: a low half without a high one"
            )
        _put_low(image, at, distances[high], store=relocation.kind == _PCREL_LO12_S)
    return image


def _high(image: Image, at: int, section: CodeSection, relocation: Relocation) -> int:
    """Patches the instruction that adds the upper 20 bits; returns the whole distance."""
    if relocation.kind == _GOT_HI20:
        distance = image.pointer(relocation.target, relocation.addend) - at
    elif relocation.kind in (_PCREL_HI20, _CALL_PLT):
        distance = image.address(relocation.target) + relocation.addend - at
    else:
        raise unknown(relocation.kind, section, relocation.offset)
    # The low half is signed, so the upper is rounded.
    image.put_u32(at, image.u32(at) & 0xFFF | distance + 0x800 & 0xFFFFF000)
    if relocation.kind == _CALL_PLT:
        _put_low(image, at + 4, distance, store=False)
    return distance


def _put_low(image: Image, at: int, distance: int, *, store: bool) -> None:
    low = distance & 0xFFF
    word = image.u32(at)
    if store:
        image.put_u32(at, word & 0x01FFF07F | low >> 5 << 25 | (low & 0x1F) << 7)
    else:
        image.put_u32(at, word & 0x000FFFFF | low << 20)


def _jump(distance: int) -> int:
    """jal x0: a jump of at most 1 MB, to an even address."""
    bits = distance & 0x1FFFFF
    return (
        0x6F
        | (bits >> 12 & 0xFF) << 12
        | (bits >> 11 & 1) << 20
        | (bits >> 1 & 0x3FF) << 21
        | (bits >> 20 & 1) << 31
    )
