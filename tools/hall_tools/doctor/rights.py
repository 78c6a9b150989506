"""Who may read and change what: settings, keys, passwords, folders.

Here: owners and modes. Not here: whether what is in the files is right.
"""

import stat
from collections.abc import Iterator
from pathlib import Path

from hall_tools.doctor.findings import Finding, Site, fault, good, warning
from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.machine import Account

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def rights(site: Site) -> Iterator[Finding]:
    """The right users may get at everything they need, and nobody else at keys."""
    found = [*_accounts(site), *_settings(site), *of_keys(site), *_broker(site), *_secrets(site)]
    yield from found
    if not found:
        yield good(
            "the gateway and mosquitto can read their files, and nobody else the secret ones"
        )


def _accounts(site: Site) -> Iterator[Finding]:
    if site.production and site.machine.account(layout.USER) is None:
        yield fault(f"there is no user {layout.USER}, as whom the gateway runs", site.setup)
    if site.production and site.broker_account is None:
        yield fault(
            f"there is no user {layout.BROKER_USER}: mosquitto is not installed",
            f"run: sudo apt-get install mosquitto; then {site.setup}",
        )


def _settings(site: Site) -> Iterator[Finding]:
    account = site.gateway_account
    if site.config.exists() and not account.may(site.config, 4):
        yield fault(
            f"{site.config}: the gateway, user {account.name}, may not read it",
            f"run: sudo chmod a+rx {site.folder} && sudo chmod a+r {site.config}",
        )
    if site.settings is None:
        return
    folder = site.settings.store.path.parent
    if not folder.is_dir():
        yield fault(f"{folder}: the store's folder is not there", _store_advice(site, folder))
    elif not account.may(folder, 7):
        yield fault(
            f"{folder}: the gateway, user {account.name}, may not write its store there",
            _store_advice(site, folder),
        )


def _store_advice(site: Site, folder: Path) -> str:
    if site.production and folder == Path(layout.STATE):
        return site.setup
    return f"make it one of the gateway's, or have store.path in {site.config} name another"


def of_keys(site: Site) -> Iterator[Finding]:
    """The gateway may read the devices' keys, and nobody else may."""
    folder = site.keys.folder
    if not folder.is_dir():
        yield warning(f"{folder}: is not there: no device is enrolled", "hall enroll --help")
        return
    yield from _private(folder, site.gateway_account, "700")
    try:
        files = sorted(folder.glob("[!.]*.json"))
    except OSError:
        return
    for path in files:
        yield from _private(path, site.gateway_account, "600")


def _broker(site: Site) -> Iterator[Finding]:
    folder, account = site.broker_folder, site.broker_account
    for name in ("psk", "passwd"):
        if (folder / name).exists():
            yield from _private(folder / name, account, "600")
    for name in ("acl", "acl.gateway"):
        path = folder / name
        if account and path.exists() and not account.may(path, 4):
            yield _belongs(path, account)


def _secrets(site: Site) -> Iterator[Finding]:
    if site.settings is not None:
        sides = (site.settings.broker, site.settings.upstream)
        files = {side.password_file for side in sides if side.password_file is not None}
        for path in sorted(path for path in files if path.exists()):
            yield from _private(path, site.gateway_account, "600")
    wifi = site.folder / layout.WIFI
    if wifi.exists():
        yield from _private(wifi, None, "600")


def _private(path: Path, account: Account | None, mode: str) -> Iterator[Finding]:
    """Only its owner may get at it, and `account` may."""
    try:
        found = path.stat()
    except OSError:
        return  # gone meanwhile
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        yield fault(
            f"{path}: others than its owner may get at it (mode {stat.S_IMODE(found.st_mode):04o})",
            f"run: sudo chmod {mode} {path}; if strangers use this machine, make its keys anew",
        )
    if account and not account.may(path, 4):
        yield _belongs(path, account)


def _belongs(path: Path, account: Account) -> Finding:
    return fault(
        f"{path}: user {account.name}, who needs it, may not read it",
        f"run: sudo chown {account.name}: {path}",
    )
