"""Whether mosquitto's psk and acl files say what the key store says.

Here: the comparison, for setup and the doctor. Not here: writing them (hall_gateway.keys).
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from hall_gateway.keys import ACCESS, DeviceKeys

_PATTERNS = tuple(line for line in ACCESS.splitlines() if line.startswith("pattern"))
_TOO_WIDE = "pattern write device/v1/%u/up/#"
"""Of an earlier Hallkit."""


def differences(devices: Sequence[DeviceKeys], folder: Path) -> list[str]:
    """What is wrong with `psk` and `acl` in `folder`, a line each, without any key.

    Raises OSError when a file cannot be read, except that it is not there.
    """
    return [*_psk(devices, folder / "psk"), *_acl(devices, folder / "acl")]


def _psk(devices: Sequence[DeviceKeys], path: Path) -> list[str]:
    lines = _lines(path)
    if lines is None:
        return [f"{path} is missing"]
    wanted = {keys.device: keys.psk for keys in devices if keys.psk is not None}
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    wrong = [f"{path} lacks {name}" for name in sorted(wanted.keys() - found.keys())]
    wrong += [
        f"{path} lets {name} in, which has no key or a revoked one"
        for name in sorted(found.keys() - wanted.keys())
    ]
    both = sorted(wanted.keys() & found.keys())
    wrong += [f"{path} has an old key of {name}" for name in both if wanted[name] != found[name]]
    return wrong


def _acl(devices: Sequence[DeviceKeys], path: Path) -> list[str]:
    lines = _lines(path)
    if lines is None:
        return [f"{path} is missing"]
    wrong = [f'{path} lacks "{pattern}"' for pattern in _PATTERNS if pattern not in lines]
    if _TOO_WIDE in lines:
        wrong.append(f'{path} has "{_TOO_WIDE}", which lets a device fill the broker; remove it')
    denied = {
        before.removeprefix("user ") for before, line in pairwise(lines) if line == "topic deny #"
    }
    revoked = {keys.device for keys in devices if keys.revoked is not None}
    wrong += [f"{path} does not deny {name}, which is revoked" for name in sorted(revoked - denied)]
    return wrong


def _lines(path: Path) -> list[str] | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    return access_lines(text)


def access_lines(text: str) -> list[str]:
    """What a file of mosquitto says, line by line, without its comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]
