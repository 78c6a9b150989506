"""The demo's eyes: they read what is lit, and nothing that is not."""

import pytest
from hall_tools.demo.eyes import Eyes, Picture, ticket_in

# Pictures as they stand on a panel, looked at by a person: one hexadecimal row a line.
CALL_64X16 = (
    "0040000000000000",
    "4040000000001ff0",
    "27fc000000001010",
    "2040000000001010",
    "03f81818087e1010",
    "0040242418401ff0",
    "e7fe244228400000",
    "200042460840fffe",
    "23f8424a087c0800",
    "22087e5208021000",
    "23f8426208021ff0",
    "2208424208020010",
    "2bf8422408420010",
    "320842183e3c0010",
    "22280000000000a0",
    "0210000000000040",
)
CALL_64X32 = (
    "0040000000000000",
    "4040000000001ff0",
    "27fc000000001010",
    "2040000000001010",
    "03f87c3c187e1010",
    "0040424224021ff0",
    "e7fe424242020000",
    "200042024604fffe",
    "23f87c0c4a040800",
    "2208421052041000",
    "23f8422062081ff0",
    "2208424042080010",
    "2bf8424024080010",
    "32087c7e18080010",
    "22280000000000a0",
    "0210000000000040",
    "0000400020000000",
    "0ff8400010000000",
    "00804007ffe3ff80",
    "0102400482220080",
    "022243c921420080",
    "0412442040020080",
    "0ffa4423ff820080",
    "008a402220820080",
    "008240c23c820080",
    "0082410244820080",
    "07f24202a8820080",
    "0082440210820080",
    "0080440228820080",
    "00f847e24083ff80",
    "0f814003ff820080",
    "0400800200800000",
)


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    return Eyes()


def _picture(rows: tuple[str, ...]) -> Picture:
    return Picture(4 * len(rows[0]), len(rows), tuple(int(row, 16) for row in rows))


def test_one_row_of_text(eyes: Eyes) -> None:
    assert eyes.read(_picture(CALL_64X16)) == "请A015号"


def test_two_rows_of_text(eyes: Eyes) -> None:
    assert eyes.read(_picture(CALL_64X32)) == "请B207号\n到2窗口"


def test_a_dark_panel_says_nothing(eyes: Eyes) -> None:
    assert eyes.read(Picture(64, 16, (0,) * 16)) == ""


def test_a_panel_with_a_dead_dot_is_not_taken_for_a_good_one(eyes: Eyes) -> None:
    picture = _picture(CALL_64X16)
    dead = tuple(row & ~(1 << 44) for row in picture.rows)
    assert dead != picture.rows
    assert ticket_in(eyes.read(Picture(64, 16, dead))) is None


def test_half_of_the_old_and_half_of_the_new_picture_is_no_ticket(eyes: Eyes) -> None:
    old, new = _picture(CALL_64X32).rows[:16], _picture(CALL_64X16).rows
    assert ticket_in(eyes.read(Picture(64, 16, (*old[:8], *new[8:])))) is None


@pytest.mark.parametrize(
    ("text", "ticket"),
    [
        ("请A015号", "A015"),
        ("请A015号\n到2窗口", "A015"),
        ("请稍候", None),
        ("A015 B016", None),
        ("A01", None),
        ("", None),
    ],
)
def test_the_ticket_in_a_text(text: str, ticket: str | None) -> None:
    assert ticket_in(text) == ticket
