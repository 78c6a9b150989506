"""The files of a release, from the gateway or from another slot: into the slot that is built.

Here: what of it is there already, where the rest comes from, and that all of it is read back and
hashed. Not here: whether the release may be taken (release.py), and when (update.py).

`/new` is the slot under construction. It belongs to the release whose whole manifest lies in it;
only when every file that the manifest lists was read back and hashed is it given a slot's name.
"""

import asyncio
import json
import os
from binascii import a2b_base64, hexlify
from hashlib import sha256
from time import ticks_ms

from micropython import const

from .update import RefusedError

_NEW = const("/new")
_OLD = const("/old")
_MANIFEST = const("/manifest")
_SLOTS = const(("/a", "/b", "/safe"))
_CHUNK_MAX = const(576)
_HEAD_MAX = const(160)  # of an answer, before its data
# A sync in the middle of a block costs another block: so one for each block that was filled.
_SYNC = const(4096)
# Blocks of the file system for folders, for what is being replaced, and for everybody else.
_SPARE = const(24)

_ASK_MS = const(5000)  # patience with an answer, which doubles ...
_ASK_LAST_MS = const(60_000)  # ... up to this
_ASKED_MAX = const(10)
_LINK_MS = const(1000)
_PACE_MS = const(30)  # the gateway answers a device 40 times a second at most


class Download:
    """The slot that is built. `update`: the Update, whose pieces of work these are."""

    def __init__(self, update, device):
        self._update = update
        self._device = device
        self._asked = []  # SHA-256 in hex, at, the answer without its data or None
        self._data = memoryview(bytearray(_CHUNK_MAX))
        self._came = asyncio.Event()
        start = device.start
        running = start.state["slot"] if start.slot == "safe" else start.slot
        self._slot = "/a" if running == "b" else "/b"

    async def begin(self, ident, size):
        """Gets the manifest with this SHA-256 in hex; whether that release runs already.
        RefusedError: it is not to be had."""
        manifest = _NEW + _MANIFEST
        if await self._same("/" + self._device.start.slot + _MANIFEST, size, ident):
            return True
        if self._size("/keys.json") is None:
            raise RefusedError("no_key")
        await self._remove(_OLD)
        if await self._same(manifest, size, ident):
            return False
        await self._remove(_NEW)
        if await self._same(self._slot + _MANIFEST, size, ident):
            self._free()
            os.rename(self._slot, _NEW)  # the power failed between two names
            return False
        os.mkdir(_NEW)
        await self._fetch(ident, size, manifest)
        if not await self._same(manifest, size, ident):
            raise RefusedError("hash")
        return False

    async def files(self):
        """Gets every file of the manifest, which was accepted. RefusedError: they are not to be
        had."""
        # Counting free blocks reads the whole file system: seldom, and never in a loop.
        needed, total, disk = _SPARE, 0, os.statvfs("/")
        for _, size, path in self._listed():
            total += size
            if self._size(_NEW + path) != size:
                needed += 1 + size // disk[1]
            await self._update.rest()
        if needed > disk[3]:
            await self.clear()
            if needed > os.statvfs("/")[3]:
                raise RefusedError("space")
        done = 0
        for digest, size, path in self._listed():
            await self._file(digest, size, path)
            done += size
            self._device.update["p"] = done * 100 // (total or 1)

    async def clear(self):
        """A slot is whole or not there: its name goes first."""
        if self._size(self._slot) is not None:
            self._free()
            os.rename(self._slot, _OLD)
            await self._remove(_OLD)

    def take_place(self, version, counter):
        """The next start tries what was built."""
        self._free()
        os.rename(_NEW, self._slot)
        self._device.emit("update", {"s": "staged", "v": version})
        from . import trials

        trials.try_slot(self._device.start, self._slot[1:], version, counter)

    async def give_up(self):
        await self._remove(_NEW)
        await self._remove(_OLD)

    def _free(self):
        """Nothing falls back to the slot any more."""
        from . import trials

        trials.free(self._device.start)

    def _listed(self):
        with open(_NEW + _MANIFEST) as file:
            for line in file:
                words = line.split()
                if words[0] == "file":
                    yield words[1], int(words[2]), "/" + words[3]

    async def _file(self, digest, size, path):
        target = _NEW + path
        if await self._same(target, size, digest):
            return
        at = path.find("/", 1)
        while at > 0:
            if self._size(_NEW + path[:at]) is None:
                os.mkdir(_NEW + path[:at])
            at = path.find("/", at + 1)
        for slot in _SLOTS:
            if await self._same(slot + path, size, digest):
                await self._read(slot + path, target)
                if await self._same(target, size, digest):
                    return
        for _ in range(2):
            # A part of it may be there; if that is what is wrong, the second time is from nothing.
            await self._fetch(digest, size, target)
            if await self._same(target, size, digest):
                return
            os.remove(target)
        raise RefusedError("hash")

    async def _fetch(self, digest, size, path):
        """Appends what is missing of a file to what there is of it."""
        at = self._size(path) or 0
        if at >= size:
            at = 0
        with open(path, "ab" if at else "wb") as file:
            while at < size:
                data = await self._chunk(digest, at, size)
                file.write(data)
                if at // _SYNC != (at + len(data)) // _SYNC:
                    file.flush()
                at += len(data)
                await self._update.rest()
                await asyncio.sleep_ms(_PACE_MS)

    async def _chunk(self, digest, at, size):
        wait = _ASK_MS
        device = self._device
        self._asked = asked = [digest, at, None]
        device._link.take = self._take
        for _ in range(_ASKED_MAX):
            self._update.in_time()
            while device.link_down_ms():
                await asyncio.sleep_ms(_LINK_MS)
                self._update.in_time()
            self._came.clear()
            device._link.fetch = b'{"sha256":"%s","at":%d}' % (digest.encode(), at)
            device._link.kick()
            try:
                await asyncio.wait_for_ms(self._came.wait(), wait)
            except asyncio.TimeoutError:
                wait = min(2 * wait, _ASK_LAST_MS)
                continue
            self._update.since = ticks_ms()
            chunk = asked[2]
            if "error" in chunk:
                device.report("update: %s" % chunk["error"])
                break
            count = chunk["data"]
            if chunk["size"] != size or not 0 < count <= size - at:
                raise RefusedError("size")
            return self._data[:count]
        raise RefusedError("no_answer")

    def _take(self, payload):
        """down/chunk came. ValueError: it is none; one that was not asked for (any more) is passed
        over. Its data come last, and are never in the heap as a whole: that has no such piece."""
        try:
            head, data, _ = bytes(payload[:_HEAD_MAX]).partition(b'"data":"')
            chunk = json.loads(head + b'"data":0}' if data else payload)
            asked = self._asked
            if [chunk["sha256"], chunk["at"]] == asked[:2] and asked[2] is None:
                if data and type(chunk["size"]) is int:
                    chunk["data"] = self._decode(payload[len(head) + len(data) : -2])
                elif data or "error" not in chunk:
                    raise ValueError
                asked[2] = chunk
                self._came.set()
        except (KeyError, TypeError, ValueError, IndexError, MemoryError):
            raise ValueError("not a chunk")

    def _decode(self, text):
        """How many bytes there are now in _data."""
        count = 0
        for at in range(0, len(text), 64):
            piece = a2b_base64(text[at : at + 64])
            self._data[count : count + len(piece)] = piece
            count += len(piece)
        return count

    # Pieces of work

    def _size(self, path):
        """In bytes, of a folder 0; None: it is not there."""
        try:
            return os.stat(path)[6]
        except OSError:
            return None

    async def _same(self, path, size, digest):
        """Whether a file is there and has this size and SHA-256 in hex."""
        return self._size(path) == size and await self._read(path) == digest

    async def _read(self, path, copy=None):
        """SHA-256 in hex of a file, which is copied meanwhile if there is a path for that."""
        digest = sha256()
        buffer = self._data
        new = open(copy, "wb") if copy else None  # noqa: SIM115 (closed below)
        try:
            with open(path, "rb") as file:
                count = file.readinto(buffer)
                while count:
                    digest.update(buffer[:count])
                    if new:
                        new.write(buffer[:count])
                    await self._update.rest()
                    count = file.readinto(buffer)
        finally:
            if new:
                new.close()
        return hexlify(digest.digest()).decode()

    async def _remove(self, path):
        if self._size(path) is None:
            return
        for name in os.listdir(path):
            name = path + "/" + name
            if os.stat(name)[0] & 0x4000:
                await self._remove(name)
            else:
                os.remove(name)
            await self._update.rest()
        os.rmdir(path)
