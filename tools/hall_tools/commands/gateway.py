"""`hall gateway`: run the gateway, or check its settings.

Here: options, output, exit codes. Not here: what the gateway does (hall_gateway).
"""

import asyncio
import faulthandler
import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, cast

import typer
from hall_gateway import logs
from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.config_jetstream import JetStreamConfig
from hall_gateway.config_links import MqttConfig
from hall_gateway.config_webhooks import WebhookConfig
from hall_gateway.plan import plan_of
from hall_gateway.rules_file import RulesError, load_rules
from hall_gateway.rules_plan import strangers
from hall_gateway.schema import StoreOpenError
from hall_gateway.service import serve
from hall_gateway.settings_file import unix_ms
from hall_gateway.toml_input import ConfigError
from hall_gateway.trial import Trial, on_trial, settings_on_trial
from hall_gateway.wanted import BrokerStartError, CoapStartError
from hall_panel.raspberry_pi import BoardError, Gpio

from hall_tools.commands import gateway_backup, gateway_config, gateway_setup
from hall_tools.commands.options import HALL_TOML
from hall_tools.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    help="The hall's gateway: devices on one side, the hall system on the other.",
)
app.command("setup")(gateway_setup.setup)
app.command("backup")(gateway_backup.backup)
app.command("restore")(gateway_backup.restore)
app.add_typer(gateway_config.app, name="config")

ConfigOption = Annotated[
    Path, typer.Option("--config", help="The gateway's TOML file; see docs/gateway.example.toml.")
]


@app.command()
def run(config: ConfigOption) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; logs go to stderr."""
    settings, trial = _begin(config)
    logs.begin(os.environ)
    faulthandler.enable()  # the service manager's watchdog ends a gateway that hangs by SIGABRT
    try:
        try:
            again = asyncio.run(serve(settings, _ready, file=config, trial=trial))
        except (BrokerStartError, CoapStartError, ConfigError) as error:
            if trial is None:
                raise
            logging.error("the settings on trial cannot be followed: %s", error)
            why = {trial.sha256: str(error)}
            again = asyncio.run(serve(_load(config), _ready, file=config, hopeless=why))
    except (BrokerStartError, CoapStartError) as error:
        raise UserError(str(error), os.EX_UNAVAILABLE) from None
    except StoreOpenError as error:
        raise UserError(str(error), os.EX_CANTCREAT) from None
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None
    except ExceptionGroup as group:
        logging.critical("the gateway stopped because a part of it failed", exc_info=group)
        raise UserError(f"the gateway stopped: {_first(group)!r}", os.EX_SOFTWARE) from None
    if again:
        # The same process, so that its service manager sees no end; all that it had open is closed.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _ready(line: str) -> None:
    print(line, flush=True)


def _begin(config: Path) -> tuple[GatewayConfig, Trial | None]:
    """The settings to start with: those on trial, while there are any that can be used."""
    trial = on_trial(config, unix_ms())
    if trial is not None:
        try:
            return _load(settings_on_trial(config)), trial
        except UserError as error:
            logging.error("the settings on trial are refused: %s", error)
    return _load(config), None


@app.command()
def check(
    config: ConfigOption = HALL_TOML,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check the settings without starting anything.

    A display on this machine's own header gets a note when this machine could not drive it: the
    gateway would run without it, and settings may be checked elsewhere. A wrong rule file gets
    one, too: the gateway would run with the last good rules.
    """
    try:
        settings = _load(config)
    except UserError as error:
        if as_json:
            print(json.dumps({"ok": False, "errors": str(error).splitlines()}, ensure_ascii=False))
            raise typer.Exit(error.exit_code) from None
        raise
    notes = [f"{own.id}: {why}" for own in settings.own_displays() if (why := _no_header())]
    notes += _wrong_rules(settings)
    if as_json:
        told = settings.model_dump(mode="json", by_alias=True)
        print(json.dumps({"ok": True, "settings": told, "notes": notes}, ensure_ascii=False))
    else:
        print(
            f"{config}: good: hall {settings.hall}, {len(settings.windows)} windows, "
            f"{len(settings.devices)} devices, {settings.broker.mode} broker"
        )
        for note in notes:
            print(f"note: {note}")


def _load(path: Path) -> GatewayConfig:
    """The settings, with the files that they name seen to be readable."""
    try:
        settings = load_config(path)
        for party in _parties(settings):
            party.check_files()
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None
    return settings


def _parties(settings: GatewayConfig) -> list[MqttConfig | WebhookConfig | JetStreamConfig]:
    """Whoever the gateway connects to."""
    maybe = (settings.home_assistant, settings.jetstream)
    shown = [party for party in maybe if party is not None]
    return [settings.broker, settings.upstream, *shown, *settings.webhooks]


def _wrong_rules(settings: GatewayConfig) -> list[str]:
    """What is wrong with the rule file that the settings name, and what it names that is not in
    the hall."""
    if settings.rules is None:
        return []
    try:
        rules = load_rules(settings.rules.file)
    except RulesError as error:
        return str(error).splitlines()
    return [str(problem) for problem in strangers(rules, plan_of(settings))]


def _no_header() -> str | None:
    """Why this machine cannot drive a panel; None when it can."""
    try:
        Gpio().close()
    except BoardError as error:
        return str(error)
    return None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error
