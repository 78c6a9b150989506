"""A rule file as it is written: every field with what is right for it.

Here: the models of the YAML. Not here: what a rule's expressions may say (rules_language.py),
reading the file and everything between fields (rules_file.py).
"""

import re
from typing import Annotated, Any, Literal

from hall_profiles.fields import Title
from pydantic import BeforeValidator, Field, JsonValue

from hall_gateway.config_base import ID_RULE, Id, Settings
from hall_gateway.models import DeviceId
from hall_gateway.rules_words import Each, Scope

MAX_RULES = 100
MAX_ACTIONS = 10
MAX_DISPLAY_TEXT = 64

_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 24 * 3600}
_DURATION = re.compile(r"([0-9]{1,6}) ?(s|min|h|d)")
DURATION = "a whole number with its unit, s, min, h or d, at most 60 d; e.g. 90 s"


def _milliseconds(value: object) -> int:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = int(found[1]) * _UNITS[found[2]] if found else -1
    if not 0 <= seconds <= 60 * 24 * 3600:
        raise ValueError(f'"{value}" is no duration')
    return seconds * 1000


Duration = Annotated[int, BeforeValidator(_milliseconds)]
"""Of a text such as `5 min`, in ms."""


def _as_written(value: object) -> object:
    """A number or true as the expression that it is."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Expr = Annotated[str, Field(min_length=1), BeforeValidator(_as_written)]
ACTION = "one of show, alert, command, emit, task, bookmark"


class AlertText(Settings):
    """What an alert says; {name} stands for the value of a name."""

    zh: str = Field(min_length=1, max_length=200, description="1 to 200 characters of Chinese")
    en: str = Field(min_length=1, max_length=200, description="1 to 200 characters of English")


class ShowModel(Settings):
    """What displays show: the caution sign, or a text."""

    view: Literal["caution", "text"] = Field(description="caution or text")
    text: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_DISPLAY_TEXT,
        description=f"1 to {MAX_DISPLAY_TEXT} characters; a caution has 小心地滑 without one",
    )
    for_ms: Duration | None = Field(default=None, alias="for", description=DURATION)


class AlertModel(Settings):
    """An alert to people, repeated until somebody acknowledges it or it is over."""

    level: Literal["info", "warning", "critical"] = Field(description="info, warning or critical")
    text: AlertText = Field(description="a text with zh and en")
    repeat_ms: Duration | None = Field(default=None, alias="repeat", description=DURATION)


class CommandModel(Settings):
    """A command to a device: the one that the rule is about, or another."""

    do: Literal["identify", "selftest", "reboot", "config"] = Field(
        description="identify, selftest, reboot or config"
    )
    args: dict[str, JsonValue] = Field(default={}, description="what goes with it, e.g. {}")
    device: DeviceId | None = Field(default=None, description=f"a device: {ID_RULE}")


class EmitModel(Settings):
    """An event for the hall system; the values of `data` are expressions."""

    type: str = Field(
        pattern=r"^hall\.(rule\.fired|service\.overtime)$",
        description="hall.rule.fired, or hall.service.overtime",
    )
    data: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], Expr] = Field(
        default={}, max_length=20, description="names, each with an expression"
    )


class TaskModel(Settings):
    """A closed loop: acknowledge, contact, fix, re-rate, the second and third within a time."""

    title: Title = Field(description="a title with zh and en")
    contact_within: Duration = Field(description=DURATION)
    fix_within: Duration = Field(description=DURATION)


class BookmarkModel(Settings):
    """Where to look in the cameras' recordings."""


class ActionModel(Settings):
    """One thing that a rule does."""

    show: ShowModel | None = Field(default=None, description="view: caution or text")
    alert: AlertModel | None = Field(default=None, description="level and text")
    command: CommandModel | None = Field(default=None, description="do, args, device")
    emit: EmitModel | None = Field(default=None, description="type and data")
    task: TaskModel | None = Field(default=None, description="title, contact_within and fix_within")
    bookmark: BookmarkModel | None = Field(default=None, description="{}")


class RuleModel(Settings):
    """One rule."""

    id: Id = Field(description=ID_RULE)
    title: Title = Field(description="a title with zh and en")
    source: str = Field(
        default="", max_length=500, description="where its limits come from, up to 500 characters"
    )
    on: str | None = Field(
        default=None, max_length=64, description="an event type, e.g. hall.rating.given"
    )
    each: Each | None = Field(default=None, description="hall, zone, window, service or device")
    when: Expr | None = Field(default=None, description="an expression, e.g. waiting > 10")
    for_ms: Duration = Field(default=0, alias="for", description=DURATION)
    until: Expr | None = Field(default=None, description="an expression, e.g. waiting < 5")
    scope: Scope | None = Field(default=None, description="hall, zone or window")
    actions: tuple[ActionModel, ...] = Field(strict=False, description=f"a list, each {ACTION}")


class RulesModel(Settings):
    """A rule file."""

    rules: tuple[RuleModel, ...] = Field(
        strict=False, description=f"a list of at most {MAX_RULES} rules"
    )


def chosen(action: ActionModel) -> list[tuple[str, Any]]:
    """The actions that are set; exactly one is right."""
    names = ("show", "alert", "command", "emit", "task", "bookmark")
    return [(name, found) for name in names if (found := getattr(action, name)) is not None]
