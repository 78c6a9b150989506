"""What a device has learnt at its place: a file that is the old one or the new one, never half."""

from pathlib import Path

import pytest
from hall_firmware.hall import kept


def test_what_was_saved_is_loaded_and_nothing_else_is_left(tmp_path: Path):
    path = tmp_path / "kept.json"
    assert kept.load(str(path)) == {}
    for dry_ohms in (113_710, 430_000):
        kept.save(str(path), {"dry_ohms": dry_ohms})
        assert kept.load(str(path)) == {"dry_ohms": dry_ohms}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("written", range(22))
def test_a_power_cut_while_it_is_written_leaves_the_old_one(tmp_path: Path, written: int):
    path = tmp_path / "kept.json"
    kept.save(str(path), {"dry_ohms": 113_710})
    path.with_suffix(".json.new").write_bytes(path.read_bytes()[:written])
    assert kept.load(str(path)) == {"dry_ohms": 113_710}
    kept.save(str(path), {"dry_ohms": 1})
    assert kept.load(str(path)) == {"dry_ohms": 1}


def test_a_flash_that_takes_nothing_leaves_the_old_one(tmp_path: Path):
    path = tmp_path / "kept.json"
    kept.save(str(path), {"dry_ohms": 113_710})
    path.with_suffix(".json.new").mkdir()
    with pytest.raises(OSError, match="directory"):
        kept.save(str(path), {"dry_ohms": 1})
    assert kept.load(str(path)) == {"dry_ohms": 113_710}


@pytest.mark.parametrize("text", ["", '{"dry_ohms": 1', "[]", "null", "7", "\x00\x00"])
def test_what_cannot_be_read_says_what_to_do(tmp_path: Path, text: str):
    path = tmp_path / "kept.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"kept\.json: not readable, calibrate this device again"):
        kept.load(str(path))
