"""The device's readers in the real MicroPython: its integers, its texts, its heap."""

import json
from pathlib import Path

from support import micropython

from fuzz import firmware, targets_device

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


def job(rounds: int, seed: int) -> dict[str, object]:
    """What mp_run.py is told."""
    known = {target.name: target for target in targets_device.TARGETS}
    names = [*targets_device.wire.TARGETS, *targets_device.flash.TARGETS]
    targets: dict[str, list[object]] = {}
    for name in names:
        target = known[RENAMED.get(name, name)]
        right = [each.hex() for each in target.right if len(each) < 3000]
        targets[name] = [target.form, right, [each.hex() for each in target.words]]
    return {"glyphs": str(firmware.GLYPHS), "rounds": rounds, "seed": seed, "targets": targets}


def run(
    rounds: int, seed: int, *, timeout: float = 100, check: bool = True
) -> micropython.Finished:
    path = [micropython.modules(), FOLDER, FOLDER.parent / "support"]
    said = json.dumps(job(rounds, seed)) + "\n"
    return micropython.run(SCRIPT, path=path, heap=HEAP, stdin=said, timeout=timeout, check=check)


def test_the_devices_readers_take_or_refuse_whatever_comes() -> None:
    lines = [line.split() for line in run(200, 1).output.splitlines()]
    assert len(lines) == len(targets_device.wire.TARGETS) + len(targets_device.flash.TARGETS)
    assert all(int(taken) and int(refused) for _, taken, refused in lines), lines
