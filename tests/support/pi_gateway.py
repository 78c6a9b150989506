"""`hall gateway run` on a machine whose header is files (support.header), as a process of its own.

The arguments are those of the real command, of which only the registers are not the machine's own.
"""

import asyncio
import logging
import sys
from pathlib import Path

from hall_gateway.config import load_config
from hall_gateway.service import serve

from support.header import Header


def main(folder: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    config = load_config(Path(sys.argv[-1]))
    header = Header(Path(folder), config.compiled(config.own_displays()[0]))
    header.watch()
    asyncio.run(serve(config, lambda line: print(line, flush=True), header.open))
