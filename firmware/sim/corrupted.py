"""What the stock interpreter does about a file system that it cannot mount: it says so for ever.

Source: MicroPython, ports/esp32/modules/inisetup.py, for a partition whose first block is not
erased. Nothing of the firmware runs, and no watchdog does.
"""

import time

while True:
    print("The filesystem appears to be corrupted.")
    time.sleep(3)
