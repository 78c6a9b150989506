"""mosquitto: it runs, lets the gateway and the devices in, and has the keys that it should.

Here: what is seen from outside of it, and its key files. Not here: rights to files (rights.py).
"""

import re
from collections.abc import Iterator, Sequence

from hall_gateway.keys import DeviceKeys, KeyStoreError

from hall_tools.doctor.findings import Finding, Site, fault, good, warning
from hall_tools.doctor.mqtt_login import LoginError, RefusedError, log_in, usable
from hall_tools.doctor.tls_psk import Answer, HandshakeError, handshake
from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.broker_files import differences

_LOG = "see why: sudo journalctl -u mosquitto -n 30; sudo tail /var/log/mosquitto/mosquitto.log"
_RELOAD = "run: sudo systemctl reload mosquitto"
_STRANGER = "hall-doctor"
"""An identity that is never enrolled: to hear how the broker refuses it."""
_LISTENER = re.compile(r"^listener (\d+)[^#]*?$(?:\n(?!listener).*)*?\npsk_file ", re.MULTILINE)


def key_files(site: Site) -> Iterator[Finding]:
    """The key store can be read, and mosquitto's psk and acl files say the same."""
    try:
        devices = site.keys.devices()
        wrong = differences(devices, site.broker_folder)
    except KeyStoreError as error:
        yield fault(str(error), "mend this file, or enrol its device again")
        return
    except OSError as error:
        yield fault(f"{error.filename}: {error.strerror}", site.setup)
        return
    if not site.production and not site.broker_folder.exists():
        return
    for text in wrong:
        yield fault(text, site.setup if site.production else "enrol or revoke the device again")
    if not wrong:
        yield good(f"the keys of {len(devices)} devices are in step with mosquitto's files")


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
    port = psk_port(site)
    if port is None:
        return
    where = f"the devices' listener, port {port}"
    try:
        devices = [keys for keys in site.keys.devices() if keys.psk is not None]
        handshake("127.0.0.1", port, _STRANGER, bytes(32))
        refused = [keys.device for keys in devices if not _accepted(port, keys)]
    except KeyStoreError:
        return  # key_files() says so
    except HandshakeError as error:
        yield fault(f"{where}: {error}", "run: sudo systemctl restart mosquitto; " + _LOG)
        return
    if refused:
        yield fault(f"{where}: it refuses the key of {_named(refused)}", _RELOAD)
    else:
        yield good(f"{where}: speaks TLS-PSK and takes the keys of {len(devices)} devices")


def psk_port(site: Site) -> int | None:
    """Where mosquitto's file has it listen for devices; None when that is not known."""
    try:
        text = site.machine.path(layout.BROKER_CONF).read_text(encoding="utf-8")
    except OSError:
        return layout.PSK_PORT if site.production else None
    found = _LISTENER.search(text)
    return int(found.group(1)) if found else layout.PSK_PORT


def _accepted(port: int, keys: DeviceKeys) -> bool:
    assert keys.psk is not None
    answer = handshake("127.0.0.1", port, keys.device, bytes.fromhex(keys.psk))
    return answer is Answer.ACCEPTED


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def devices(site: Site) -> Iterator[Finding]:
    """Every device of hall.toml is enrolled as what it is, and every key is some device's."""
    if site.settings is None:
        return
    try:
        enrolled = {keys.device: keys for keys in site.keys.devices() if keys.revoked is None}
    except KeyStoreError:
        return  # key_files() says so
    own = {device.id for device in site.settings.own_displays()}
    wanted = {device.id: device.profile for device in site.settings.devices}
    if missing := sorted(wanted.keys() - enrolled.keys() - own):
        yield warning(
            f"not enrolled, so they cannot join: {_named(missing)}",
            f"run: sudo hall enroll {missing[0]}",
        )
    if strange := sorted(enrolled.keys() - wanted.keys()):
        yield warning(
            f"enrolled, but not in {site.config}, so what they send is refused: {_named(strange)}",
            f"add each as [[device]], or run: sudo hall revoke {strange[0]}",
        )
    for name in sorted(wanted.keys() & enrolled.keys()):
        if wanted[name] != enrolled[name].profile:
            yield fault(
                f"{name} is enrolled as {enrolled[name].profile}, but {site.config} has it as "
                f"{wanted[name]}",
                f"correct its profile there, or flash and enrol it as that: hall enroll {name}",
            )
