"""What may come down to a device: payloads read and checked, commands done once.

Pure: bytes in, checked values or a ValueError that says what is wrong out. What an ack or a desired
state leads to is the link's; what a command does is the application's.
"""

import json

from .errors import reason

PAYLOAD_MAX = 1024  # contract: JSON, at most 1 KiB
U32 = 0xFFFFFFFF
REV_MAX = 9999999999
UNIX_MS_MAX = (1 << 48) - 1  # what a journal slot can hold
COMMANDS = ("identify", "selftest", "reboot", "update", "config", "login")
ID_MAX = 64
REMEMBERED = 16  # commands whose reply is kept, to answer a repeated one without doing it again


def read_ack(payload):
    """down/ack -> (epoch, seq, now): events up to seq are committed; now in unix ms."""
    return check_ack(_object(payload))


def check_ack(ack):
    """The same of a dict."""
    return (
        _integer(ack, "epoch", 0, U32),
        _integer(ack, "seq", 0, U32),
        _integer(ack, "now", 1, UNIX_MS_MAX),
    )


def read_desired(payload):
    """down/desired -> the object, with a checked rev; the rest is the role's to check."""
    return check_desired(_object(payload))


def check_desired(desired):
    """The same of a dict."""
    _integer(desired, "rev", 1, REV_MAX)
    return desired


class Commands:
    """The commands of down/cmd and their replies, over all connections of this boot.

    on_command(do, args) -> a result for JSON; its exceptions become the reply's error.
    stats: dict whose "commands", "duplicates", "commands_failed" and "replies_dropped" are kept.
    """

    def __init__(self, on_command, stats):
        self._on_command = on_command
        self._stats = stats
        self._done = []  # [id, reply, whether the reply waits to be sent], oldest first

    def take(self, payload):
        """Do one command, or find its reply if it came before. ValueError: it has no usable id."""
        self.obey(_object(payload))

    def obey(self, command):
        """The same of a dict."""
        ident = command.get("id")
        if type(ident) is not str or not 0 < len(ident) <= ID_MAX or not _printable(ident):
            raise ValueError("id must be 1 to %d printable ASCII characters" % ID_MAX)
        self._stats["commands"] += 1
        for entry in self._done:
            if entry[0] == ident:
                self._stats["duplicates"] += 1
                entry[2] = True
                return
        if len(self._done) == REMEMBERED and self._done.pop(0)[2]:
            self._stats["replies_dropped"] += 1
        self._done.append([ident, self._reply(ident, command), True])

    def next_reply(self):
        """The oldest entry that waits, counted as sent now, or None; its [1] is the reply."""
        for entry in self._done:
            if entry[2]:
                entry[2] = False
                return entry
        return None

    def waiting(self):
        """Whether a reply waits to be sent."""
        return any(entry[2] for entry in self._done)

    def not_sent(self, entry):
        """The entry of next_reply() could not be sent: it waits again."""
        entry[2] = True
        if entry not in self._done:  # newer commands have taken its place meanwhile
            self._stats["replies_dropped"] += 1

    def _reply(self, ident, command):
        try:
            reply = _dump({"id": ident, "ok": True, "result": self._do(command)})
            if len(reply) <= PAYLOAD_MAX:
                return reply
            error = "result of %d bytes does not fit a reply" % len(reply)
        except ValueError as refusal:
            error = str(refusal)
        except Exception as failure:
            error = reason(failure)
        self._stats["commands_failed"] += 1
        return _dump({"id": ident, "ok": False, "error": error[:200]})

    def _do(self, command):
        do = command.get("do")
        if do not in COMMANDS:
            raise ValueError("unknown command; known are " + ", ".join(COMMANDS))
        args = command.get("args", {})
        if type(args) is not dict:
            raise ValueError("args must be an object")
        return self._on_command(do, args)


def _dump(value):
    return json.dumps(value, separators=(",", ":")).encode()


def _object(payload):
    if len(payload) > PAYLOAD_MAX:
        raise ValueError("payload of %d bytes, at most %d" % (len(payload), PAYLOAD_MAX))
    try:
        value = json.loads(payload)
    except (ValueError, MemoryError):
        raise ValueError("not JSON")
    if type(value) is not dict:
        raise ValueError("not a JSON object")
    return value


def _integer(obj, name, low, high):
    value = obj.get(name)
    if type(value) is not int:  # a bool is no number here
        raise ValueError(name + " must be an integer")
    if not low <= value <= high:
        raise ValueError("%s must be %d to %d" % (name, low, high))
    return value


def _printable(text):
    return all(" " <= char <= "~" for char in text)
