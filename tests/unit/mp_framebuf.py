"""Draws with the real MicroPython's framebuf: jobs as JSON on stdin, one a line.

A job: {"sizes": [[width, height, stride or null, bytes], ...], "steps": [[name, picture,
arguments], ...]}, where a blit's first argument is the number of another picture. A line of output:
{"pictures": [hex, ...], "pixels": [what pixel() returned, ...]}, or {"error": its type} when a
picture cannot be made.
"""

import json
import sys
from binascii import hexlify

from framebuf import MONO_HLSB, FrameBuffer


def draw(job):
    buffers = []
    pictures = []
    for width, height, stride, size in job["sizes"]:
        more = () if stride is None else (stride,)
        buffer = bytearray(size)
        buffers.append(buffer)
        try:
            pictures.append(FrameBuffer(buffer, width, height, MONO_HLSB, *more))
        except ValueError:
            return {"error": "ValueError"}
    pixels = []
    for name, picture, arguments in job["steps"]:
        if name == "blit":
            arguments = [pictures[arguments[0]]] + arguments[1:]
        result = getattr(pictures[picture], name)(*arguments)
        if name == "pixel":
            pixels.append(result)
    return {"pictures": [hexlify(buffer).decode() for buffer in buffers], "pixels": pixels}


for line in sys.stdin:
    print(json.dumps(draw(json.loads(line))))
