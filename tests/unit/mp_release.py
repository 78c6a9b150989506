"""Whether a device takes manifests. argv: a folder with keys.json, manifests, and their names in
cases.json, [[file, chip, least counter], ...]; prints what became of each, then of one with a bit
changed in every byte, then what a verification costs. One [name, result] a line."""

import gc
import json
import os
import random
import sys
import time

from hall import release, rsa
from hall.update import RefusedError

FOLDER = sys.argv[1]
os.mkdir(FOLDER + "/new")


def run(work):
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


async def rest():
    pass


def taken(content, chip=b"esp32s3", least=0):
    with open(FOLDER + "/new/manifest", "wb") as file:
        file.write(content)
    try:
        return run(release.accept(chip, least, rest, FOLDER))
    except RefusedError as refused:
        return str(refused)


with open(FOLDER + "/cases.json") as file:
    cases = json.load(file)
for name, chip, least in cases:
    with open(FOLDER + "/" + name, "rb") as file:
        content = file.read()
    print(json.dumps([name, taken(content, chip.encode(), least)]))

random.seed(7)
with open(FOLDER + "/right", "rb") as file:
    right = bytearray(file.read())
became = {}
for at in range(len(right)):
    bit = 1 << random.getrandbits(3)
    right[at] ^= bit
    code = taken(right)
    right[at] ^= bit
    assert type(code) is str, ("taken", at, bit)
    became[code] = became.get(code, 0) + 1
print(json.dumps(["changed", became]))

with open(FOLDER + "/keys.json") as file:
    modulus = bytes.fromhex(json.load(file)["keys"][0])
signature = bytes.fromhex(right[-769:-1].decode())
gc.collect()
before = gc.mem_alloc()
most = steps = 0


async def weigh():
    """What a step has left behind, garbage as well."""
    global most, steps
    most = max(most, gc.mem_alloc() - before)
    steps += 1
    gc.collect()


gc.disable()
run(rsa.verify(bytes(32), signature, modulus, weigh))
gc.enable()
began = time.ticks_us()
run(rsa.verify(bytes(32), signature, modulus, rest))
us = time.ticks_diff(time.ticks_us(), began)
print(json.dumps(["cost", {"us": us, "bytes": most, "steps": steps + 1}]))
