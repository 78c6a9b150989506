"""The hall's Wi-Fi networks: `wifi.toml` in the gateway's folder, readable by its owner only.

    [[network]]
    ssid = "hall"
    password = "secret"

Here: reading and checking it. A device tries the networks in their order. Nothing of a password is
ever in an error.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, cast

from hall_gateway.files import FileError, read_secret

from hall_tools.errors import UserError

NAME = "wifi.toml"
_EXAMPLE = '[[network]], ssid = "…" and password = "…"'
_FEWEST, _MOST = 8, 63


def networks(folder: Path) -> list[list[str]]:
    """[[ssid, password], ...], at least one; the password of an open network is "".

    Raises UserError: no file, open to others, or not of that form.
    """
    path = folder / NAME
    try:
        content = read_secret(path)
        raw = tomllib.loads((content or b"").decode())
    except FileError as error:
        raise UserError(str(error), os.EX_NOPERM) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # Their messages may quote the file.
        raise UserError(f"{path}: not TOML; right: {_EXAMPLE}", os.EX_CONFIG) from None
    if content is None:
        raise UserError(
            f"{path}: there is none, so no device could join the Wi-Fi; write it with "
            f"{_EXAMPLE}, and run: chmod 600 {path}",
            os.EX_NOINPUT,
        )
    found: object = raw.get("network")
    if set(raw) != {"network"} or not isinstance(found, list) or not found:
        raise UserError(f"{path}: right: {_EXAMPLE}, once for each network", os.EX_CONFIG)
    entries = cast("list[object]", found)
    return [_network(f"{path}: network[{at}]", entry) for at, entry in enumerate(entries, 1)]


def _network(where: str, entry: object) -> list[str]:
    fields = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    ssid, password = fields.get("ssid"), fields.get("password")
    if set(fields) != {"ssid", "password"} or not isinstance(ssid, str):
        raise UserError(f"{where}: right: ssid and password, and nothing else", os.EX_CONFIG)
    if not 1 <= len(ssid.encode()) <= 32:
        raise UserError(f"{where}: ssid: right: 1 to 32 bytes", os.EX_CONFIG)
    if not isinstance(password, str) or not (
        not password or (_FEWEST <= len(password) <= _MOST and password.isascii())
    ):
        raise UserError(
            f'{where}: password: right: {_FEWEST} to {_MOST} ASCII characters, "" for none',
            os.EX_CONFIG,
        )
    return [ssid, password]
