"""What runs: the gateway's process, the hall system's broker, the machine's clock and disk.

Here: the state of now. Not here: mosquitto (broker.py), what is written down (settings.py).
"""

import json
import platform
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hall_gateway.hall_link import root
from hall_gateway.store import CROWDED, FULL
from hall_gateway.store_look import CHECK_S, LookError, StoreLook, owner
from hall_gateway.systemd import HEALTH_FILE

from hall_tools.doctor.findings import Finding, Site, fault, good, several, warning
from hall_tools.doctor.mqtt_login import LoginError, RefusedError, log_in, usable
from hall_tools.gateway_setup import layout

_MIB = 1024 * 1024
STALE_MS = 20_000
"""While it makes progress the gateway writes its health file each second; a disk may take some."""
FREE_MIB = 200
"""Beside what the store may still take: logs, updates, mosquitto's own file."""
SILENT_MS = 24 * 3600 * 1000
_JOURNAL = "see why: sudo journalctl -u hallkit-gateway -n 50"


def gateway(site: Site) -> Iterator[Finding]:
    """A gateway has the store open, is fresh, and is connected on both sides."""
    if site.settings is None:
        return
    start = f"hall gateway run --config {site.config}"
    if site.production:
        start = f"run: sudo systemctl restart {layout.SERVICE}; {_JOURNAL}"
    try:
        process = owner(site.settings.store.path)
    except LookError as error:
        yield warning(f"whether the gateway runs cannot be seen: {error}", "run this with sudo")
        return
    if process is None:
        yield fault("the gateway does not run", start)
        return
    path = site.machine.path(f"{layout.RUNTIME}/{HEALTH_FILE}")
    health = _health(path) if site.production else None
    if health is None:
        if site.production:
            yield warning(
                f"the gateway runs (process {process}), but {path} says nothing of it: it was "
                "not started as a service",
                f"stop it, then run: sudo systemctl start {layout.SERVICE}",
            )
        else:
            yield good(f"the gateway runs (process {process})")
        return
    age = site.machine.now_ms() - health["at"]
    if age > STALE_MS:
        yield fault(
            f"the gateway (process {process}) runs, but made no progress for {age // 1000} s", start
        )
        return
    found = list(_figures(health))
    yield from found
    if not found:
        yield good(f"the gateway works (process {process}), connected on both sides")


def _health(path: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return told if isinstance(told["at"], int) else None
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return None


def _figures(health: dict[str, Any]) -> Iterator[Finding]:
    """Of a gateway that may be another version's."""
    brokers = health.get("brokers", {})
    for name, words in (("devices", "devices' broker"), ("hall", "hall system's broker")):
        told = brokers.get(name, {})
        if told.get("connected") is False:
            why = told.get("last_error") or "no answer"
            yield fault(
                f"the gateway is not connected to the {words}: {why}",
                "see the finding on that broker; the gateway tries again by itself",
            )
    if pending := health.get("settings", {}).get("pending"):
        yield warning(
            f"changed in hall.toml, and waits for the gateway's next start: {', '.join(pending)}",
            f"run: sudo systemctl restart {layout.SERVICE}",
        )
    if strangers := health.get("refused", {}).get("unknown_device"):
        yield warning(
            f"{strangers} messages came from devices that are not in hall.toml, and were refused",
            "sudo journalctl -u hallkit-gateway | grep 'not in the gateway' names them",
        )
    coap = health.get("coap", {})
    if wrong := coap.get("unknown_key", 0) + coap.get("not_genuine", 0):
        yield warning(
            f"{wrong} requests to the CoAP port were under keys that are none, and were refused",
            "a battery device that was enrolled again is flashed again too: hall flash",
        )
    for name, words in (
        ("quarantined", "events did not make sense, and are kept apart"),
        ("lost", "events were lost by devices whose memory ran over"),
        ("failed_commits", "commits failed on this disk"),
    ):
        if count := health.get(name):
            yield warning(f"since the start {count} {words}", _JOURNAL)


def store(site: Site) -> Iterator[Finding]:
    """The store is whole, has room, and the disk has as much as it may still take."""
    if site.settings is None:
        return
    settings = site.settings.store
    limit, folder = settings.max_mb * _MIB, settings.path.parent
    seen = site.store
    used = 0
    if isinstance(seen, LookError):
        yield fault(
            f"{settings.path}: cannot be read: {seen}", "check the disk; run this with sudo"
        )
    elif seen is not None and seen.problem is not None:
        yield fault(
            f"{settings.path}: damaged: {seen.problem}",
            f"run: sudo systemctl stop {layout.SERVICE}; sudo mkdir {folder}/damaged; "
            f"sudo sh -c 'mv {settings.path}* {folder}/damaged'; "
            f"sudo systemctl start {layout.SERVICE}: devices send what they hold; then check the "
            "disk, an SD card wears out",
        )
    elif seen is not None:
        used = seen.bytes_used
        room = _room(used / limit, f"{settings.path}: {used // _MIB} of {settings.max_mb} MiB used")
        if not seen.checked:
            why = f"too large to check all of it within {CHECK_S:.0f} s, as the gateway does at its"
            room = replace(room, text=f"{room.text}; {why} start")
        yield room
    if folder.is_dir():
        yield _disk(site.machine.free_bytes(folder), max(0, limit - used), str(folder))


def _room(share: float, text: str) -> Finding:
    advice = "see why the hall system takes nothing; or raise store.max_mb in hall.toml"
    if share >= FULL:
        return fault(f"{text}: full, so devices keep their events", advice)
    if share >= CROWDED:
        return warning(f"{text}: nearly full", advice)
    return good(text)


def _disk(free: int, wanted: int, folder: str) -> Finding:
    text = f"{folder}: {free // _MIB} MiB free on its disk"
    if free < FREE_MIB * _MIB / 4:
        return fault(
            f"{text}: too little",
            "make room: sudo journalctl --vacuum-size=50M; sudo apt-get clean",
        )
    if free < wanted + FREE_MIB * _MIB:
        return warning(
            f"{text}: too little for {wanted // _MIB} more that the store may take, and {FREE_MIB} "
            "for all else",
            "make room, or lower store.max_mb in hall.toml",
        )
    return good(text)


def upstream(site: Site) -> Iterator[Finding]:
    """The hall system's broker is there and lets the gateway in."""
    if site.settings is None:
        return
    side = site.settings.upstream
    if not usable(side):
        return
    where = f"the hall system's broker at {side.host}:{side.port}"
    try:
        online = log_in(side, f"{root(site.settings.hall)}/online")
    except RefusedError as error:
        yield fault(
            f"{where} does not let the gateway in: {error}",
            f"ask who runs it for the login, and correct [upstream] in {site.config}",
        )
    except LoginError as error:
        yield fault(
            f"{where}: {error}",
            f"check the network and [upstream] in {site.config}; events wait in the store",
        )
    else:
        if online == b"0":
            yield warning(
                f"{where} was told that this gateway is offline", "see the finding on the gateway"
            )
        else:
            yield good(f"{where} lets the gateway in")


def clock(site: Site) -> Iterator[Finding]:
    """The clock is set by a time server: the gateway's time is everybody's."""
    error = site.machine.clock_error_s()
    if error is None:
        yield fault(
            "the clock is not set by a time server, so the times of events may be wrong",
            "run: timedatectl, to see why; if there is no time service: sudo apt-get install "
            "systemd-timesyncd && sudo timedatectl set-ntp true; without internet name a server of "
            "the hall's network in /etc/systemd/timesyncd.conf",
        )
    else:
        yield good(f"the clock is set by a time server, to {error:.1f} s or better")


def seen(site: Site) -> Iterator[Finding]:
    """Which devices have been heard of."""
    found = site.store
    if site.settings is None or not isinstance(found, StoreLook) or not site.settings.devices:
        return
    own = {device.id for device in site.settings.own_displays()}
    joining = own if site.enrolled is None else own | site.enrolled.keys()
    names = [device.id for device in site.settings.devices if device.id in joining]
    known = found.devices
    now = site.machine.now_ms()
    never = [name for name in names if name not in known or known[name].seen is None]
    if never:
        yield warning(
            f"never heard of: {', '.join(never)}",
            "is it flashed, powered, in reach of the Wi-Fi? hall diag on its cable tells why",
        )
    for name in sorted(set(names) - set(never)):
        told = known[name]
        assert told.seen is not None
        ago = _ago(now - told.seen)
        if not told.online:
            text = f"{name}: offline, last heard of {ago}"
            yield warning(text, "check its power and the Wi-Fi; hall diag on its cable tells why")
        elif now - told.seen > SILENT_MS:
            text = f"{name}: connected, but last heard of {ago}"
            yield warning(text, "hall diag on its cable tells more")
    online = sum(name in known and known[name].online for name in names)
    if online:
        yield good(f"{online} of {len(names)} devices are online")


def versions(site: Site) -> Iterator[Finding]:
    """What runs here, and devices that run something else."""
    own = version("hallkit")
    yield good(f"hallkit {own}, Python {platform.python_version()}")
    found = site.store
    if not isinstance(found, StoreLook):
        return
    for name, told in sorted(found.devices.items()):
        if told.firmware in (None, own):
            continue
        text = f"{name}: has firmware {told.firmware}, this gateway is {own}"
        if _parts(told.firmware) > _parts(own):
            yield warning(f"{text}, which is older", "bring Hallkit on this machine up to date")
        else:
            yield warning(text, f"flash it again: hall flash --device {name}")


def _parts(version: str) -> list[int]:
    """The numbers of a version, to be compared: 0.10.0 is newer than 0.9.0."""
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


def _ago(ms: int) -> str:
    """How long ago, as a person would say it."""
    minutes = ms // 60_000
    if minutes < 1:
        return "less than a minute ago"
    for size, noun in ((24 * 60, "day"), (60, "hour")):
        if minutes >= 2 * size:
            return f"{minutes // size} {noun}s ago"
    return f"{several(minutes, 'minute')} ago"
