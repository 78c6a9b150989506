"""`hall firmware`: what goes onto a device.

Here: options, tables and exit codes. Not here: how the firmware is compiled (`hall_tools.mpy`) and
how a load is measured (`hall_tools.loaded`).
"""

import json
import os

import typer
from hall_profiles import builtin_names, compile_config, load
from rich.console import Console
from rich.table import Table

from hall_tools import mpy
from hall_tools.commands.options import JsonOption
from hall_tools.errors import UserError
from hall_tools.loaded import Load, loaded
from hall_tools.sim import check_unix_port

app = typer.Typer(no_args_is_help=True, help="The firmware that is deployed to devices.")

#: What one device may load of the compiled modules, without native code and data.
BUDGET_BYTES = 60 * 1024

#: What must be free of the simulated device's heap when it is complete: messages, events and the
#: buffers of TLS come and go in it.
FREE_BYTES = 20 * 1024


@app.callback()
def _firmware() -> None:  # pyright: ignore[reportUnusedFunction] (typer: keeps `size` a subcommand)
    pass


@app.command()
def size(as_json: JsonOption = False) -> None:
    """Compile every module, and compare what a device of each profile loads with 60 KB.

    All modules ship to every device; each loads those that its profile needs.
    That is measured: a device of each profile is started in simulation, and
    20 KB of its heap must be free when it is complete.

    Exit code: 0 all within the budget, 1 one above it or short of heap.
    """
    sizes = {
        name: len(content) for name, content in mpy.application().items() if name.endswith(".mpy")
    }
    total = sum(sizes.values())
    check_unix_port()
    loads, missing = _loads()
    counts = {name: sum(sizes[each] for each in loads[name].modules) for name in loads}
    if as_json:
        told = {
            name: {"bytes": counts[name], "modules": load.modules, "free": load.free}
            for name, load in loads.items()
        }
        result = {"modules": sizes, "total": total, "budget": BUDGET_BYTES, "loads": told}
        result |= {"least_free": FREE_BYTES}
        print(json.dumps(result | {"missing": missing}))
    else:
        _show(sizes | {"total": total}, counts, loads, missing)
    above = [
        f"{name} loads {counts[name]:,} bytes" for name in counts if counts[name] > BUDGET_BYTES
    ]
    if above:
        raise UserError(f"above the budget of {BUDGET_BYTES:,} bytes: {', '.join(above)}", 1)
    short = [f"{name} has {load.free:,}" for name, load in loads.items() if load.free < FREE_BYTES]
    if short:
        raise UserError(
            f"less than {FREE_BYTES:,} bytes of the simulated heap are free: {', '.join(short)}", 1
        )


def _loads() -> tuple[dict[str, Load], dict[str, str]]:
    """By profile, what its devices load, or why there can be no such device yet."""
    loads: dict[str, Load] = {}
    missing: dict[str, str] = {}
    for name in builtin_names():
        profile = load(name)
        if profile.transport == "gateway":
            continue
        config = compile_config(
            profile, device="dev", hall="hall", broker_host="127.0.0.1", broker_port=1883
        )
        try:
            loads[name] = loaded(config)
        except UserError as error:
            missing[name] = str(error)
    return loads, missing


def _show(
    sizes: dict[str, int], counts: dict[str, int], loads: dict[str, Load], missing: dict[str, str]
) -> None:
    console = Console(width=None if os.isatty(1) else 100)
    modules = Table("module", box=None)
    modules.add_column("bytes", justify="right")
    for name, count in sizes.items():
        modules.add_row(name, f"{count:,}")
    console.print(modules)
    profiles = Table("profile", box=None)
    for column in ("loads", "of", "free heap", "at least"):
        profiles.add_column(column, justify="right")
    for name, count in counts.items():
        free = f"{loads[name].free:,}"
        profiles.add_row(name, f"{count:,}", f"{BUDGET_BYTES:,}", free, f"{FREE_BYTES:,}")
    console.print()
    console.print(profiles)
    for why in missing.values():
        console.print(why)
