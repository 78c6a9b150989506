"""A fuzz that cannot fail finds nothing: an error planted in each reader is found."""

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hall_fleet import dsn, message, sender, states
from hall_gateway import (
    accept,
    bundle,
    coap_server,
    commands,
    devices_coap,
    hall_link,
    heart,
    jetstream_acks,
    jetstream_again,
    jetstream_credentials,
    jetstream_message,
    jetstream_state,
    keys,
    mqtt_arrivals,
    mqtt_packets,
    release_keys,
    release_store,
    rules_file,
    staff,
    toml_input,
    update_fetch,
    updates,
    webhook_client,
    wire,
)
from hall_gateway.console import gateway_link, guard, users
from hall_profiles import check
from hall_tools import backup, glyphs
from hall_tools.diag import console, frames
from hall_tools.flash import ledger, occupant
from hall_tools.fleet import credentials
from hall_tools.image import base, config_file, ident
from hall_tools.native import loader, objects

from fuzz.targets import TARGETS
from fuzz.test_fuzz import fuzz

EXAMPLES = 1500
"""At most: most are found within a hundred."""


def hall(name: str) -> Any:
    """A module of the firmware."""
    return sys.modules[f"hall.{name}"]


NO_ERROR = "except ZeroDivisionError as error:"

# The target; where the error is planted; the text that it takes the place of; the error.
PLANTED: dict[str, tuple[Callable[..., Any], str, str]] = {
    "device-mqtt": (hall("mqtt").Connection._on_publish, "start > len(body)", "False"),
    "device-desired": (
        hall("roles.call_display")._check,
        "not isinstance(value, str) or len(value)",
        "len(value)",
    ),
    "device-ack": (hall("downlink")._integer, "type(value) is not int", "value is None"),
    "device-command": (hall("downlink").Commands.obey, "type(ident) is not str or ", ""),
    "device-response": (hall("post").Post._take, "type(said) is not dict", "said is None"),
    "device-coap": (hall("coap")._nibble, "number - 269)", "number - 268)"),
    "device-oscore": (hall("oscore")._open, "if not same(", "if 0 and not same("),
    "device-oscore-inside": (hall("oscore").Context.unprotect, "if not plain", "if plain is None"),
    "cbor": (hall("cbor")._item, "return -1 - number", "return -number"),
    "console-device": (hall("console").Console._answer, "len(parts) != 3", "len(parts) < 2"),
    "console-asked": (
        hall("console").Console._permitted,
        "type(args) is not dict",
        "args is None",
    ),
    "journal": (hall("slots").Slots.record, "self._checks(self.epoch)", "True"),
    "journal-sealed": (
        hall("journal").Journal._event,
        "except UnicodeError",
        "except ZeroDivisionError",
    ),
    "ident": (ident.device_in, "max(valid", "min(valid"),
    "ident-content": (hall("ident").read, "not isinstance(ident, dict) or ", ""),
    "manifest": (hall("release")._files, "len(words) != 3 or ", ""),
    "glyphs": (hall("glyphs").GlyphPack.get, "len(glyph[1]) < 2 * glyph[0]", "False"),
    "device-config": (hall("config")._check, "type(fields[name]) is not kind", "False"),
    "device-kept": (hall("kept").load, "not isinstance(kept, dict)", "kept is None"),
    "radar": (hall("drivers.ld2450").Ld2450.poll, "[-_KEPT:]", "[:]"),
    "card": (hall("drivers.wiegand").Wiegand.poll, "count in (26, 34) and", "count > 4 and"),
    "device-slot": (sys.modules["choose"].read, "type(number) is int and ", ""),
    "device-slept": (hall("form").fits, "len(value) != len(form)", "False"),
    "device-chunk": (
        hall("download").Download._take,
        "(KeyError, TypeError, ValueError, IndexError, MemoryError)",
        "(KeyError, ValueError)",
    ),
    "device-order": (hall("update")._drop, "if device._asked", "if False"),
    "device-update-args": (hall("update").Update.command, "type(size) is not int or ", ""),
    "device-keys": (
        hall("release").accept,
        "(OSError, ValueError, KeyError, TypeError)",
        "(OSError, ValueError)",
    ),
    "event": (accept._data, "if model is None", "if False"),
    "state": (heart.Heart.state, "except PayloadError as error:", NO_ERROR),
    "reply": (commands.Commands.device_reply, "except PayloadError:", NO_ERROR),
    "commands": (commands.Commands.command, "(PayloadError, RefusedError)", "RefusedError"),
    "wake": (devices_coap._parts, "not isinstance(parts, list)", "parts is None"),
    "datagram": (coap_server._options, "13 if extra == 1", "13 if extra == 2"),
    "mqtt-5": (
        mqtt_arrivals.Arrivals.take_from_paho,
        "except UnicodeDecodeError:",
        NO_ERROR,
    ),
    "mqtt-3": (mqtt_packets.arrived, "at < 5 and ", ""),
    "mqtt-properties": (hall_link.HallLink._allowed, 'set("+#\\0")', "set()"),
    "fetch": (update_fetch.Fetches.answer, "except PayloadError as error:", NO_ERROR),
    "bundle": (bundle._entries, "zipfile.BadZipFile, ", ""),
    "bundle-sealed": (bundle._check, "hashes - bundle.blobs.keys()", "set()"),
    "release-folder": (
        release_store.ReleaseStore._manifest,
        "except ManifestError as error:",
        NO_ERROR,
    ),
    "release-key": (
        release_keys.public_key_of,
        "(ValueError, UnsupportedAlgorithm)",
        "UnsupportedAlgorithm",
    ),
    "roll-out": (updates.Updates._chosen, "device not in self._plan.devices", "False"),
    "nats-event": (message._storable, 'if "\\0" in value', "if False"),
    "nats-state": (states.read, "except ValidationError as error:", NO_ERROR),
    "nats-written": (jetstream_message.event, "headers |= attributes", ""),
    "nats-told": (jetstream_state.Told.payload, "rfc3339(now)", "str(now)"),
    "nats-command": (jetstream_message.expiry, "not _UNIX_MS.fullmatch(text)", "not text"),
    "nats-again": (jetstream_again._apart, "before < first <= last", "first <= last"),
    "nats-reply": (sender._read, "not isinstance(found, dict)", "found is None"),
    "nats-answer": (
        jetstream_acks.read_answer,
        "(ValueError, KeyError, AttributeError, RecursionError)",
        "(ValueError, KeyError)",
    ),
    "creds": (
        jetstream_credentials._claims,
        "(ValueError, binascii.Error, RecursionError)",
        "RecursionError",
    ),
    "creds-claims": (
        jetstream_credentials._group,
        "isinstance(found, dict)",
        "found is not None",
    ),
    "logins-file": (
        credentials.Credentials._read_model,
        "except ValidationError as error:",
        NO_ERROR,
    ),
    "fleet-settings": (dsn._is_dsn, "except ProgrammingError:", NO_ERROR),
    "control-body": (wire.one_line, "if short.isprintable()", "if True"),
    "webhook-answer": (webhook_client._retry_after, "(ValueError, OverflowError)", "OSError"),
    "gateway-answer": (gateway_link._news, "except ValueError:", NO_ERROR),
    "console-form": (guard._check_form, "except ValueError:", NO_ERROR),
    "settings": (toml_input.parse_toml, "except (ValueError, RecursionError) as error:", NO_ERROR),
    "rules": (rules_file.compiled, "except ValidationError as error:", NO_ERROR),
    "profile": (check.check, "if isinstance(data, dict):", "if data is not None:"),
    "partitions": (occupant.partitions, "len(table) - _ENTRY.size + 1", "len(table)"),
    "journal-host": (occupant.holds_events, "sector[_SLOT:]", "bytes([sector[_SLOT]])"),
    "vfs": (config_file.config_in, "(LittleFSError, OSError, RecursionError)", "EOFError"),
    "console-host": (frames.printable, "char if char.isprintable() else", "char if char else"),
    "console-answers": (console.merged, "(AttributeError, RecursionError)", "RecursionError"),
    "backup": (backup.Backup._read_manifest, "(tarfile.TarError, ValueError)", "EOFError"),
    "object": (objects.read_object, "except _DAMAGED as error:", NO_ERROR),
    "native-module": (loader.Reader.bytes, "self.at + count > len(self.data)", "False"),
    "font": (glyphs._face, "(OSError, EOFError, zlib.error)", "EOFError"),
    "key-file": (keys._parse, "ValidationError", "ZeroDivisionError"),
    "boards-file": (
        ledger.Ledger._read,
        "(ValueError, KeyError, TypeError, AttributeError, RecursionError)",
        "EOFError",
    ),
    "staff-file": (staff.read_staff, "error.errors()[0]", "error.errors()[1]"),
    "users-file": (
        users.Users._read,
        "(ValueError, KeyError, TypeError, RecursionError)",
        "EOFError",
    ),
    "micropython": (
        base._image,
        "except Exception:",
        "except EOFError:",
    ),
}


@contextmanager
def planted(function: Any, text: str, error: str) -> Iterator[None]:
    """`function` with `error` in the place of `text`, wherever it has been imported to."""
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(text) == 1, f"{function.__qualname__} has changed: plant another error"
    scope = dict(function.__globals__)
    code = compile(source.replace(text, error), inspect.getfile(function), "exec")
    exec(code, scope)
    right = function.__code__
    function.__code__ = scope[function.__name__].__code__
    try:
        yield
    finally:
        function.__code__ = right


def stumbles(name: str) -> bool:
    """Whether the fuzz finds anything."""
    try:
        fuzz(TARGETS[name], EXAMPLES, shrink=False)
    except Exception:
        return True
    return False


def test_each_target_has_one() -> None:
    assert PLANTED.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_found(name: str) -> None:
    with planted(*PLANTED[name]):
        assert stumbles(name), f"not found by {EXAMPLES} inputs"
