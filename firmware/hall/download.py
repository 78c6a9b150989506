"""The files of a release, from the gateway or from another slot: into the slot that is built.

Here: what of it is there already, where the rest comes from, and that all of it is read back and
hashed. Not here: whether the release may be taken (release.py), and what comes after (update.py).
Loaded for these steps alone, and dropped after them.
"""

import asyncio
import json
import os
from binascii import a2b_base64
from time import ticks_ms

from micropython import const

from .update import RefusedError

_SLOTS = const(("/a", "/b", "/safe"))
_CHUNK_MAX = const(576)
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
    """`update`: the Update, whose pieces of work these are. `folder`: of the slot that is built."""

    def __init__(self, update, device, folder):
        self._update = update
        self._device = device
        self._new = folder
        self._asked = []  # SHA-256 in hex, at, chunk or None
        self._came = asyncio.Event()

    async def manifest(self, digest, size):
        """RefusedError: it is not what was ordered."""
        os.mkdir(self._new)
        path = self._new + "/manifest"
        await self._fetch(digest, size, path)
        if not await self._update.same(path, size, digest):
            raise RefusedError("hash")

    async def files(self, clear):
        """Every file of the manifest, which was accepted. `clear()` makes room. RefusedError: they
        are not to be had."""
        needed, total = _SPARE, 0
        for _, size, path in self._listed():
            total += size
            if self._update.size(self._new + path) != size:
                needed += 1 + size // os.statvfs("/")[1]
        if needed > os.statvfs("/")[3]:
            await clear()
        if needed > os.statvfs("/")[3]:
            raise RefusedError("space")
        done = 0
        for digest, size, path in self._listed():
            await self._file(digest, size, path)
            done += size
            self._device.updating["p"] = done * 100 // (total or 1)

    def _listed(self):
        with open(self._new + "/manifest") as file:
            for line in file:
                words = line.split()
                if words[0] == "file":
                    yield words[1], int(words[2]), "/" + words[3]

    async def _file(self, digest, size, path):
        update = self._update
        target = self._new + path
        if await update.same(target, size, digest):
            return
        at = path.find("/", 1)
        while at > 0:
            if update.size(self._new + path[:at]) is None:
                os.mkdir(self._new + path[:at])
            at = path.find("/", at + 1)
        for slot in _SLOTS:
            if await update.same(slot + path, size, digest):
                await update.read(slot + path, target)
                if await update.same(target, size, digest):
                    return
        for _ in range(2):
            # A part of it may be there; if that is what is wrong, the second time is from nothing.
            await self._fetch(digest, size, target)
            if await update.same(target, size, digest):
                return
            os.remove(target)
        raise RefusedError("hash")

    async def _fetch(self, digest, size, path):
        """Appends what is missing of a file to what there is of it."""
        at = self._update.size(path) or 0
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
        device._link.on_chunk = self._take
        for _ in range(_ASKED_MAX):
            self._update.in_time()
            while device.link_down_ms():
                await asyncio.sleep_ms(_LINK_MS)
                self._update.in_time()
            self._came.clear()
            device._link.ask(b'{"sha256":"%s","at":%d}' % (digest.encode(), at))
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
            data = chunk["data"]
            if chunk["size"] != size or not 0 < len(data) <= min(_CHUNK_MAX, size - at):
                raise RefusedError("size")
            return data
        raise RefusedError("no_answer")

    def _take(self, payload):
        """down/chunk came. ValueError: it is none; one that was not asked for (any more) is passed
        over."""
        try:
            chunk = json.loads(payload)
            asked = self._asked
            if [chunk["sha256"], chunk["at"]] == asked[:2] and asked[2] is None:
                if "error" not in chunk:
                    chunk["data"] = a2b_base64(chunk["data"])
                    chunk["size"]
                asked[2] = chunk
                self._came.set()
        except (KeyError, TypeError, ValueError, MemoryError):
            raise ValueError("not a chunk")
