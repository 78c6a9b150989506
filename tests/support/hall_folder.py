"""A gateway's configuration folder with enrolled devices, for tests that build from one."""

from collections.abc import Mapping
from pathlib import Path

from hall_gateway.files import write_secret
from hall_gateway.keys import KeyStore
from hall_profiles import load

WIFI = '[[network]]\nssid = "营业厅"\npassword = "correct-horse"\n'
DEVICES = {"kp-1": "keypad-5", "disp-1": "call-display-hub75-64x32"}
NOON = 1_700_000_000_000


def hall_toml(
    folder: Path, devices: Mapping[str, str] = DEVICES, broker: str | None = None
) -> Path:
    """hall.toml of a hall with these devices (id -> profile) at window 1; nobody is enrolled."""
    address = 'device_host = "192.168.1.10"' if broker is None else broker
    lines = [
        f'hall = "demo"\n[store]\npath = "hall.db"\n[broker]\n{address}\n[upstream]',
        '[[window]]\nid = "1"',
    ]
    lines += [
        f'[[device]]\nid = "{device}"\nprofile = "{profile}"\nwindow = "1"'
        for device, profile in devices.items()
    ]
    path = folder / "hall.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def hall_folder(
    folder: Path, devices: Mapping[str, str] = DEVICES, broker: str | None = None
) -> Path:
    """hall.toml, with keys for its devices and a Wi-Fi network beside it."""
    keys = KeyStore(folder / "keys", now=lambda: NOON)
    for device, profile in devices.items():
        keys.enrol(device, load(profile))
    write_secret(folder / "wifi.toml", WIFI.encode())
    return hall_toml(folder, devices, broker)
