"""`hall doctor`: check a gateway's whole installation.

Here: options, output, exit codes. Not here: the checks (hall_tools.doctor).
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hall_tools.doctor.examine import examine
from hall_tools.doctor.findings import Doctor, Finding, Site, several
from hall_tools.errors import UserError
from hall_tools.gateway_setup import layout

_SIGNS = {"good": "good   ", "warning": "WARNING", "fault": "FAULT  "}


def doctor(
    config: Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")] = Path(
        layout.CONFIG
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check this gateway's installation, and say for each fault what to do.

    Exit code: 0 when there is no fault (warnings are no faults), 69 when there is one.
    """
    machine = Doctor()
    site = Site(config, machine)
    if site.production and not machine.is_root:
        raise UserError(
            "hall doctor: only root may look at keys and passwords: run it with sudo", os.EX_NOPERM
        )
    found: list[tuple[str, Finding]] = []
    for name, finding in examine(site):
        found.append((name, finding))
        if not as_json:
            _print(finding)
    count = {level: sum(f.level == level for _, f in found) for level in _SIGNS}
    if as_json:
        findings = [{"check": name, **asdict(finding)} for name, finding in found]
        told = {"ok": not count["fault"], "findings": findings}
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        faults, warnings = (several(count[level], level) for level in ("fault", "warning"))
        print(f"{faults}, {warnings}, {count['good']} good")
    if count["fault"]:
        raise typer.Exit(os.EX_UNAVAILABLE)


def _print(finding: Finding) -> None:
    print(f"{_SIGNS[finding.level]}  {finding.text}")
    if finding.advice:
        print(f"         -> {finding.advice}", flush=True)
