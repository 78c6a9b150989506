-- OSCORE (RFC 8613): the next sender sequence number under a device's key, and the replay window,
-- NULL while a gateway that runs has it.
CREATE TABLE contexts (
    device TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    next INTEGER NOT NULL,
    seen TEXT
) WITHOUT ROWID;
