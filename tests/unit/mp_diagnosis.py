"""Health of a device in trouble, in the real MicroPython: a line for each case that holds."""

import gc

from hall.diagnosis import PARTS, Diagnosis


class Clock:
    def unix_ms(self):
        return None


class Errors:
    last = ((4, 2, "too bad"),)
    before = ((77, 1, "worse"),)


class Hal:
    def uptime_ms(self):
        return 12_345

    def idf_heap(self):
        return None


class Worn:
    """A part of the device of which nothing can be learned."""

    def __getattr__(self, name):
        raise OSError(5)


def told(parts):
    shown = Diagnosis(Hal(), parts, "1", "/a", ("soft", None), Errors(), Clock(), None, None)
    return shown, list(shown.health({"noise": 0}))


def what_fails_leaves_the_rest():
    parts = {name: Worn() for name in ("wifi", "link", "journal", "role")}
    _, pieces = told(parts)
    failed = [list(piece["failed"]) for piece in pieces if "failed" in piece]
    # There is no file system here either.
    assert failed == [["wifi"], ["link"], ["journal"], ["files"], ["role"]], pieces
    assert {"failed": {"role": "OSError: [Errno 5] EIO"}} in pieces
    for name in ("console", "start", "heap", "errors", "before"):
        assert [piece for piece in pieces if name in piece], name
    assert len(PARTS) == 8


def what_is_not_there_is_not_told():
    _, pieces = told({})
    assert not [piece for piece in pieces if "wifi" in piece or "link" in piece or "role" in piece]


def the_least_heap_is_remembered():
    shown, pieces = told({})
    before = next(piece for piece in pieces if "heap" in piece)["heap"]["least"]
    taken = bytearray(20_000)
    shown.watch_heap()
    del taken
    gc.collect()
    heap = next(piece for piece in shown.health({}) if "heap" in piece)["heap"]
    assert heap["least"] <= before - 10_000, (heap, before)
    assert heap["free"] > heap["least"] + 10_000, heap


for case in (
    what_fails_leaves_the_rest,
    what_is_not_there_is_not_told,
    the_least_heap_is_remembered,
):
    case()
    print("ok", case.__name__)
