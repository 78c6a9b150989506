"""`hall fleet command`: have a hall do something.

Here: options, output, exit codes. Not here: sending it (hall_fleet.sender).
"""

import asyncio
import json
import os
import re
import ssl
import uuid
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from hall_fleet.link import Link
from hall_fleet.sender import NoReplyError, send_command
from hall_gateway.jetstream_credentials import read_credentials
from hall_gateway.jetstream_subjects import MAX_TTL_MS
from hall_gateway.payload import command_id
from hall_gateway.toml_input import ConfigError
from hall_gateway.wire import compact, one_line

from hall_tools.commands.options import JsonOption
from hall_tools.errors import UserError
from hall_tools.fleet.layout import Layout, Remembered

_HALL = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_NAME = re.compile(r"[a-z_]{1,32}")


def command(
    hall: Annotated[str, typer.Argument(metavar="HALL", help="The hall's id.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="call, show, device, and so on.")],
    body: Annotated[
        str, typer.Argument(metavar="JSON", help='What it takes: \'{"window": "3"}\'; - reads it.')
    ] = "{}",
    folder: Annotated[
        Path, typer.Option("--dir", metavar="FOLDER", help="The back office's folder.")
    ] = Path(),
    ttl: Annotated[
        float,
        typer.Option(
            "--ttl", min=1, max=MAX_TTL_MS // 1000, help="For how many seconds it may be done."
        ),
    ] = 60,
    as_json: JsonOption = False,
) -> None:
    """Have a hall do something, and print its reply.

    It is sent again until the hall replies or the time is over; a hall does it once. Give an "id"
    to be sure of that when you ask again yourself. The exit code is 0 when the hall has done it, 65
    when it has refused, 75 when there was no reply: then whether it was done is not known.

        hall fleet command beijing-3 call '{"ticket": "A015", "window": "3"}' --dir D
    """
    content = _content(hall, name, body)
    layout = Layout(folder)
    remembered = layout.remembered()
    if remembered is None:
        raise UserError(f"{layout.folder}: no back office's folder", os.EX_NOINPUT)
    try:
        who = read_credentials(layout.credentials().creds("backoffice"))
        tls = _tls(layout, remembered)
    except ConfigError as error:
        raise UserError(str(error), os.EX_CONFIG) from None
    try:
        reply = asyncio.run(
            send_command(
                lambda: Link(remembered.servers, who, tls, "backoffice"), hall, name, content, ttl
            )
        )
    except NoReplyError as error:
        raise UserError(f"{error} (its id was {content['id']})", os.EX_TEMPFAIL) from None
    if as_json:
        print(json.dumps(reply, ensure_ascii=False))
    elif reply["ok"]:
        result = reply.get("result")
        print(
            f"{hall}: done"
            + ("" if result is None else f": {json.dumps(result, ensure_ascii=False)}")
        )
    if not reply["ok"]:
        why = one_line(str(reply.get("error", "it does not say why")), 300)
        raise UserError(f"{hall}: refused: {why}")


def _content(hall: str, name: str, body: str) -> dict[str, Any]:
    if not _HALL.fullmatch(hall):
        raise UserError(f"{hall!r} is no hall's id: use a-z, 0-9 and -, at most 32, not - first")
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no command's name: see docs/reference/contract")
    try:
        text = typer.get_text_stream("stdin").read() if body == "-" else body
        found: object = json.loads(text)
    except ValueError as error:
        raise UserError(f"what the command takes is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise UserError("what the command takes must be a JSON object, in braces")
    content = {"id": uuid.uuid4().hex, **cast(dict[str, Any], found)}
    if command_id(compact(content)) is None:
        raise UserError("the command's id must be 1 to 64 of A-Z, a-z, 0-9, '.', '_', ':' and '-'")
    return content


def _tls(layout: Layout, remembered: Remembered) -> ssl.SSLContext | None:
    if not any(server.startswith("tls://") for server in remembered.servers):
        return None
    ca = remembered.ca_file and layout.folder / remembered.ca_file
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise UserError(f"{ca}: CA file: {error.strerror or error}", os.EX_NOINPUT) from None
