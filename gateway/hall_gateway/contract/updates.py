"""`hall.update.*`: the devices' firmware, and what became of a release on a device.

Here: the data of these events. Not here: what a device reports of itself (reported.py), how a
release comes to it (device_side.py).
"""

from typing import Annotated

from pydantic import Field

from hall_gateway.contract.words import Told, event, words

Version = Annotated[
    Annotated[str, Field(pattern=r"^[0-9.]{1,10}$")] | None,
    words("版本", "Version", "of the release; null where the device does not know it"),
]


class UpdateDone(Told):
    """A step of an update went well."""

    version: Version


class UpdateFailed(Told):
    """A device does not run a release, and why."""

    version: Version
    reason: Annotated[
        str,
        Field(pattern="^[a-z][a-z_]{0,9}$"),
        words("原因", "Reason", "a code: docs/updates.md has each, with what to do"),
    ]


TYPES = (
    event(
        "hall.update.staged",
        "固件已写入",
        "Update staged",
        UpdateDone,
        "a release is whole in a device's other slot, and is tried now",
        ("window", "zone"),
    ),
    event(
        "hall.update.confirmed",
        "固件已确认",
        "Update confirmed",
        UpdateDone,
        "a device has served with a release, and keeps it",
        ("window", "zone"),
    ),
    event(
        "hall.update.refused",
        "固件被拒绝",
        "Update refused",
        UpdateFailed,
        "a device has not taken a release, and runs what it ran",
        ("window", "zone"),
    ),
    event(
        "hall.update.reverted",
        "固件已退回",
        "Update reverted",
        UpdateFailed,
        "a device has tried a release, and runs the one before again",
        ("window", "zone"),
    ),
)
