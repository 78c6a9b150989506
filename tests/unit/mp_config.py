"""Loads the config named on the command line: prints its device, or what is wrong with it."""

import sys

from hall import config

try:
    print("device", config.load(sys.argv[1])["device"])
except ValueError as error:
    print("refused", error)
