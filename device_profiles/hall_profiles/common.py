"""What every device has, whatever its profile: written once here, never in a profile.

Here: the events of the firmware's own app and link, the revision of a desired state, the journal's
limit, the words for marks. Not here: anything that differs between two device models.
"""

from hall_profiles.fields import DataField, IntegerField, StringField, Title
from hall_profiles.model import Event

#: A journal slot is 64 bytes, 41 of them for the event's kind and its compact JSON.
PAYLOAD_BYTES = 41

#: A revision is at least the unix time in seconds when it was made: ten digits until 2286.
REV = IntegerField(type="integer", min=1, max=9_999_999_999)

_SEQ = IntegerField(type="integer", min=1, max=0xFFFF_FFFF)

#: `boot` is journalled by the app of every device.
BOOT = Event(
    title=Title(zh="设备启动", en="Device started"),
    data={
        "cause": StringField(
            type="string", enum=["power_on", "hard", "watchdog", "deep_sleep", "soft"]
        )
    },
)

#: `gap` is made by the link when the journal overflowed before it was acked; never journalled.
GAP = Event(
    title=Title(zh="事件缺失", en="Events lost by overflow"),
    data={"from": _SEQ, "to": _SEQ},
)

#: `update` is journalled when a release was put into the other slot, confirmed, refused, or given
#: up again: `s` is which, or why; `v` the release's version, empty where it is not known.
UPDATE = Event(
    title=Title(zh="固件更新", en="Firmware update"),
    data={
        "s": StringField(type="string", max_chars=10),
        "v": StringField(type="string", min_chars=0, max_chars=10),
    },
)

#: A `fault` that every device may have, beside those of its profile: no application starts, and
#: safe mode runs in its place; `value` is how often it has let the applications try again.
SAFE_MODE = Event(
    title=Title(zh="安全模式", en="Safe mode: no application starts"),
    data={
        "code": StringField(type="string", enum=["safe_mode"]),
        "value": IntegerField(type="integer", min=0, max=0xFFFF_FFFF),
    },
)

COMMON_EVENTS: dict[str, Event] = {"boot": BOOT, "gap": GAP, "update": UPDATE}
COMMON_DESIRED: dict[str, DataField] = {"rev": REV}

#: The five marks of 政务服务好差评; a keypad of three keys has the middle three by name.
MARKS: dict[int, Title] = {
    5: Title(zh="非常满意", en="very satisfied"),
    4: Title(zh="满意", en="satisfied"),
    3: Title(zh="一般", en="neutral"),
    2: Title(zh="不满意", en="dissatisfied"),
    1: Title(zh="非常不满意", en="very dissatisfied"),
}
