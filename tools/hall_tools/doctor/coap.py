"""CoAP for battery devices: the gateway's endpoint answers, at an address that devices can know.

Here: what is seen from outside of it. Not here: keys (broker.py looks at all of them), and a
firewall, which lets this machine through in any case.
"""

import errno
import secrets
import socket
import struct
from collections.abc import Iterator

from hall_gateway.config_links import ANY_ADDRESS, CoapConfig, is_loopback
from hall_gateway.store_look import LookError, owner

from hall_tools.doctor.findings import Finding, Site, fault, good, warning
from hall_tools.gateway_setup import layout

ANSWER_S = 2.0
_CON, _RST = 0x40, 0x70
"""First bytes of a message without a token (RFC 7252, section 3)."""


def endpoint(site: Site) -> Iterator[Finding]:
    """The gateway answers there; when it does not run, nobody else has the port."""
    if site.settings is None or site.settings.coap is None:
        return
    coap = site.settings.coap
    where = f"CoAP at {coap.host}:{coap.port} (UDP)"
    if site.settings.coap_devices():
        yield from _address(site, coap)
    try:
        runs = owner(site.settings.store.path) is not None
    except LookError:
        return  # running.gateway() says so
    if not runs:
        if (why := _taken(coap)) is not None:
            yield fault(
                f"{where}: the gateway could not listen there: {why}",
                f"see who has it: sudo ss -lunp; or give another port in [coap] of {site.config}, "
                "and flash battery devices again",
            )
    elif _answers(coap):
        yield good(f"{where}: the gateway answers")
    else:
        yield fault(
            f"{where}: nobody answers, so battery devices keep their events",
            f"[coap] counts from the gateway's next start: sudo systemctl restart {layout.SERVICE}",
        )


def _address(site: Site, coap: CoapConfig) -> Iterator[Finding]:
    """What goes into flash images is an address that this machine has."""
    assert site.settings is not None
    address = coap.host if coap.host != ANY_ADDRESS else site.settings.broker.device_host
    advice = (
        f"put this machine's address in the devices' network into host of [coap] in {site.config}; "
        "to see it: ip -4 -brief address"
    )
    if address is None:
        yield fault("[coap] does not say where battery devices find this gateway", advice)
    elif is_loopback(address):
        yield warning(f"[coap] host is {address}, where no battery device can get to", advice)
    elif coap.host == ANY_ADDRESS and (why := _taken(CoapConfig(host=address), port=0)):
        yield fault(f"battery devices look for this gateway at {address}: {why}", advice)


def _taken(coap: CoapConfig, port: int | None = None) -> str | None:
    """Why nobody could listen there now; None when somebody could."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((coap.host, coap.port if port is None else port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return "it is no address of this machine now"
            if error.errno == errno.EADDRINUSE:
                return "another program has the port"
            return error.strerror
    return None


def _answers(coap: CoapConfig) -> bool:
    """Whether a CoAP ping comes back (RFC 7252, section 4.3)."""
    ping = struct.pack(">BBH", _CON, 0, secrets.randbelow(1 << 16))
    host = "127.0.0.1" if coap.host == ANY_ADDRESS else coap.host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(ANSWER_S)
        try:
            own.connect((host, coap.port))
            own.send(ping)
            return own.recv(64) == bytes([_RST]) + ping[1:]
        except OSError:  # nobody, or nobody in time
            return False
