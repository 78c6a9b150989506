"""Files that people write, copy and bring, as the gateway and the tools read them.

Here: settings, rules, profiles, images, journals, backups, objects of a compiler, native modules,
fonts, keys. Not here: what comes over a wire (targets_gateway.py, targets_http.py).
"""

import contextlib
import io
import json
import re
import struct
import tarfile
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hall_profiles
from argon2 import PasswordHasher
from hall_gateway import keys, rules_file, staff, toml_input
from hall_gateway.config import GatewayConfig
from hall_gateway.console import users
from hall_profiles import check, source
from hall_tools import backup, glyphs
from hall_tools.diag import console as host_console
from hall_tools.diag import frames
from hall_tools.errors import UserError
from hall_tools.flash import ledger, occupant
from hall_tools.image import base, config_file, layout
from hall_tools.image.vfs import vfs_image
from hall_tools.native import architectures, build, loader, objects
from support import micropython_base

from fuzz import firmware
from fuzz.target import Target
from fuzz.targets_device import CONSOLE_WORDS, journals

SECTOR = 4096
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")


@cache
def folder() -> Path:
    """Where an input is put that a reader wants as a file."""
    kept = tempfile.TemporaryDirectory(prefix="hall-fuzz-")
    folders.append(kept)
    return Path(kept.name)


folders: list[tempfile.TemporaryDirectory[str]] = []


def put(name: str, data: bytes) -> Path:
    path = folder() / name
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def gathered(image: bytes) -> bytes:
    """What of an image is written, each block behind its number and its length: one as it is would
    be blank nearly everywhere, and longer than what is tried."""
    written = b""
    for number, at in enumerate(range(0, len(image), SECTOR)):
        if block := image[at : at + SECTOR].rstrip(b"\xff"):
            written += struct.pack("<HH", number, len(block)) + block
    return written


def spread(data: bytes, size: int = 17 * SECTOR) -> bytes:
    """The image of so many bytes that is gathered in `data`."""
    image, at = bytearray(b"\xff" * size), 0
    while at + 4 <= len(data):
        number, length = struct.unpack_from("<HH", data, at)
        block = data[at + 4 : at + 4 + min(length, SECTOR)]
        start = number * SECTOR % size
        image[start : start + len(block)] = block
        at += 4 + max(len(block), 1)
    return bytes(image[:size])


# Settings, rules and profiles


def settings(data: bytes) -> bool:
    """hall.toml: what is wrong stands at a line of it."""
    path = folder() / "hall.toml"
    try:
        toml_input.parse_toml(text_of(data), GatewayConfig, path, secrets=False)
    except toml_input.ConfigError as error:
        assert str(error).startswith(str(path)), error
        return False
    return True


def rules(data: bytes) -> bool:
    try:
        return bool(rules_file.compiled(text_of(data), "rules.yaml").rules)
    except rules_file.RulesError as error:
        assert error.problems and all(each.what and each.right for each in error.problems)
        return False


def profile(data: bytes) -> bool:
    """What is taken can be compiled for a device, and its payloads can be checked."""
    try:
        found = check.check(source.parse(text_of(data), "keypad-5.yaml"), "keypad-5")
    except hall_profiles.ProfileError as error:
        assert error.problems and all(each.what and each.right for each in error.problems)
        return False
    hall_profiles.compile_config(
        found, device="d-1", hall="h", broker_host="10.0.0.1", broker_port=8883
    )
    for kind in found.events:
        with contextlib.suppress(hall_profiles.PayloadError):
            hall_profiles.validate_event(found, kind, {})
    return True


def staff_file(data: bytes) -> bool:
    try:
        return bool(staff.read_staff(put("staff.json", data)).who())
    except ValueError as error:
        assert "00112233" not in str(error)
        return False


# What lies on a chip, as a tool reads it


def partitions(data: bytes) -> bool:
    """A board with another program, or half a table: it is somebody's, or nobody's."""
    places = occupant.partitions(data)
    assert all(place.offset >= 0 and place.size >= 0 for place in places.values())
    image = data.ljust(2 * SECTOR, b"\xff")
    board = SimpleNamespace(read=lambda _address, size: image[:size])
    found = occupant.occupant(board)
    assert found.device is None or isinstance(found.device, str)
    return bool(places)


def journal(data: bytes) -> bool:
    board = SimpleNamespace(read=lambda _address, size: data[:size])
    return occupant.holds_events(board, occupant.Place(0, len(data)))


def vfs(data: bytes) -> bool:
    """A file system."""
    try:
        return isinstance(config_file.config_in(spread(data, VFS_BYTES)), dict)
    except ValueError:
        return False


VFS_BYTES = layout.partition("vfs").size


def micropython(data: bytes) -> bool:
    try:
        return base.Base.parse(spread(data).rstrip(b"\xff"), "a.bin").version != ""
    except UserError as error:
        assert str(error).startswith("a.bin")
        return False


# The technician's side of the serial console


def console_host(data: bytes) -> bool:
    """The same is found however the bytes are cut, and no text can steer a terminal."""
    whole = list(frames.Lines().feed(data))
    lines = frames.Lines()
    pieces = [each for at in range(0, len(data), 7) for each in lines.feed(data[at : at + 7])]
    assert pieces == whole or len(data) > frames.LINE_MAX, (pieces, whole)
    for each in whole:
        if isinstance(each, frames.Log):
            assert each.text.isprintable(), each
    return any(not isinstance(each, frames.Log) for each in whole)


class _Port:
    """A device that answers every question with what it was given to say."""

    name = "/dev/ttyFUZZ"

    def __init__(self, said: Any) -> None:
        self._said = said
        self._next = b""

    def write(self, data: bytes) -> None:
        ident, command = data[2:].split(b" ")[:2]
        values = self._said if isinstance(self._said, list) else [self._said]
        out = b""
        for value in values:
            content = b"%s %s %s" % (ident, command, frames.dumps(value).encode())
            out += b"@%s*%08x\n" % (content, frames.zlib.crc32(content))
        self._next = out

    def read(self) -> bytes:
        said, self._next = self._next, b""
        return said


def console_answers(data: bytes) -> bool:
    """[value, ...]: a device that answers with these, in frames that are right."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        said = [text_of(data)]
    port: Any = _Port(said)
    asked = host_console.Console(port, lambda _device: bytes(16))
    try:
        asked.identify(0.004)
        asked.ask("health", patience_s=0.004)
        asked.ask("events", {"after": 0}, patience_s=0.004)
    except UserError:
        return False
    return True


# Backups, objects, fonts and keys


def backup_file(data: bytes) -> bool:
    """Changed, and with the sums of tar's headers made right again."""
    data = bytearray(data)
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            header = bytes(data[at : at + 148]) + b" " * 8 + bytes(data[at + 156 : at + 512])
            data[at + 148 : at + 156] = b"%06o\0 " % (sum(header) & 0o777777)
    path = put("a.tar", bytes(data))
    try:
        with backup.opened(path) as found:
            found.check()
    except UserError:
        return False
    return True


def object_file(data: bytes) -> bool:
    """An object of any of the three machines, linked."""
    taken = False
    for target in architectures.ARCHITECTURES.values():
        with contextlib.suppress(UserError):
            target.lay_out(objects.read_object(data, target.machine, "a.o"))
            taken = True
    return taken


def native_module(data: bytes) -> bool:
    try:
        found = loader.decode(data)
    except ValueError:
        return False
    assert len(found.relocated(text=0x1000, fun_table=0x2000)) == len(found.text)
    return True


def font(data: bytes) -> bool:
    try:
        return len(glyphs.build_pack(data, "AB")) == 12 + 4 + 32
    except UserError:
        return False


def key_file(data: bytes) -> bool:
    put("d-1.json", data)
    folder().chmod(0o700)
    try:
        return keys.KeyStore(folder()).get("d-1") is not None
    except keys.KeyStoreError as error:
        assert "00112233" not in str(error)
        return False


def boards_file(data: bytes) -> bool:
    try:
        return ledger.Ledger(put("boards.json", data)).device_of("aa:bb") is not None
    except UserError:
        return False


def users_file(data: bytes) -> bool:
    try:
        return users.Users(put("users.json", data), HASHER).get("lin") is not None
    except users.UsersError:
        return False


# Seeds


def settings_seeds() -> list[bytes]:
    text = (firmware.ROOT / "docs/gateway.example.toml").read_text(encoding="utf-8")
    small = '[[window]]\nid = "1"\n[[device]]\nid = "d-1"\nprofile = "keypad-5"\nwindow = "1"\n'
    links = '[store]\npath = "hall.db"\n[upstream]\nhost = "10.0.0.1"\ntls = true\n'
    shown = re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", text)
    right = ('hall = "demo"\n' + links + small).encode()
    return [
        right,
        text.encode(),
        shown.encode(),
        b"hall = " + b"[" * 1200,
        b"hall = " + b"9" * 4400,
    ]


def rules_seeds() -> list[bytes]:
    whole = (resources.files("hall_gateway") / "rules.yaml").read_text(encoding="utf-8")
    one = re.split(r"(?m)^  # .*\n", whole)
    return [b"rules:\n" + each.encode() for each in one[1:4]] + [whole.encode()]


def profile_seeds() -> list[bytes]:
    names = ("keypad-5", "wet-floor-battery", "call-display-p10-64x16")
    found = resources.files("hall_device_profiles")
    return [(found / f"{name}.yaml").read_bytes() for name in names]


def partition_seeds() -> list[bytes]:
    return [layout.partition_table(4).rstrip(b"\xff")]


def vfs_seeds() -> list[bytes]:
    config = b'{"v":1,"device":"d-1","profile":"keypad-5"}'
    image = vfs_image({"config.json": config, "a/hall/app.mpy": b"M\x06" + bytes(300)})
    return [gathered(image)]


def replies() -> list[bytes]:
    """What a device writes, its log in between."""
    whole = b'@a1 id [1,{"device":"d-1"}]*5b9b8d4e\n'
    one, end = b'a1 id [1,{"device":"d-1"}]', b'a1 id {"ok":1}'
    lines = [b"@%s*%08x\n" % (each, frames.zlib.crc32(each)) for each in (one, end)]
    return [b"".join(lines), b"[12] start: version 0.1.0\n" + lines[0] + whole + lines[1]]


def answers() -> list[bytes]:
    who = [[1, {"device": "d-1", "guarded": True}], [2, {"nonce": "00" * 16, "n": 1}], {"ok": 2}]
    return [json.dumps(each).encode() for each in (who, [{"error": "locked for 900 ms"}])]


def backup_seeds() -> list[bytes]:
    made = io.BytesIO()
    content = {"store.db": b"SQLite", "config/hall.toml": b'hall = "demo"'}
    entries = [
        {
            "name": name,
            "bytes": len(body),
            "sha256": backup.hashlib.sha256(body).hexdigest(),
            "mode": 0o600,
            "owner": "hall",
        }
        for name, body in content.items()
    ]
    manifest = {
        "format": 1,
        "hallkit": "0.1.0",
        "hall": "demo",
        "made": "2026-11-22T00:00:00.000Z",
        "config": "hall.toml",
        "store": {"migration": "0001", "events": 0, "last_position": 0},
        "files": entries,
        "outside": [],
    }
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, body in {"manifest.json": json.dumps(manifest).encode(), **content}.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return [made.getvalue().rstrip(b"\0") + bytes(1024)]


def object_seeds() -> list[bytes]:
    """Our own module as each compiler makes it."""
    made: list[bytes] = []
    for target in architectures.ARCHITECTURES.values():
        with tempfile.TemporaryDirectory() as work:
            _, content = build._compile(build.own_source(), target, (), Path(work))
            made.append(content)
    return made


def module_seeds() -> list[bytes]:
    built = firmware.FIRMWARE / "native" / "prebuilt"
    return [path.read_bytes() for path in sorted(built.glob("*.mpy"))]


def font_seeds() -> list[bytes]:
    """Two letters and the sign of a missing one, in Adobe's BDF 2.1."""
    head = (
        "STARTFONT 2.1\nFONT -hall-Test-Medium-R-Normal-Sans-16-160-75-75-c-80-iso10646-1\n"
        "SIZE 16 75 75\nFONTBOUNDINGBOX 16 16 0 -2\nSTARTPROPERTIES 6\nPIXEL_SIZE 16\n"
        'FONT_ASCENT 14\nFONT_DESCENT 2\nDEFAULT_CHAR 1\nCHARSET_REGISTRY "ISO10646"\n'
        'CHARSET_ENCODING "1"\nENDPROPERTIES\nCHARS 3\n'
    )
    for code in (1, 65, 66):
        rows = "".join(f"{code + at:02x}\n" for at in range(16))
        head += f"STARTCHAR U+{code:04X}\nENCODING {code}\nSWIDTH 500 0\nDWIDTH 8 0\n"
        head += f"BBX 8 16 0 -2\nBITMAP\n{rows}ENDCHAR\n"
    return [(head + "ENDFONT\n").encode()]


def micropython_seeds() -> list[bytes]:
    chips = ("esp32", "esp32c3")
    return [gathered(micropython_base.base(chip, app_bytes=1000)) for chip in chips]


KEY = {
    "v": 1,
    "device": "d-1",
    "profile": "keypad-5",
    "generation": 1,
    "psk": "00112233" * 8,
    "oscore": None,
    "claim": "00" * 16,
    "enrolled": "2026-11-22T00:00:00.000Z",
}


STAFF = {
    "key": "00112233" * 4,
    "staff": [{"id": "王敏", "cards": ["26:1234567"], "pins": [123456789]}],
}
USERS = {"v": 1, "users": [{"name": "lin", "role": "manager", "hash": HASHER.hash("x" * 10)}]}


def boards_seeds() -> list[bytes]:
    return [b'{"v": 1, "boards": {"d-1": {"mac": "aa:bb", "generation": 1}}}']


TOML_WORDS = (b"[[", b'"', b"= ", b"'''", b"[device]\n", b"1979-05-27T07:32:00Z", b"0x", b"inf")
TOML_WORDS += (b"[" * 3000, b"9" * 5000, b'""')
YAML_WORDS = (b"- ", b": ", b"{", b"[", b"*a", b"&a ", b"!!int ", b"!!binary ", b"---\n", b"? ")
YAML_WORDS += (
    b"%YAML 1.1\n",
    b"|\n",
    b">-\n",
    b"<<: ",
    b"[" * 900,
    b"0o7",
    b".nan",
    b"1:30",
    b"2026-01-01",
)

TARGETS = (
    Target("settings", settings, settings_seeds, words=TOML_WORDS, examples=120),
    Target("rules", rules, rules_seeds, words=YAML_WORDS, examples=60),
    Target("profile", profile, profile_seeds, words=YAML_WORDS, examples=60),
    Target("partitions", partitions, partition_seeds),
    Target("journal-host", journal, journals),
    Target("vfs", vfs, vfs_seeds, examples=40),
    Target("console-host", console_host, replies, words=CONSOLE_WORDS),
    Target("console-answers", console_answers, answers, "json", examples=100),
    Target("backup", backup_file, backup_seeds, "bytes", (b"ustar", b"77777777777", b"path=../x")),
    Target("object", object_file, object_seeds, examples=100),
    Target("native-module", native_module, module_seeds),
    Target("font", font, font_seeds, words=(b"ENCODING -1\n", b"DWIDTH 65535 0\n", b"\x1f\x8b")),
    Target("key-file", key_file, lambda: [json.dumps(KEY).encode()], "json"),
    Target("boards-file", boards_file, boards_seeds, "json"),
    Target("staff-file", staff_file, lambda: [json.dumps(STAFF).encode()], "json"),
    Target("users-file", users_file, lambda: [json.dumps(USERS).encode()], "json"),
    Target("micropython", micropython, micropython_seeds, examples=60),
)
