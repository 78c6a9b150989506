"""What the gateway says of itself on its control socket: sinks, dead letters, settings on trial.

Here: asking a gateway that runs. Not here: whether one runs (running.py), what is written down
(settings.py).
"""

from collections.abc import Iterator
from typing import Any

from hall_gateway.store_look import LookError, owner

from hall_tools.control_client import NoGatewayError, RefusedError, ask
from hall_tools.doctor.findings import Finding, Site, fault, good, warning
from hall_tools.gateway_setup import layout

_ADVICE = {
    "store_full": "see why a sink takes nothing, or raise store.max_mb in hall.toml",
    "no_commit": "check the disk: sudo journalctl -u hallkit-gateway -n 50",
    "dead_letters": "decide on them in the console, or by the control socket: docs/operations.md",
    "sink_fails": "see who runs the receiver; the gateway tries again by itself",
    "sink_still": "see who runs the receiver; the gateway tries again by itself",
    "jetstream_broker": "see the finding on the back office's servers; events wait in the store",
    "settings_refused": "correct the file: hall gateway check says what is wrong",
}
_TOLD_BEFORE = {"devices_broker", "hall_broker", "settings_pending"}
"""Reasons that running.py finds in the health file."""


def operations(site: Site) -> Iterator[Finding]:
    """The control socket answers, and what /health and /config say there."""
    if site.settings is None:
        return
    store = site.settings.store.path
    try:
        if owner(store) is None:
            return  # running.gateway() says so
        health = ask(store, "/health")
        settings = ask(store, "/config")
    except LookError:
        return  # so does it of this
    except (NoGatewayError, RefusedError) as error:
        yield fault(
            f"the control socket beside {store} does not answer: {error}",
            f"the console and hall gateway config need it: sudo systemctl restart {layout.SERVICE}",
        )
        return
    found = [*_reasons(health), *_settings(settings)]
    yield from found
    if not found:
        yield good("the control socket answers, and every sink takes its events")


def _reasons(health: dict[str, Any]) -> Iterator[Finding]:
    for reason in health.get("reasons", ()):
        if reason["code"] in _TOLD_BEFORE:
            continue
        advice = _ADVICE.get(reason["code"], "see docs/operations.md, health")
        tell = fault if reason["status"] == "failing" else warning
        yield tell(reason["text"], advice)


def _settings(told: dict[str, Any]) -> Iterator[Finding]:
    if trial := told.get("trial"):
        yield warning(
            f"settings are on trial: version {trial['version']} by {trial['by']}; they go by "
            "themselves when nobody confirms them",
            "run: sudo hall gateway config confirm, or revert",
        )
