"""hall.toml, and whether the rest of the installation is as setup would have it.

Here: what is written down. Not here: what runs.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from hall_gateway.config_links import is_loopback
from hall_gateway.toml_input import ConfigError

from hall_tools.doctor.findings import Finding, Site, fault, good, several, warning
from hall_tools.errors import UserError
from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.plan import make_plan, own_program
from hall_tools.gateway_setup.steps import Result, run

_OTHERS_SETTINGS = re.compile(
    r"\s*(listener|port|bind_address|per_listener_settings|allow_anonymous|password_file|"
    r"acl_file|psk_file|user)\s",
)


def settings(site: Site) -> Iterator[Finding]:
    """hall.toml can be used, and so can the files that it names."""
    if site.settings is None:
        missing = not site.config.exists()
        advice = f"correct it, then: hall gateway check --config {site.config}"
        if missing and site.production:
            advice = site.setup
        elif missing:
            advice = "name another: hall doctor --config FILE; docs/gateway.example.toml has one"
        for line in site.settings_error.splitlines():
            yield fault(line, advice)
        return
    found = [*_sides(site)]
    yield from found
    if not found:
        config = site.settings
        yield good(
            f"{site.config}: hall {config.hall}, {several(len(config.windows), 'window')}, "
            f"{several(len(config.devices), 'device')}"
        )


def _sides(site: Site) -> Iterator[Finding]:
    config = site.settings
    assert config is not None
    sides = {"broker": config.broker, "upstream": config.upstream, "jetstream": config.jetstream}
    for name, side in sides.items():
        if side is None:
            continue
        try:
            side.check_files()
        except ConfigError as error:
            own = name == "broker" and site.production
            advice = site.setup if own else f"put it there, or correct [{name}] in {site.config}"
            yield fault(f"[{name}] {error}", advice)
    for webhook in config.webhooks:
        try:
            webhook.check_files()
        except ConfigError as error:
            advice = f"put it there, or correct [[webhook]] {webhook.id} in {site.config}"
            yield fault(f"[[webhook]] {error}", advice)
    if config.broker.mode == "embedded":
        yield warning(
            "[broker] is the embedded one, which is for demos: no board can reach it",
            f'install mosquitto and set mode = "external" in {site.config}; {site.setup}',
        )
    upstream = config.upstream
    if is_loopback(upstream.host) and upstream.port == config.broker.port:
        yield warning(
            "[upstream] is this gateway's own broker, so no hall system gets anything",
            f"put the hall system's broker into [upstream] of {site.config}",
        )


def installed(site: Site) -> Iterator[Finding]:
    """Setup would change nothing, and nothing else configures mosquitto."""
    if not site.production or site.settings is None:
        return
    due: list[str] = []
    kept: list[str] = []

    def told(result: Result) -> None:
        if result.look.state == "due":
            due.append(f"{result.name} ({result.look.detail})")
        elif result.look.state == "kept":
            kept.append(result.name)

    try:
        plan = make_plan(site.machine, own_program())
        run(plan.steps, site.machine, dry_run=True, told=told)
    except UserError as error:
        if site.enrolled is not None:  # otherwise the findings on the keys say so
            yield warning(f"setup cannot look: {error}", "mend this first")
        return
    notes = plan.notes()
    for note in notes:
        yield fault(note.text, note.advice)
    if due:
        yield warning(f"setup would change: {'; '.join(due)}", site.setup)
    for name in kept:
        yield warning(
            f"{name}: was changed by hand, and setup leaves it",
            "compare: sudo hall gateway setup --dry-run",
        )
    foreign = [*_included(site), *_foreign(site)]
    yield from foreign
    if not (due or kept or notes or foreign):
        yield good("everything that setup writes is there, and as it was written")


def _included(site: Site) -> Iterator[Finding]:
    """Whether mosquitto's own file takes in the folder that setup writes to."""
    main = site.machine.path(layout.BROKER_MAIN)
    folder = str(Path(layout.BROKER_CONF).parent)
    if not main.exists():
        return  # rights() says that mosquitto is not installed
    lines = main.read_text(encoding="utf-8", errors="replace").splitlines()
    if ["include_dir", folder] not in [line.rstrip("/ ").split() for line in lines]:
        yield fault(
            f"{main}: does not include {folder}, so mosquitto knows nothing of this hall",
            f"add the line: include_dir {folder}; then: sudo systemctl restart mosquitto",
        )


def _foreign(site: Site) -> Iterator[Finding]:
    """What else is said to mosquitto about listeners and logins."""
    own = site.machine.path(layout.BROKER_CONF)
    for path in (site.machine.path(layout.BROKER_MAIN), *sorted(own.parent.glob("*.conf"))):
        if path == own or not path.exists():
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, start=1):
            if _OTHERS_SETTINGS.match(line):
                yield warning(
                    f"{path}:{number}: {line.strip()}: it may let others in, or keep mosquitto "
                    "from starting",
                    f"remove the line, or be sure that it fits {own.name}; then: sudo systemctl "
                    "restart mosquitto",
                )
