"""An update whose gateway misbehaves, or whose release does not fit. argv: a JSON file of releases
and of the key. Prints what became of each case, one [name, result] a line."""

import json
import os
import random
import sys
from binascii import unhexlify

import update_parts as parts
import vfs
from nor_flash import PowerCut
from update_case import Case
from update_parts import Link, hall, loop

with open(sys.argv[1]) as file:
    given = json.load(file)
releases = {}
for name, files in given["releases"].items():
    releases[name] = {path: unhexlify(content) for path, content in files.items()}
Case.releases, Case.key = releases, given["key"]
BIG = releases["new"]["hall/big.bin"]


def sees(case, became, **more):
    return dict(more, became=became, told=case.told, there=case.lies_there())


def silent(*_):
    pass


def test_whole():
    case = Case()
    return sees(case, case.order(), fetched=case.link.fetched, trial=case.start.state["trial"])


def test_changed_bit_once():
    case = Case()
    case.link.changes = 1
    return sees(case, case.order(), fetched=case.link.fetched)


def test_changed_bit_always():
    case = Case()
    case.link.changes = 2
    return sees(case, case.order(), left=parts.there("/new/hall/big.bin"))


def test_changed_bit_in_the_manifest():
    case = Case()

    def changed(digest, at, content):
        data = bytearray(content[at : at + 576])
        data[9] ^= 1
        case.link.say(digest, at, len(content), data)

    case.link.at_request[1] = changed
    return sees(case, case.order())


def test_no_answer():
    case = Case()
    case.link.at_request[-1] = silent
    became = case.order()
    return sees(case, became, waited=loop.waited[:], asked=len(case.link.asked))


def test_one_answer_is_lost():
    case = Case()
    case.link.at_request[7] = silent
    return sees(case, case.order(), fetched=case.link.fetched)


def test_error_for_an_answer():
    case = Case()

    def refuses(digest, at, content):
        case.link.take(('{"sha256":"%s","at":%d,"error":"gone"}' % (digest, at)).encode())

    case.link.at_request[4] = refuses
    return sees(case, case.order(), reports=case.reports)


def test_answers_to_others():
    """What nobody asked for, or not any more, and what is no answer at all."""
    case = Case()
    wrong = []

    def others(digest, at, content):
        for text in (
            "",
            "{",
            "[]",
            '{"sha256":"%s","at":%d}' % (digest, at),
            '{"sha256":"%s","at":%d,"data":"AAAA"}' % (digest, at),
            '{"sha256":"%s","at":%d,"size":"9","data":"AAAA"}' % (digest, at),
            '{"sha256":"%s","at":%d,"size":9,"data":"A"}' % (digest, at),
            '{"sha256":"%s","at":%d,"size":9,"data":"%s"}' % (digest, at, "AAAA" * 200),
        ):
            try:
                case.link.take(text.encode())
            except ValueError:
                wrong.append(text[:1])
        case.link.say("00" * 32, at, len(content), b"other file")
        case.link.say(digest, at + 576, len(content), b"other piece")
        case.link.fetched -= 21
        Link.answer(case.link, digest, at)
        Link.answer(case.link, digest, at)
        case.link.fetched -= len(content[at : at + 576])

    case.link.at_request[5] = others
    return sees(case, case.order(), fetched=case.link.fetched, wrong=len(wrong))


def sized(size, data):
    case = Case()
    case.link.at_request[6] = lambda digest, at, content: case.link.say(
        digest, at, len(content) + size, data
    )
    return sees(case, case.order())


def test_size_of_another_file():
    return sized(1, b"data")


def test_size_nothing():
    return sized(0, b"")


def test_size_beyond_the_end():
    case = Case()
    case.link.at_request[1] = lambda digest, at, content: case.link.say(
        digest, at, len(content), content[:576]
    )
    for number in range(2, 9):

        def more(digest, at, content):
            case.link.say(digest, at, len(content), (content[at:] + bytes(576))[:576])

        case.link.at_request[number] = more
    return sees(case, case.order())


def test_late_and_the_next_night():
    case = Case()

    def night_ends(digest, at, content):
        case.device.now = 1000
        Link.answer(case.link, digest, at)

    case.link.at_request[12] = night_ends
    first = case.order(until=999)
    before = case.link.fetched
    return sees(case, case.order(), first=first, before=before, fetched=case.link.fetched)


def test_late_when_all_is_there():
    case = Case()
    case.device.unix_ms = lambda: None
    return sees(case, case.order(), fetched=case.link.fetched)


def test_gives_up():
    """In the midst of a file, by the same gateway."""
    case = Case()

    def called_off(digest, at, content):
        assert hall.update.take(case.device, {"release": None})
        Link.answer(case.link, digest, at)

    case.link.at_request[9] = called_off
    return sees(case, case.order(), asked=len(case.link.asked))


def test_another_release_instead():
    case = Case()
    args = parts.order_of(releases["newer"])
    case.link.at_request[9] = lambda *_: hall.update.take(case.device, args)
    became = case.order()
    return sees(case, became, trial=case.start.state["trial"])


def test_goes_on_after_a_reconnect():
    case = Case()

    def gone(digest, at, content):
        case.left_down = 40

    case.link.at_request[9] = gone
    return sees(case, case.order(), fetched=case.link.fetched, downs=case.downs)


def test_goes_on_after_a_power_cut():
    """In the midst of the large file: what was synced of it is not fetched again."""
    case = Case()

    def cut(digest, at, content):
        assert content == BIG, at
        case.flash.dead = True
        raise PowerCut

    case.link.at_request[given["cut"]] = cut
    first = case.order()
    case.cut()
    there = os.stat("/new/hall/big.bin")[6]
    asked = len(case.link.asked)
    before = case.link.fetched
    became = case.order()
    again = case.link.fetched - before
    return sees(
        case, became, first=first, size=there, resumed_at=case.link.asked[asked], again=again
    )


def refused(name, counter=5):
    case = Case()
    case.start.state["counter"] = counter
    became = case.order(name)
    manifest = len(releases[name]["manifest"])
    return sees(case, became, more=case.link.fetched - manifest)


def test_product():
    return refused("product")


def test_hardware():
    return refused("hardware")


def test_core():
    return refused("core")


def test_counter():
    return refused("counter")


def test_counter_of_the_slot_that_runs():
    """/slot.json is lost, and with it what was confirmed."""
    return refused("counter", 0)


def test_signature():
    return refused("signature")


def test_manifest():
    return refused("manifest")


def test_no_key():
    case = Case(keys=False)
    return sees(case, case.order(), asked=len(case.link.asked))


def test_space():
    case = Case(blocks=given["blocks"])
    return sees(case, case.order())


def test_runs_already():
    case = Case()
    return sees(case, case.order("old"), asked=len(case.link.asked))


def test_from_safe_mode():
    """The slot that was in service is damaged; the other one is built."""
    case = Case()
    case.start.slot = "safe"
    os.mkdir("/safe")
    return sees(case, case.order())


def test_commands_that_make_no_sense():
    replies = []
    right = parts.order_of(releases["new"])
    for change in (
        {"release": 7},
        {"release": "00"},
        {"size": None},
        {"size": 0},
        {"size": 16 * 1024 + 1},
        {"until": "soon"},
        {"until": None},
    ):
        case = Case()
        args = dict(right)
        args.update(change)
        assert case.take(args) == "idle", change
        assert not case.told, change
        assert not case.link.asked, change
        replies.append(case.reply)
    case = Case()
    case.start.trial = True
    assert case.order() == "idle"
    replies.append(case.reply)
    case = Case()
    case.device._config["transport"] = "coap"
    assert case.order() == "idle"
    replies.append(case.reply)
    assert case.take({}) == "idle"
    return replies + [case.reply]


random.seed(5)
vfs.umount("/")
tests = {name[5:]: test for name, test in globals().items() if name.startswith("test_")}
for name in sorted(tests):
    result = tests[name]()
    vfs.umount("/")
    print(json.dumps([name, result]))
