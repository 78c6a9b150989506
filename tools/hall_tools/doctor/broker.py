"""mosquitto: it runs, lets the gateway and the devices in, and has the keys that it should.

Here: what is seen from outside of it, and its key files. Not here: rights to files (rights.py).
"""

import socket
from collections.abc import Iterator, Sequence

from hall_gateway.config_hall import DeviceConfig
from hall_gateway.config_links import is_loopback
from hall_gateway.keys import DeviceKeys, KeyStoreError

from hall_tools.doctor.findings import Finding, Site, fault, good, several, warning
from hall_tools.doctor.mqtt_login import LoginError, RefusedError, log_in, usable
from hall_tools.doctor.rights import of_keys
from hall_tools.doctor.tls_psk import Answer, HandshakeError, handshake
from hall_tools.gateway_setup import plan
from hall_tools.gateway_setup.broker_files import access_lines, differences
from hall_tools.gateway_setup.steps import is_stamped

_LOG = "see why: sudo journalctl -u mosquitto -n 30; sudo tail /var/log/mosquitto/mosquitto.log"
_RELOAD = "run: sudo systemctl reload mosquitto"
_STRANGER = "hall-doctor"
"""An identity that is never enrolled: to hear how the broker refuses it."""


def key_files(site: Site) -> Iterator[Finding]:
    """The key store can be read, and mosquitto's psk and acl files say the same."""
    try:
        devices = site.keys.devices()
        wrong = differences(devices, site.broker_folder)
    except KeyStoreError as error:
        if not any(of_keys(site)):  # which would be why, and says what to do
            again = "run: sudo hall enroll DEVICE, and flash it: its board needs the new keys"
            yield fault(str(error), f"after that, {again}")
        return
    except OSError as error:
        yield fault(f"{error.filename}: {error.strerror}", site.setup)
        return
    if not site.production and not site.broker_folder.exists():
        return
    for text in wrong:
        yield fault(text, site.setup if site.production else "enrol or revoke the device again")
    if not wrong:
        yield good(
            f"the keys of {several(len(devices), 'device')} are in step with mosquitto's files"
        )


def gateway_access(site: Site) -> Iterator[Finding]:
    """mosquitto lets the gateway say and hear all that this version of it does."""
    if not site.production or site.settings is None:
        return
    path = site.broker_folder / "acl.gateway"
    try:
        found = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # installed() and rights() say so
    wanted = access_lines(plan.gateway_access(site.settings.broker.username or "gateway"))
    lacks = [line for line in wanted if line not in access_lines(found)]
    if not lacks:
        return
    advice = f"{site.setup}: it writes what this version needs, and restarts mosquitto"
    if not is_stamped(found):
        advice = (
            f"it was changed by hand: add what is missing, then: sudo systemctl restart mosquitto; "
            f"or move it away, and {site.setup}"
        )
    yield fault(
        f"{path} lacks {', '.join(map(repr, lacks))}, so mosquitto does not let the gateway do all "
        "that this version does",
        advice,
    )


def gateway_login(site: Site) -> Iterator[Finding]:
    """The broker is there and lets the gateway in."""
    if site.settings is None:
        return
    broker = site.settings.broker
    if not usable(broker):
        return
    where = f"the devices' broker at {broker.host}:{broker.port}"
    advice = "run: sudo systemctl restart mosquitto; " + _LOG
    if broker.mode == "embedded":
        advice = f"start the gateway: hall gateway run --config {site.config}"
    try:
        version = log_in(broker, "$SYS/broker/version")
    except RefusedError as error:
        yield fault(
            f"{where} does not let the gateway in: {error}",
            f"{site.setup}: it brings username, password_file and mosquitto/passwd in step",
        )
    except LoginError as error:
        yield fault(f"{where}: {error}", advice)
    else:
        told = version.decode("utf-8", "replace") if version else "version unknown"
        yield good(f"{where} lets the gateway in ({told})")


def device_logins(site: Site) -> Iterator[Finding]:
    """The listener for devices speaks TLS-PSK, and has the key of each that is enrolled."""
    if site.settings is None or site.settings.broker.mode == "embedded":
        return
    broker = site.settings.broker
    place = (broker.device_host or "127.0.0.1", broker.device_port)
    where = f"the devices' listener at {place[0]}:{place[1]}"
    if broker.device_host is None:
        yield fault(
            "[broker] does not say where devices find it, so no flash image can be made",
            f"put this machine's address into device_host of {site.config}; to see it: "
            "ip -4 -brief address",
        )
    elif is_loopback(broker.host) and not _is_own(broker.device_host):
        yield fault(
            f"[broker] device_host is {broker.device_host}, which this machine has not now, so "
            "devices look for it in vain",
            "have the router give this machine that address (ip -4 -brief address shows what it "
            f"has), or correct it in {site.config} and flash the devices again",
        )
        return
    try:
        devices = [keys for keys in site.keys.devices() if keys.psk is not None]
        handshake(*place, _STRANGER, bytes(32))
        refused = [keys.device for keys in devices if not _accepted(place, keys)]
    except KeyStoreError:
        return  # key_files() says so
    except HandshakeError as error:
        advice = f"run: sudo systemctl restart mosquitto; {_LOG}; who has the port: sudo ss -ltnp"
        yield fault(f"{where}: {error}", advice)
        return
    if refused:
        yield fault(f"{where}: it refuses the key of {_named(refused)}", _RELOAD)
    else:
        yield good(
            f"{where}: speaks TLS-PSK and takes the keys of {several(len(devices), 'device')}"
        )


def _is_own(address: str) -> bool:
    """Whether this machine has that address now: only then can it be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _accepted(place: tuple[str, int], keys: DeviceKeys) -> bool:
    assert keys.psk is not None
    answer = handshake(*place, keys.device, bytes.fromhex(keys.psk))
    return answer is Answer.ACCEPTED


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def devices(site: Site) -> Iterator[Finding]:
    """Every device of hall.toml is enrolled as what it is, and every key is some device's."""
    if site.settings is None:
        return
    enrolled = site.enrolled
    if enrolled is None:
        return  # key_files() says so
    own = {device.id for device in site.settings.own_displays()}
    everyone = {device.id: device for device in site.settings.devices}
    wanted = {name: device for name, device in everyone.items() if not device.revoked}
    gone = {keys.device for keys in site.keys.devices() if keys.revoked is not None}
    for name in sorted(wanted.keys() & gone | (everyone.keys() - wanted.keys()) & enrolled.keys()):
        yield fault(
            f"{name} is revoked only by halves, for {site.config} and its keys differ",
            f"run: sudo hall revoke {name}; or, to have it back, sudo hall enroll {name}",
        )
    if missing := sorted(wanted.keys() - enrolled.keys() - own - gone):
        yield warning(
            f"not enrolled, so they cannot join: {_named(missing)}",
            f"run: {_enroll(wanted[missing[0]])}",
        )
    if spares := sorted(enrolled.keys() - everyone.keys()):
        yield good(f"spares, which stand nowhere in {site.config}: {_named(spares)}")
    for name in sorted(wanted.keys() & enrolled.keys()):
        if wanted[name].profile != enrolled[name].profile:
            yield fault(
                f"{name} is enrolled as {enrolled[name].profile}, but {site.config} has it as "
                f"{wanted[name].profile}",
                f"correct its profile there; or run: {_enroll(wanted[name])}, and flash it",
            )


def _enroll(device: DeviceConfig) -> str:
    place, name = device.subject.split("/", 1)
    return f"sudo hall enroll {device.id} --profile {device.profile} --{place} {name}"
