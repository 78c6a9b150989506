"""Subjects are read back as they were written, and a hall's rights cover its own and no other's."""

import re

import pytest
from hall_gateway import jetstream_subjects as subjects
from hypothesis import given
from hypothesis import strategies as st

HALLS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
WORDS = st.from_regex(r"[a-z_]{1,20}", fullmatch=True)
COMMAND_IDS = st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True)


def covers(pattern: str, subject: str) -> bool:
    """As NATS matches: `*` is one token, `>` at the end one or more; no token is empty."""
    tokens = (
        {"*": r"[^.\s]+", ">": r"[^.\s]+(\.[^.\s]+)*"}.get(t, re.escape(t))
        for t in pattern.split(".")
    )
    return re.fullmatch(r"\.".join(tokens), subject) is not None


@given(HALLS, WORDS, WORDS)
def test_an_event_is_read_back(hall: str, noun: str, verb: str):
    subject = subjects.event(hall, noun, verb)
    assert subjects.read_event(subject) == (hall, noun, verb)
    assert covers(subjects.EVENTS, subject)
    assert subjects.read_state(subjects.state(hall)) == hall
    assert covers(subjects.STATES, subjects.state(hall))


@given(HALLS, HALLS, COMMAND_IDS)
def test_a_hall_may_do_all_that_is_its_own_and_nothing_else(own: str, other: str, id: str):
    def published(hall: str) -> list[str]:
        return [
            subjects.event(hall, "rating", "given"),
            subjects.state(hall),
            subjects.reply(hall, id),
        ]

    def read(hall: str) -> list[str]:
        return [subjects.command(hall, "call"), f"{subjects.inbox(hall)}.a1B2"]

    def allowed(patterns: list[str], subject: str) -> bool:
        return any(covers(pattern, subject) for pattern in patterns)

    assert all(allowed(subjects.may_publish(own), subject) for subject in published(own))
    assert all(allowed(subjects.may_subscribe(own), subject) for subject in read(own))
    assert not any(allowed(subjects.may_publish(own), subject) for subject in read(own))
    if other != own:
        for subject in published(other) + read(other):
            assert not allowed(subjects.may_publish(own), subject)
            assert not allowed(subjects.may_subscribe(own), subject)


@pytest.mark.parametrize(
    "subject",
    [
        "hall.v1.h1.event.rating",
        "hall.v1.h1.event.rating.given.more",
        "hall.v1.h1.event.rating.given\n",
        "hall.v1..event.rating.given",
        "hall.v1.H1.event.rating.given",
        "hall.v2.h1.event.rating.given",
        "hall.v1.h1.state",
    ],
)
def test_another_subject_is_no_event(subject: str):
    assert subjects.read_event(subject) is None


def test_two_ids_never_share_a_reply_subject():
    assert subjects.reply("h1", "a.b") == "hall.v1.h1.reply.a%2Eb"
    assert subjects.reply("h1", ".") == "hall.v1.h1.reply.%2E"
