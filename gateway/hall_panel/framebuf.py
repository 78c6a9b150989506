"""MicroPython's framebuf, as much of it as the firmware's canvas uses, for CPython.

Here: a picture in the format MONO_HLSB, filled, read and written by the pixel, and copied into
another. Not here: text, lines and other formats, which the firmware does not use, and who imports
this under MicroPython's name (firmware.py).
"""

MONO_HLSB = 3
"""One bit a pixel in rows of whole bytes, the leftmost pixel in the highest bit."""


class FrameBuffer:
    """A picture of `width` x `height` pixels in a buffer of the caller's, which is not copied.

    Rows are `stride` pixels apart, rounded up to whole bytes. ValueError: another format than
    MONO_HLSB, a size below 1 or above 65535, or a buffer that is too short for the last row.
    TypeError: a buffer that cannot be written to.
    """

    def __init__(
        self,
        buffer: bytearray | memoryview,
        width: int,
        height: int,
        format_: int,
        stride: int | None = None,
        /,
    ) -> None:
        stride = width if stride is None else stride
        if not 1 <= width <= stride <= 0xFFFF or not 1 <= height <= 0xFFFF:
            raise ValueError(f"{width} x {height} pixels, {stride} apart, are no picture")
        if format_ != MONO_HLSB:
            raise ValueError("invalid format")
        self._bytes = memoryview(buffer)
        if self._bytes.readonly:
            raise TypeError("object with buffer protocol required")
        self._width = width
        self._height = height
        self._row_bytes = (stride + 7) // 8
        if self._row_bytes * (height - 1) + (width + 7) // 8 > len(self._bytes):
            raise ValueError(f"{len(self._bytes)} bytes are too few for {width} x {height} pixels")

    def pixel(self, x: int, y: int, colour: int | None = None, /) -> int | None:
        """The pixel, 0 or 1, or None outside; with a colour, sets it where there is such a pixel:
        dark for 0 and lit for any other."""
        if not 0 <= x < self._width or not 0 <= y < self._height:
            return None
        at, bit = y * self._row_bytes + x // 8, 0x80 >> x % 8
        if colour is None:
            return 1 if self._bytes[at] & bit else 0
        if colour:
            self._bytes[at] |= bit
        else:
            self._bytes[at] &= ~bit
        return None

    def fill(self, colour: int, /) -> None:
        """Sets all pixels, and leaves the bits behind the end of a row as they are."""
        every = (1 << self._width) - 1
        for y in range(self._height):
            self._set_row(y, 0, every, every if colour else 0)

    def blit(self, source: "FrameBuffer", x: int, y: int, key: int = -1, /) -> None:
        """Copies `source` so that its upper left corner is at x, y; what would stand outside is
        left out, and so are the pixels of the colour `key`, when one is given."""
        left, right = max(0, -x), min(source._width, self._width - x)
        if left >= right:
            return
        every = (1 << right - left) - 1
        for from_y in range(max(0, -y), min(source._height, self._height - y)):
            bits = source._row(from_y) >> source._width - right & every
            mask = {0: bits, 1: every & ~bits}.get(key, every)
            self._set_row(y + from_y, self._width - x - right, mask, bits)

    def _row(self, y: int) -> int:
        """The pixels of a row, the rightmost in the lowest bit."""
        start, count, behind = self._place(y)
        return int.from_bytes(self._bytes[start : start + count], "big") >> behind

    def _set_row(self, y: int, shift: int, mask: int, bits: int) -> None:
        """Sets the pixels of `mask` to `bits`; both begin `shift` pixels from the right end."""
        start, count, behind = self._place(y)
        row = int.from_bytes(self._bytes[start : start + count], "big")
        row = row & ~(mask << shift + behind) | (bits & mask) << shift + behind
        self._bytes[start : start + count] = row.to_bytes(count, "big")

    def _place(self, y: int) -> tuple[int, int, int]:
        """The first byte of a row, how many it has, and the bits behind its end in the last."""
        count = (self._width + 7) // 8
        return y * self._row_bytes, count, 8 * count - self._width
