"""What a device reports of itself in `up/state`, and the hall system finds in its state.

Here: the report as a whole. Not here: what a model shows or senses, which its profile says
(profile_schemas.py), and the part that the gateway itself uses (hall_gateway.models).

These models describe what the firmware of this release sends. The gateway takes less, and passes
on whatever it is told.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from hall_gateway import models
from hall_gateway.contract.words import Count, Missing, Told, words


class JournalReport(Told):
    """Where the device's ring of events stands."""

    epoch: models.U32
    acked: Annotated[models.U32, Field(description="the gateway has committed events up to here")]
    next: Annotated[models.Seq, Field(description="the seq of the next event")]
    dropped: Annotated[
        Count, words("未写入", "Dropped", "events that flash did not take", "events")
    ] = 0
    lost: Annotated[
        Count, words("丢失", "Lost", "overwritten before they were acknowledged", "events")
    ] = 0
    torn: Annotated[Count, words("损坏", "Torn", "slots that a power cut spoilt", "slots")] = 0


class Refresh(Told):
    """How the refresh of a display on the gateway's own header goes."""

    frames: Annotated[Count, words("帧数", "Frames")]
    late: Annotated[Count, words("迟到帧", "Late", "left out because their time had passed")]
    longest_gap_ms: Annotated[float, words("最长黑屏", "Longest dark gap", unit="ms")]
    longest_frame_ms: Annotated[float, words("最长帧", "Longest frame", unit="ms")]


class HealthReport(Told):
    """How the device is."""

    up_s: Annotated[int, Field(ge=0, le=2**31), words("运行时长", "Uptime", "since boot", "s")]
    boot: models.Boot
    cause: Annotated[str, Field(description="why it started")]
    heap: Annotated[Count, words("空闲内存", "Free heap", unit="bytes")] = 0
    connects: Annotated[Count, words("连接次数", "Connects", "since boot")] = 0
    stale: Annotated[Count, words("过期", "Stale", "older desired states, not applied")] = 0
    refused: Annotated[Count, words("拒绝", "Refused", "payloads from the gateway")] = 0
    refresh: Refresh | Missing = None
    errors: Annotated[list[str], Field(description="the last ones, oldest first")]


class UpdateReport(Told):
    """Which firmware runs, and how its update stands."""

    v: Annotated[str, Field(pattern=r"^[0-9.]{1,10}$", description="the version that runs")]
    slot: Annotated[Literal["a", "b", "safe"], Field(description="safe: both slots fail")]
    s: Annotated[
        models.Word,
        Field(description="idle; fetch: it is fetched and checked; wait: whole, waits for a quiet "
              "moment; trial; confirmed; or why the last one was refused or given up"),
    ]  # fmt: skip
    p: Annotated[int, Field(ge=0, le=100, description="fetched", json_schema_extra={"x-unit": "%"})]


class Reported(Told):
    """A device's reported state. What stands in `shows` is in the schema of its profile."""

    rev: Annotated[
        models.Rev | None, Field(description="of the desired state that it applied; null: none yet")
    ]
    shows: Annotated[
        dict[str, JsonValue],
        Field(description="what it shows or senses, as its profile has it; with `fault`: its role "
              "could not start; with `error`: too long to be reported"),
    ]  # fmt: skip
    journal: JournalReport
    health: HealthReport
    update: UpdateReport | Missing = None
    fw: Annotated[str, Field(max_length=32)]
    profile: Annotated[str, Field(max_length=64)]
