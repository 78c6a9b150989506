"""The rule file of a gateway that runs: taken anew when it changes; the last good one is kept.

Here: which file, seeing a change, and what is followed when it is wrong. Not here: what is in it
(rules_file.py), what follows from it (rules.py).

The text of the last good rules lies in the store, so a wrong file changes nothing, not even when
the gateway is started again.
"""

import asyncio
import logging
import os
from pathlib import Path

from hall_gateway.core import Core
from hall_gateway.plan import Plan
from hall_gateway.rules_file import RulesError, RuleSet, compiled, load_rules, shipped
from hall_gateway.rules_plan import strangers
from hall_gateway.values import StoreError

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""Between two looks at the file: an editor that writes it in place is done between two of them."""

MAX_TOLD = 20
"""Lines of what is wrong that health has."""

Stamp = tuple[int, ...]


class RulesFile:
    """Watches the rule file of the hall `plan`; `path` None means the rules that ship with
    Hallkit."""

    def __init__(self, path: Path | None, core: Core, plan: Plan) -> None:
        self._path = path
        self._core = core
        self._plan = plan
        self._taken = 0
        self._refused = 0
        self._rules: RuleSet | None = None
        self._notes: list[str] = []
        self._errors: list[str] = []
        self._known: Stamp | None = None
        self._asked = asyncio.Event()

    def figures(self) -> dict[str, object]:
        """For health: which file, how many rules, how often taken and refused, what is wrong with
        it now, and what its rules name that is not in the hall."""
        return {
            "file": None if self._path is None else str(self._path),
            "rules": len(self._rules.rules) if self._rules else 0,
            "taken": self._taken,
            "refused": self._refused,
            "errors": self._errors,
            "notes": self._notes,
        }

    def follow(self, path: Path | None, plan: Plan) -> None:
        """Another file and another hall from here on."""
        self._plan = plan
        self._note()
        if path != self._path:
            self._path = path
            self._asked.set()

    async def start(self) -> None:
        """The file's rules, else the last good ones, else the shipped ones. Raises StoreError."""
        self._known = self._stamp()
        if await self._read():
            return
        kept = await self._core.do(lambda heart, now: heart.last_rules())
        rules = shipped() if kept is None else _kept(*kept)
        log.warning("the rules of %s are followed, %d rules", rules.file, len(rules.rules))
        await self._take(rules)

    async def watch(self) -> None:
        """Have rules, and take the file anew when it changes, until cancelled."""
        while True:
            try:
                await self.start()
                break
            except StoreError:  # the core says so in the log
                await asyncio.sleep(LOOK_S)
        seen = self._known
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._asked.wait()
            except TimeoutError:
                pass
            asked = self._asked.is_set()
            self._asked.clear()
            before, seen = seen, self._stamp()
            if asked or (seen != self._known and seen == before):
                try:
                    await self._read()
                except StoreError:  # the core says so in the log; again at the next look
                    continue
                self._known = seen

    async def _read(self) -> bool:
        """Whether the file is good, and followed. Raises StoreError."""
        try:
            rules = shipped() if self._path is None else load_rules(self._path)
        except RulesError as error:
            self._refused += 1
            self._errors = str(error).splitlines()[:MAX_TOLD]
            log.error("the rule file is refused, the rules stay as they are: %s", error)
            return False
        await self._take(rules)
        self._errors = []
        self._taken += 1
        log.info("%s: %d rules are followed", rules.file, len(rules.rules))
        return True

    async def _take(self, rules: RuleSet) -> None:
        await self._core.do(lambda heart, now: heart.follow_rules(rules))
        self._rules = rules
        self._note()

    def _note(self) -> None:
        """Say what the rules name that is not in the hall."""
        found = strangers(self._rules, self._plan) if self._rules else []
        before, self._notes = self._notes, [str(each) for each in found[:MAX_TOLD]]
        if self._notes and self._notes != before:
            log.warning("the rules are followed, and: %s", "\n".join(self._notes))

    def _stamp(self) -> Stamp | None:
        if self._path is None:
            return None
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


def _kept(file: str, text: str) -> RuleSet:
    """The last good rules; an older hallkit may have found good what this one does not."""
    try:
        return compiled(text, file)
    except RulesError as error:
        log.error("the last good rules are not good any more: %s", error)
        return shipped()
