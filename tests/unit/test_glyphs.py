"""The glyph pack that ships, its reader, and the builder that made it."""

import gzip
import json
import os
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

# Two narrow glyphs and one wide one, their rows from the top.
SMALL = {
    "A": bytes.fromhex("0000000018242442427E424242420000"),
    "B": bytes.fromhex("000000007C4242427C424242427C0000"),
    "号": bytes.fromhex("0000" + "1FF0" * 14 + "0000"),
}


def bdf(glyphs: dict[str, bytes], height: int = 16) -> bytes:
    """A font in Adobe's Glyph Bitmap Distribution Format 2.1; a missing glyph is a solid cell."""
    lines = [
        "STARTFONT 2.1",
        "FONT -hall-Test-Medium-R-Normal-Sans-16-160-75-75-c-80-iso10646-1",
        f"SIZE {height} 75 75",
        f"FONTBOUNDINGBOX 16 {height} 0 -2",
        "STARTPROPERTIES 6",
        f"PIXEL_SIZE {height}",
        f"FONT_ASCENT {height - 2}",
        "FONT_DESCENT 2",
        "DEFAULT_CHAR 1",
        'CHARSET_REGISTRY "ISO10646"',
        'CHARSET_ENCODING "1"',
        "ENDPROPERTIES",
        f"CHARS {len(glyphs) + 1}",
    ]
    for char, bitmap in {"\x01": b"\xff" * height, **glyphs}.items():
        stride = len(bitmap) // height
        lines += [
            f"STARTCHAR U+{ord(char):04X}",
            f"ENCODING {ord(char)}",
            f"SWIDTH {stride * 500} 0",
            f"DWIDTH {stride * 8} 0",
            f"BBX {stride * 8} {height} 0 -2",
            "BITMAP",
            *(bitmap[at : at + stride].hex() for at in range(0, len(bitmap), stride)),
            "ENDCHAR",
        ]
    return "\n".join([*lines, "ENDFONT", ""]).encode("ascii")


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


@pytest.mark.parametrize("size", [12, 13, 400, 20_000, 200_000])
def test_of_a_pack_that_is_cut_off_what_is_left_is_shown(tmp_path: Path, size: int):
    cut = tmp_path / "glyphs.bin"
    cut.write_bytes(PACK.read_bytes()[:size])
    whole, pack = GlyphPack(str(PACK)), GlyphPack(str(cut))
    for char in "A015号请到窗口":
        glyph = pack.get(char)
        assert glyph == whole.get(char) or rows(glyph[1], glyph[0])[2].strip(".") in (
            "1" * 6,
            "1" * 14,
        )
    assert pack.missing > 0
    assert not pack.intact()


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
    pack = glyphs.build_pack(bdf(SMALL), "BA号")
    expected = bytes.fromhex("4100 4200 f753") + SMALL["A"] + SMALL["B"] + SMALL["号"]
    checksum = struct.pack("<I", zlib.crc32(expected))
    assert pack == b"HKG1" + bytes.fromhex("0200 0100") + checksum + expected
    (tmp_path / "small.bin").write_bytes(pack)
    reader = GlyphPack(str(tmp_path / "small.bin"))
    assert reader.get("B") == (8, SMALL["B"])
    assert reader.get("号") == (16, SMALL["号"])
    assert reader.intact()
    assert reader.missing == 0


def test_a_compressed_font_makes_the_same_bytes():
    assert glyphs.build_pack(gzip.compress(bdf(SMALL)), "A号") == glyphs.build_pack(
        bdf(SMALL), "A号"
    )


def test_debians_font_makes_the_pack_that_ships(tmp_path: Path):
    """Of version 15.0.01, which Debian 12 has (`make test` installs it)."""
    target = tmp_path / "glyphs.bin"
    done = CliRunner().invoke(command.app, ["build", "--out", str(target)])
    assert done.exit_code == 0, done.exception
    assert target.read_bytes() == PACK.read_bytes()


@pytest.mark.parametrize(
    ("font", "message"),
    [
        (b"", "not a font of 16 pixels in PCF, BDF or OpenType"),
        (b"hello\n" * 100, "not a font of 16 pixels in PCF, BDF or OpenType"),
        (gzip.compress(bdf(SMALL))[:-20], "not a font of 16 pixels in PCF, BDF or OpenType"),
        (b"\x1f\x8b" + b"#" * 40, "not a font of 16 pixels in PCF, BDF or OpenType"),
        (bdf({"A": bytes(8)}, height=8), "not a font of 16 pixels in PCF, BDF or OpenType"),
        (bdf({**SMALL, "B": bytes(64)}), r"U\+0042 B is 32 pixels, not 8 or 16"),
        (
            bdf({" ": bytes(16), "A": SMALL["A"], "B": SMALL["B"]}),
            r"lacks 1 of .*, the first is U\+53F7 号",
        ),
        (bdf({}), r"lacks 4 of .*, the first is U\+0020"),
    ],
)
def test_the_builder_refuses_another_font(font: bytes, message: str):
    with pytest.raises(UserError, match=message):
        glyphs.build_pack(font, "AB号 ")


def test_a_space_need_not_differ_from_a_missing_glyph():
    """Where a missing glyph is drawn as nothing, so is a space."""
    font = bdf(SMALL).replace(b"ff\n", b"00\n")
    narrow, wide, bitmaps = parts(glyphs.build_pack(font, "A "))
    assert (narrow, wide) == ([0x20, 0x41], [])
    assert bitmaps == bytes(16) + SMALL["A"]
    with pytest.raises(UserError, match=r"U\+0043 C"):
        glyphs.build_pack(font, "A C")


def test_the_command_says_what_is_missing(tmp_path: Path):
    font = tmp_path / "small.bdf"
    missing = CliRunner().invoke(command.app, ["build", "--font", str(font)])
    assert isinstance(missing.exception, UserError)
    assert missing.exception.exit_code == os.EX_NOINPUT
    assert "apt-get install xfonts-unifont" in str(missing.exception)
    font.write_bytes(bdf(SMALL))
    lacking = CliRunner().invoke(command.app, ["build", "--font", str(font)])
    assert isinstance(lacking.exception, UserError)
    assert lacking.exception.exit_code == os.EX_DATAERR
    assert f"{font}: the font lacks" in str(lacking.exception)


def test_the_command_builds_a_pack(tmp_path: Path):
    font = tmp_path / "blank.bdf"
    bitmaps = {char: b"\x55" * (16 if ord(char) < 0x80 else 32) for char in glyphs.characters()}
    font.write_bytes(bdf(bitmaps))
    target = tmp_path / "glyphs.bin"
    arguments = ["build", "--font", str(font), "--out", str(target), "--json"]
    done = CliRunner().invoke(command.app, arguments)
    assert done.exit_code == 0
    assert json.loads(done.output) == {"file": str(target), "bytes": target.stat().st_size}
    narrow, wide, content = parts(target.read_bytes())
    assert narrow == list(range(0x20, 0x7F))
    assert len(narrow + wide) == len(glyphs.characters())
    assert set(content) == {0x55}


def test_the_command_says_that_it_cannot_write(tmp_path: Path):
    font = tmp_path / "blank.bdf"
    font.write_bytes(bdf(dict.fromkeys(glyphs.characters(), b"\x55" * 16)))
    arguments = ["build", "--font", str(font), "--out", str(tmp_path)]
    done = CliRunner().invoke(command.app, arguments)
    assert isinstance(done.exception, UserError)
    assert done.exception.exit_code == os.EX_CANTCREAT


def _in_gb2312(code: int) -> bool:
    try:
        chr(code).encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
