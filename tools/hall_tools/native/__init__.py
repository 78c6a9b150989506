"""Native MicroPython modules from C, with distribution packages alone: compile, link, write .mpy.

Here: C source in, `.mpy` (version 6.3) out, for x64, xtensawin and rv32imc. Not here: what
Hallkit's own module does (firmware/native). docs/native-linker.md says what is supported, and how
it works.
"""
