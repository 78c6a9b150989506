"""Hall commands: each carried out once, each answered once it is decided.

Here: reading a command, remembering its reply by its id, and the commands that devices carry out.
Not here: what a command means at a window (sessions.py).
"""

import hashlib
import json
import logging
from collections import Counter

from hall_gateway.effects import Effects
from hall_gateway.models import COMMANDS, DeviceCommand, DeviceReply
from hall_gateway.payload import PayloadError, command_id, parse
from hall_gateway.plan import Plan
from hall_gateway.sessions import RefusedError
from hall_gateway.state import Json
from hall_gateway.store_hall import Hall
from hall_gateway.values import DeviceOrder, Reply
from hall_gateway.wire import compact, one_line

MAX_ORDERS = 16
"""Commands that a device may owe an answer to: as many ids as it remembers."""

_log = logging.getLogger(__name__)


class Commands:
    """Commands of the hall system, and the answers of devices to those meant for them."""

    def __init__(self, plan: Plan, hall: Hall, effects: Effects, counts: Counter[str]) -> None:
        self._plan = plan
        self._hall = hall
        self._effects = effects
        self._counts = counts

    def command(self, name: str, payload: bytes, now: int, by: str | None = None) -> Reply | None:
        """The reply; None when a device has to give it first, or there is no id to answer to.
        `by`: who gave it on this machine; None for the hall system."""
        id, name = command_id(payload), one_line(name)  # any text may stand in a topic
        if id is None:
            self._counts["refused.command_without_id"] += 1
            _log.warning("command %s refused: it has no usable id to answer to", name)
            return None
        digest = _digest(name, payload)
        if (before := self._hall.command(id)) is not None:
            known, body = before
            if known not in (None, digest):
                self._counts["commands.reused_id"] += 1
                error = f"id {id} was used for another command; give each command its own id"
                return Reply(id, _failed(id, error))
            self._counts["commands.repeated"] += 1
            return None if body is None else Reply(id, body)
        try:
            result = self._do(name, payload, now)
        except (PayloadError, RefusedError) as error:
            self._counts["commands.refused"] += 1
            body = _failed(id, str(error))
        else:
            self._counts["commands.done"] += 1
            body = None if result is None else compact({"id": id, "ok": True, "result": result})
        self._hall.add_command(id, name, now, body, digest, by)
        return None if body is None else Reply(id, body)

    def device_reply(self, device: str, payload: bytes) -> str | None:
        """up/reply: the id of the command it answers; None when it is refused."""
        try:
            reply = parse(DeviceReply, payload)
        except PayloadError:
            self._counts["refused.reply"] += 1
            self._counts[f"nonsense.{device}"] += 1
            return None
        if not self._hall.has_order(reply.id, device):
            self._counts["refused.stray_reply"] += 1
            return None
        answer: Json = {"id": reply.id, "ok": reply.ok}
        answer |= {"result": reply.result} if reply.ok else {"error": reply.error or "no reason"}
        self._answer(reply.id, compact(answer))
        return reply.id

    def tick(self, now: int) -> None:
        """Commands that a device did not answer in time get an error for a reply."""
        for id, device in self._hall.expired_orders(now):
            self._counts["commands.unanswered"] += 1
            where = "" if self._hall.device(device).online else "; it is offline"
            self._answer(id, _failed(id, f"device {device} did not answer in time{where}"))

    def _do(self, name: str, payload: bytes, now: int) -> Json | None:
        model = COMMANDS.get(name)
        if model is None:
            raise PayloadError(f"no command {name}; the commands are {', '.join(COMMANDS)}")
        command = parse(model, payload, self._plan.windows)
        if isinstance(command, DeviceCommand):
            self._order(command, now)
            return None
        outcome = self._effects.sessions.command(name, command, now)
        self._effects.carry_out(outcome, now)
        return outcome.result

    def _order(self, command: DeviceCommand, now: int) -> None:
        device = command.device
        if device not in self._plan.devices:
            known = ", ".join(self._plan.devices) or "none"
            raise RefusedError(f"device: {device} is not in this hall; give one of {known}")
        if self._hall.orders(device) >= MAX_ORDERS:
            raise RefusedError(
                f"device {device} has {MAX_ORDERS} commands to answer; wait for them"
            )
        body: Json = {"id": command.id, "do": command.do, "args": command.args}
        order = DeviceOrder(command.id, device, compact(body | {"ttl_s": command.ttl_s}))
        self._hall.add_order(order, now + command.ttl_s * 1000)
        self._effects.touched.device_commands = True

    def _answer(self, id: str, body: bytes) -> None:
        if self._hall.answer_order(id, body):
            self._effects.touched.answers[id] = body
        else:
            self._effects.touched.replies = True


def _digest(name: str, payload: bytes) -> bytes:
    """SHA-256 of a readable command: equal for a repetition, whatever its key order."""
    text = json.dumps([name, json.loads(payload)], sort_keys=True)
    return hashlib.sha256(text.encode()).digest()


def _failed(id: str, error: str) -> bytes:
    return compact({"id": id, "ok": False, "error": error})
