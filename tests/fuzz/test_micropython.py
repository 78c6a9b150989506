"""The device's readers in the real MicroPython: its integers, its texts, its heap."""

import json
from pathlib import Path

from support import micropython

from fuzz import firmware, targets_device, targets_updates

SCRIPT = Path(__file__).with_name("mp_run.py")
FOLDER = SCRIPT.parent
HEAP = "640K"
"""64-bit words, all readers and their inputs at once: some 150 KB are left."""

RENAMED = {
    "device-cbor": "cbor",
    "device-console": "console-device",
    "device-console-asked": "console-asked",
    "device-radar": "radar",
    "device-card": "card",
    "device-journal": "journal",
    "device-journal-sealed": "journal-sealed",
    "device-ident": "ident",
    "device-ident-content": "ident-content",
    "device-glyphs": "glyphs",
    "device-manifest": "manifest",
}
"""By its name on the device: where a target under CPython holds another reader against it, too."""


NAMES = [name for readers in targets_device.READERS for name in readers.TARGETS]


def job(rounds: int, seed: int) -> dict[str, object]:
    """What mp_run.py is told."""
    known = {target.name: target for target in (*targets_device.TARGETS, *targets_updates.TARGETS)}
    targets: dict[str, list[object]] = {}
    for name in NAMES:
        target = known[RENAMED.get(name, name)]
        right = [each.hex() for each in target.right if len(each) < 3000]
        share = min(target.examples, 200) / 200
        words = [each.hex() for each in target.words]
        targets[name] = [target.form, right, words, round(rounds * share)]
    places = {"glyphs": str(firmware.GLYPHS), "firmware": str(firmware.FIRMWARE)}
    return {**places, "seed": seed, "targets": targets}


def run(
    rounds: int, seed: int, *, timeout: float = 100, check: bool = True
) -> micropython.Finished:
    path = [micropython.modules(), FOLDER, FOLDER.parent / "support", firmware.FIRMWARE]
    said = json.dumps(job(rounds, seed)) + "\n"
    return micropython.run(SCRIPT, path=path, heap=HEAP, stdin=said, timeout=timeout, check=check)


def test_the_devices_readers_take_or_refuse_whatever_comes() -> None:
    lines = [line.split() for line in run(150, 1).output.splitlines()]
    assert [name for name, *_ in lines] == sorted(NAMES)
    assert all(int(taken) and int(refused) for _, taken, refused in lines), lines
