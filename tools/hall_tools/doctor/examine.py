"""All checks of an installation, in the order in which one depends on the other.

Here: the list, and running it. Not here: a check.
"""

from collections.abc import Iterator, Mapping

from hall_tools.doctor import broker, coap, jetstream, operations, rights, running, settings
from hall_tools.doctor.findings import Check, Finding, Site, fault

CHECKS: Mapping[str, Check] = {
    "settings": settings.settings,
    "rights": rights.rights,
    "setup": settings.installed,
    "keys": broker.key_files,
    "access": broker.gateway_access,
    "broker": broker.gateway_login,
    "listener": broker.device_logins,
    "coap": coap.endpoint,
    "gateway": running.gateway,
    "operations": operations.operations,
    "upstream": running.upstream,
    "jetstream": jetstream.back_office,
    "clock": running.clock,
    "store": running.store,
    "devices": broker.devices,
    "heard": running.seen,
    "versions": running.versions,
}


def examine(site: Site) -> Iterator[tuple[str, Finding]]:
    """Every finding, with the name of its check. What keeps a check from looking is one too."""
    for name, check in CHECKS.items():
        try:
            for finding in check(site):
                yield name, finding
        except OSError as error:
            what = f"{error.filename or name}: {error.strerror or error}"
            advice = "run this with sudo; if that does not help, check the disk"
            yield name, fault(f"cannot look at it all: {what}", advice)
