"""Images for a board, small and with what a test needs in them: made by hand, not built.

Here: regions of random bytes, an identity, an empty journal. Not here: real images; those come from
hall_tools.image.build.
"""

import random
import struct

from hall_tools.image import Image, Region
from hall_tools.image.ident import ident_image
from hall_tools.image.layout import TABLE_ADDRESS, partition, partition_table, region

PSK = "5e" * 32


def image(
    device: str = "kp-1",
    chip: str = "esp32",
    *,
    psk: str = PSK,
    seed: int = 1,
    app_kb: int = 400,
    vfs: bytes | None = None,
    revision: int = 0,
) -> Image:
    """An image whose application is random, whose vfs is `vfs` on erased flash, and no more.

    `revision` is the oldest that the application says it starts on.
    """
    chance = random.Random(seed)
    files = chance.randbytes(100_000) if vfs is None else vfs
    application = chance.randbytes(15) + struct.pack("<H", revision)
    application += chance.randbytes(app_kb * 1024 - len(application))
    journal, space = partition("jrnl"), partition("vfs")
    regions: tuple[Region, ...] = (
        region("boot", 0x1000 if chip == "esp32" else 0, chance.randbytes(20_000)),
        region("table", TABLE_ADDRESS, partition_table()),
        region("factory", partition("factory").offset, application),
        region("ident", partition("ident").offset, ident_image({"device": device, "psk": psk})),
        region("jrnl", journal.offset, b"\xff" * journal.size),
        region("vfs", space.offset, files.ljust(space.size, b"\xff")),
    )
    return Image(device, "keypad-5", chip, 4, regions, "v1.29.0")
