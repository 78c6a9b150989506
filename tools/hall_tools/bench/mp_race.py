# pyright: basic, reportAttributeAccessIssue=false
"""Plays the same frames by each player in turn, in one MicroPython, and says how long they took.

Stdin: JSON, {"description", "picture", "program_bytes", "log_bytes", "rounds", "frames": {player:
how many a round}}, bytes in hex. Stdout: JSON, {player: [us for a frame, of each round]}.
"""

import binascii
import gc
import json
import sys
import time
from array import array

job = json.loads(sys.stdin.readline())
native, viper, bytecode = [__import__(name) for name in ("scan_x64", "scan_viper", "mp_bytecode")]
description = array("I", binascii.unhexlify(job["description"]))
packed = bytearray(job["program_bytes"])
native.build(packed, binascii.unhexlify(job["picture"]), description)
program = array("I", packed)
registers = array("I", [0, 0, 0])
log = bytearray(job["log_bytes"])
players = {
    "native": (native.frame, packed, log),
    "viper": (viper.frame, packed, registers),
    "bytecode": (bytecode.frame, program, registers),
}


def took(player):
    play, words, stores = players[player]
    frames = job["frames"][player]
    gc.collect()
    start = time.ticks_us()
    for _ in range(frames):
        play(words, description, stores)
    return time.ticks_diff(time.ticks_us(), start) / frames


result = {player: [] for player in players}
for _ in range(job["rounds"]):
    for player in players:
        result[player].append(took(player))
print(json.dumps(result))
