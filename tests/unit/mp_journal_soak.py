"""Many boots of one journal on a 64 KB partition, most ended by a cut at a random operation.

What a boot does is random: appends, acks near and far, idle moments, planned resets; now and then
the link is away for some boots and the ring overflows. Prints one JSON object. Arguments: the seed,
the number of boots.
"""

import json
import random
import sys

from hall.journal import Journal
from journal_truth import Truth
from nor_flash import MODES, NorFlash, PowerCut

EPOCH = 0xFEEDF00D


def chance(one_in):
    return random.getrandbits(16) % one_in == 0


def below(limit):
    return random.getrandbits(20) % limit


def live(journal, truth, clock, offline):
    """One boot's work, until it is done or the power goes."""
    for _ in range(below(400) if offline else below(120)):
        data = {"key": below(5), "session": None if chance(3) else random.getrandbits(29)}
        clock["up"] = below(1 << 20) << 18
        clock["t"] = None if chance(2) else 1_790_000_000_000 + below(1 << 20)
        truth.append(journal, "press", data, clock["up"], clock["t"])
        if not offline and chance(3):
            truth.ack(journal, journal.acked + 1 + below(truth.next - journal.acked))
        if chance(20):
            journal.prepare()
        if chance(60):
            truth.flush_ack(journal)


random.seed(int(sys.argv[1]))
flash = NorFlash(16, 4096, random)
Journal.format(flash, EPOCH)
truth = Truth(EPOCH)
clock = {"up": 0, "t": None}
cuts = 0
for boot in range(int(sys.argv[2])):
    offline = boot % 40 > 28
    flash.power_on()
    if not chance(10):
        flash.mode = MODES[below(len(MODES))]
        # A third of the cuts fall on the first operations, which are the mount's.
        flash.cut_after = below(6) if chance(3) else below(200)
    try:
        journal = Journal(flash, lambda: clock["up"], lambda: clock["t"])
        truth.check(journal)
        live(journal, truth, clock, offline)
    except PowerCut:
        cuts += 1

flash.power_on()
truth.check(Journal(flash, lambda: 0))
figures = {"records": truth.next - 1, "cuts": cuts, "erases": flash.erases}
figures["dropped"] = truth.dropped
figures["programs"] = flash.operations - flash.erases
print(json.dumps(figures))
