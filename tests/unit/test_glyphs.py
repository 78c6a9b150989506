"""The glyph pack that ships, its reader, and the builder that made it."""

import struct
import zlib
from pathlib import Path

import pytest
from hall_firmware.hall.glyphs import GlyphPack
from hall_tools import glyphs
from hall_tools.commands import glyphs as command
from hall_tools.errors import UserError
from hall_tools.mpy import firmware_root
from typer.testing import CliRunner

PACK = firmware_root() / "hall" / "glyphs.bin"

# Two narrow glyphs and one wide one, as in unifont.hex.
SMALL_HEX = [
    "0041:0000000018242442427E424242420000",
    "0042:000000007C4242427C424242427C0000",
    "53F7:0000" + "1FF0" * 14 + "0000",
]


def rows(bitmap: bytes, width: int) -> list[str]:
    stride = width // 8
    return [
        "".join(f"{byte:08b}" for byte in bitmap[at : at + stride]).replace("0", ".")
        for at in range(0, 16 * stride, stride)
    ]


def parts(pack: bytes) -> tuple[list[int], list[int], bytes]:
    """Code points, narrow and wide, and the bitmaps, read as the format says."""
    magic, narrow, wide, crc = struct.unpack("<4sHHI", pack[:12])
    assert magic == b"HKG1"
    assert crc == zlib.crc32(pack[12:])
    codes = struct.unpack(f"<{narrow + wide}H", pack[12 : 12 + 2 * (narrow + wide)])
    bitmaps = pack[12 + 2 * (narrow + wide) :]
    assert len(bitmaps) == 16 * narrow + 32 * wide
    return list(codes[:narrow]), list(codes[narrow:]), bitmaps


def test_the_pack_that_ships_is_whole_and_sorted():
    narrow, wide, _ = parts(PACK.read_bytes())
    assert narrow == sorted(set(narrow))
    assert wide == sorted(set(wide))
    assert not set(narrow) & set(wide)
    # What the reader concludes from the code point alone.
    assert max(narrow) < 0x2E80
    assert min(wide) >= 0x80


def test_the_pack_that_ships_has_ascii_and_all_of_gb2312():
    """GB/T 2312-1980 has 6,763 Hanzi and 682 other characters."""
    pack = GlyphPack(str(PACK))
    gb2312 = set()
    for row in range(1, 95):
        for cell in range(1, 95):
            try:
                gb2312.add(bytes((0xA0 + row, 0xA0 + cell)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    assert len(gb2312) == 6763 + 682
    for char in sorted(gb2312 | {chr(code) for code in range(0x20, 0x7F)}):
        width, bitmap = pack.get(char)
        assert width == pack.width(char)
        assert len(bitmap) == 2 * width
        assert any(bitmap) or char.isspace()
    assert pack.missing == 0
    assert pack.intact()


def test_every_glyph_is_a_different_one():
    """A pack whose index is one off would still have every code."""
    pack = GlyphPack(str(PACK))
    bitmaps = {pack.get(chr(code))[1] for code in range(0x4E00, 0x9FA6) if _in_gb2312(code)}
    assert len(bitmaps) > 6750


def test_a_glyph_looks_like_itself():
    width, bitmap = GlyphPack(str(PACK)).get("口")
    assert width == 16
    assert rows(bitmap, 16) == [
        "................",
        "................",
        "..11111111111...",
        *["..1.........1..."] * 10,
        "..11111111111...",
        "..1.........1...",
        "................",
    ]


def test_a_missing_glyph_is_a_box_and_counted():
    pack = GlyphPack(str(PACK))
    width, box = pack.get("喆")
    assert width == 16
    assert rows(box, 16)[2] == ".11111111111111."
    narrow, box = pack.get("\x07")
    assert narrow == 8
    assert rows(box, 8)[2] == ".111111."
    assert pack.missing == 2
    # The astral planes are beyond the pack's 16-bit code points.
    assert pack.get("🙂")[0] == 16
    assert pack.missing == 3


def test_a_missing_glyph_counts_once_however_often_it_is_asked_for():
    pack = GlyphPack(str(PACK))
    for _ in range(3):
        pack.get("喆")
        # Enough others to push it out of those that are kept.
        for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            pack.get(char)
    assert pack.missing == 1


def test_what_is_missing_has_a_bound_and_is_a_box_beyond_it():
    pack = GlyphPack(str(PACK))
    boxes = {pack.get(chr(0x10000 + index)) for index in range(100)}
    assert len(boxes) == 1
    assert pack.missing == 32


def test_a_flipped_bit_is_found(tmp_path: Path):
    content = bytearray(PACK.read_bytes())
    content[100_000] ^= 0x10
    (tmp_path / "glyphs.bin").write_bytes(content)
    assert not GlyphPack(str(tmp_path / "glyphs.bin")).intact()


@pytest.mark.parametrize("content", [b"", b"HKG", b"HKG0" + bytes(100), b"#" * 100])
def test_a_file_that_is_no_pack_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "glyphs.bin").write_bytes(content)
    with pytest.raises(ValueError, match="is not a glyph pack"):
        GlyphPack(str(tmp_path / "glyphs.bin"))


def test_the_builder_makes_exactly_these_bytes(tmp_path: Path):
    pack = glyphs.build_pack(SMALL_HEX, "BA号")
    expected = bytes.fromhex("4100 4200 f753")
    expected += bytes.fromhex("0000000018242442427e424242420000")
    expected += bytes.fromhex("000000007c4242427c424242427c0000")
    expected += bytes.fromhex("0000" + "1ff0" * 14 + "0000")
    assert (
        pack
        == b"HKG1" + bytes.fromhex("0200 0100") + struct.pack("<I", zlib.crc32(expected)) + expected
    )
    (tmp_path / "small.bin").write_bytes(pack)
    reader = GlyphPack(str(tmp_path / "small.bin"))
    assert reader.get("B") == (8, expected[22:38])
    assert reader.get("号") == (16, expected[38:])
    assert reader.intact()
    assert reader.missing == 0


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0041:00"], "line 1: expected CODE:BITMAP"),
        ([SMALL_HEX[0], "hello"], "line 2: expected CODE:BITMAP"),
        (["zz:" + "0" * 32], "line 1: expected CODE:BITMAP"),
        (["0041:" + "x" * 32], "line 1: expected CODE:BITMAP"),
        (SMALL_HEX[:2], r"lacks 1 of 3 characters, the first is U\+53F7 号"),
    ],
)
def test_the_builder_refuses_another_font(lines: list[str], message: str):
    with pytest.raises(UserError, match=message):
        glyphs.build_pack(lines, "AB号")


def test_the_command_says_what_is_missing(tmp_path: Path):
    font = tmp_path / "small.hex"
    missing = CliRunner().invoke(command.app, ["build", "--font", str(font)])
    assert isinstance(missing.exception, UserError)
    assert "apt-get install unifont" in str(missing.exception)
    font.write_text("\n".join(SMALL_HEX))
    lacking = CliRunner().invoke(command.app, ["build", "--font", str(font)])
    assert "lacks" in str(lacking.exception)


def test_the_command_builds_a_pack(tmp_path: Path):
    font = tmp_path / "blank.hex"
    codes = sorted(ord(char) for char in glyphs.characters())
    width = {True: 32, False: 64}
    font.write_text("".join(f"{code:04X}:{'5' * width[code < 0x80]}\n" for code in codes))
    target = tmp_path / "glyphs.bin"
    arguments = ["build", "--font", str(font), "--out", str(target), "--json"]
    done = CliRunner().invoke(command.app, arguments)
    assert done.exit_code == 0
    assert f'"bytes": {target.stat().st_size}' in done.output
    narrow, wide, bitmaps = parts(target.read_bytes())
    assert narrow == list(range(0x20, 0x7F))
    assert len(narrow + wide) == len(glyphs.characters())
    assert set(bitmaps) == {0x55}


def _in_gb2312(code: int) -> bool:
    try:
        chr(code).encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
