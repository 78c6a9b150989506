"""`hall update`: releases of the devices' firmware.

Here: options and output of what is done away from a gateway. Not here: what a release is
(hall_gateway.release), how one is made and signed (hall_tools.update), what a gateway does with one
(update_roll_out.py).
"""

import getpass
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from hall_gateway.bundle import SUFFIX, Bundle, BundleError, read_bundle_file
from hall_gateway.files import FileError, put_file, read_secret
from hall_gateway.release import MAX_COUNTER, PublicKey

from hall_tools.commands.options import JsonOption
from hall_tools.commands.update_roll_out import resume, roll_out, status, stop
from hall_tools.errors import UserError
from hall_tools.update.build import build as build_release
from hall_tools.update.keys import (
    PRIVATE,
    PUBLIC,
    PassphraseNeededError,
    beside,
    generate,
    read_private,
    read_public,
)
from hall_tools.update.read import check_signed, read_release
from hall_tools.update.sign import sign as sign_release

app = typer.Typer(no_args_is_help=True, help="Releases of the devices' firmware.")

_READABLE = 0o644

PassphraseOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A file whose first line is the key's passphrase."),
]
ReleaseArgument = Annotated[Path, typer.Argument(metavar="RELEASE", help="A .release file.")]


@app.command()
def keys(
    name: Annotated[
        Path, typer.Argument(metavar="NAME", help="Where to: NAME.key and NAME.pub, e.g. release.")
    ],
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Ask for a passphrase, or read it from stdin.")
    ] = False,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key that signs releases, and its public half, which gateways and devices are given.

    Make two, release and recovery, and keep them apart: the second is for the
    day on which the first is lost or stolen. Neither belongs on a gateway.
    """
    secret = _from_file(passphrase_file)
    if secret is None and passphrase:
        secret = _asked(twice=True)
    made = generate(name, secret)
    private, public = beside(name, PRIVATE), beside(name, PUBLIC)
    if as_json:
        told = {"id": made.id, "private": str(private), "public": str(public)}
        print(json.dumps({**told, "encrypted": secret is not None}, ensure_ascii=False))
        return
    print(f"{private}: signs releases; {'' if secret else 'not encrypted; '}keep it under lock")
    print(f"{public}: key {made.id}; for [updates] keys in hall.toml")


@app.command()
def build(
    counter: Annotated[
        int,
        typer.Option(
            min=0,
            max=MAX_COUNTER,
            help="Never smaller than in the release before: devices take none that is older.",
        ),
    ],
    core: Annotated[
        str | None, typer.Option(help="The least MicroPython; the one of hall flash without it.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where to; without it ./hallkit-{version}-{counter}.release."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build a release of this firmware: every family of chips in one file, not signed yet.

    The same sources make the same bytes. What is signed later is what hall
    flash would put into a device's slot.
    """
    release = build_release(counter, core=core)
    file = out or Path(f"hallkit-{release.version}-{release.counter}{SUFFIX}")
    if _signed_already(file):
        raise UserError(
            f"{file}: a signed release, which is never written over; give another --out",
            os.EX_CANTCREAT,
        )
    _write(file, release)
    _tell(file, release, None, as_json)


@app.command()
def sign(
    release: ReleaseArgument,
    key: Annotated[Path, typer.Option(metavar="FILE", help="The private key, e.g. release.key.")],
    passphrase_file: PassphraseOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also when another key has signed it already.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Sign a release, in place, with the release key or the recovery key."""
    bundle = read_release(release)
    passphrase = _from_file(passphrase_file)
    try:
        private = read_private(key, passphrase)
    except PassphraseNeededError:
        if passphrase is not None:
            raise
        private = read_private(key, _asked(twice=False))
    signed = sign_release(bundle, private, replace=replace)
    _write(release, signed)
    _tell(release, signed, [PublicKey(private.public_key().public_numbers().n)], as_json)


@app.command()
def show(
    release: ReleaseArgument,
    key: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A .pub that it must be signed with; more than one too."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is in a release, and verify it: every file's hash, and with --key who signed it.

    Exit code: 0 whole, and signed with one of the keys when any is given; 65 not.
    """
    keys = [read_public(file) for file in key] if key else None
    _tell(release, read_release(release), keys, as_json)


app.command("roll-out")(roll_out)
app.command()(status)
app.command()(stop)
app.command()(resume)


def _tell(file: Path, bundle: Bundle, keys: list[PublicKey] | None, as_json: bool) -> None:
    """What a release is. Raises UserError when `keys` are given and none of them signed it."""
    if keys is not None:
        check_signed(file, bundle, keys)
    if as_json:
        print(json.dumps(summary(file, bundle, verified=keys is not None), ensure_ascii=False))
        return
    print(f"{file}: Hallkit {bundle.version}, counter {bundle.counter}")
    for family, manifest in bundle.manifests.items():
        size = sum(each.size for each in manifest.files)
        print(
            f"{family}: {', '.join(manifest.hardware)}; MicroPython {manifest.core} or newer; "
            f"{len(manifest.files)} files, {size:,} bytes; id {manifest.id}"
        )
    print(_signers(bundle, verified=keys is not None))


def summary(file: Path, bundle: Bundle, *, verified: bool) -> dict[str, object]:
    """A release as JSON. `verified`: the signatures were checked against trusted keys."""
    families = [
        {
            "family": family,
            "hardware": list(each.hardware),
            "id": each.id,
            "core": each.core,
            "files": len(each.files),
            "bytes": sum(file.size for file in each.files),
            "signed_by": each.key,
        }
        for family, each in bundle.manifests.items()
    ]
    told = {"file": str(file), "version": bundle.version, "counter": bundle.counter}
    return {**told, "verified": verified, "families": families}


def _signers(bundle: Bundle, *, verified: bool) -> str:
    signers = {manifest.key for manifest in bundle.manifests.values()}
    if None in signers:
        return "not signed"
    names = " and ".join(sorted(key for key in signers if key))
    return f"signed with {names}{', verified' if verified else '; --key FILE verifies that'}"


def _signed_already(file: Path) -> bool:
    try:
        there = read_bundle_file(file)
    except (OSError, BundleError):
        return False
    return any(manifest.key for manifest in there.manifests.values())


def _write(file: Path, bundle: Bundle) -> None:
    try:
        put_file(file, bundle.content(), _READABLE, os.getuid(), os.getgid())
    except FileError as error:
        raise UserError(str(error), os.EX_CANTCREAT) from None


def _from_file(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        content = read_secret(file)
    except FileError as error:
        raise UserError(str(error), os.EX_NOPERM) from None
    if content is None:
        raise UserError(f"{file}: there is none; right: the passphrase's file", os.EX_NOINPUT)
    lines = content.splitlines()
    if not lines or not lines[0]:
        raise UserError(f"{file}: its first line is empty; right: the passphrase")
    return lines[0]


def _asked(*, twice: bool) -> bytes:
    """A passphrase from the keyboard, or from a pipe. Never an argument: others see those."""
    if not sys.stdin.isatty():
        phrase = sys.stdin.readline().rstrip("\n")
    else:
        phrase = getpass.getpass("Passphrase: ")
        if twice and getpass.getpass("Passphrase again: ") != phrase:
            raise UserError("the two passphrases differ; nothing was done")
    if not phrase:
        raise UserError("the passphrase is empty; nothing was done")
    return phrase.encode()
