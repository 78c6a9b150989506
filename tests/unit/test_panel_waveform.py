"""The log of a scan is read as the register stores it stands for, with their times."""

import re
from array import array

import pytest
from hall_panel.waveform import CLEAR, OUT, SET, Store, end_ns, level, parts, stores
from support.panel_player import CLOCKS, REST, log

CLOCK = 0x40


def test_every_store_in_order_with_its_time() -> None:
    entries = [1, 2, CLOCKS, 2, 0x10, 0x20, REST, 3, 4, 8]
    assert list(stores(log(entries), CLOCK, start_ns=1000)) == [
        Store(1000, CLEAR, 1),
        Store(1050, SET, 2),
        Store(1100, OUT, 0x10),
        Store(1150, SET, CLOCK),
        Store(1200, OUT, 0x20),
        Store(1250, SET, CLOCK),
        Store(1600, CLEAR, 4),  # after three pairs of stores that change nothing
        Store(1650, SET, 8),
    ]
    assert end_ns(log(entries), start_ns=1000) == 1700


def test_a_store_takes_what_the_caller_says() -> None:
    entries = [0, 1, REST, 2, CLOCKS, 1, 0]
    assert [store.ns for store in stores(log(entries), CLOCK, 0, 7)] == [0, 7, 42, 49]
    assert end_ns(log(entries), 5, 7) == 5 + 8 * 7


def test_a_rest_takes_no_time_to_read() -> None:
    entries = [REST, 0xFFFFFFFF] * 1000
    assert list(stores(log(entries), CLOCK)) == []
    assert end_ns(log(entries)) == 1000 * 0xFFFFFFFF * 100


def test_the_first_word_is_the_level_after_the_frame() -> None:
    assert level(log([], 0xDEADBEEF)) == 0xDEADBEEF
    assert end_ns(log([], 7)) == 0


def test_a_log_may_be_any_buffer() -> None:
    words = array("I", [0, 1, 2])
    assert list(stores(words, CLOCK)) == list(stores(words.tobytes(), CLOCK))
    assert len(list(stores(memoryview(words)[:3], CLOCK))) == 2


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (b"", "0 bytes, must be words of 4, at least one"),
        (log([1, 2])[:-1], "11 bytes, must be words of 4"),
        (log([1, 2, 3]), "ends at word 3, in the middle of an entry"),
        (log([1, 2, CLOCKS]), "ends at word 3, in the middle of an entry"),
        (log([1, 2, CLOCKS, 3, 0, 0]), "3 clocks at word 3, 2 follow"),
        (log([CLOCKS, 0xFFFFFFFF]), "4294967295 clocks at word 1, 0 follow"),
    ],
)
def test_a_log_that_breaks_off_is_refused(octets: bytes, error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        list(parts(octets))
