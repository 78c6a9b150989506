"""Renders call displays in the real MicroPython: rows of `#` and `.` on stdout.

stdin, a JSON line a display: {"glyphs": path, "columns", "rows", "colours", "desired" or null,
"at": ms after it, "unix": ms when it starts or null, "identify": bool, "blink_s": s}.
stdout, for each: the rows of each colour's plane in turn, as they are after the last step; then a
JSON object of the role's `state`, how many pictures were `drawn`, and whether the last was `lit`.
"""

import json
import sys

from hall.canvas import MatrixFace
from hall.glyphs import GlyphPack
from hall.roles.call_display import CallDisplay

SETTINGS = {
    "brightness": 60,
    "night_brightness": 60,
    "night_from_h": 0,
    "night_to_h": 0,
    "utc_offset_min": 480,
}


class Panel:
    refresh_ms = 40

    def __init__(self, columns, rows, colours):
        self.width = columns
        self.height = 16 * rows
        self.colours = colours
        self.picture = None
        self.drawn = 0
        self.lit = False

    def show(self, picture):
        self.picture = bytes(picture)
        self.drawn += 1

    def scan(self):
        self.lit = True

    def print(self):
        stride = self.width // 8
        for start in range(0, len(self.picture), stride):
            row = self.picture[start : start + stride]
            bits = [byte >> bit & 1 for byte in row for bit in range(7, -1, -1)]
            print("".join(["#" if bit else "." for bit in bits]))


class Context:
    def __init__(self, unix):
        self.unix = unix
        self.now = 0

    def emit(self, kind, data):
        pass

    def link_down_ms(self):
        return 0

    def unix_ms(self):
        return None if self.unix is None else self.unix + self.now


def render(job):
    panel = Panel(job["columns"], job["rows"], job["colours"])
    context = Context(job["unix"])
    settings = dict(SETTINGS, blink_s=job["blink_s"])
    role = CallDisplay(settings, MatrixFace(panel, GlyphPack(job["glyphs"])), context)
    if job["desired"]:
        role.desire(job["desired"], 0)
    if job["identify"]:
        role.identify(0)
    for now in range(0, job["at"] + 1, role.PERIOD_MS):
        context.now = now
        panel.lit = False
        role.step(now)
    panel.print()
    print(json.dumps({"state": role.state(), "drawn": panel.drawn, "lit": panel.lit}))


for line in sys.stdin:
    render(json.loads(line))
