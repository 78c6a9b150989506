"""Everything a device says of itself in one file, to send to whoever helps.

Here: what is in it, and that nothing secret is. Not here: how a device is asked (console.py).
"""

import json
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from hall_tools.diag.claims import without
from hall_tools.diag.console import PATIENCE_S, Console, RefusedError, merged

EVENTS = 64
SAMPLES_S = 2.0


def snapshot(console: Console, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """What `hall diag --json` prints."""
    who = console.identify(patience_s)
    health = merged(console.ask("health", patience_s=patience_s))
    return {"port": console.port.name, "id": who, "health": health, "line": line(console)}


def line(console: Console) -> dict[str, int]:
    """What became of the line's bytes on this side."""
    counts = {"log_lines": console.logged, "broken": console.lines.broken}
    return {**counts, "port_losses": console.port.losses}


def events(console: Console, after: int, count: int) -> list[dict[str, Any]]:
    """At most `count` events of the journal with a seq above `after`, oldest first."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        page = console.ask("events", {"after": after})
        if not page:
            break
        found += page
        after = page[-1]["seq"]
    return found[:count]


def report(console: Console, secrets: list[bytes]) -> str:
    """The report as JSON text, `secrets` taken out wherever they stand.

    What the device refuses stands in it as the reason.
    """
    told = snapshot(console)
    journal = told["health"].get("journal", {})
    first = max(0, journal.get("next", 1) - 1 - EVENTS)
    told["config"] = _asked(lambda: merged(console.ask("config")))
    told["selftest"] = _asked(lambda: merged(console.ask("selftest")))
    told["events"] = _asked(lambda: events(console, first, EVENTS))
    told["samples"] = _asked(lambda: _samples(console))
    whole = {
        "hallkit": version("hallkit"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        **told,
        "line": line(console),
        "log": list(console.logs),
    }
    return json.dumps(without(secrets, whole), indent=1, ensure_ascii=False) + "\n"


def _samples(console: Console) -> list[Any]:
    samples: list[Any] = []
    console.watch(100, samples.append)
    console.pump(SAMPLES_S)
    console.unwatch()
    return samples


def _asked(ask: Any) -> Any:
    try:
        return ask()
    except RefusedError as refusal:
        return {"refused": str(refusal)}
