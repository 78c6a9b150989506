"""`hall gateway config`: change the settings of a gateway that runs, with a way back.

Here: options, output, exit codes. Not here: versions and trials (hall_tools.config_versions), what
is different (hall_tools.config_diff).
"""

import json
import os
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from hall_gateway.config import GatewayConfig
from hall_gateway.settings_file import unix_ms
from hall_gateway.store_look import LookError, owner
from hall_gateway.toml_input import ConfigError, parse_toml
from hall_gateway.trial import MAX_S, Trial, on_trial

from hall_tools import control_client
from hall_tools.commands.options import HALL_TOML, JsonOption
from hall_tools.config_diff import Change, changes, restarts
from hall_tools.config_versions import Versions
from hall_tools.control_client import NoGatewayError, RefusedError
from hall_tools.errors import UserError

FOLLOWED_S = 60.0
"""A gateway that starts itself again for a trial: an orderly end, and a look at its whole store."""

app = typer.Typer(
    no_args_is_help=True,
    help="Show, compare, try, confirm and revert the gateway's settings.",
)

ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")]
FileArgument = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="The new settings, a whole hall.toml.")
]
VersionOption = Annotated[
    int | None, typer.Option("--version", help="A version that is kept, in place of FILE.")
]


@app.command()
def show(config: ConfigOption = HALL_TOML, as_json: JsonOption = False) -> None:
    """Tell which version the settings are, what is on trial, and which versions are kept."""
    versions = Versions(config)
    current, now = versions.current(), unix_ms()
    trial = on_trial(config, now)
    kept = versions.all()
    if as_json:
        told = {
            "file": str(config),
            "version": current and current.number,
            "trial": trial and {**trial.model_dump(), "left_s": (trial.until - now) // 1000},
            "versions": [asdict(version) for version in kept],
        }
        print(json.dumps(told, ensure_ascii=False))
        return
    changed = f"changed by hand since version {kept[-1].number}" if kept else "never applied"
    print(f"{config}: {f'version {current.number}' if current else changed}")
    if trial is not None:
        left = (trial.until - now) // 1000
        print(f"on trial: version {trial.version} by {trial.by}, {left} s left to confirm it")
    for version in kept:
        print(f"version {version.number}  {_when(version.at)}  {version.by}")


@app.command()
def diff(
    file: FileArgument = None,
    version: VersionOption = None,
    config: ConfigOption = HALL_TOML,
    as_json: JsonOption = False,
) -> None:
    """Compare the settings with new ones, or with a version that is kept. Secrets are hidden."""
    versions = Versions(config)
    new = _read(_content(versions, file, version), config, file)
    _tell(_changes(_read(versions.read(), config), new), as_json)


@app.command()
def apply(
    file: FileArgument = None,
    version: VersionOption = None,
    confirm_within: Annotated[
        int, typer.Option("--confirm-within", min=10, max=MAX_S, help="Seconds of the trial.")
    ] = 60,
    config: ConfigOption = HALL_TOML,
    as_json: JsonOption = False,
) -> None:
    """Check new settings, and have the gateway try them; without `confirm` in time it goes back.

    A gateway that does not run cannot try anything: then they are written at once. Its store is
    never touched. The settings before are kept as a version.
    """
    versions = Versions(config)
    content = _content(versions, file, version)
    old, new = _read(versions.read(), config), _read(content, config, file)
    if old.store.path != new.store.path:
        raise UserError(
            f"store.path: another store is no trial: stop the gateway, move "
            f"{old.store.path} there, and change it in {config}",
            os.EX_CONFIG,
        )
    found = _changes(old, new)
    trial = None
    if content != versions.read():
        if _runs(old.store.path):
            trial = versions.begin(content, control_client.who(), confirm_within, unix_ms())
            _await_followed(versions, trial, old.store.path)
        else:
            versions.write(content, control_client.who(), unix_ms())
            found["restarts"] = []
    if as_json:
        _tell(found, as_json=True, trial=trial)
        return
    _tell(found, as_json=False)
    if trial is not None:
        left = max(0, trial.until - unix_ms()) // 1000
        print(f"version {trial.version} is on trial, {left} s left; when all is well, run:")
        print(f"hall gateway config confirm{_option(config)}")
    elif found["changes"]:
        print(f"{config}: written; the gateway does not run, so nothing has tried it")


@app.command()
def confirm(config: ConfigOption = HALL_TOML, as_json: JsonOption = False) -> None:
    """Keep what is on trial: it becomes the settings file."""
    version = Versions(config).confirm(unix_ms())
    _done({"version": version.number}, f"{config}: version {version.number}", as_json)


@app.command()
def revert(config: ConfigOption = HALL_TOML, as_json: JsonOption = False) -> None:
    """Give up what is on trial now. `apply --version N` goes back further."""
    versions = Versions(config)
    trial = versions.revert(unix_ms())
    _done({"version": trial.version}, f"version {trial.version} is given up", as_json)


def _content(versions: Versions, file: Path | None, version: int | None) -> bytes:
    if (file is None) == (version is None):
        raise UserError("give either FILE or --version N", os.EX_USAGE)
    if version is not None:
        return versions.content(version)
    assert file is not None
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}", os.EX_NOINPUT) from None


def _read(content: bytes, config: Path, file: Path | None = None) -> GatewayConfig:
    """Settings that are to be at `config`, with the files that they name. `file`: what errors
    call them."""
    try:
        text = content.decode("utf-8-sig")
        settings = parse_toml(text, GatewayConfig, config)
        others = (settings.jetstream,) if settings.jetstream else ()
        for party in (settings.broker, settings.upstream, *others, *settings.webhooks):
            party.check_files()
    except UnicodeDecodeError as error:
        raise UserError(f"{file or config}: not UTF-8: {error.reason}", os.EX_CONFIG) from None
    except ConfigError as error:
        text = str(error).replace(f"{config}:", f"{file}:") if file else str(error)
        raise UserError(text, os.EX_CONFIG) from None
    return settings


def _runs(store: Path) -> bool:
    try:
        return owner(store) is not None
    except LookError as error:
        raise UserError(f"whether the gateway runs cannot be seen: {error}") from None


def _await_followed(versions: Versions, trial: Trial, store: Path) -> None:
    """Returns when the gateway runs with what is on trial; otherwise there is no trial any more."""
    deadline = time.monotonic() + min(FOLLOWED_S, (trial.until - trial.begun) / 1000)
    why = "the gateway does not answer"
    while time.monotonic() < deadline:
        try:
            told = control_client.ask(store, "/config/look", {})
        except NoGatewayError as error:
            why = f"the gateway does not answer: {error}"
        except RefusedError as error:
            why = str(error)
        else:
            if refused := told["refused"].get(trial.sha256):
                why = f"the gateway cannot follow them, and goes on as before: {refused}"
                break
            running: dict[str, Any] = told["trial"] or {}
            if running.get("sha256") == trial.sha256 and not told["pending"]:
                return
        time.sleep(0.2)
    versions.give_up(trial)
    raise UserError(f"{why}; nothing has changed", os.EX_UNAVAILABLE)


def _changes(old: GatewayConfig, new: GatewayConfig) -> dict[str, Any]:
    return {"changes": changes(old, new), "restarts": restarts(old, new)}


def _tell(found: dict[str, Any], as_json: bool, trial: Trial | None = None) -> None:
    listed: list[Change] = found["changes"]
    if as_json:
        told = {"changes": [asdict(change) for change in listed], "restarts": found["restarts"]}
        if trial is not None:
            told["trial"] = trial.model_dump()  # pyright: ignore[reportArgumentType]
        print(json.dumps(told, ensure_ascii=False))
        return
    for change in listed:
        print(change)
    if not listed:
        print("no setting is different")
    if found["restarts"]:
        print(f"the gateway starts itself again for: {', '.join(found['restarts'])}")


def _done(told: dict[str, object], text: str, as_json: bool) -> None:
    print(json.dumps({"ok": True, **told}) if as_json else text)


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / 1000).astimezone().isoformat(" ", "seconds")


def _option(config: Path) -> str:
    return "" if config == HALL_TOML else f" --config {config}"
