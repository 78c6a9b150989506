"""Renders a call display in the real MicroPython: JSON on stdin, rows of `#` and `.` on stdout.

stdin: {"glyphs": path, "columns", "rows", "desired" or null, "at": ms after it, "identify": bool}.
The last line is the role's state as JSON.
"""

import json
import sys

from hall.canvas import MatrixFace
from hall.glyphs import GlyphPack
from hall.roles.call_display import CallDisplay


class Panel:
    refresh_ms = 40

    def __init__(self, columns, rows):
        self.width = columns
        self.height = 16 * rows
        self.picture = None
        self.scanned = None

    def show(self, picture):
        self.picture = bytes(picture)

    def scan(self):
        self.scanned = self.picture

    def print(self):
        stride = self.width // 8
        for y in range(self.height):
            row = self.scanned[y * stride : (y + 1) * stride]
            bits = [byte >> bit & 1 for byte in row for bit in range(7, -1, -1)]
            print("".join(["#" if bit else "." for bit in bits]))


class Context:
    def emit(self, kind, data):
        pass

    def link_down_ms(self):
        return 0


job = json.loads(sys.stdin.readline())
panel = Panel(job["columns"], job["rows"])
role = CallDisplay({"blink_s": 0}, MatrixFace(panel, GlyphPack(job["glyphs"])), Context())
if job["desired"]:
    role.desire(job["desired"], 0)
if job["identify"]:
    role.identify(0)
for now in range(0, job["at"] + 1, role.PERIOD_MS):
    role.step(now)
panel.print()
print(json.dumps(role.state()))
