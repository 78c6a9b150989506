"""`hall update roll-out`, `status`, `stop` and `resume`: what a gateway does with a release.

Here: options, output, asking the gateway. Not here: how it is rolled out (hall_gateway.rollout).
"""

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.toml_input import ConfigError
from rich.console import Console
from rich.table import Table

from hall_tools import control_client
from hall_tools.commands.options import HALL_TOML, JsonOption
from hall_tools.control_client import NoGatewayError, RefusedError
from hall_tools.errors import UserError
from hall_tools.update.read import check_signed, read_release

ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")]

_WIDTH = 160


def roll_out(
    release: Annotated[Path, typer.Argument(metavar="RELEASE", help="A signed .release file.")],
    device: Annotated[
        list[str] | None,
        typer.Option(metavar="D", help="Only this one; may be given again. They are one ring."),
    ] = None,
    config: ConfigOption = HALL_TOML,
    as_json: JsonOption = False,
) -> None:
    """Give a release to the hall's devices, ring by ring: 5 %, 25 %, all that it fits.

    The gateway tells devices in the hours that hall.toml has for updates. The
    next ring begins when every device of this one has confirmed the release;
    when one refuses it, goes back, or does not confirm it in 45 minutes,
    nothing more is told to any device, and an alert is raised.
    """
    settings = _settings(config)
    bundle = read_release(release)
    check_signed(release, bundle, settings.updates.trusted)
    taken = _ask(settings, "/releases", content=bundle.content())
    ids = [each["id"] for each in taken["releases"]]
    begun = _ask(settings, "/updates/roll-out", {"releases": ids, "devices": device or []})
    if as_json:
        print(json.dumps(begun, ensure_ascii=False))
        return
    count = Counter(member["ring"] for member in begun["members"])
    parts = ", ".join(str(count[ring]) for ring in sorted(count))
    print(f"{begun['version']}: devices in each ring: {parts}")
    print(_hours(settings))
    print("see how it goes with: hall update status")


def status(config: ConfigOption = HALL_TOML, as_json: JsonOption = False) -> None:
    """Show how far the newest roll-out is, and what each device runs."""
    settings = _settings(config)
    told = _ask(settings, "/updates")
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    rollout: dict[str, Any] | None = next(iter(told["roll_outs"]), None)
    print(_line(rollout) if rollout else "no release was rolled out yet")
    if rollout and rollout["state"] == "running":
        print(_hours(settings))
    if rollout and rollout["state"] == "stopped":
        print("docs/updates.md says what to do about each reason; then: hall update resume")
    members = {member["device"]: member for member in rollout["members"]} if rollout else {}
    table = Table(
        *("device", "online", "version", "slot", "its update", "ring", "roll-out"),
        box=None, padding=(0, 2, 0, 0), header_style="bold",
    )  # fmt: skip
    for device in told["devices"]:
        member = members.get(device["device"])
        phase = f"{member['phase']} {member['why']}".strip() if member else ""
        ring = str(member["ring"] + 1) if member else ""
        online = "yes" if device["online"] else "no"
        table.add_row(device["device"], online, *_runs(device["update"]), ring, phase)
    width = None if sys.stdout.isatty() else _WIDTH
    Console(highlight=False, markup=False, width=width).print(table)


def stop(config: ConfigOption = HALL_TOML, as_json: JsonOption = False) -> None:
    """Stop the roll-out: no device is told any more, and none that has been switches.

    A device that tries the release already goes on with its trial.
    """
    _tell(_ask(_settings(config), "/updates/stop", {}), as_json)


def resume(config: ConfigOption = HALL_TOML, as_json: JsonOption = False) -> None:
    """Go on with a roll-out that was stopped; devices that failed have another turn."""
    _tell(_ask(_settings(config), "/updates/resume", {}), as_json)


def _tell(rollout: dict[str, Any], as_json: bool) -> None:
    print(json.dumps(rollout, ensure_ascii=False) if as_json else _line(rollout))


def _line(rollout: dict[str, Any]) -> str:
    count = Counter(member["phase"] for member in rollout["members"])
    parts = ", ".join(f"{number} {phase}" for phase, number in sorted(count.items()))
    state: str = rollout["state"]
    if state == "stopped":
        by: str | None = rollout["stopped_by"]
        state = f"stopped by {by}" if by else f"stopped: {rollout['device']}: {rollout['why']}"
    elif state == "running":
        state = f"running, ring {rollout['ring'] + 1}"
    return f"{rollout['version']}: {state}; {parts or 'no device is left'}"


def _runs(update: dict[str, Any] | None) -> tuple[str, str, str]:
    """Version, slot and progress; of a device that does not say, nothing."""
    if update is None:
        return "", "", ""
    says = str(update.get("s", ""))
    fetched = f" {update.get('p')} %" if says == "fetch" else ""
    return str(update.get("v", "")), str(update.get("slot", "")), says + fetched


def _hours(settings: GatewayConfig) -> str:
    updates = settings.updates
    if updates.from_hour == updates.to_hour:
        return "devices are told at any time of the day"
    return f"devices are told from {updates.from_hour}:00 to {updates.to_hour}:00"


def _settings(config: Path) -> GatewayConfig:
    try:
        return load_config(config, secrets=False)
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None


def _ask(
    settings: GatewayConfig,
    path: str,
    body: dict[str, object] | None = None,
    content: bytes | None = None,
) -> Any:
    try:
        if content is not None:
            return control_client.send(settings.store.path, path, content)
        return control_client.ask(settings.store.path, path, body)
    except NoGatewayError as error:
        text = f"the gateway does not answer: {error}; does it run? hall doctor tells"
        raise UserError(text, os.EX_UNAVAILABLE) from None
    except RefusedError as error:
        raise UserError(
            str(error), os.EX_TEMPFAIL if error.status >= 500 else os.EX_DATAERR
        ) from None
