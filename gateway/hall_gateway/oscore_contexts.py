"""OSCORE security contexts of the hall's devices (RFC 8613, section 3): found by kid, never copied.

Here: contexts from the devices' key files, and what of them has to outlive the process. Not here:
keys (keys.py), requests (oscore_site.py).

A key stands in its file and nowhere else, and whether the files have changed is looked at for every
request: new keys and withdrawn ones count from the next request on.

What must not repeat is committed before it is used: sender sequence numbers are taken from the
store in blocks. The replay window is memory; an orderly end leaves it in the store, from where the
next start takes it, so that there is one of it at any time. After a crash, and for a new key, there
is none, and the device is challenged with an Echo option (RFC 8613, appendix B.1.2; RFC 9175).
"""

# aiocoap has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from aiocoap import oscore

from hall_gateway.core import Core
from hall_gateway.keys import DeviceKeys, KeyStore, KeyStoreError
from hall_gateway.store_contexts import NUMBERS, ReplayWindow
from hall_gateway.values import StoreError

log = logging.getLogger(__name__)

WINDOW = 32
"""Numbers that may come out of order: RFC 8613's default (section 3.2.2)."""
CHALLENGED = 2
"""Sender sequence numbers for one recovery: the challenge, and the response to what follows."""
ECHO_BYTES = 8
MAX_WAITING = 4
"""Requests of one kid that wait for the store. Anybody may send them: the kid is no secret."""
_SETTLED_S = 2.0
"""A folder whose time is the same for so long has no change that its time does not tell of."""

_oscore: Any = oscore


class DeviceContext(_oscore.CanProtect, _oscore.CanUnprotect, _oscore.SecurityContextUtils):
    """The gateway's side of the context with one device, as aiocoap works with it.

    AES-CCM-16-64-128 and HKDF with SHA-256, RFC 8613's defaults.
    """

    def __init__(self, keys: DeviceKeys) -> None:
        assert keys.oscore is not None
        self.device = keys.device
        self.key = key_name(keys)
        self.authenticated_claims = [keys.device]
        self.alg_aead = _oscore.algorithms[_oscore.DEFAULT_ALGORITHM]
        self.hashfun = _oscore.hashfunctions[_oscore.DEFAULT_HASHFUNCTION]
        self.id_context = None
        self.sender_id = bytes.fromhex(keys.oscore.sender_id)
        self.recipient_id = bytes.fromhex(keys.oscore.recipient_id)
        self.derive_keys(
            bytes.fromhex(keys.oscore.master_salt), bytes.fromhex(keys.oscore.master_secret)
        )
        self.recipient_replay_window = _oscore.ReplayWindow(WINDOW, lambda: None)
        self.echo_recovery = secrets.token_bytes(ECHO_BYTES)
        self.sender_sequence_number = 0
        self._taken = 0
        self._taking = asyncio.Lock()
        self._waiting = 0
        self._known = False

    async def prepare(self, core: Core) -> None:
        """Have enough numbers of its own for one request, and what the store knows of the window.

        Raises StoreError, also when too many wait for the same.
        """
        if self._waiting >= MAX_WAITING:
            raise StoreError(f"{self.device}: too many wait for its context")
        self._waiting += 1
        try:
            await self._prepare(core)
        finally:
            self._waiting -= 1

    async def _prepare(self, core: Core) -> None:
        async with self._taking:
            window = self.recipient_replay_window
            spare = self._taken - self.sender_sequence_number
            if self._known and (window.is_initialized() or spare >= CHALLENGED):
                return
            taken = await core.take_context(self.device, self.key)
            self.sender_sequence_number, self._taken = taken.first, taken.first + NUMBERS
            if taken.window is not None and not self._known:
                seen = {"index": taken.window.index, "bitfield": taken.window.bitfield}
                window.initialize_from_persisted(seen)
            self._known = True

    def seen(self) -> ReplayWindow | None:
        """The window as it is now; None while it is not known."""
        window = self.recipient_replay_window
        if not window.is_initialized():
            return None
        seen = window.persist()
        return ReplayWindow(seen["index"], seen["bitfield"])

    def new_sequence_number(self) -> int:
        """Raises aiocoap's ContextUnavailable instead of using one that was not taken."""
        if self.sender_sequence_number >= self._taken:
            raise _oscore.ContextUnavailable("no sender sequence numbers were taken")
        return super().new_sequence_number()

    def post_seqnoincrease(self) -> None:
        """Nothing: numbers are the store's before they are used."""


class Contexts:
    """The contexts of the devices that may speak CoAP, by the kid of their requests.

    `monotonic` gives s.
    """

    def __init__(
        self, keys: KeyStore, core: Core, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.unreadable = 0
        """Key files that could not be used, each counted once for what is wrong with it."""
        self._keys = keys
        self._core = core
        self._monotonic = monotonic
        self._devices: frozenset[str] = frozenset()
        self._by_kid: dict[bytes, DeviceContext] = {}
        self._files: dict[str, tuple[object, DeviceKeys | None]] = {}  # by device, as last read
        self._wrong: dict[str, str] = {}  # what is wrong with a device's file, as it was told
        self._changed: int | None = None  # the folder's time at the last look, None: look again
        self._noticed = 0.0  # when that time was new
        self._settled = False
        self._ended = False

    def follow(self, devices: Iterable[str]) -> None:
        """`devices` may speak, and no others."""
        self._devices = frozenset(devices)
        self._changed = None

    async def find(self, kid: bytes) -> DeviceContext | None:
        """The context of a request, ready to be used. Raises StoreError, also after keep()."""
        if self._ended:
            raise StoreError("the gateway ends, and has given its contexts back")
        self._look()
        context = self._by_kid.get(kid)
        if context is None:
            return None
        await context.prepare(self._core)
        if self._ended:
            raise StoreError("the gateway has ended meanwhile")
        self._look()  # it may have been withdrawn meanwhile
        return context if self._by_kid.get(kid) is context else None

    async def keep(self) -> None:
        """What was seen, for the next start; nothing is heard after it. Raises StoreError."""
        self._ended = True
        for context in self._by_kid.values():
            if (window := context.seen()) is not None:
                await self._core.keep_context(context.device, context.key, window)

    def _look(self) -> None:
        """Read the key files again if one of them has changed, or come, or gone."""
        try:
            changed = os.stat(self._keys.folder).st_ctime_ns
        except OSError:
            changed = 0
        now = self._monotonic()
        if changed != self._changed:
            self._changed, self._noticed, self._settled = changed, now, False
            self._files.clear()
        if self._settled:
            return
        # Two changes may have the same time, if they are close: one that is new is looked at again.
        # How new it is, is not told by the time of day, which may be wrong after a start.
        self._settled = now - self._noticed > _SETTLED_S
        before = {context.key: context for context in self._by_kid.values()}
        self._by_kid = {}
        for device in sorted(self._devices):
            if (keys := self._keys_of(device)) is not None and keys.oscore is not None:
                context = before.get(key_name(keys)) or DeviceContext(keys)
                self._add(context)

    def _add(self, context: DeviceContext) -> None:
        """Of two with one kid, which only a copied file can have, the first is heard."""
        other = self._by_kid.setdefault(context.recipient_id, context)
        if other is not context:
            self._tell(context.device, f"{other.device} has the same OSCORE id; enrol it again")

    def _keys_of(self, device: str) -> DeviceKeys | None:
        """Of the file as it is, which is read again only if it is another: of a thousand devices
        that takes a tenth of a second."""
        stamp = _stamp(self._keys.path(device))
        if (read := self._files.get(device)) is None or read[0] != stamp:
            self._files[device] = read = (stamp, self._load(device))
        return read[1]

    def _load(self, device: str) -> DeviceKeys | None:
        try:
            keys = self._keys.get(device)
        except KeyStoreError as error:
            self._tell(device, str(error))
            return None
        if keys is not None and keys.oscore is not None:
            self._wrong.pop(device, None)
        return keys

    def _tell(self, device: str, wrong: str) -> None:
        """Once: whoever sends requests makes this look at the files."""
        if self._wrong.get(device) != wrong:
            self._wrong[device] = wrong
            self.unreadable += 1
            log.error("%s is not heard: %s", device, wrong)


def _stamp(path: Path) -> object:
    """Another one for each file that was ever put at `path`."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def key_name(keys: DeviceKeys) -> str:
    """Which key of a device it is, without saying anything of it."""
    return f"{keys.device} {keys.generation} {keys.enrolled}"
