"""What hall commands are answered with, and what the gateway keeps retained for the hall system.

Here: the models of `reply/{id}` and `state/{device}`. Not here: the commands (hall_gateway.models),
what a device reports of itself (reported.py).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

from hall_gateway import models
from hall_gateway.contract.reported import Reported
from hall_gateway.contract.words import (
    Count,
    Device,
    Missing,
    Staff,
    Ticket,
    Told,
    UnixMs,
    Window,
    words,
)


class _Reply(Told):
    id: Annotated[models.CommandId, Field(description="of the command")]


class WindowStatus(Told):
    """The window as it is after the command."""

    window: Window
    state: Annotated[
        Literal["idle", "called", "serving", "paused"], words("窗口状态", "State of the window")
    ]
    ticket: Annotated[Ticket | None, Field(description="null when idle or paused")]
    staff: Annotated[Staff | None, Field(description="null when nobody is logged in")]
    pausing: Annotated[
        bool, words("即将暂停", "About to pause", "paused as soon as its ticket is done with")
    ]


class Waiting(Told):
    """The queue as it is after the command."""

    ticket: Ticket
    waiting: Annotated[Count, words("等候人数", "Waiting", "in the whole hall", "tickets")]


class ShownOn(Told):
    """Where the text is shown."""

    devices: Annotated[list[Device], words("设备", "Devices")]


class Failed(_Reply):
    """The command was refused, or its device did not answer in time; nothing has changed."""

    ok: Literal[False]
    error: Annotated[
        str, words("错误", "Error", "what is wrong and what would be right, one line of English")
    ]


class _Done(_Reply):
    ok: Literal[True]


class WindowReply(_Done):
    """A window's command is carried out."""

    result: WindowStatus


class TicketReply(_Done):
    """A ticket is taken, or given up."""

    result: Waiting


class ShowReply(_Done):
    """The text is on its displays."""

    result: ShownOn


class DeviceReply(_Done):
    """The device has done it; `result` is what it says."""

    result: JsonValue


class Tally(Told):
    """What all presses at a keypad came to. `pressed` is the sum of `accepted`, `corrected`, all
    `quarantined`, and of presses whose session is open."""

    since: Annotated[UnixMs, words("起始时间", "Since", "unix time", "ms")]
    pressed: Annotated[Count, words("按键", "Pressed", "raw", "presses")]
    accepted: Annotated[Count, words("有效评价", "Accepted", "ratings given", "presses")]
    corrected: Annotated[
        Count, words("改选", "Corrected", "earlier presses of a rating", "presses")
    ]
    quarantined: Annotated[dict[str, Count], words("隔离", "Quarantined", "by reason", "presses")]
    none: Annotated[dict[str, Count], words("未评价", "No rating", "by reason", "services")]
    refused_logins: Annotated[
        dict[str, Count], words("登录被拒", "Refused logins", "by reason", "logins")
    ]


class DeviceStatus(Told):
    """A device as the gateway knows it, retained."""

    device: Device
    online: Annotated[bool, words("在线", "Online")]
    seen: Annotated[UnixMs | None, words("最后联系", "Last seen", "unix time; null: never", "ms")]
    state: Annotated[
        Reported | None, words("状态", "State", "what it reported last; null: nothing yet")
    ]
    ratings: Annotated[Tally | Missing, words("按键统计", "Presses", "of a keypad")] = None


Counts = dict[str, Count]


class SinkStatus(Told):
    """How one receiver of the events is."""

    position: Annotated[Count, words("位置", "Position", "the last event that it has taken")]
    waiting: Annotated[Count, words("等待", "Waiting", "for it", "events")]
    acked: Annotated[UnixMs | None, words("最后确认", "Last acknowledged", "unix time", "ms")]
    error: Annotated[str | None, words("错误", "Error", "null: none")]
    failing: Annotated[UnixMs | None, words("故障起始", "Failing since", "unix time", "ms")]
    retry: Annotated[UnixMs | None, words("重试时间", "Tried again at", "unix time", "ms")]
    dead: Annotated[Count, words("死信", "Dead letters", "wait for a decision", "events")]
    discarded: Annotated[Count, words("已放弃", "Discarded", "by hand", "events")]
    removed: Annotated[UnixMs | None, words("移除时间", "Removed at", "unix time", "ms")]
    waited: Annotated[Count | None, words("移除时等待", "Waited", "when it was removed", "events")]


class KeptOut(Told):
    """A device that is not listened to for a while; it keeps its events."""

    code: Annotated[
        Literal["flooding", "nonsense"],
        words("原因", "Why", "it sends too much, or what makes no sense"),
    ]
    since: Annotated[UnixMs, words("起始时间", "Since", "unix time", "ms")]
    until: Annotated[UnixMs, words("截止时间", "Until", "unix time", "ms")]
    spell: Annotated[Count, words("次数", "Spell", "each lasts twice as long as the one before")]


class GatewayStatus(Told):
    """The gateway's own counts since it started, refusals included, retained. A further number is
    one more count."""

    device: Literal["gateway"]
    online: Literal[True]
    stored: Annotated[Count, words("已存", "Stored", unit="events")]
    duplicates: Annotated[Count, words("重复", "Duplicates", "taken once all the same", "events")]
    quarantined: Annotated[Count, words("隔离", "Quarantined", unit="payloads")]
    lost: Annotated[Count, words("丢失", "Lost", "by overflows of devices' journals", "events")]
    failed_commits: Annotated[Count, words("提交失败", "Failed commits")]
    forgotten: Annotated[
        Count | Missing, words("已清理", "Forgotten", "when their time was over", "rows")
    ] = None
    published_before: Annotated[
        Count | Missing, words("重复发布", "Published before", unit="events")
    ] = None
    refused: Annotated[Counts, words("拒绝", "Refused", "by reason")]
    commands: Annotated[Counts, words("命令", "Commands", "by what became of them")]
    published: Annotated[Counts, words("发布", "Published", "by type", "events")]
    outbox: Annotated[Counts, words("待发", "Outbox", "waiting, by receiver", "events")]
    sinks: Annotated[dict[str, SinkStatus], words("接收方", "Receivers", "by name")]
    store_bytes: Annotated[Count, words("数据库大小", "Store", unit="bytes")]
    store_full: Annotated[bool, words("存储已满", "Store is full", "nothing new is taken")]
    refused_by_links: Annotated[Counts, words("连接拒绝", "Refused by links", "by reason")]
    nonsense: Annotated[Counts, words("无法理解", "Not understood", "by device", "messages")]
    kept_out: Annotated[
        dict[str, KeptOut],
        words("已隔离设备", "Devices kept out", "by id; * is any that the settings do not have"),
    ]
    dropped: Annotated[
        Counts, words("丢弃", "Dropped", "of devices that were kept out, by id", "messages")
    ]
    coap: Annotated[
        Counts | Missing, words("电池设备", "Battery devices", "refused, by reason")
    ] = None
    settings: Annotated[
        dict[str, JsonValue] | Missing,
        words("设置", "Settings", "taken, refused, and what needs a restart"),
    ] = None
    rules: Annotated[Counts, words("规则", "Rules", "what went wrong with them, by kind")]
    rule_file: Annotated[
        dict[str, JsonValue],
        words("规则文件", "Rule file", "taken, refused, and what is wrong with it now"),
    ]


RESULTS: dict[str, type[BaseModel]] = {
    **dict.fromkeys(models.COMMANDS, WindowReply),
    "take": TicketReply,
    "cancel": TicketReply,
    "show": ShowReply,
    "device": DeviceReply,
}
"""What each command is answered with when it is carried out."""
