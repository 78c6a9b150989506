"""Errors a person who typed a command should read.

Here: the one exception that `hall` turns into a line on stderr and an exit code of sysexits(3).
Not here: errors between modules, which stay in their own rooms.
"""

import os


class UserError(Exception):
    """What happened, where, and what to do about it, in one line of the user's words.

    `exit_code` is one of sysexits(3): `os.EX_DATAERR` for input that is wrong, `os.EX_NOINPUT` for
    a file that is not there, `os.EX_UNAVAILABLE` for a program or service that is missing.
    """

    def __init__(self, message: str, exit_code: int = os.EX_DATAERR) -> None:
        super().__init__(message)
        self.exit_code = exit_code
