"""What the device makes of an update whose gateway misbehaves, and of releases that do not fit it.

The firmware's own update in MicroPython, on LittleFS; its gateway is scripted and answers at once.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from hall_gateway.release import manifest_of
from hall_tools import mpy
from support import micropython, releases

HERE = Path(__file__).parent
PIECE = 576
BLOCK = 4096
"""So often what was fetched of a file is synced."""
KEPT = {"hall/glyphs.bin": bytes(range(256)) * 5}
OLD = KEPT | {"hall/app.mpy": b"old " * 200}
BIG = bytes(range(251)) * 40
NEW = KEPT | {"hall/app.mpy": b"new " * 350, "hall/big.bin": BIG}
PIECES_BEFORE_CUT = 8
"""Of the large file: two blocks were begun, and one was synced."""


def release(
    files: dict[str, bytes], version: str, counter: int, /, **changes: str
) -> dict[str, str]:
    """{path: content in hex} of a slot; in its manifest, before it was signed, words differ."""
    text = manifest_of(("esp32",), version, counter, "1.29.0", files).signed.decode()
    for word, other in changes.items():
        line = next(line for line in text.splitlines() if line.startswith(word + " "))
        text = text.replace(line, f"{word} {other}", 1)
    key = releases.private_key()
    signature = key.sign(text.encode(), PKCS1v15(), SHA256()).hex()
    manifest = f"{text}signature {releases.public_key().id} {signature}\n".encode()
    return {path: content.hex() for path, content in {**files, "manifest": manifest}.items()}


@pytest.fixture(scope="module")
def became(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of each case of mp_update_cases.py."""
    new = release(NEW, "0.2.0", 6)
    forged = bytearray.fromhex(new["manifest"])
    forged[-3] = ord("0") if forged[-3] != ord("0") else ord("1")
    before = -(-len(forged) // PIECE) + -(-len(NEW["hall/app.mpy"]) // PIECE)
    given = {
        "key": releases.public_key().hex,
        "cut": before + PIECES_BEFORE_CUT + 1,
        "blocks": 70,
        "releases": {
            "old": release(OLD, "0.1.0", 5),
            "new": new,
            "newer": release(NEW, "0.3.0", 6),
            "product": release(NEW, "0.2.0", 6, product="tallkit"),
            "hardware": release(NEW, "0.2.0", 6, hardware="esp32c3"),
            "core": release(NEW, "0.2.0", 6, core="1.99.0"),
            "counter": release(NEW, "0.2.0", 4),
            "signature": {**new, "manifest": bytes(forged).hex()},
            "manifest": release(NEW, "0.2.0", 6, version="2"),
        },
    }
    file = tmp_path_factory.mktemp("updates") / "given.json"
    file.write_text(json.dumps(given))
    done = micropython.run(
        HERE / "mp_update_cases.py",
        str(file),
        path=[micropython.modules(), HERE.parent / "support", mpy.firmware_root()],
        heap="8M",
        timeout=120,
    )
    return dict(json.loads(line) for line in done.output.splitlines())


@pytest.fixture(scope="module")
def whole() -> int:
    """Bytes of the manifest and of the files that the old release does not have."""
    manifest = len(release(NEW, "0.2.0", 6)["manifest"]) // 2
    return manifest + sum(len(NEW[path]) for path in NEW if path not in KEPT)


STAGED = {"became": "reset", "told": [{"s": "staged", "v": "0.2.0"}], "there": ["a", "b"]}


def refused(code: str, version: str = "0.2.0") -> dict[str, Any]:
    """It was told, and what was begun lies there for the next command."""
    return {"became": code, "told": [{"s": code, "v": version}], "there": ["a", "new"]}


def test_a_whole_update_fetches_only_what_differs(became: dict[str, Any], whole: int):
    assert became["whole"] == {**STAGED, "fetched": whole, "trial": ["b", "0.2.0", 6, 3]}
    assert became["from_safe_mode"] == STAGED


def test_a_changed_bit_is_found_before_anything_is_tried(became: dict[str, Any], whole: int):
    assert became["changed_bit_once"] == {**STAGED, "fetched": whole + len(BIG)}
    assert became["changed_bit_always"] == {**refused("hash"), "left": False}
    assert became["changed_bit_in_the_manifest"] == refused("hash", "")


def test_a_gateway_that_does_not_answer(became: dict[str, Any], whole: int):
    waited = [5000, 10_000, 20_000, 40_000, *[60_000] * 6]
    assert became["no_answer"] == {**refused("no_answer", ""), "waited": waited, "asked": 10}
    assert became["one_answer_is_lost"] == {**STAGED, "fetched": whole}
    assert became["error_for_an_answer"] == {
        **refused("no_answer"),
        "reports": ["update: gone"],
    }


def test_answers_that_nobody_asked_for(became: dict[str, Any], whole: int):
    assert became["answers_to_others"] == {**STAGED, "fetched": whole, "wrong": 8}


@pytest.mark.parametrize(
    ("case", "version"),
    [("size_of_another_file", "0.2.0"), ("size_nothing", "0.2.0"), ("size_beyond_the_end", "")],
)
def test_a_size_that_is_not_the_manifest_s(became: dict[str, Any], case: str, version: str):
    assert became[case] == refused("size", version)


def test_late(became: dict[str, Any], whole: int):
    """What was fetched is kept, and the next night goes on from there."""
    late = became["late_and_the_next_night"]
    assert 0 < late["before"] < late["fetched"] == whole
    assert late["first"] == "late"
    assert late["told"] == refused("late")["told"] + STAGED["told"]
    # A device that does not know the time fetches, and does not switch.
    assert became["late_when_all_is_there"] == {**refused("late"), "fetched": whole}


def test_called_off(became: dict[str, Any]):
    assert became["gives_up"] == {"became": "idle", "told": [], "there": ["a"], "asked": 9}
    assert became["another_release_instead"] == {
        "became": "reset",
        "told": [{"s": "staged", "v": "0.3.0"}],
        "there": ["a", "b"],
        "trial": ["b", "0.3.0", 6, 3],
    }


def test_goes_on_after_a_reconnect(became: dict[str, Any], whole: int):
    case = became["goes_on_after_a_reconnect"]
    assert case.pop("downs") > 30
    assert case == {**STAGED, "fetched": whole}


def test_goes_on_after_a_power_cut(became: dict[str, Any]):
    """From the length of the file that was being fetched: whole blocks of it were synced."""
    case = became["goes_on_after_a_power_cut"]
    size = PIECES_BEFORE_CUT * PIECE // BLOCK * BLOCK
    assert size <= case["size"] < size + PIECE
    assert case == {
        **STAGED,
        "first": "cut",
        "size": case["size"],
        "resumed_at": case["size"],
        "again": len(BIG) - case["size"],
    }


@pytest.mark.parametrize("case", ["product", "hardware", "core", "counter", "signature"])
def test_a_release_that_does_not_fit(became: dict[str, Any], case: str):
    """Nothing but its manifest is fetched, and the hall is told why."""
    assert became[case] == {**refused(case), "more": 0}


def test_a_manifest_that_makes_no_sense(became: dict[str, Any]):
    assert became["manifest"] == {**refused("manifest", ""), "more": 0}


def test_an_older_counter_is_refused_without_a_state(became: dict[str, Any]):
    """/slot.json is gone: the manifest of the slot that runs says it as well."""
    assert became["counter_of_the_slot_that_runs"] == {**refused("counter"), "more": 0}


def test_without_keys_nothing_is_asked_for(became: dict[str, Any]):
    assert became["no_key"] == {**refused("no_key", ""), "there": ["a"], "asked": 0}


def test_no_room(became: dict[str, Any]):
    assert became["space"] == refused("space")


def test_what_runs_already(became: dict[str, Any]):
    assert became["runs_already"] == {"became": "confirmed", "told": [], "there": ["a"], "asked": 0}


def test_commands_that_make_no_sense(became: dict[str, Any]):
    release, size, until = (
        "release must be 64 hex digits, or null",
        "size must be 1 to 16384",
        "until must be unix ms",
    )
    assert became["commands_that_make_no_sense"] == [
        *[release] * 2,
        *[size] * 3,
        *[until] * 2,
        "trial: this start is one",
        "battery: a device that sleeps is updated over the cable",
        "idle",
    ]
