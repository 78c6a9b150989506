"""The hall side: everything between the gateway and the hall system's broker.

Here: its topics with their messages. Not here: the models of the payloads, and how a topic is
served (hall_link.py).
"""

from hall_profiles.fields import Title
from pydantic import BaseModel

from hall_gateway import models
from hall_gateway.contract.envelope import envelope
from hall_gateway.contract.registry import EVENTS
from hall_gateway.contract.replies import (
    RESULTS,
    DeviceReply,
    DeviceStatus,
    Failed,
    GatewayStatus,
    ShowReply,
    TicketReply,
    WindowReply,
)
from hall_gateway.contract.schema import description_of, schema_of
from hall_gateway.contract.topics import Message, Parameter, Side, Topic
from hall_gateway.hall_link import STATE_EXPIRY_S
from hall_gateway.payload import MAX_PAYLOAD

_ROOT = "hall/v1/{hall}"
_ID = "$message.payload#/id"

_COMMANDS: dict[str, tuple[str, str, str]] = {
    "take": ("取号", "Take", "a customer took a ticket"),
    "cancel": ("弃号", "Cancel", "a customer who waits gives up"),
    "call": ("叫号", "Call", "a ticket is asked to come to a window"),
    "recall": ("重呼", "Recall", "the ticket of a window is called once more"),
    "no_show": ("过号", "No-show", "the ticket that was called did not come"),
    "start": ("开始办理", "Start", "the called ticket is served from now on"),
    "end": ("结束办理", "End", "the service is over, and its customer is asked to rate it"),
    "pause": ("暂停", "Pause", "the window calls nobody, as soon as its ticket is done with"),
    "resume": ("恢复", "Resume", "the window is open again"),
    "transfer": ("转移", "Transfer", "the ticket goes to an idle window and is called there"),
    "staff": ("员工", "Clerk", "who serves at a window from now on; null logs out"),
    "show": ("显示文字", "Show", "a text on a window's displays, or on one of them"),
    "device": ("设备命令", "Device", "something for a device to do, which answers it"),
}
"""What people call each command, and what it does."""

_REPLIES: dict[type[BaseModel], tuple[str, str, str]] = {
    WindowReply: ("reply.window", "窗口答复", "Reply of a window"),
    TicketReply: ("reply.ticket", "取号答复", "Reply about a ticket"),
    ShowReply: ("reply.show", "显示答复", "Reply to show"),
    DeviceReply: ("reply.device", "设备答复", "Reply of a device"),
    Failed: ("reply.failed", "命令被拒", "Command refused"),
}

FAILED = _REPLIES[Failed][0]


def hall_side() -> Side:
    """All of it, as the code of this release has it."""
    events = tuple(_event(name) for name in EVENTS)
    commands = tuple(_command(name) for name in models.COMMANDS)
    return Side(
        "hall",
        "Hallkit: a service hall's gateway and its hall system",
        "Everything that happens in a hall as CloudEvents, and the commands of its queue system.",
        (*events, *commands, _reply(), _state(), _gateway_state(), _online()),
        {
            "hall": Parameter("The id of the hall, `hall` in the gateway's settings."),
            "device": Parameter("The id of a device in the gateway's settings."),
            "id": Parameter("The id of the command that is answered.", _ID),
        },
    )


def _event(name: str) -> Topic:
    event = EVENTS[name]
    _, noun, verb = name.split(".")
    when = f"{event.when[:1].upper()}{event.when[1:]}."
    message = Message(name, event.title, when, envelope(event))
    return Topic(
        name, f"{_ROOT}/event/{noun}/{verb}", "sends", (message,), description_of(event.data)
    )


def _command(name: str) -> Topic:
    zh, en, text = _COMMANDS[name]
    model = models.COMMANDS[name]
    message = Message(
        f"command.{name}", Title(zh=zh, en=en), text, schema_of(model, open=False), _ID
    )
    replies = ("reply", (_REPLIES[RESULTS[name]][0], FAILED))
    return Topic(
        f"command.{name}",
        f"{_ROOT}/command/{name}",
        "receives",
        (message,),
        text,
        replies=replies,
        limit=MAX_PAYLOAD,
    )


def _reply() -> Topic:
    messages = tuple(
        Message(name, Title(zh=zh, en=en), description_of(model), schema_of(model), _ID)
        for model, (name, zh, en) in _REPLIES.items()
    )
    text = "The answer to a command, once; a command that is sent again gets it again."
    return Topic("reply", f"{_ROOT}/reply/{{id}}", "sends", messages, text)


def _state() -> Topic:
    message = Message(
        "state",
        Title(zh="设备状态", en="State of a device"),
        description_of(DeviceStatus),
        schema_of(DeviceStatus),
    )
    text = "What a device shows or senses and how it is."
    return Topic(
        "state",
        f"{_ROOT}/state/{{device}}",
        "sends",
        (message,),
        text,
        retained=True,
        expiry_s=STATE_EXPIRY_S,
    )


def _gateway_state() -> Topic:
    message = Message(
        "state.gateway",
        Title(zh="网关状态", en="State of the gateway"),
        description_of(GatewayStatus),
        schema_of(GatewayStatus),
    )
    text = "What the gateway has counted."
    return Topic(
        "state.gateway",
        f"{_ROOT}/state/gateway",
        "sends",
        (message,),
        text,
        retained=True,
        expiry_s=STATE_EXPIRY_S,
    )


def _online() -> Topic:
    text = "1 while the gateway is connected, else 0: its last will says it when it cannot."
    message = online_message("online", "网关在线", "Gateway online", text)
    return Topic("online", f"{_ROOT}/online", "sends", (message,), text, retained=True)


def online_message(name: str, zh: str, en: str, text: str) -> Message:
    """The payload `1` or `0`."""
    schema = {"description": text, "type": "integer", "enum": [0, 1]}
    return Message(name, Title(zh=zh, en=en), text, schema)
