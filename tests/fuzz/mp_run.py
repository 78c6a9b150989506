"""The device's readers in the real MicroPython, with a heap not much larger than a device's.

stdin, one JSON object: {"glyphs": path, "firmware": folder, "seed", "targets": {name: [form,
[hex of a right input, ...], [hex of a word to put in, ...], how many inputs]}}. Prints a line for
each target: its name, how many inputs were taken and how many refused; what is found ends it, after
the input that found it.
"""

import gc
import json
import random
import sys
from binascii import hexlify, unhexlify

import mp_boot
import mp_change
import mp_flash
import mp_sleep
import mp_stage
import mp_update
import mp_wire
from hall import cbor


def dumps_json(value):
    return json.dumps(value).encode()


FORMS = {"json": (json.loads, dumps_json), "cbor": (cbor.loads, cbor.dumps)}


def pick(count):
    return random.getrandbits(16) % count


def one(form, right, words):
    """As Target.one() in target.py."""
    seed = right[pick(len(right))]
    kind = pick(8)
    if kind == 0:
        return bytes([pick(256) for _ in range(pick(80))])
    if form != "bytes" and kind > 3:
        loads, dumps = FORMS[form]
        return dumps(mp_change.changed_value(loads(seed), pick))
    return mp_change.changed(seed, pick, right, words)


def run(name, target, form, right, words, rounds):
    taken = 0
    for _ in range(rounds):
        try:
            data = one(form, right, words)
        except (ValueError, MemoryError, RuntimeError):
            continue  # what cannot be said cannot be sent
        try:
            taken += bool(target(data))
        except Exception:
            print(name, "found by", hexlify(data).decode())
            raise
        mp_stage.told.clear()
    print(name, taken, rounds - taken)


def main():
    job = json.loads(sys.stdin.readline())
    mp_stage.set_up(job["glyphs"])
    mp_boot.set_up(job["firmware"])
    targets = {}
    for readers in (mp_wire, mp_flash, mp_update, mp_boot, mp_sleep):
        targets.update(readers.TARGETS)
    for name in sorted(targets):
        form, right, words, rounds = job["targets"][name]
        right = [unhexlify(each) for each in right]
        random.seed(job["seed"])
        gc.collect()
        run(name, targets[name], form, right, [unhexlify(each) for each in words], rounds)


main()
