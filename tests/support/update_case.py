"""A device that is told to take a release, by a gateway that may misbehave.

Here: one of them, on a flash of its own, and what a test may do to it. It runs in MicroPython, and
nothing takes time (update_parts.py). Not here: what is to come of it.
"""

import json
import os

import update_parts as parts
import vfs
from nor_flash import PowerCut
from update_parts import Device, Link, Reset, hall, loop


class Start:
    def __init__(self):
        self.slot, self.trial = "a", False
        self.state = {"slot": "a", "spare": "", "turn": 0, "counter": 5, "trial": None}

    def save(self):
        return True


class Gateway(Link):
    """`at_request` maps the number of a request, from 1, to what happens instead of an answer; -1:
    at each that has none. `changes` pieces of the large file have a bit that is wrong."""

    def __init__(self, releases):
        super().__init__(parts.blobs_of(releases))
        self.large = releases["new"]["hall/big.bin"]
        self.asked = []  # where in which content, for each request
        self.at_request = {}
        self.changes = 0

    def answer(self, digest, at):
        content = self.blobs[digest]
        self.asked.append(at)
        instead = self.at_request.get(len(self.asked), self.at_request.get(-1))
        if instead:
            instead(digest, at, content)
        elif self.changes and content == self.large and at == 576:
            self.changes -= 1
            data = bytearray(content[at : at + 576])
            data[100] ^= 4
            self.say(digest, at, len(content), data)
        else:
            super().answer(digest, at)


class Case:
    """A device with the old release in slot a, and nothing in b."""

    releases = None  # {name: {path: content}}
    key = ""

    def __init__(self, blocks=200, keys=True):
        self.flash = parts.formatted(blocks)
        for path, content in self.releases["old"].items():
            parts.write("/a/" + path, content)
        if keys:
            parts.write("/keys.json", json.dumps({"keys": [self.key]}).encode())
        self.start = Start()
        self.link = Gateway(self.releases)
        self.told = []
        self.reports = []
        self.reply = None
        self.boot()

    def boot(self):
        self.device = Device(self.start, self.link, self.told)
        self.device.report = self.reports.append
        self.device.link_down_ms = lambda: self.down()
        self.left_down = 0
        self.downs = 0

    def down(self):
        """For so many looks the gateway is away."""
        self.left_down -= self.left_down > 0
        self.downs += self.left_down > 0
        return self.left_down

    def order(self, name="new", until=parts.UNTIL):
        """The command, and all that comes of it; "reset": the update is in its place."""
        return self.take(parts.order_of(self.releases[name], until))

    def take(self, args):
        loop.waited.clear()
        try:
            self.reply = hall.update.take(self.device, args)["state"]["s"]
            loop.run()
        except ValueError as error:
            self.reply = str(error)
        except Reset:
            return "reset"
        except PowerCut:
            loop.tasks.clear()
            return "cut"
        assert not self.device._parts.get("update")
        assert self.link.take is None
        return self.device.update["s"]

    def cut(self):
        """Power is lost, and comes back."""
        try:  # noqa: SIM105 (MicroPython has no contextlib)
            vfs.umount("/")
        except PowerCut:
            pass
        self.flash = self.flash.again()
        parts.mount(self.flash)
        self.boot()

    def lies_there(self):
        return sorted([name for name in os.listdir("/") if name in ("a", "b", "new", "old")])
