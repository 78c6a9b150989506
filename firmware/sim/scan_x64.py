"""The native scan as the simulated chip runs it, under the name that the firmware looks for.

Machine code cannot store to registers that are not there, so the unix port's module (`scan_log`,
the same C core) writes its stores into a log. Here: the module's own functions with that log. Not
here: what becomes of the log (`tap`).
"""

import board
import scan_log

version = scan_log.version


def build(program, picture, description):
    board.current.panel.open(description)
    return scan_log.build(program, picture, description)


def frame(program, description):
    panel = board.current.panel
    panel.played(scan_log.frame(program, description, panel.open(description)))


def blank(description):
    panel = board.current.panel
    scan_log.blank(description, panel.open(description))
    panel.close()
