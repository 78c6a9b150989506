"""A matrix of keys without diodes: every way that the current finds.

Here: the wires between rows and columns, which the keys join while they are down. Not here: when a
key is down (`contact`), and which keys the firmware believes.
"""

from contact import Contact


class Matrix:
    """Keys key_1.. between the rows and columns of a board; the other pins are outputs."""

    def __init__(self, board, driver, pins):
        self._pads = board.pads
        self._rows = [pins["row_%d" % (n + 1)] for n in range(driver["rows"])]
        self._contacts = []
        columns = driver["columns"]
        for index in range(driver["keys"]):
            contact = board.contacts["key_%d" % (index + 1)] = Contact()
            self._contacts.append((index // columns, index % columns, contact))
        for name, pin in pins.items():
            if name.startswith("column_"):
                self._wire(pin, int(name[7:]) - 1)
            elif not name.startswith("row_"):
                self._pads.wire_output(pin, name)

    def _wire(self, pin, column):
        self._pads.wire_line(pin, lambda: self._level(column))

    def _level(self, column):
        """Low when a way leads from the column, over keys that are down, to a row that is low."""
        down = [(row, at) for row, at, contact in self._contacts if contact.closed()]
        rows, columns = set(), {column}
        while True:
            reached = len(rows) + len(columns)
            for row, at in down:
                if row in rows or at in columns:
                    rows.add(row)
                    columns.add(at)
            if len(rows) + len(columns) == reached:
                break
        return 0 if any(not self._pads.out >> self._rows[row] & 1 for row in rows) else 1
