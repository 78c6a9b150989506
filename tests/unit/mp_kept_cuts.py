"""Cuts the power at every flash operation of replacing a file by rename, on a real LittleFS.

Before each operation the flash is forked and the fork suffers the cut: mounted again, the file is
the old one or the new one, whole, and can be replaced once more, which is cut as well. Prints one
JSON object. Argument: the seed.
"""

import json
import random
import sys

import vfs
from hall import kept
from nor_flash import MODES, NorFlash

# A small file lives in its directory, a large one in blocks of its own: of 512 bytes here, as
# tearing 4,096 byte by byte takes long.
SIZES = (10, 300, 10, 1100, 600)
ROUNDS = 15
counts = {"operations": 0, "cuts": 0, "second": 0, "old": 0, "new": 0}


def content(number):
    return {"number": number, "filled": "x" * SIZES[number % len(SIZES)]}


def mounted(flash, place):
    # The sizes of the ESP32 port; without the time in the files, so that each run is the same.
    vfs.mount(vfs.VfsLfs2(flash, readsize=32, progsize=32, lookahead=32, mtime=False), place)
    return place + "/kept.json"


def replace(flash, depth, number, old, new):
    """Replaces `old` by `new`, cut at each operation; gives what is there in the end."""
    place = "/%d" % depth
    path = mounted(flash, place)
    there = kept.load(path)
    assert there in (old, new), (number, depth, len(str(there)))
    if depth:
        counts["old" if there == old else "new"] += 1

    def cut(kind, offset, data):
        modes = MODES if depth == 0 else (MODES[counts["second"] % len(MODES)],)
        for mode in modes:
            counts["second" if depth else "cuts"] += 1
            fork = flash.fork(kind, offset, data, mode)
            # Every seventh recovery is cut too, in each mode in turn: all would take minutes.
            deeper = depth == 0 and counts["cuts"] % 7 == 0
            # Both are right again: bits that were cut off may have read as the new one only once.
            replace(fork, depth + 1 if deeper or depth else 2, number, old, new)

    if depth < 2:
        flash.before_operation = cut
    kept.save(path, new)
    flash.before_operation = None
    assert kept.load(path) == new
    vfs.umount(place)


random.seed(int(sys.argv[1]))
flash = NorFlash(16, 512, random)
vfs.VfsLfs2.mkfs(flash, readsize=32, progsize=32, lookahead=32)
kept.save(mounted(flash, "/0"), content(0))
vfs.umount("/0")
for number in range(1, ROUNDS + 1):
    replace(flash, 0, number, content(number - 1), content(number))
counts["operations"] = flash.operations
print(json.dumps(counts))
