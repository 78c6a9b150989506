"""What halls, their back office and its servers say to each other over NATS.

Here: messages as ingest reads them, and that it takes whatever a gateway writes; commands with
their time limits; answers of a stream; credentials and settings. Not here: NATS' own client.
"""

import contextlib
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from hall_fleet import batch, message, positions, sender, states
from hall_fleet.console.settings import FleetConfig
from hall_fleet.ingest_config import IngestConfig
from hall_gateway import (
    cloud_event_headers,
    jetstream_acks,
    jetstream_again,
    jetstream_credentials,
    jetstream_message,
    jetstream_state,
    payload,
    toml_input,
)
from hall_gateway import jetstream_subjects as subjects
from hall_gateway.health import Health
from hall_gateway.limits import Limits
from hall_gateway.wire import compact
from hall_tools.errors import UserError
from hall_tools.fleet import credentials, jwt
from support.core_hall import NOON, PLAN

from fuzz.target import Target
from fuzz.targets_device import examples, recorded
from fuzz.targets_files import TOML_WORDS, folder, put, text_of
from fuzz.targets_gateway import UNSURE, Inside, carried_out, days, steps_of

NOW = datetime(2027, 2, 1, tzinfo=UTC)
LIMITS = Limits({"缴费": 5}, 15)
ACK = "$JS.ACK.HALL_EVENTS.ingest.1.77.1.1790000000000000000.0"
SEALED = bytes(32)
STORE = "00000000000000ab"
SINK = "jetstream"


def came(subject: str, headers: dict[str, str], body: bytes) -> batch.Message:
    return batch.Message(subject, headers, body, ACK)


def _split(data: bytes) -> tuple[str, dict[str, str], bytes]:
    """[subject, headers, body], the body as JSON, or as a text that is none."""
    try:
        subject, headers, body = json.loads(data)
        headers = {str(name): str(value) for name, value in dict(headers).items()}
    except (ValueError, TypeError, RecursionError):
        subject, headers, body = EVENTS[0][0], EVENTS[0][1], data.decode("latin-1")
    told = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return str(subject), headers, told.encode("utf-8", "surrogatepass")


# Into the record


def event(data: bytes) -> bool:
    """It is an event, in a line of COPY and in the sums of a day; or poison with its reason, which
    PostgreSQL takes too."""
    whole = came(*_split(data))
    try:
        found = message.read(*whole[:3], NOW, LIMITS)
    except message.NoEventError as error:
        _poison(whole, error)
        return False
    row = batch.Row(found, whole)
    assert batch.once([row, row]) == ([row], [row])
    if found.span is not None:
        store, after, position = found.span
        assert 0 <= after < position <= positions.MOST
        texts = positions.accounted([(found.hall, found.span)] * 2)
        assert texts == ([found.hall], [store], [f"{{({after},{position}]}}"])
    _copied(batch.events_copy([row, row]), 2, 9)
    sums = batch.Sums()
    sums.add(found.hall, found.adds)
    _copied(sums.copy(), len(sums.sums), 4 + len(batch.COLUMNS) - 1)
    _jsonb(found.data)
    assert datetime.fromisoformat(found.time).astimezone(UTC) == message.moment(
        found.time, NOW, "time"
    )
    return True


def _poison(whole: batch.Message, error: message.NoEventError) -> None:
    assert error.detail.isprintable() and len(error.detail) < 500, error
    assert error.claimed is None or error.claimed.isprintable()
    for value in batch.Poison(whole, None, error.claimed, error.reason, error.detail).row():
        if isinstance(value, str):
            assert "\0" not in value
            value.encode()


def _copied(lines: bytes, rows: int, fields: int) -> None:
    """As many lines and fields as PostgreSQL expects (COPY, text format)."""
    found = lines.decode().split("\n")
    assert found[-1] == "" and len(found) == rows + 1, found
    assert all(len(line.split("\t")) == fields for line in found[:-1]), found
    assert "\0" not in lines.decode() and "\r" not in lines.decode()


def _jsonb(text: str) -> None:
    """What PostgreSQL's jsonb refuses in JSON that is right."""
    for value in _texts(json.loads(text)):
        assert "\0" not in value
        value.encode()


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for each in value.values() for text in _texts(each))]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def state(data: bytes) -> bool:
    whole = came(subjects.state("demo"), {}, data)
    try:
        row = states.read(whole, NOW)
    except message.NoEventError as error:
        _poison(whole, error)
        return False
    for value in states._values(row):  # pyright: ignore[reportPrivateUsage]
        assert not isinstance(value, str) or "\0" not in value
    _jsonb(row.text)
    return True


# What a gateway writes


def written(data: bytes) -> bool:
    """[[name, body], ...] as of `commands`: the record takes every event that comes of it."""
    with Inside() as heart:
        heart.outbox("fuzz", 1)  # from here on
        done = carried_out(heart, steps_of(data))
        rows = heart.outbox("fuzz", 500)
    for row in rows:
        out = jetstream_message.event("demo", STORE, row, SEALED)
        headers = dict(out.headers or {})
        for name, value in headers.items():
            assert name.isascii() and value.isascii() and f"{name}{value}".isprintable(), headers
        message.read(out.subject, headers, out.payload, NOW, LIMITS)
    return done


def told(data: bytes) -> bool:
    """up/state of a device: what the hall says of itself then, its back office takes."""
    with Inside() as heart:
        if heart.state("kp-1", data, NOON, False) is None:
            return False
    known = {"kp-1": compact({"device": "kp-1", "online": True, "state": json.loads(data)})}
    health = Health("ok", ())
    made = jetstream_state.told(PLAN, "0.1.0", health, known, [], "营业厅", "A")
    body = made.payload(NOON, 3, jetstream_state.Reach(STORE, 0, 7))
    assert len(body) <= jetstream_state.MAX_BYTES
    row = states.read(came(subjects.state("demo"), {}, body), NOW)
    assert len(row.state.devices) == len(PLAN.devices)
    return True


# Commands and answers


def command(data: bytes) -> bool:
    """[name, {"Hall-Expires": …}, body]: done once and in time, and each answer is a reply to who
    asked for it."""
    name, headers, body = _split(data)
    taken = False
    with Inside() as heart:
        try:
            expires = jetstream_message.expiry(headers, NOON)
        except jetstream_message.ExpiryError as error:
            assert str(error).isprintable() and len(str(error)) < 200
            return False
        assert 0 <= expires <= NOON + subjects.MAX_TTL_MS
        reply = heart.request(name, body, None, expires <= NOON, NOON, SINK)
        if reply is not None:
            subject = subjects.reply("demo", reply.id)
            assert len(subject.split(".")) == 5 and not set(subject) & set(" *>\t\r\n"), subject
            found = sender._read(reply.body, reply.id)  # pyright: ignore[reportPrivateUsage]
            assert found is not None and payload.command_id(body) == reply.id
            taken = found["ok"]
    return taken


def again(data: bytes) -> bool:
    """tell_again, or the ranges of one: of an outbox of which the half is gone, each position is
    answered for once."""
    if data.startswith(b"["):
        data = b'{"id":"again-1","store":"%b","ranges":%b}' % (STORE.encode(), data)
    id = payload.command_id(data, jetstream_again.MAX_BYTES)
    try:
        request = payload.parse(jetstream_again.TellAgain, data, limit=jetstream_again.MAX_BYTES)
    except payload.PayloadError as error:
        assert str(error).isprintable() and len(str(error)) < 2000, error
        return False
    assert request.id == id
    with Inside() as heart:
        for number in range(1, 9):
            heart.sinks.add(f"a/1/{number}", ("rating", "given"), b"{}", NOON)
        heart.sinks.run("DELETE FROM outbox WHERE position <= 4")
        missed = heart.sinks.missed(SINK, request.ranges, jetstream_again.MOST)
    told = [(after + 1, position) for after, position in missed.places]
    assert _joined([*told, *missed.gone, *missed.void]) == _joined(request.ranges)
    return True


def _joined(ranges: list[tuple[int, int]]) -> list[list[int]]:
    joined: list[list[int]] = []
    for first, last in sorted(ranges):
        assert first <= last and (not joined or joined[-1][1] < first), ranges
        if joined and joined[-1][1] == first - 1:
            joined[-1][1] = last
        else:
            joined.append([first, last])
    return joined


def reply(data: bytes) -> bool:
    """What a hall answers, as the back office reads it."""
    found = sender._read(data, "c-1")  # pyright: ignore[reportPrivateUsage]
    if found is not None:
        assert found["id"] == "c-1" and isinstance(found["ok"], bool)
    return found is not None


def answer(data: bytes) -> bool:
    """What a stream, or whoever is there in its place, answers to an event."""
    _, headers, body = _split(data)
    try:
        ack = jetstream_acks.read_answer("hall.v1.demo.event.rating.given", headers, body)
    except jetstream_acks.NotTakenError as error:
        assert str(error).isprintable() and len(str(error)) < 500, error
        return False
    assert ack.stream.isprintable() and len(ack.stream) < 200, ack
    return True


# Files


def creds(data: bytes) -> bool:
    """A .creds file: what the gateway finds in it, the tool that makes such files finds too."""
    with contextlib.suppress(jwt.TokenError):
        token, _ = jwt.read_creds(data)
        jwt.claims_of(token)
    try:
        found = jetstream_credentials.read_credentials(put("a.creds", data))
    except toml_input.ConfigError as error:
        assert SEED not in str(error) and str(error).isprintable()
        return False
    assert SEED not in repr(found)
    assert found.name.isprintable() and all(each.isprintable() for each in found.publish), found
    return True


def logins(data: bytes) -> bool:
    """logins.json of a back office's keys."""
    put("logins.json", data)
    kept = credentials.Credentials.__new__(credentials.Credentials)
    kept.folder = folder()
    try:
        return bool(kept.halls())
    except UserError as error:
        assert str(error).isprintable()
        return False


def settings(data: bytes) -> bool:
    """ingest.toml or fleet.toml: what is wrong stands at a line of it, without a password."""
    taken = False
    for name, model in (("ingest.toml", IngestConfig), ("fleet.toml", FleetConfig)):
        path = Path("/etc/hallkit") / name
        try:
            toml_input.parse_toml(text_of(data), model, path)
        except toml_input.ConfigError as error:
            assert str(error).startswith(str(path)), error
            about = [line for line in str(error).splitlines() if "dsn: " in line]
            assert not any("hunter2" in line for line in about), error
        else:
            taken = True
    return taken


# Seeds


def _seen() -> list[tuple[str, dict[str, str], Any]]:
    """An event of each type that the contract records."""
    found: list[tuple[str, dict[str, str], Any]] = []
    for kind, bodies in recorded().items():
        if kind.startswith("hall."):
            headers, _, data = cloud_event_headers.binary(compact(bodies[0]))
            _, noun, verb = kind.split(".")
            found.append((subjects.event("demo", noun, verb), headers, json.loads(data)))
    return found


EVENTS = _seen()


def events() -> list[bytes]:
    stands = {subjects.POSITION_HEADER: f"{STORE}/17/19"}
    more = [
        (EVENTS[0][0], EVENTS[0][1], '{"a":"\\u0000"}'),
        (EVENTS[0][0], {**EVENTS[0][1], **stands}, EVENTS[0][2]),
    ]
    return [json.dumps(each, ensure_ascii=False).encode() for each in (*EVENTS, *more)]


def fleet_states() -> list[bytes]:
    device = {"id": "kp-1", "profile": "keypad-5", "where": "window/1", "online": True}
    alert = {
        "id": 1,
        "rule": "wet",
        "level": "warning",
        "title": "湿",
        "since": "2026-09-21T08:00Z",
    }
    whole = {
        "hall": "demo",
        "at": "2026-09-21T08:00:00.000Z",
        "version": "0.1.0",
        "status": "ok",
        "problems": ["a"],
        "devices": [device],
        "outbox": 3,
        "alerts": [alert],
        "name": "营业厅",
        "class": "A",
    }
    return [compact(whole), compact({**whole, "problems": [], "devices": [], "alerts": []})]


def device_states() -> list[bytes]:
    found = examples("up.state")
    first = json.loads(found[0])
    first["health"] = {**first.get("health", {}), "errors": ["3 s, x1: no\n"]}
    return [*found, json.dumps({**first, "fw": "0.1.0"}).encode()]


def asked() -> list[bytes]:
    expiry = {subjects.EXPIRES_HEADER: str(NOON + 60_000)}
    bodies = [
        [kind.removeprefix("command."), expiry, body]
        for kind, found in recorded().items()
        if kind.startswith("command.")
        for body in found
    ]
    late = ["call", {subjects.EXPIRES_HEADER: str(NOON)}, bodies[0][2]]
    return [json.dumps(each, ensure_ascii=False).encode() for each in (*bodies, late)]


def missing() -> list[bytes]:
    asked: dict[str, Any] = {"id": "again-1", "store": STORE, "ranges": [[2, 3], [4, 6], [8, 20]]}
    return [compact(asked), compact(asked["ranges"]), compact([[1, 4], [5, 2**63 - 1]])]


def replies() -> list[bytes]:
    return [b'{"id":"c-1","ok":true,"result":{}}', b'{"id":"c-1","ok":false,"error":"no window 9"}']


def answers() -> list[bytes]:
    error = {"code": 503, "err_code": 10077, "description": "maximum bytes exceeded"}
    said: list[tuple[dict[str, str], Any]] = [
        ({}, {"stream": "HALL_EVENTS", "seq": 7}),
        ({}, {"stream": "HALL_EVENTS", "seq": 7, "duplicate": True}),
        ({}, {"stream": "HALL_EVENTS", "error": error}),
        ({"Status": "503"}, ""),
    ]
    return [json.dumps(["_INBOX.demo.1", *each]).encode() for each in said]


@cache
def _key() -> jwt.Key:
    """Always the same, so that inputs are."""
    return jwt.Key(jwt.nkeys.encode_seed(bytes(range(32)), jwt.Kind.USER.value))


SEED = _key().seed.decode()


def creds_seeds() -> list[bytes]:
    """The token is JSON, which is put in as it is: what it says is what is changed."""
    from hall_fleet.logins import hall_rights

    token = jwt.user_token(_key(), _key().public, "demo", hall_rights("demo"), 1_790_000_000)
    return [jwt.creds_file(token, _key())]


def claims_seeds() -> list[bytes]:
    said = {
        "name": "demo",
        "exp": 1_800_000_000,
        "nats": {"pub": {"allow": ["hall.v1.demo.state"]}},
    }
    return [compact(said), compact({"name": "demo", "nats": {}})]


def claims(data: bytes) -> bool:
    """What a token says of itself, whatever that is."""
    body = jwt._base64(data)  # pyright: ignore[reportPrivateUsage]
    return creds(jwt.creds_file(f"e30.{body}.e30", _key()))


def logins_seeds() -> list[bytes]:
    login = {"hall": "demo", "public": _key().public, "issued": 1_790_000_000}
    return [compact({"v": 1, "halls": [login, {**login, "revoked": 1_790_000_001}]})]


def settings_seeds() -> list[bytes]:
    nats = '[nats]\nservers = ["tls://n1.example.com:4222"]\ncreds_file = "ingest.creds"\n'
    dsn = '[postgres]\ndsn = "host=/run/postgresql dbname=hall user=hall_ingest"\n'
    secret = '[postgres]\ndsn = "host=/run/postgresql password=hunter2"\n'
    figures = '[http]\nport = 9100\n[figures]\nlimit_min = 15\nlimits = { "缴费" = 5 }\n'
    fleet = 'name = "营业厅"\nutc_offset_min = 480\n' + dsn + "[console]\nport = 8080\n"
    found = (nats + dsn, nats + dsn + figures, fleet, nats + secret)
    return [each.encode() for each in found]


HEADER_WORDS = (b"%00", b"%", b"%0A", b"%ff", b"ce-time", b"+08:00", b"T24:00:00Z", b"Hall-Expires")
DSN_WORDS = (*TOML_WORDS, b"sslmode=verify-full ", b"host=10.0.0.1 ", b"password=hunter2 ", b"'")

TARGETS = (
    Target("nats-event", event, events, "json", (*UNSURE, *HEADER_WORDS)),
    Target("nats-state", state, fleet_states, "json", UNSURE),
    Target("nats-written", written, days, "json", UNSURE, 60),
    Target("nats-told", told, device_states, "json", UNSURE, 100),
    Target("nats-command", command, asked, "json", (*UNSURE, *HEADER_WORDS), 100),
    Target("nats-again", again, missing, "json", UNSURE),
    Target("nats-reply", reply, replies, "json", UNSURE),
    Target("nats-answer", answer, answers, "json", UNSURE),
    Target("creds", creds, creds_seeds, words=(b"-----", b"SU", b"\n", b".")),
    Target("creds-claims", claims, claims_seeds, "json", UNSURE),
    Target("logins-file", logins, logins_seeds, "json"),
    Target("fleet-settings", settings, settings_seeds, words=DSN_WORDS, examples=100),
)
