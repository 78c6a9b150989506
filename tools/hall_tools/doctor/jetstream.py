"""Whether the back office's NATS servers let the hall in, and have streams for what it says.

Here: logging in beside the gateway, as the same hall; nothing is stored by it. Not here: what the
gateway says of its own connection (operations.py).

A hall may ask no server which streams there are. But a stream that is asked to store a message only
if its name is another one says no, and who it is.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hall_gateway import jetstream_subjects as subjects
from hall_gateway.config_jetstream import JetStreamConfig
from hall_gateway.jetstream_acks import NotTakenError
from hall_gateway.jetstream_credentials import Credentials
from hall_gateway.jetstream_message import Outgoing
from hall_gateway.mqtt_message import DisconnectedError
from hall_gateway.toml_input import ConfigError
from hall_gateway.wire import rfc3339

from hall_tools.doctor.findings import Finding, Site, fault, good, warning

if TYPE_CHECKING:
    from hall_gateway.jetstream_connection import Connection

SOON_S = 14 * 24 * 3600
_ONLY_IF = {"Nats-Expected-Stream": "none-of-this-name"}
_ANEW = "ask the back office for new ones (hall fleet hall add HALL --again), and put them there"


def back_office(site: Site) -> Iterator[Finding]:
    """Every server of [jetstream] lets the hall in, and streams take its events and its state."""
    if site.settings is None or (table := site.settings.jetstream) is None:
        return
    try:
        who = table.credentials()
        table.tls()
    except ConfigError:
        return  # settings() says so
    hall = site.settings.hall
    yield from _credentials(who, hall, table)
    yield from asyncio.run(_servers(hall, table, who))


def _credentials(who: Credentials, hall: str, table: JetStreamConfig) -> Iterator[Finding]:
    where = f"{table.creds_file}: the credentials"
    if who.expires is not None and who.expires < time.time() + SOON_S:
        gone = who.expires <= time.time()
        tell = fault if gone else warning
        when = rfc3339(who.expires * 1000)
        yield tell(f"{where} {'expired' if gone else 'expire'} on {when}", _ANEW)
    if who.publish and subjects.state(hall) not in who.publish:
        yield fault(f"{where} are those of {who.name or 'another'}, not of hall {hall}", _ANEW)


async def _servers(hall: str, table: JetStreamConfig, who: Credentials) -> list[Finding]:
    from hall_gateway.jetstream_connection import Connection  # it takes memory to import

    refused: list[str] = []
    found: list[Finding] | None = None
    for server in table.servers:
        connection = Connection(hall, None)
        try:
            await connection.open(server, who, table.tls())
            found = await _streams(connection, hall) if found is None else found
        except DisconnectedError as error:
            refused.append(str(error))
        finally:
            await connection.close()
    where = "the back office's NATS servers"
    advice = "check the network and [jetstream] in hall.toml; events wait in the store"
    if len(refused) == len(table.servers):
        return [fault(f"{where} do not let the gateway in: {'; '.join(refused)}", advice)]
    if refused:
        some = warning(f"not all of {where} let the gateway in: {'; '.join(refused)}", advice)
        return [some, *(found or ())]
    return found or [good(f"{where} let the gateway in, and their streams answer")]


async def _streams(connection: "Connection", hall: str) -> list[Finding]:
    """What is wrong with the streams. Raises DisconnectedError when the connection ends."""
    watching = asyncio.create_task(connection.watch())
    wanted = {
        subjects.EVENTS_STREAM: subjects.event(hall, "device", "started"),
        subjects.STATES_STREAM: subjects.state(hall),
    }
    try:
        return [
            fault(why, "it is the back office's: hall ingest setup makes the streams")
            for stream, subject in wanted.items()
            if (why := await _wrong(connection, stream, subject)) is not None
        ]
    finally:
        watching.cancel()
        await asyncio.wait((watching,))


async def _wrong(connection: "Connection", stream: str, subject: str) -> str | None:
    try:
        takes = (await connection.publish(Outgoing(subject, b"", _ONLY_IF))).stream
    except NotTakenError as error:
        if (takes := error.stream) is None:
            return str(error)
    return None if takes == stream else f"{subject} goes to the stream {takes}, not to {stream}"
