"""The glyph pack: 16-pixel bitmaps of ASCII and GB 2312, read from its file as they are needed.

Here: the file's format, finding a glyph, and the few that are kept. Not here: drawing (canvas), and
making the pack (`hall glyphs build`, hall_tools.glyphs). The glyphs are GNU Unifont's: see
LICENSES/unifont.md.

Format, little-endian:

    offset  size  what
    0       4     "HKG1"
    4       2     n, number of glyphs 8 pixels wide
    6       2     w, number of glyphs 16 pixels wide
    8       4     CRC-32 of all that follows
    12      2n    their code points, ascending
    ..      2w    the wide ones' code points, ascending
    ..      16n   narrow bitmaps: 16 rows of a byte, leftmost pixel in bit 7
    ..      32w   wide bitmaps: 16 rows of two bytes
"""

from binascii import crc32
from struct import unpack

HEADER = 12
HANZI = 0x2E80  # from here on every glyph is wide, and below 0x80 none is
KEPT = 16  # glyphs in RAM
MISSED = 32  # characters in RAM that are not in the pack; what is missing beyond is not counted
NARROW_BOX = b"\x00\x00" + b"\x7e" + b"\x42" * 10 + b"\x7e" + b"\x00\x00"
WIDE_BOX = b"\x00" * 4 + b"\x7f\xfe" + b"\x40\x02" * 10 + b"\x7f\xfe" + b"\x00" * 4


class GlyphPack:
    """An open glyph pack. OSError: no such file; ValueError: the file is not a glyph pack."""

    def __init__(self, path):
        self._file = open(path, "rb")  # noqa: SIM115 - open for the device's life
        head = self._file.read(HEADER)
        if len(head) != HEADER or head[:4] != b"HKG1":
            raise ValueError("%s is not a glyph pack" % path)
        _, self._narrow, self._wide, self._crc = unpack("<4sHHI", head)
        self._word = bytearray(2)
        self._kept = []
        self._missed = set()

    @property
    def missing(self):
        """How many different characters were asked for that are not in the pack: what would have
        to be added to it, whether one was shown once or in every picture. At most MISSED."""
        return len(self._missed)

    def width(self, char):
        """Pixels that a character takes, 8 or 16; the file is read only where the code point
        alone does not tell."""
        code = ord(char)
        if code < 0x80:
            return 8
        return 16 if code >= HANZI else self.get(char)[0]

    def get(self, char):
        """(width in pixels, bitmap) of a character, or a box for one that the pack does not have,
        or has lost because the file was cut off."""
        for index, kept in enumerate(self._kept):
            if kept[0] == char:
                if index:
                    self._kept.insert(0, self._kept.pop(index))
                return kept[1]
        code = ord(char)
        glyph = self._read(code)
        if glyph is None or len(glyph[1]) < 2 * glyph[0]:
            if len(self._missed) < MISSED:
                self._missed.add(char)
            glyph = (8, NARROW_BOX) if code < 0x80 else (16, WIDE_BOX)
        self._kept.insert(0, (char, glyph))
        if len(self._kept) > KEPT:
            self._kept.pop()
        return glyph

    def intact(self):
        """Whether the whole file still has its checksum; reads all of it."""
        self._file.seek(HEADER)
        crc = 0
        part = bytearray(512)
        while True:
            size = self._file.readinto(part)
            if not size:
                return crc == self._crc
            crc = crc32(memoryview(part)[:size], crc)

    def _read(self, code):
        wide = HEADER + 2 * self._narrow
        bitmaps = wide + 2 * self._wide
        if code < HANZI:
            index = self._find(code, HEADER, self._narrow)
            if index is not None:
                return 8, self._bytes(bitmaps + 16 * index, 16)
        index = self._find(code, wide, self._wide)
        if index is not None:
            return 16, self._bytes(bitmaps + 16 * self._narrow + 32 * index, 32)
        return None

    def _find(self, code, start, count):
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            self._file.seek(start + 2 * middle)
            self._file.readinto(self._word)
            found = self._word[0] | self._word[1] << 8
            if found == code:
                return middle
            if found < code:
                low = middle + 1
            else:
                high = middle
        return None

    def _bytes(self, offset, size):
        self._file.seek(offset)
        return self._file.read(size)
