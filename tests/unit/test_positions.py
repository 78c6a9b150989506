"""Where in an outbox a message stands, and what many of them account for."""

import pytest
from hall_fleet.positions import MOST, accounted, multirange, parts, span
from hall_gateway import jetstream_subjects as subjects
from hypothesis import given
from hypothesis import strategies as st

STORE = "0123456789abcdef"


def headers(text: str) -> dict[str, str]:
    return {subjects.POSITION_HEADER: text}


def test_a_message_says_which_positions_it_accounts_for() -> None:
    assert span(headers(f"{STORE}/0/1")) == (STORE, 0, 1)
    assert span(headers(f"{STORE}/17/{MOST}")) == (STORE, 17, MOST)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "1/2",
            f"{STORE}/1",
            f"{STORE}/2/1",
            f"{STORE}/1/1",
            f"{STORE}/-1/1",
            f"{STORE}/0/01",
        ),
        *(f"{STORE}/0/{MOST + 1}", f"{STORE.upper()}/0/1", f"{STORE}0/0/1", f"{STORE}/0/1\n"),
        *(f"{STORE}/٠/١", f"{STORE}/0/1/2"),
    ],
)
def test_what_is_no_position_is_told_from_one(text: str) -> None:
    assert span(headers(text)) is None


def test_a_message_need_not_say_where_it_stands() -> None:
    assert span({}) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["east", "west"]),
            st.sampled_from([STORE, STORE[::-1]]),
            st.integers(0, 30),
            st.integers(1, 9),
        ),
        max_size=30,
    )
)
def test_a_batch_accounts_for_what_its_messages_do_in_any_order(
    came: list[tuple[str, str, int, int]],
) -> None:
    wanted: dict[tuple[str, str], set[int]] = {}
    for hall, store, after, more in came:
        wanted.setdefault((hall, store), set()).update(range(after + 1, after + more + 1))
    halls, stores, texts = accounted(
        (hall, (store, after, after + more)) for hall, store, after, more in came
    )
    found = dict(zip(zip(halls, stores, strict=True), map(_positions, texts), strict=True))
    assert found == wanted
    assert list(found) == sorted(found)


def _positions(text: str) -> set[int]:
    ranges = [part.strip("(]").split(",") for part in text.strip("{}").split("],(")]
    return {n for after, last in ranges for n in range(int(after) + 1, int(last) + 1)}


def test_parts_of_a_multirange_are_read_as_postgresql_writes_them() -> None:
    assert parts("{}") == []
    assert parts("{[1,5),[7,8)}") == [(1, 4), (7, 7)]
    assert multirange([(1, 4), (7, 7)]) == "{[1,4],[7,7]}"
