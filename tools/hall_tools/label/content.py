"""What a label says, in words and in its QR code.

Here: the content. Not here: how it looks (picture.py).

The code's text, in QR's alphanumeric mode, which takes two characters in 11 bits:

    HALLKIT:1:<device>:<profile>:<profile's version>:<claim>

in capitals: ids and profiles have none, so nothing is lost; the claim is in hex. No password and no
key of the device's radio is in it. The claim opens the device's serial console, so a label is as
good as a key to whoever stands at the device, and no better.
"""

from dataclasses import dataclass

import segno
from hall_gateway.keys import DeviceKeys
from hall_profiles import Profile

from hall_tools.registry import Place


@dataclass(frozen=True)
class Label:
    """A device's label. `place` None: it is a spare."""

    device: str
    profile: Profile
    place: Place | None
    keys: DeviceKeys

    @property
    def text(self) -> str:
        """What the QR code says."""
        fields = (self.device, self.profile.name, self.profile.version, self.keys.claim)
        return ":".join(("HALLKIT", "1", *map(str, fields))).upper()

    @property
    def where(self) -> str:
        """Where it stands, for the person who hangs it there."""
        if self.place is None:
            return "备用 Spare"
        if self.place.window is not None:
            return f"窗口 Window {self.place.window}"
        return f"区域 Zone {self.place.zone}"

    @property
    def small_print(self) -> str:
        """The profile, and which keys the claim belongs to: an old label opens nothing."""
        return f"{self.profile.name}  keys {self.keys.generation}"

    def modules(self) -> list[list[bool]]:
        """The QR code, rows of dark modules without the quiet zone. Error correction M (15 %), or
        better where the size does not grow."""
        code = segno.make_qr(self.text, error="m", boost_error=True)
        return [[bool(module) for module in row] for row in code.matrix]
