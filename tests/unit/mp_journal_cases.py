"""Directed cases of the journal, each a function; runs the one named by the argument.

What a case measures it prints as JSON.
"""

import gc
import json
import random
import sys

from hall.journal import Journal, UnformattedError
from hall.slots import EVENT, Header, Slots
from journal_truth import ALL
from nor_flash import NorFlash

EPOCH = 0xA1B2C3D4


def blank(blocks=4, size=512):
    return NorFlash(blocks, size, random)


def formatted(blocks=4, size=512):
    flash = blank(blocks, size)
    Journal.format(flash, EPOCH)
    return flash


def mount(flash, up=0, t=None):
    return Journal(flash, lambda: up, lambda: t)


def look(flash):
    """What a mount would find; the flash itself stays as it is."""
    other = NorFlash(flash.blocks, flash.size, random, flash.image)
    other.stuck = flash.stuck
    other.locked = flash.locked
    return mount(other)


def begun(**header):
    """A flash whose only sector is just begun, with a header of one's own."""
    fields = {"sector": 0, "boot": 0, "epoch": EPOCH, "generation": 1, "acked": 0, "next_seq": 1}
    fields["dropped"] = 0
    fields.update(header)
    flash = blank()
    Slots(flash).begin(Header(**fields))
    return flash


def fill(journal, count):
    return [journal.append("press", {"key": i % 5}) for i in range(count)]


def seqs(journal, after=0):
    return [event["seq"] for event in journal.peek(after, ALL)]


def raised(error, call, *arguments):
    try:
        call(*arguments)
    except error as e:
        return str(e)
    raise AssertionError(error.__name__ + " was not raised")


# What an event is


def case_event_as_on_the_wire():
    flash = formatted()
    journal = mount(flash, 12345)
    assert (journal.append("boot", {"cause": "power_on"}), journal.next) == (1, 2)
    assert journal.peek(0, 8) == [
        {
            "epoch": EPOCH,
            "seq": 1,
            "boot": 1,
            "up": 12345,
            "t": None,
            "kind": "boot",
            "data": {"cause": "power_on"},
        }
    ]
    journal = mount(flash, 7, 1_763_766_000_123)
    journal.append("press", {"key": 5, "session": None})
    event = journal.peek(1, 1)[0]
    assert (event["boot"], event["up"], event["t"]) == (2, 7, 1_763_766_000_123), event
    assert event["data"] == {"key": 5, "session": None}


def case_peek_is_a_window():
    journal = mount(formatted())
    fill(journal, 12)
    assert [event["seq"] for event in journal.peek(3, 4)] == [4, 5, 6, 7]
    assert seqs(journal, 10) == [11, 12]
    assert seqs(journal, 12) == []
    assert seqs(journal, 99) == []


def case_text_limit():
    journal = mount(formatted())
    data = {"x": "a" * 28}
    assert len("press" + json.dumps(data, separators=(",", ":"))) == 41
    journal.append("press", data)
    error = raised(ValueError, journal.append, "press", {"x": "a" * 29})
    assert error == "journal: press is 42 bytes of 41", error
    assert journal.next == 2
    assert journal.peek(0, 9)[0]["data"] == data


def case_text_is_counted_in_bytes():
    journal = mount(formatted())
    data = {"x": "满意" * 4 + "aaaa"}
    journal.append("press", data)
    assert journal.peek(0, 9)[0]["data"] == data
    raised(ValueError, journal.append, "press", {"x": "满意" * 5})


def case_not_an_event():
    journal = mount(formatted())
    for kind, data in (("", {}), ("a{b", {}), ("press", [1]), ("press", None)):
        raised(ValueError, journal.append, kind, data)
    assert (journal.next, journal.lost) == (1, 4)


def case_what_is_no_json_goes_up_as_text():
    journal = mount(formatted())
    journal.append("wet", {"ohms": float("nan")})
    journal.append("dry", {})
    assert [event["data"] for event in journal.peek(0, 9)] == ['{"ohms":nan}', {}]


# Numbers


def case_largest_clocks():
    flash = formatted()
    journal = mount(flash, (1 << 40) - 1, (1 << 48) - 1)
    journal.append("press", {})
    event = mount(flash).peek(0, 1)[0]
    assert (event["up"], event["t"]) == ((1 << 40) - 1, (1 << 48) - 1), event


def case_epochs():
    for epoch in (0, -1, 1 << 32):
        raised(ValueError, Journal.format, blank(), epoch)
    flash = blank()
    Journal.format(flash, 0xFFFFFFFF)
    journal = mount(flash)
    journal.append("press", {})
    assert mount(flash).peek(0, 1)[0]["epoch"] == 0xFFFFFFFF


def case_last_sequence_number():
    flash = begun(acked=0xFFFFFFF0, next_seq=0xFFFFFFFD)
    journal = mount(flash)
    assert fill(journal, 2) == [0xFFFFFFFD, 0xFFFFFFFE]
    error = raised(OSError, journal.append, "press", {})
    assert "used up" in error, error
    journal = mount(flash)
    assert journal.next == 0xFFFFFFFF
    assert seqs(journal, 0xFFFFFFFC) == [0xFFFFFFFD, 0xFFFFFFFE]
    assert journal.ack(EPOCH, 0xFFFFFFFE)


def case_generation_wraps():
    flash = begun(generation=0xFFFFFFFE)
    appended = 0
    for _ in range(12):
        journal = mount(flash)
        appended = fill(journal, 5)[-1]
        held = seqs(journal)
        assert held == list(range(held[0], appended + 1)), held
        assert len(held) >= min(14, appended) - 2, held  # each mount has voided a slot
        assert seqs(mount(flash)) == held
    assert appended == 60


def case_boot_number_wraps():
    flash = begun(boot=0xFFFE)
    boots = []
    for _ in range(4):
        journal = mount(flash)
        journal.append("boot", {})
        boots.append(journal.boot)
    assert boots == [0xFFFF, 0, 1, 2], boots


def case_wakes_push_nothing_out():
    """A device that wakes each minute, while its gateway is away for days."""
    flash = formatted()
    journal = mount(flash)
    boot = journal.boot
    fill(journal, 5)
    before = flash.operations
    for _ in range(500):
        journal = Journal(flash, lambda: 0, lambda: None, boot)
        assert journal.boot == boot
        assert not journal.prepare()
    assert flash.operations == before
    assert seqs(journal) == [1, 2, 3, 4, 5]
    assert fill(journal, 1) == [6]
    held = seqs(Journal(flash, lambda: 0, lambda: None, boot))
    assert held == [1, 2, 3, 4, 5, 6], held


# Acknowledging


def case_acks_that_say_nothing_new():
    journal = mount(formatted())
    fill(journal, 5)
    assert not journal.ack(EPOCH + 1, 3)  # another journal's
    assert not journal.ack(EPOCH, 6)  # never given out
    assert not journal.ack(EPOCH, 0)
    assert journal.acked == 0
    assert journal.ack(EPOCH, 3)
    assert not journal.ack(EPOCH, 3)
    assert not journal.ack(EPOCH, 2)
    assert journal.acked == 3
    assert (journal.oldest, journal.depth) == (4, 2)


def case_acks_are_recorded_lazily():
    flash = formatted(16, 4096)
    journal = mount(flash)
    fill(journal, 50)
    before = flash.operations
    for seq in range(1, 32):
        journal.ack(EPOCH, seq)
    assert flash.operations == before
    assert look(flash).acked == 0
    for seq in range(32, 51):
        journal.ack(EPOCH, seq)
    assert flash.operations == before + 1
    assert look(flash).acked == 32
    journal.flush_ack()
    journal.flush_ack()
    assert flash.operations == before + 2
    assert look(flash).acked == 50


def case_ack_is_flushed_from_a_full_sector():
    flash = formatted()
    journal = mount(flash)
    fill(journal, 6)  # with the slot that the mount made void, the sector is full
    journal.ack(EPOCH, 6)
    erases = flash.erases
    journal.flush_ack()
    assert flash.erases == erases + 1
    assert mount(flash).acked == 6


# Overflow


def case_capacity_and_overflow():
    flash = formatted(16, 4096)
    journal = mount(flash)
    least = most = 0
    fill(journal, 62)  # the mount made one slot void
    for appended in range(63, 2500):
        fill(journal, 1)
        held = journal.depth
        assert held + journal.dropped == appended, (held, journal.dropped, appended)
        if journal.dropped:
            least = min(least or held, held)
            most = max(most, held)
    assert (least, most) == (14 * 63 + 1, 15 * 63), (least, most)
    assert journal.oldest == journal.dropped + 1
    journal.ack(EPOCH, journal.oldest + 99)  # as the gateway does after a gap event
    before = journal.dropped
    assert look(flash).dropped == before
    fill(journal, 3 * 63)
    assert journal.dropped == before + 3 * 63 - 100, (journal.dropped, before)
    assert look(flash).dropped == journal.dropped
    print(json.dumps({"capacity": [least, most]}))


# Erasing ahead


def case_prepare_erases_once_in_the_second_half():
    flash = formatted(16, 4096)
    journal = mount(flash)
    erases = flash.erases
    fill(journal, 29)
    assert not journal.prepare()
    fill(journal, 5)
    assert journal.prepare()
    assert not journal.prepare()
    assert flash.erases == erases + 1
    fill(journal, 40)
    assert flash.erases == erases + 1  # the roll-over had nothing to wait for
    assert not journal.prepare()  # the new sector is in its first half
    assert seqs(journal) == list(range(1, 75))


def case_prepare_loses_nothing_of_a_full_ring():
    flash = formatted()
    journal = mount(flash)
    fill(journal, 6 + 7 + 6)
    held = seqs(journal)
    assert journal.prepare()
    assert seqs(journal) == held == list(range(1, 20))
    assert seqs(mount(flash)) == held
    assert journal.dropped == 0


def case_erase_of_an_earlier_boot_is_not_trusted():
    flash = formatted()
    journal = mount(flash)
    fill(journal, 5)
    assert journal.prepare()
    erases = flash.erases
    journal = mount(flash)
    fill(journal, 3)
    assert flash.erases == erases + 1


# Wear


def case_worn_slot():
    flash = formatted()
    journal = mount(flash)
    flash.stuck = {2 * 64 + 62: lambda byte: byte ^ 0x08, 4 * 64 + 20: lambda byte: byte & 0x07}
    assert fill(journal, 3) == [1, 2, 3]
    assert journal.torn == 2
    held = journal.peek(0, 9)
    assert [event["seq"] for event in held] == [1, 2, 3]
    assert look(flash).peek(0, 9) == held
    again = mount(flash)
    assert again.torn == 0  # they are known, and passed
    assert fill(again, 4) == [4, 5, 6, 7]
    assert seqs(look(flash)) == [1, 2, 3, 4, 5, 6, 7]


def case_worn_slot_of_an_ack():
    flash = formatted()
    journal = mount(flash)
    fill(journal, 3)
    journal.ack(EPOCH, 3)
    flash.stuck = {5 * 64 + 6: lambda byte: byte ^ 0x10}
    journal.flush_ack()
    assert (journal.torn, look(flash).acked) == (1, 0)
    journal.flush_ack()
    assert look(flash).acked == 3


def case_sector_that_keeps_its_old_content():
    flash = formatted(6)
    journal = mount(flash)
    fill(journal, 13)
    flash.locked = (1,)
    for _ in range(20):
        last = fill(journal, 9)[-1]
        held = seqs(journal)
        assert held == list(range(held[0], last + 1)), held
        assert journal.dropped == held[0] - 1, (journal.dropped, held[0])
        again = mount(flash)
        assert seqs(again) == held
        assert again.dropped == journal.dropped
        journal = again
    assert len(held) >= 14, held


def case_sector_that_is_half_erased():
    flash = formatted()
    flash.stuck = {2 * 512 + 77: lambda byte: byte & 0x7F}
    journal = mount(flash)
    last = fill(journal, 60)[-1]
    held = seqs(journal)
    assert held == list(range(held[0], last + 1)), held
    assert not any(Slots(flash).headers()[2:3])


def case_spare_that_prepare_found_worn():
    flash = formatted()
    flash.locked = (1,)
    flash.image[512:1024] = bytes(512)
    journal = mount(flash)
    fill(journal, 6)
    assert journal.prepare()
    erases = flash.erases
    assert not journal.prepare()
    fill(journal, 1)
    assert flash.erases == erases + 1  # of the sector after it; the worn one is not tried again
    assert seqs(journal) == list(range(1, 8))


def case_nothing_can_be_written():
    flash = formatted()
    journal = mount(flash)
    fill(journal, 4)
    for fault in ("locked", "failing"):
        setattr(flash, fault, range(4) if fault == "locked" else True)
        for _ in range(2):
            error = raised(OSError, journal.append, "press", {})
            assert error == "journal: no sector of the partition can be written", error
        error = raised(OSError, Journal.format, flash, EPOCH)
        assert error == "journal: no sector of the partition can be written", error
        setattr(flash, fault, () if fault == "locked" else False)
        assert seqs(journal) == [1, 2, 3, 4]
        assert seqs(look(flash)) == [1, 2, 3, 4]
    assert fill(journal, 1) == [5]
    assert seqs(look(flash)) == [1, 2, 3, 4, 5]


def case_headers_hold_but_records_do_not():
    flash = formatted()
    journal = mount(flash)
    places = [sector * 512 + slot * 64 for sector in range(4) for slot in range(1, 8)]
    flash.stuck = {place: lambda byte: byte if byte == 0xFF else byte ^ 1 for place in places}
    error = raised(OSError, journal.append, "press", {})
    assert error == "journal: no slot of the partition can be written", error


# Damage


def case_rotten_slot_is_a_gap():
    flash = formatted()
    journal = mount(flash)
    fill(journal, 20)
    flash.image[512 + 3 * 64 + 40] ^= 0x10
    journal.ack(EPOCH, 5)
    missing = [seq for seq in range(6, 21) if seq not in seqs(journal)]
    assert missing == [9], missing
    assert journal.oldest == 6
    journal.ack(EPOCH, 8)
    assert (journal.oldest, journal.depth) == (10, 11)
    assert journal.ack(EPOCH, 9)  # the answer to the gap event
    assert journal.oldest == 10


def case_rotten_header_gives_out_no_seq_twice():
    flash = formatted()
    journal = mount(flash)
    fill(journal, 10)
    journal.ack(EPOCH, 9)
    journal.flush_ack()
    flash.image[512 + 8] ^= 1
    again = mount(flash)
    assert (again.next, again.acked, again.boot) == (11, 9, 2)
    assert (again.oldest, seqs(again)) == (11, [1, 2, 3, 4, 5, 6])
    assert fill(again, 2) == [11, 12]
    assert seqs(mount(flash), 6) == [11, 12]


def case_damage_never_makes_an_event():
    random.seed(5)
    flash = formatted()
    journal = mount(flash)
    truth = {}
    for _ in range(40):
        seq = journal.append("press", {"key": random.getrandbits(20)})
        truth[seq] = journal.peek(seq - 1, 1)[0]
    journal.ack(EPOCH, 30)
    journal.flush_ack()
    image = bytes(flash.image)
    mounted = 0
    for _ in range(600):
        flash.image[:] = image
        for _ in range(1 + random.getrandbits(8) % 12):
            start = random.getrandbits(16) % len(image)
            for i in range(start, min(len(image), start + 1 + random.getrandbits(6))):
                flash.image[i] = random.getrandbits(8)
        try:
            damaged = mount(flash)
        except UnformattedError:
            continue
        mounted += 1
        assert damaged.acked < damaged.next <= journal.next
        for event in damaged.peek(0, ALL):
            assert truth[event["seq"]] == event, event
        assert damaged.oldest <= damaged.next
        damaged.append("press", {})
    assert mounted > 400, mounted


def case_noise_is_no_journal():
    random.seed(6)
    for _ in range(40):
        flash = blank()
        flash.image[:] = bytes(random.getrandbits(8) for _ in range(len(flash.image)))
        raised(UnformattedError, mount, flash)
        Journal.format(flash, EPOCH)
        journal = mount(flash)
        fill(journal, 30)
        assert seqs(mount(flash))[-1] == 30


# What it is mounted on


def case_blank_partition():
    error = raised(UnformattedError, mount, blank())
    assert error == "journal: the partition holds no journal", error


def case_wrong_geometry():
    for blocks, size in ((0, 4096), (2, 4096), (16, 0), (16, 128), (16, 4100)):
        for call in (mount, lambda flash: Journal.format(flash, EPOCH)):
            error = raised(ValueError, call, NorFlash(blocks, size, random, b""))
            assert ("%d sectors of %d bytes" % (blocks, size)) in error, error


def case_another_version():
    flash = begun(version=2)
    error = raised(OSError, mount, flash)
    assert error == "journal: version 2 is on flash, this firmware has 1", error
    try:
        mount(flash)
    except UnformattedError as e:
        raise AssertionError("the app would format it") from e
    except OSError:
        Journal.format(flash, EPOCH)
    assert mount(flash).next == 1


def case_format_leaves_no_old_event():
    flash = formatted()
    fill(mount(flash), 30)
    Journal.format(flash, EPOCH + 1)
    journal = mount(flash)
    assert (journal.epoch, journal.next, journal.dropped, seqs(journal)) == (EPOCH + 1, 1, 0, [])
    for last in range(1, 60):
        fill(journal, 1)
        assert seqs(look(flash))[-1] == last
        assert seqs(journal)[0] == journal.dropped + 1
    assert Slots(flash).record(0, 1) != EVENT  # no epoch, no record


def case_cost():
    """Garbage of one append and one ack, and what an event takes of the flash."""
    flash = formatted(16, 4096)
    journal = mount(flash)
    fill(journal, 10)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    data = {"key": 5, "session": 1763766000}
    programmed = []
    flash.before_operation = lambda kind, offset, data: programmed.append(len(data))
    for _ in range(20):
        journal.append("press", data)
    garbage = (gc.mem_alloc() - before) // 20
    gc.enable()
    assert programmed == [64] * 20
    flash.before_operation = None
    gc.collect()
    print(json.dumps({"garbage_per_append": garbage}))
    assert garbage < 1000, garbage  # in 64-bit words, and with the simulated flash's own


random.seed(1)
globals()[sys.argv[1]]()
