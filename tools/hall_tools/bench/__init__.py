"""What the refresh of a scanned display costs, and how that compares.

Here: counts of instructions and stores on the machine code that ships, the same counts of other
libraries' inner loops, restated, and a race of the players on this machine. Not here: what is
printed (`hall_tools.commands.bench`). docs/benchmarks.md says what each figure means.
"""
