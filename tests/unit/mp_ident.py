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


try:
    print(json.dumps(ident.read(Block(sys.argv[1]))))
except ValueError as error:
    print("refused", error)
