"""The device side: everything between the gateway and devices, over MQTT and over CoAP.

Here: its topics with their messages. Not here: the models of the payloads (hall_gateway.models,
reported.py), and what each profile allows (profile_schemas.py).
"""

from typing import Annotated, Any, Literal

from hall_profiles.fields import Title
from pydantic import Field, JsonValue

from hall_gateway import models
from hall_gateway.contract.hall_side import online_message
from hall_gateway.contract.profile_schemas import desired_of_role
from hall_gateway.contract.reported import Reported
from hall_gateway.contract.schema import description_of, schema_of
from hall_gateway.contract.topics import Message, Parameter, Side, Topic
from hall_gateway.contract.vocabulary import titled
from hall_gateway.contract.words import Missing, Told
from hall_gateway.payload import MAX_PAYLOAD
from hall_gateway.release import MAX_FILE_BYTES
from hall_gateway.state import Json
from hall_gateway.update_fetch import PIECE, FetchRequest

_ROOT = "device/v1/{device}"
_ID = "$message.payload#/id"
COAP_PATH = "/v1/event"
_SHA256 = "^[0-9a-f]{64}$"

KINDS: dict[str, tuple[str, str]] = {
    "boot": ("设备启动", "Device started"),
    "gap": ("事件缺失", "Events lost by overflow"),
    "fault": ("故障", "Fault"),
    "update": ("固件更新", "Firmware update"),
    "shown": ("叫号已显示", "Call shown"),
    "press": ("按键", "Key pressed"),
    "close": ("评价结束", "Rating session closed"),
    "reason": ("差评原因", "Reason of a bad mark"),
    "card": ("员工卡", "Staff card"),
    "pin": ("员工密码", "Staff PIN"),
    "passage": ("通过", "Passage"),
    "wet": ("地面湿滑", "Floor wet"),
    "dry": ("地面已干", "Floor dry"),
    "escalate": ("积水未处理", "Floor still wet"),
    "attended": ("保洁已到", "Cleaner is there"),
    "rain": ("下雨", "Rain"),
}
"""What people call each kind of event; a profile may have words of its own."""


class AckPayload(Told):
    """Every event of `epoch` up to `seq` is committed: the device may forget them."""

    epoch: models.U32
    seq: Annotated[models.U32, Field(description="0: none yet")]
    now: Annotated[
        int, Field(ge=1, le=2**48 - 1, description="unix time in ms; sets the device's clock")
    ]


class CommandPayload(Told):
    """Something for the device to do now; it remembers the last 16 ids, and does none twice."""

    id: models.CommandId
    do: Annotated[
        Literal["identify", "selftest", "reboot", "update", "config", "login"],
        Field(description="login: what a keypad's reader has read was taken or refused"),
    ]
    args: dict[str, JsonValue]
    ttl_s: Annotated[int, Field(ge=1, le=90_000, description="s in which an answer is of use")]


class ChunkPayload(Told):
    """A piece of a release's file, or why there is none."""

    sha256: Annotated[str, Field(pattern=_SHA256, description="as it was asked for")]
    at: Annotated[int, Field(ge=0, le=MAX_FILE_BYTES, description="as it was asked for")]
    size: Annotated[
        int | Missing, Field(ge=0, le=MAX_FILE_BYTES, description="of the whole file, in bytes")
    ] = None
    data: Annotated[
        str | Missing,
        Field(
            max_length=-(-PIECE // 3) * 4,
            description=f"at most {PIECE} bytes of the file from byte `at` on, in base64",
        ),
    ] = None
    error: Annotated[str | Missing, Field(max_length=64)] = None


class ReplyPayload(Told):
    """The answer to a command: with `result` when it is done, else with `error`."""

    id: models.CommandId
    ok: bool
    result: JsonValue = None
    error: Annotated[str | Missing, Field(max_length=256)] = None


def device_side() -> Side:
    """All of it, as the code of this release has it."""
    return Side(
        "devices",
        "Hallkit: a service hall's devices and their gateway",
        "What devices send and are told: MQTT for those on mains, CoAP for those on battery. On"
        " device/v1/gateway/mark the gateway speaks to itself; it is nobody else's.",
        (*_up(), *_down(), _coap()),
        {"device": Parameter("The id of the device: its TLS-PSK identity and its client id.")},
    )


def kinds() -> dict[str, type[models.EventData]]:
    """The model of each kind's data, over all roles."""
    return {kind: model for each in models.KINDS.values() for kind, model in each.items()}


def event_schema(kind: str) -> Json:
    """up/event of one kind."""
    schema = schema_of(models.DeviceEvent)
    properties: Json = schema["properties"]
    properties["kind"] = {**titled("kind"), "type": "string", "const": kind}
    data = {**schema_of(kinds()[kind]), "description": kind_text(kind)}
    properties["data"] = {**titled("data"), **data}
    return schema


def kind_text(kind: str) -> str:
    """What a kind of event says."""
    text = description_of(kinds()[kind]).partition(": ")[2]
    return f"{text[:1].upper()}{text[1:]}"


def _up() -> tuple[Topic, ...]:
    def message(kind: str) -> Message:
        zh, en = KINDS[kind]
        text = kind_text(kind)
        return Message(f"up.event.{kind}", Title(zh=zh, en=en), text, event_schema(kind))

    state = Message(
        "up.state",
        Title(zh="上报状态", en="Reported state"),
        description_of(Reported),
        schema_of(Reported),
    )
    text = "1 while the device is connected, else 0: its last will says it."
    online = online_message("up.online", "设备在线", "Device online", text)
    reply = Message(
        "up.reply",
        Title(zh="命令答复", en="Reply to a command"),
        description_of(ReplyPayload),
        schema_of(ReplyPayload),
        _ID,
    )
    fetch = Message(
        "up.fetch",
        Title(zh="获取固件", en="Request for a piece of a release"),
        description_of(FetchRequest),
        schema_of(FetchRequest),
    )
    return (
        Topic(
            "up.event",
            f"{_ROOT}/up/event",
            "receives",
            tuple(message(kind) for kind in KINDS),
            "One journalled event, oldest first, at most 8 unacknowledged; sent again until "
            "down/ack covers it. A PUBACK only says that the broker has it.",
            limit=MAX_PAYLOAD,
        ),
        Topic(
            "up.state", f"{_ROOT}/up/state", "receives", (state,),
            "At every connect, when what it shows changes (once a second at most), every 20 s.",
            retained=True, limit=MAX_PAYLOAD,
        ),
        Topic("up.online", f"{_ROOT}/up/online", "receives", (online,), text, retained=True),
        Topic(
            "up.reply", f"{_ROOT}/up/reply", "receives", (reply,),
            "The answer to a down/cmd, once for each time that it comes.", limit=MAX_PAYLOAD,
        ),
        Topic(
            "up.fetch", f"{_ROOT}/up/fetch", "receives", (fetch,),
            "While the device updates itself, one at a time; again when no answer comes. More than "
            "40 a second are dropped.",
            replies=("down.chunk", ("down.chunk",)), limit=MAX_PAYLOAD,
        ),
    )  # fmt: skip


def _down() -> tuple[Topic, ...]:
    ack = Message(
        "down.ack",
        Title(zh="事件确认", en="Acknowledgement"),
        description_of(AckPayload),
        schema_of(AckPayload),
    )
    desired = tuple(
        Message(
            f"down.desired.{role}",
            Title(zh=f"{zh}应有状态", en=f"What a {en} should be"),
            f"What a {en} should be: the whole of it, with a rev; only a newer one is applied.",
            desired_of_role(role),
        )
        for role, zh, en in (
            ("call_display", "叫号屏", "call display"),
            ("keypad", "评价器", "keypad"),
        )
    )
    command = Message(
        "down.cmd",
        Title(zh="设备命令", en="Command"),
        description_of(CommandPayload),
        schema_of(CommandPayload),
        _ID,
    )
    chunk = Message(
        "down.chunk",
        Title(zh="固件片段", en="Piece of a release"),
        description_of(ChunkPayload),
        schema_of(ChunkPayload),
    )
    return (
        Topic(
            "down.ack", f"{_ROOT}/down/ack", "sends", (ack,),
            "After the commit, also of a duplicate, and after every up/state.",
        ),
        Topic(
            "down.desired", f"{_ROOT}/down/desired", "sends", desired,
            "What the device should be; displays and keypads have one.", retained=True,
        ),
        Topic(
            "down.cmd", f"{_ROOT}/down/cmd", "sends", (command,),
            "When the device is there, within the command's time to live.",
            replies=("up.reply", ("up.reply",)),
        ),
        Topic(
            "down.chunk", f"{_ROOT}/down/chunk", "sends", (chunk,),
            "At most one for each up/fetch: docs/updates.md has the whole of it.",
        ),
    )  # fmt: skip


def _coap() -> Topic:
    event = _any_of([event_schema(kind) for kind in KINDS])
    request = _map(
        {
            "events": {"type": "array", "items": event},
            "state": schema_of(Reported),
            "replies": {"type": "array", "items": schema_of(ReplyPayload)},
        },
        (),
    )
    ack: Json = schema_of(AckPayload)["properties"]
    cmd = schema_of(CommandPayload)
    cmd["properties"].pop("ttl_s")
    cmd["required"].remove("ttl_s")
    response = _map(
        {
            **ack,
            "desired": _any_of([desired_of_role("call_display"), desired_of_role("keypad")]),
            "cmd": {"type": "array", "items": cmd},
        },
        ("now",),
    )
    return Topic(
        "coap.event",
        COAP_PATH,
        "receives",
        (
            Message(
                "coap.request",
                Title(zh="电池设备上报", en="All that waits on a battery device"),
                "A wake's one POST, at most 1,152 bytes; an empty map is the heartbeat.",
                request,
                content_type="application/cbor",
            ),
            Message(
                "coap.response",
                Title(zh="网关答复", en="All that waits on the gateway"),
                "2.04, after the commit: the ack, the desired state when it is newer, commands.",
                response,
                content_type="application/cbor",
            ),
        ),
        "One POST a wake, protected with OSCORE: RFC 7252, RFC 8613. CBOR, RFC 8949.",
        replies=("coap.event", ("coap.response",)),
        limit=1152,
    )


def _map(properties: dict[str, Any], required: tuple[str, ...]) -> Json:
    fields = {name: {**titled(name), **schema} for name, schema in properties.items()}
    return {"type": "object", "properties": fields, "required": list(required)}


def _any_of(schemas: list[Json]) -> Json:
    return {"anyOf": schemas}
