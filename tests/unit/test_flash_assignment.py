"""Which device a board of a batch becomes, and that no two boards become one."""

from pathlib import Path

import pytest
from hall_tools.errors import UserError
from hall_tools.flash.assignment import AlreadyDoneError, Assignment, Wanted
from hall_tools.flash.ledger import Ledger

A, B, C = ("24:0a:c4:00:00:0a", "24:0a:c4:00:00:0b", "24:0a:c4:00:00:0c")
WANTED = [Wanted("kp-1", "esp32", 4, 1), Wanted("kp-2", "esp32", 4, 1)]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "boards.json")


@pytest.fixture
def batch(ledger: Ledger) -> Assignment:
    return Assignment(WANTED, ledger)


def take(batch: Assignment, mac: str, was: str | None = None) -> str:
    return batch.take(mac, "esp32", 4.0, was).device


def test_empty_boards_get_the_devices_in_their_order(batch: Assignment) -> None:
    assert [take(batch, A), take(batch, B)] == ["kp-1", "kp-2"]
    with pytest.raises(UserError, match=r"no device left .* without a board are: none"):
        take(batch, C)


def test_a_board_that_failed_leaves_its_device_to_the_next(batch: Assignment) -> None:
    batch.give_back(take(batch, A))
    assert take(batch, B) == "kp-1"
    assert batch.left() == ["kp-1", "kp-2"]
    batch.done("kp-1")
    assert batch.left() == ["kp-2"]


def test_a_board_that_is_one_of_them_stays_it(batch: Assignment) -> None:
    assert take(batch, A, was="kp-2") == "kp-2"
    assert take(batch, B) == "kp-1"


def test_the_same_board_again(batch: Assignment) -> None:
    batch.done(take(batch, A))
    assert batch.knows(A)
    with pytest.raises(AlreadyDoneError) as found:
        take(batch, A, was="kp-1")
    assert found.value.device == "kp-1"


def test_two_boards_that_are_the_same_device(batch: Assignment) -> None:
    batch.done(take(batch, A, was="kp-1"))
    with pytest.raises(UserError, match=f"two boards with one id: kp-1 is board {A}"):
        take(batch, B, was="kp-1")


def test_a_board_of_another_hall(batch: Assignment, ledger: Ledger) -> None:
    with pytest.raises(UserError, match="this board is disp-9, which is none of those"):
        take(batch, A, was="disp-9")
    assert take(Assignment(WANTED, ledger, wipe=True), A, was="disp-9") == "kp-1"


def test_a_board_from_before_counts(batch: Assignment, ledger: Ledger) -> None:
    ledger.note("kp-1", 1, C)
    ledger.note("kp-2", 0, A)  # with keys that are worth nothing any more
    assert batch.left() == ["kp-1", "kp-2"]
    assert batch.without_board() == ["kp-2"]


def test_what_another_board_has_is_not_given_away(batch: Assignment, ledger: Ledger) -> None:
    ledger.note("kp-1", 1, C)
    assert take(batch, A) == "kp-2"
    assert take(batch, C) == "kp-1"


def test_a_board_whose_flash_was_lost_gets_its_device_back(
    batch: Assignment, ledger: Ledger
) -> None:
    ledger.note("kp-2", 1, A)
    assert take(batch, A) == "kp-2"


def test_new_keys_free_a_device_from_its_board(ledger: Ledger, tmp_path: Path) -> None:
    ledger.note("kp-1", 1, A)
    with pytest.raises(UserError, match=f"kp-1 is on board {A} already"):
        ledger.note("kp-1", 1, B)
    ledger.note("kp-1", 2, B)
    again = Ledger(tmp_path / "boards.json")
    assert again.holder("kp-1", 2) == B
    assert again.holder("kp-1", 3) is None
    assert again.device_of(A) is None


def test_a_board_is_one_device_only(ledger: Ledger) -> None:
    ledger.note("kp-1", 1, A)
    ledger.note("kp-2", 1, A)
    assert ledger.device_of(A) == "kp-2"
    assert ledger.holder("kp-1", 1) is None


def test_two_programs_at_once(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path / "boards.json"), Ledger(tmp_path / "boards.json")
    one.note("kp-1", 1, A)
    other.note("kp-2", 1, B)
    with pytest.raises(UserError, match="two boards with one identity"):
        other.note("kp-1", 1, B)
    assert Ledger(tmp_path / "boards.json").device_of(A) == "kp-1"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"v":1,"boards":{"kp-1":{}}}'])
def test_a_damaged_ledger(tmp_path: Path, content: str) -> None:
    file = tmp_path / "boards.json"
    file.write_text(content)
    with pytest.raises(UserError, match=r"boards\.json: damaged; move it away"):
        Ledger(file)
