"""What a check works on, and what it finds.

Here: the installation that is looked at, and the finding. Not here: any check.
"""

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.keys import DeviceKeys, KeyStore, KeyStoreError
from hall_gateway.store_look import LookError, StoreLook, look
from hall_gateway.toml_input import ConfigError

from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.machine import Account, Machine

Level = Literal["good", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """`text`: what is so; `advice`: what to do about it, empty when it is good."""

    level: Level
    text: str
    advice: str = ""


Check: TypeAlias = "Callable[[Site], Iterator[Finding]]"


def good(text: str) -> Finding:
    return Finding("good", text)


def warning(text: str, advice: str) -> Finding:
    """The hall works; somebody ought to look."""
    return Finding("warning", text, advice)


def fault(text: str, advice: str) -> Finding:
    """Something of the hall does not work, or may be misused."""
    return Finding("fault", text, advice)


def several(count: int, noun: str) -> str:
    """`1 device`, `2 devices`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


class _Timex(ctypes.Structure):
    """The beginning of adjtimex(2)'s struct; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("rest", ctypes.c_char * 256),
    )


class Doctor(Machine):
    """A machine that is asked more than a setup has to know."""

    def clock_error_s(self) -> float | None:
        """How far its clock may be off; None when no time server has set it.

        The kernel's own estimate: it grows by 0.5 ms a second and is given up at 16 s.
        """
        told = _Timex()
        if ctypes.CDLL(None).adjtimex(ctypes.byref(told)) == -1 or told.maxerror >= 16_000_000:
            return None
        return told.maxerror / 1e6

    def free_bytes(self, folder: Path) -> int:
        """What others than root may still write on that folder's disk. Raises OSError."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class Site:
    """The installation whose hall.toml is `config`, on `machine`.

    It is a production installation when that is /etc/hallkit/hall.toml; any other is somebody's
    own, without services and users.
    """

    def __init__(self, config: Path, machine: Doctor) -> None:
        self.config = config
        self.folder = config.parent
        self.machine = machine
        self.production = config.resolve() == machine.path(layout.CONFIG).resolve()

    @cached_property
    def settings(self) -> GatewayConfig | None:
        """None when they cannot be used; settings_error says why."""
        try:
            return load_config(self.config)
        except ConfigError as error:
            self.settings_error = str(error)
            return None

    settings_error = ""

    @cached_property
    def store(self) -> StoreLook | LookError | None:
        """The store, read once; None when there is none yet."""
        if self.settings is None or not self.settings.store.path.exists():
            return None
        try:
            return look(self.settings.store.path)
        except LookError as error:
            return error

    @property
    def keys(self) -> KeyStore:
        return KeyStore(self.folder / layout.KEYS)

    @cached_property
    def enrolled(self) -> dict[str, DeviceKeys] | None:
        """The keys of the devices that may join, by device; None when they cannot be read."""
        try:
            return {keys.device: keys for keys in self.keys.devices() if keys.revoked is None}
        except KeyStoreError:
            return None

    @property
    def broker_folder(self) -> Path:
        return self.folder / layout.BROKER_FOLDER

    @cached_property
    def gateway_account(self) -> Account:
        """Who runs the gateway here."""
        account = self.machine.account(layout.USER) if self.production else None
        return account or Account(
            "you", os.geteuid(), os.getegid(), frozenset({os.getegid(), *os.getgroups()})
        )

    @cached_property
    def broker_account(self) -> Account | None:
        """Who runs mosquitto here; None when that is not known."""
        return self.machine.account(layout.BROKER_USER) if self.production else None

    @property
    def setup(self) -> str:
        """How an installation like this one is mended by setup."""
        return "run: sudo hall gateway setup"
