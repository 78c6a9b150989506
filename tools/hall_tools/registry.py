"""hall.toml as the registry of a hall's devices: `[[device]]` tables come, change and go.

Here: those tables, with all else in the file as its owner wrote it. Not here: what is right in the
file (hall_gateway.config), keys (hall_gateway.keys).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from hall_gateway.config import GatewayConfig, load_profile
from hall_gateway.config_hall import DeviceConfig
from hall_gateway.files import FileError, replace_file
from hall_gateway.toml_input import ConfigError, parse_toml
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Comment, Whitespace

from hall_tools.errors import UserError

_ZONE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True)
class Place:
    """Where a device stands: at a window or in a zone."""

    window: str | None = None
    zone: str | None = None

    def __str__(self) -> str:
        return f"window {self.window}" if self.window is not None else f"zone {self.zone}"


class Registry:
    """The file at `path`, changed in memory until `save`. Every method raises UserError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._text = path.read_bytes().decode("utf-8-sig")
            self.settings = parse_toml(self._text, GatewayConfig, path)
            self._document: Any = tomlkit.parse(self._text)
        except FileNotFoundError:
            raise UserError(
                f"{path}: there is no such file; name the gateway's with --config, or write one "
                "with: sudo hall gateway setup",
                os.EX_NOINPUT,
            ) from None
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}", os.EX_NOINPUT) from None
        except (ConfigError, TOMLKitError, UnicodeDecodeError) as error:
            raise UserError(f"{error}\nnothing was done: mend {path} first", os.EX_CONFIG) from None

    def device(self, device: str) -> DeviceConfig | None:
        """The device's table; None when it has none."""
        return next((found for found in self.settings.devices if found.id == device), None)

    def put(self, device: str, profile: str, place: Place) -> bool:
        """`device` stands at `place`; False when the file says so already."""
        if found := self.device(device):
            if (found.profile, found.window, found.zone) != (profile, place.window, place.zone):
                raise UserError(
                    f"{self.path}: {device} is a {found.profile} at "
                    f"{Place(found.window, found.zone)} there, not a {profile} at {place}; change "
                    "it there first, or give this board another id"
                )
            if not found.revoked:
                return False
            self._table(device).pop("revoked")
        else:
            self._check(device, profile, place)
            self._add(device, profile, place)
        return self._changed()

    def revoke(self, device: str) -> bool:
        """`device` is not heard any more, but its place waits for another; False when the file
        says so already, or does not have it."""
        found = self.device(device)
        if found is None or found.revoked:
            return False
        _append(self._table(device), "revoked", True)
        return self._changed()

    def replace(self, old: str, new: str) -> DeviceConfig:
        """`new` in the place of `old`, with its settings; how it stands there then."""
        table = self._table(old)
        table["id"] = new
        table.pop("revoked", None)
        table.pop("replaces", None)
        _append(table, "replaces", old)
        self._changed()
        found = self.device(new)
        assert found is not None
        return found

    def save(self) -> None:
        """Write the file, when something in it has changed."""
        text = tomlkit.dumps(self._document)
        if text == self._text:
            return
        try:
            replace_file(self.path, text.encode())
        except FileError as error:
            raise UserError(str(error), os.EX_CANTCREAT) from None
        self._text = text

    def _changed(self) -> bool:
        """The settings as they would be read now."""
        try:
            self.settings = parse_toml(tomlkit.dumps(self._document), GatewayConfig, self.path)
        except ConfigError as error:
            raise UserError(f"{error}\nnothing was done: {self.path} is as it was") from None
        return True

    def _check(self, device: str, profile: str, place: Place) -> None:
        """What would be wrong in the file, in the words of who asks for it."""
        if place.zone is not None and not _ZONE.fullmatch(place.zone):
            raise UserError(
                f'{device}: zone "{place.zone}": right: 1 to 32 of a-z, 0-9 and "-", not '
                'beginning with "-"'
            )
        windows = [window.id for window in self.settings.windows]
        if place.window is not None and place.window not in windows:
            known = ", ".join(windows) or "none"
            raise UserError(
                f"{device}: {self.path} has no window {place.window}, only {known}; add a "
                f'[[window]] with id = "{place.window}" there first'
            )
        keypad = load_profile(profile).role == "keypad"
        for other in self.settings.devices if keypad else ():
            same = other.window is not None and other.window == place.window
            if same and not other.revoked and load_profile(other.profile).role == "keypad":
                raise UserError(
                    f"{device}: window {place.window} has the keypad {other.id}, and a window has "
                    f"one at most; to put a new board in its place: hall enroll {device} "
                    f"--profile {profile} --spare, then hall replace {other.id} --with {device}"
                )

    def _add(self, device: str, profile: str, place: Place) -> None:
        tables: Any = self._document.get("device")
        if tables is None:
            tables = self._document["device"] = tomlkit.aot()
        if not isinstance(tables, AoT):
            raise UserError(
                f"{self.path}: device is a list in one line; write each device as a [[device]] "
                "table, and try again",
                os.EX_CONFIG,
            )
        for other in self._tables():
            if other.get("replaces") == device:  # it comes back, somewhere else
                other.pop("replaces")
        table = tomlkit.table()
        table["id"] = device
        table["profile"] = profile
        if place.window is not None:
            table["window"] = place.window
        else:
            table["zone"] = place.zone
        if not self._text.endswith("\n\n"):
            table.trivia.indent = "\n"
        self._document["device"].append(table)

    def _tables(self) -> list[Any]:
        return list(self._document.get("device", ()))

    def _table(self, device: str) -> Any:
        for table in self._tables():
            if table["id"] == device:
                return table
        known = ", ".join(found.id for found in self.settings.devices) or "none"
        raise UserError(f"{self.path}: no [[device]] has the id {device}; it has {known}")


def _append(table: Any, key: str, value: object) -> None:
    """Below the table's last value: the comments after that may be about what follows."""
    after: list[Any] = []
    while isinstance(table.value.body[-1][1], Comment | Whitespace):
        after.append(table.value.body.pop()[1])
    table.append(key, value)
    for item in reversed(after):
        table.add(item)
