"""UART0 of the simulated board is the terminal on stdin and stdout: what Ctrl-C does to it.

Here: what the ESP32 port's `micropython.kbd_intr` does there. Not here: bytes, which are the
firmware's and the host's. One thing is otherwise than on the chip: the unix port raises a
KeyboardInterrupt at once, and if that is within a collection of garbage, its heap stays locked.
"""

import termios

import micropython

_LOCAL, _ISIG = 3, 1


class Interrupts:
    """In the place of the module `micropython`."""

    def __getattr__(self, name):
        return getattr(micropython, name)

    def kbd_intr(self, char):
        """With 3 that byte is a KeyboardInterrupt, with -1 it is one that can be read."""
        mode = termios.tcgetattr(0)
        # Never a signal without its handler: it would end the process.
        if char == 3:
            micropython.kbd_intr(char)
            mode[_LOCAL] |= _ISIG
        else:
            mode[_LOCAL] &= ~_ISIG
        termios.tcsetattr(0, termios.TCSANOW, mode)
