"""Who may read and change what: settings, keys, passwords, folders.

Here: owners and modes. Not here: whether what is in the files is right.
"""

import stat
from collections.abc import Iterator
from pathlib import Path

from hall_tools.doctor.findings import Finding, Site, fault, good, warning
from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.machine import Account

_KEYS = "enroll and flash its devices again"
_PASSWORD = "delete broker.password, and have sudo hall gateway setup make another"
_UPSTREAM = "have the hall system's password changed"
_CREDENTIALS = "have the back office make new credentials"
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
    make = f"mkdir -p {folder}"
    if site.production:
        make = f"sudo install -d -o {layout.USER} -m 750 {folder}; then {site.setup}"
    return f"correct store.path in {site.config}; or run: {make}"


def of_keys(site: Site) -> Iterator[Finding]:
    """The gateway may read the devices' keys, and nobody else may."""
    folder = site.keys.folder
    if not folder.is_dir():
        yield warning(f"{folder}: is not there: no device is enrolled", "hall enroll --help")
        return
    yield from _private(folder, site.gateway_account, _KEYS, "700")
    try:
        files = sorted(folder.glob("[!.]*.json"))
    except OSError:
        return
    for path in files:
        yield from _private(path, site.gateway_account, _KEYS)


def _broker(site: Site) -> Iterator[Finding]:
    folder, account = site.broker_folder, site.broker_account
    for name, anew in (("psk", _KEYS), ("passwd", _PASSWORD)):
        if (folder / name).exists():
            yield from _private(folder / name, account, anew)
    for name in ("acl", "acl.gateway"):
        path = folder / name
        if account and path.exists() and not account.may(path, 4):
            yield _belongs(path, account)


def _secrets(site: Site) -> Iterator[Finding]:
    if site.settings is not None:
        own, upstream = (
            side.password_file for side in (site.settings.broker, site.settings.upstream)
        )
        for path, anew in {upstream: _UPSTREAM, own: _PASSWORD}.items():
            if path is not None and path.exists():
                yield from _private(path, site.gateway_account, anew)
        table = site.settings.jetstream
        if table is not None and table.creds_file.exists():
            yield from _private(table.creds_file, site.gateway_account, _CREDENTIALS)
    wifi = site.folder / layout.WIFI
    if wifi.exists():
        yield from _private(wifi, None, "change the Wi-Fi's password")


def _private(
    path: Path, account: Account | None, anew: str, mode: str = "600"
) -> Iterator[Finding]:
    """Only its owner may get at it, and `account` may; `anew`: what helps when others have."""
    try:
        found = path.stat()
    except OSError:
        return  # gone meanwhile
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        yield fault(
            f"{path}: others than its owner may get at it (mode {stat.S_IMODE(found.st_mode):04o})",
            f"run: sudo chmod {mode} {path}; if others use this machine, {anew} too",
        )
    if account and not account.may(path, 4):
        yield _belongs(path, account)


def _belongs(path: Path, account: Account) -> Finding:
    return fault(
        f"{path}: user {account.name}, who needs it, may not read it",
        f"run: sudo chown {account.name}: {path}",
    )
