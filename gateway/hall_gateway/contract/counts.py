"""`hall.count.*`: people through the doors, and how many are inside.

Here: the data of these events. Not here: how passages add up (occupancy.py).
"""

from typing import Annotated, Literal

from pydantic import Field

from hall_gateway.contract.words import Count, Told, event, words

In = Annotated[Count, words("进入", "In", "since the last reset", "people")]
Out = Annotated[Count, words("离开", "Out", "since the last reset", "people")]


class Passage(Told):
    """One person went through a door."""

    direction: Annotated[Literal["in", "out"], words("方向", "Direction")]


class Occupancy(Told):
    """How many are inside, as the passages add up."""

    inside: Annotated[Count, words("在场人数", "Inside", unit="people")]
    entered: In = Field(alias="in")
    left: Out = Field(alias="out")


class Repaired(Told):
    """More went out than had come in, so that many were added."""

    added: Annotated[int, Field(ge=1), words("补入", "Added", unit="people")]
    reason: Annotated[Literal["more_out_than_in"], words("原因", "Reason")]


class Reset(Told):
    """The night has taken away what was left over: the drift of the day."""

    removed: Annotated[Count, words("清零人数", "Removed", unit="people")]
    entered: In = Field(alias="in")
    left: Out = Field(alias="out")
    repaired: Annotated[Count, words("补入", "Repaired", "added that day", "people")]
    late: Annotated[
        Count, words("迟到", "Late", "passages of the day before, heard of that day", "passages")
    ]


TYPES = (
    event(
        "hall.count.passage",
        "客流",
        "Passage",
        Passage,
        "one person went through a door",
        ("window", "zone"),
    ),
    event(
        "hall.count.occupancy",
        "在场人数",
        "Occupancy",
        Occupancy,
        "the number inside changed, every 10 s at most",
        ("hall", "zone", "window"),
    ),
    event(
        "hall.count.repaired",
        "人数校正",
        "Occupancy repaired",
        Repaired,
        "more went out than had come in",
        ("hall", "zone", "window"),
    ),
    event(
        "hall.count.reset",
        "人数清零",
        "Occupancy reset",
        Reset,
        "once a night, at the hour of the reset",
        ("hall", "zone", "window"),
    ),
)
