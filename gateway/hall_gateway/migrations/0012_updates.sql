-- Releases of the devices' firmware that are rolled out, each with how far its devices are.

CREATE TABLE roll_outs (
    id INTEGER NOT NULL PRIMARY KEY,
    done INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
