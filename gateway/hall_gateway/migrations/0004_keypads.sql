-- What the next press at a keypad is judged by, and what became of all presses there.
CREATE TABLE keypads (
    device TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;
