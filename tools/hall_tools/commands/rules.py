"""`hall rules`: check a rule file before a gateway follows it, and list what it says.

Here: options, tables and exit codes. Not here: what a right rule is (hall_gateway.rules_file).
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.plan import plan_of
from hall_gateway.rules_file import RulesError, RuleSet, load_rules, shipped
from hall_gateway.rules_plan import strangers
from hall_gateway.rules_reader import Rule
from hall_gateway.toml_input import ConfigError
from rich.console import Console
from rich.table import Table

from hall_tools.commands.options import HALL_TOML, JsonOption
from hall_tools.errors import UserError

app = typer.Typer(
    no_args_is_help=True, help="The hall's rules: what is shown, told and asked, and when."
)

FileArgument = Annotated[
    Path | None,
    typer.Argument(help="A rule file; without it the one of the hall, or the shipped one."),
]
ConfigOption = Annotated[
    Path, typer.Option("--config", help="The gateway's TOML file, which names the rule file.")
]


@app.command()
def check(
    file: FileArgument = None, config: ConfigOption = HALL_TOML, as_json: JsonOption = False
) -> None:
    """Check a rule file: one line for a good one, one line for every error of a bad one.

    An error reads FILE:LINE: FIELD: what is wrong; what would be right. A window, zone or device
    that the hall of the settings does not have gets a note: the gateway would follow the rules.

    Exit code: 0 when it is good, 65 when it is not.
    """
    try:
        settings = _settings(file, config)
        rules = _rules(file, settings)
    except RulesError as error:
        if as_json:
            problems = [problem._asdict() for problem in error.problems]
            print(json.dumps({"ok": False, "problems": problems}, ensure_ascii=False, indent=2))
        else:
            print(error)
        raise typer.Exit(os.EX_DATAERR) from None
    notes = [str(each) for each in strangers(rules, plan_of(settings))] if settings else []
    if as_json:
        told = {"ok": True, "file": rules.file, "rules": len(rules.rules), "notes": notes}
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        print(f"{rules.file}: good, {len(rules.rules)} rules")
        for note in notes:
            print(f"note: {note}")


@app.command("list")
def list_rules(
    file: FileArgument = None, config: ConfigOption = HALL_TOML, as_json: JsonOption = False
) -> None:
    """List the rules of a file: what each is about, and what it does."""
    try:
        rules = _rules(file, _settings(file, config))
    except RulesError as error:
        raise UserError(str(error)) from None
    if as_json:
        listed = [{**_row(rule), "source": rule.source} for rule in rules.rules]
        print(json.dumps(listed, ensure_ascii=False, indent=2))
        return
    table = Table(
        "rule", "title", "about", "does", box=None, padding=(0, 2, 0, 0), header_style="bold"
    )
    for rule in rules.rules:
        row = _row(rule)
        title = f"{rule.title.zh}  {rule.title.en}"
        table.add_row(rule.id, title, str(row["about"]), ", ".join(rule.does))
    # In a pipe a row is a line, for grep.
    width = None if sys.stdout.isatty() else 200
    Console(highlight=False, markup=False, width=width).print(table)


def _row(rule: Rule) -> dict[str, object]:
    about = f"each {rule.each}" if rule.each else ", ".join(sorted(rule.types))
    return {
        "id": rule.id,
        "title": rule.title.model_dump(),
        "about": about,
        "does": list(rule.does),
    }


def _settings(file: Path | None, config: Path) -> GatewayConfig | None:
    """None where there are none, or wrong ones that nobody asked for."""
    if config == HALL_TOML and not config.exists():
        return None
    try:
        return load_config(config, secrets=False)
    except ConfigError as error:
        if file is not None and config == HALL_TOML:
            return None
        raise UserError(str(error), os.EX_CONFIG) from None


def _rules(file: Path | None, settings: GatewayConfig | None) -> RuleSet:
    """Raises RulesError."""
    if file is not None:
        return load_rules(file)
    if settings is None or settings.rules is None:
        return shipped()
    return load_rules(settings.rules.file)
