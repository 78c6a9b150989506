"""`hall.alert.*`, `hall.task.*`, `hall.replay.*`, `hall.rule.*`: what the rules of a hall lead to.

Here: the data of these events, and of `hall.service.overtime`, which a rule tells. Not here: when
which of them is sent (rules.py and its actions).
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from hall_gateway import models
from hall_gateway.contract.words import (
    About,
    Business,
    Device,
    Mark,
    Ms,
    Staff,
    Ticket,
    Time,
    Told,
    Window,
    event,
    words,
)

_PLACES: tuple[About, ...] = ("window", "zone", "hall")

Number = Annotated[int, Field(ge=1)]
AlertId = Annotated[Number, words("告警编号", "Alert", "the same for all that is told of it")]
TaskId = Annotated[Number, words("任务编号", "Task", "the same for all that is told of it")]
BookmarkId = Annotated[Number, words("回放编号", "Bookmark")]
Rule = Annotated[models.DeviceId, words("规则", "Rule", "its id in the rule file")]
Level = Annotated[Literal["info", "warning", "critical"], words("级别", "Level")]
By = Annotated[str, Field(min_length=1, max_length=64), words("处理人", "By", "a login, or a user")]
Note = Annotated[str, Field(min_length=1, max_length=200), words("备注", "Note")]
Clock = Annotated[
    Literal["contact", "fix"], words("时限", "Clock", "contact the customer, or put it right")
]


class BothLanguages(Told):
    """A text for people, in Chinese and English."""

    zh: Annotated[str, Field(min_length=1, max_length=2000)]
    en: Annotated[str, Field(min_length=1, max_length=2000)]


Title = Annotated[BothLanguages, words("标题", "Title")]


class _Alert(Told):
    alert: AlertId
    rule: Rule
    level: Level
    title: Title


class AlertRaised(_Alert):
    """Something needs attention, or does so still."""

    text: Annotated[BothLanguages, words("内容", "Text")]
    times: Annotated[Number, words("次数", "Times", "above 1: told again, nobody acknowledged it")]
    raised_at: Annotated[Time, words("发生时间", "Raised at", "the first time")]


class AlertCleared(_Alert):
    """What the alert was about is over."""

    raised_at: Annotated[Time, words("发生时间", "Raised at", "the first time")]
    acknowledged_by: By | None


class AlertAcknowledged(_Alert):
    """Somebody has taken notice; it is not told again."""

    by: By
    note: Note | None


class _Task(Told):
    task: TaskId
    rule: Rule


class TaskOpened(_Task):
    """A closed loop begins; who is to be contacted, and until when."""

    title: Title
    ticket: Ticket | None
    window: Window | None
    staff: Staff | None
    business: Business | None
    mark: Mark | None
    device: Device | None
    bookmark: BookmarkId | None
    contact_by: Annotated[Time, words("联系时限", "Contact by")]
    fix_by: Annotated[Time, words("整改时限", "Fix by")]


class TaskStepped(_Task):
    """One step of a closed loop is done."""

    by: By
    note: Note | None


class TaskRerated(TaskStepped):
    """The customer has rated what was put right; the task is done."""

    mark: Mark


class TaskOverdue(_Task):
    """A clock of a task is over, and its step is not done."""

    clock: Clock
    due: Annotated[Time, words("到期", "Due")]
    step: Annotated[
        Literal["opened", "acknowledged", "contacted"], words("当前步骤", "Step", "as it is now")
    ]


class ReplayBookmark(Told):
    """Where the cameras' recordings show a service. Timestamps only: no picture leaves them."""

    bookmark: BookmarkId
    rule: Rule
    ticket: Annotated[Ticket | None, Field(description="null where nobody asked")]
    window: Window
    staff: Staff | None
    since: Annotated[Time, words("起", "From", "when the service started")] = Field(alias="from")
    until: Annotated[Time, words("止", "To", "the press that counts")] = Field(alias="to")
    camera: Annotated[
        str | None, words("摄像机", "Camera", "as the settings name it; null for none")
    ]
    clock_quality: Annotated[
        Literal["synced", "estimated"], words("时钟质量", "Clock quality", "of the press")
    ]


class ServiceOvertime(Told):
    """A service takes longer than its business may, told once while it goes on."""

    ticket: Ticket
    window: Window
    staff: Staff | None
    business: Business | None
    serving_ms: Annotated[Ms, words("已办理", "Serving", "since the service started", "ms")]
    limit_ms: Annotated[Ms, words("时限", "Limit", "of that business", "ms")]


class RuleFired(Told):
    """A rule of the hall's own says that it began."""

    rule: Rule
    data: Annotated[dict[str, JsonValue], words("数据", "Data", "as the rule names it")]


TYPES = (
    event(
        "hall.service.overtime",
        "办理超时",
        "Service over its time",
        ServiceOvertime,
        "once for each service that takes longer than its business may",
    ),
    event(
        "hall.alert.raised",
        "告警",
        "Alert",
        AlertRaised,
        "a rule began to hold; again in its interval until somebody acknowledges it",
        _PLACES,
    ),
    event(
        "hall.alert.acknowledged",
        "告警已确认",
        "Alert acknowledged",
        AlertAcknowledged,
        "somebody took notice of it",
        _PLACES,
    ),
    event(
        "hall.alert.cleared",
        "告警解除",
        "Alert is over",
        AlertCleared,
        "what it was about is over; where nothing else ends it, when it was acknowledged",
        _PLACES,
    ),
    event(
        "hall.task.opened",
        "闭环任务",
        "Task opened",
        TaskOpened,
        "a rule opened it, as after a bad mark",
        _PLACES,
    ),
    event(
        "hall.task.acknowledged",
        "任务已确认",
        "Task acknowledged",
        TaskStepped,
        "its first step is done",
        _PLACES,
    ),
    event(
        "hall.task.contacted",
        "已联系客户",
        "Customer contacted",
        TaskStepped,
        "its second step is done",
        _PLACES,
    ),
    event("hall.task.fixed", "已整改", "Put right", TaskStepped, "its third step is done", _PLACES),
    event(
        "hall.task.rerated",
        "已重评",
        "Rated again",
        TaskRerated,
        "its last step is done, and so is the task",
        _PLACES,
    ),
    event(
        "hall.task.overdue",
        "任务超期",
        "Task overdue",
        TaskOverdue,
        "a clock of it is over; once for each of the two",
        _PLACES,
    ),
    event(
        "hall.replay.bookmark",
        "回放索引",
        "Replay bookmark",
        ReplayBookmark,
        "after a bad mark",
    ),
    event(
        "hall.rule.fired",
        "规则触发",
        "Rule fired",
        RuleFired,
        "a rule with `emit` began to hold",
        _PLACES,
    ),
)
