"""The cable of a scanned panel: which dots it wants in which order, and the lines that carry them.

Here: the order of the pixels as data, one table maker for HUB12, HUB08 and HUB75, and their pins as
masks. Not here: the words that a player reads (description.py), and the scan itself.

A display is a chain of modules: first along x, seen from the front and from left to right, then the
next storey. What is sent first ends farthest from the controller. In a module, `parts` of rows are
shifted at once, each on data lines of its own; a line carries all rows of its part that one address
lights, the lowest first.
"""


class Geometry:
    """Where in the picture the dots are that a panel wants next.

    Eight dots, leftmost first, go out as one group of clocks on each data line. They are the
    picture's byte at `scans[address] + groups[clock // 8] + lines[line]`: an order that is no such
    sum cannot be written here. Lines are in the order of `parts`, and in a part of the colours.
    """

    def __init__(self, driver, rows, parts, colours):
        """A display of driver["width"] x driver["height"] pixels, a multiple of 8 and of `rows`,
        the height of a module; driver["scan"] addresses."""
        self.width = driver["width"]
        self.height = driver["height"]
        self.colours = colours
        columns = self.width // 8
        scan = driver["scan"]
        part = rows // parts
        storeys = list(range(0, self.height, rows))
        if driver.get("storeys") == "bottom_first":
            storeys.reverse()
        self.scans = [row * columns for row in driver.get("row_order") or range(scan)]
        self.groups = [
            (storey + row) * columns + column
            for storey in storeys
            for column in range(columns)
            for row in range(part - scan, -1, -scan)
        ]
        self.lines = [
            (row + colour * self.height) * columns
            for row in range(0, rows, part)
            for colour in range(colours)
        ]


class Wiring:
    """The masks of a panel's pins and the levels that count, from the config's pins and driver.

    `enable`, `latch` and `address` are the names of those pins, and `lines` those of the data
    lines, in the geometry's order. ValueError: a pin above 31, which is in another register.
    """

    def __init__(self, hal, driver, pins, enable, latch, address, lines):
        self.enable = _mask(pins[enable])
        self.enable_high = driver["oe_active"] == "high"
        self.latch = _mask(pins[latch])
        self.latch_high = driver["lat_active"] == "high"
        self.clock = _mask(pins["clk"])
        self.address = [_mask(pins[name]) for name in address]
        self.lines = [_mask(pins[name]) for name in lines]
        self.data_high = driver["data_active"] == "high"
        # The enable line first: nothing may light while the others take their levels. Each rests
        # at the level that lights nothing.
        hal.output(pins[enable], driver["oe_active"])
        hal.output(pins[latch], driver["lat_active"])
        for name in ["clk"] + list(address):
            hal.output(pins[name], "high")
        for name in lines:
            hal.output(pins[name], driver["data_active"])


def _mask(pin):
    if not 0 <= pin <= 31:
        raise ValueError("panel pin %d: only pins 0 to 31 can be scanned" % pin)
    return 1 << pin
