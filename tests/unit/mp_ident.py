"""Reads the ident partition in the file named on the command line: prints it, or what is wrong."""

import json
import sys

from hall import ident


class Block:
    def __init__(self, path):
        with open(path, "rb") as file:
            self._bytes = file.read()

    def readblocks(self, block, buffer, offset):
        start = block * 4096 + offset
        buffer[:] = self._bytes[start : start + len(buffer)]

    def writeblocks(self, block, data, offset):
        start = block * 4096 + offset
        old = self._bytes[start : start + len(data)]
        new = bytes([old[at] & data[at] for at in range(len(data))])
        self._bytes = self._bytes[:start] + new + self._bytes[start + len(data) :]


if len(sys.argv) > 2:
    block = Block(sys.argv[1])
    who = ident.read(block)
    marks = [ident.used(block)]
    for sector in range(2):
        half = Block(sys.argv[1])
        half.writeblocks(sector, b"\xfe", 4090)  # as a cut may leave it
        marks.append(ident.used(half))
    ident.mark_used(block)
    marks.append(ident.used(block))
    assert ident.read(block) == who
    print(json.dumps(marks))
    sys.exit()
try:
    print(json.dumps(ident.read(Block(sys.argv[1]))))
except ValueError as error:
    print("refused", error)
