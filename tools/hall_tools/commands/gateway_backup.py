"""`hall gateway backup` and `hall gateway restore`.

Here: options, output, exit codes. Not here: what a backup is (hall_tools.backup, .restore).
"""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from hall_gateway.config import load_config
from hall_gateway.toml_input import ConfigError

from hall_tools.backup import back_up
from hall_tools.commands.options import HALL_TOML, JsonOption
from hall_tools.errors import UserError
from hall_tools.gateway_setup import layout
from hall_tools.progress import progress
from hall_tools.restore import restore as put_back

ConfigOption = Annotated[
    Path, typer.Option("--config", help="The gateway's TOML file; keys lie beside it.")
]


def backup(
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The tar file to be made.")],
    config: ConfigOption = HALL_TOML,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE when it is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy the store, the settings and all keys into one file, while the gateway works.

    The file has the devices' keys in it: only its owner can read it, and it belongs under lock
    wherever you take it.
    """
    try:
        settings = load_config(config)
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None
    if not settings.store.path.exists():
        raise UserError(
            f"{settings.store.path}: there is no store yet: the gateway has never run here",
            os.EX_NOINPUT,
        )
    with progress() as told:
        made = back_up(config, settings, to, _now_ms(), told, force=force)
    if as_json:
        print(json.dumps({"file": str(to), **asdict(made)}, ensure_ascii=False))
        return
    print(f"{to}: {to.stat().st_size} bytes, {len(made.files)} files, {made.store.events} events")
    for path in made.outside:
        print(f"not in it, for it lies elsewhere: {path}")
    if to.stat().st_mode & 0o077:
        print("this disk keeps no rights: whoever has it can read the file")
    print(
        "it has the devices' keys in it: keep it under lock, and not on this machine's disk alone"
    )


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `backup` made.")],
    config: ConfigOption = HALL_TOML,
    as_json: JsonOption = False,
) -> None:
    """Put a backup back; the gateway has to be stopped. What is there now is moved aside.

    What happened since the backup is not in it: events that came later are known to the hall system
    as far as it got them; devices that were enrolled later are enrolled again, and those revoked
    later are revoked again.
    """
    done = put_back(file, config, _now_ms())
    made = done.manifest
    if as_json:
        told = {
            "made": made.made,
            "hall": made.hall,
            "store": str(done.store),
            "aside": [str(path) for path in done.aside],
            "missing": list(made.outside),
        }
        print(json.dumps(told, ensure_ascii=False))
        return
    print(f"hall {made.hall} is as it was at {made.made}: {done.store}, {config} and its keys")
    for path in done.aside:
        print(f"what was there is in {path}")
    for path in made.outside:
        print(f"not in the backup, put it back yourself: {path}")
    if config.resolve() == HALL_TOML:
        print("next: sudo hall gateway setup, which tells the devices' broker, then")
        print(f"sudo systemctl start {layout.SERVICE}; revoke again what was revoked since then")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
