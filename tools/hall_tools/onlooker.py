"""The person in front of a simulated display, who tells when its picture has changed.

Here: the lines of a display's scan (firmware/sim/tap.py) in, lines with a picture out. Not here:
what a panel makes of the stores, nor what an eye makes of its light; that is `hall_panel`.
"""

from base64 import b64decode
from typing import Any

from hall_panel.eye import Eye


class Onlooker:
    """Looks at one scanned panel from power on; that it has none any more looks as a stopped scan.

    `config` is the device's; raises ValueError for a driver that is no scanned panel.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._eye = Eye(config["driver"], config["pins"])
        self._now_ns = 0
        self._seen = self._eye.picture().planes

    def see(self, line: dict[str, Any]) -> dict[str, Any] | None:
        """The line {"t_us", "panel"} to a line {"t_us", "scan"}, when the picture has changed.

        A frame is seen when it begins: its light lasts 3 ms at most. Simulated frames may follow
        each other more closely than a chip can play them; then the later one is seen right after.
        Raises ValueError for a log that breaks off.
        """
        start_ns = max(line["t_us"] * 1000, self._now_ns)
        if "log" in line["scan"]:
            self._now_ns = self._eye.frame(b64decode(line["scan"]["log"]), start_ns)
        else:
            self._eye.rest(start_ns)
            self._now_ns = start_ns
        picture = self._eye.picture(start_ns)
        if picture.planes == self._seen:
            return None
        self._seen = picture.planes
        return {"t_us": line["t_us"], "panel": picture.panel()}
