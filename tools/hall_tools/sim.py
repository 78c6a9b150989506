"""A device in simulation, from its host side: one MicroPython process a device.

Here: starting the interpreter on a device's flash file, its world's lines in and out, and what a
mains switch and a reset button do to it. Not here: what is on the flash (`hall_tools.deploy`), nor
what the simulated hardware does (firmware/sim).
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any


class SimDevice:
    """One simulated device: real firmware in the unix port, hardware simulated below the drivers.

    `folder` holds what outlives the process: `flash.bin` (the flash chip) and `rtc.bin` (RTC
    memory). It is created when missing; the journal in it is kept when the configuration changes.
    `config` is what `hall_profiles.compile_config` made; `ident` is the content of the ident
    partition: {"device", "psk": hex or None, "wifi": [[ssid, password], ...]}.
    """

    def __init__(self, config: dict[str, Any], ident: dict[str, Any], folder: Path) -> None:
        self.config = config
        self.ident = ident
        self.folder = folder

    async def start(self) -> None:
        """Writes the flash when the firmware, config or ident changed, then switches power on.

        Raises UserError when the firmware has no driver or transport for this profile.
        """
        raise NotImplementedError

    async def send(self, line: dict[str, Any]) -> None:
        """Gives the world one line: {"press": 5}, {"cross": "in"}, {"wet_ohms": 40000} and so on.

        {"power": "cut"} and {"power": "on"} are done here, by power_cut() and power_on(). A line
        for a device that is off raises ConnectionError: nobody can press a key on a dead keypad
        and be counted.
        """
        raise NotImplementedError

    def lines(self) -> AsyncIterator[dict[str, Any]]:
        """What the device shows and does, one dict a line, across resets, until stop().

        Simulated hardware gives the objects of the simulation contract (each has "t_us", the
        host's time.monotonic() in microseconds). A line of the serial log comes as {"log": text},
        a switched-off device as {"off": exit code}. There is one stream; take it once.
        """
        raise NotImplementedError

    async def kill(self) -> None:
        """SIGKILL at this very moment; RTC memory stays. The device is off until power_on()."""
        raise NotImplementedError

    async def power_cut(self) -> None:
        """Mains gone at this very moment: SIGKILL, and RTC memory is lost. Off until power_on()."""
        raise NotImplementedError

    async def power_on(self) -> None:
        """Starts the interpreter again on the flash as it is."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Switches off and waits until the process is gone; lines() ends. Safe to call twice."""
        raise NotImplementedError
