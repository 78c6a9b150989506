-- The first store: raw events, what is derived from them, and the hall's state.
-- Times are unix ms. A body is JSON as it was received or will be sent.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- rowid grows in the order of arrival: retention deletes the lowest first.
CREATE TABLE events (
    arrival INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    up INTEGER NOT NULL,
    t INTEGER,
    received INTEGER NOT NULL,
    kind TEXT NOT NULL, -- '' for one in quarantine: covered, without effect
    data TEXT NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (device, epoch, seq)
);

-- mark: every event up to it is stored or accounted for, and has had its effect. NULL: the base is
-- not known yet.
CREATE TABLE marks (
    device TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    mark INTEGER,
    used INTEGER NOT NULL,
    PRIMARY KEY (device, epoch)
) WITHOUT ROWID;

-- Ranges below the mark that this store never had.
CREATE TABLE holes (
    device TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    reason TEXT NOT NULL,
    noted INTEGER NOT NULL,
    PRIMARY KEY (device, epoch, first)
) WITHOUT ROWID;

CREATE TABLE quarantine (
    arrival INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    epoch INTEGER,
    seq INTEGER,
    received INTEGER NOT NULL,
    reason TEXT NOT NULL,
    body BLOB NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (device, hash)
);

-- AUTOINCREMENT: a position is never used again, whatever was deleted.
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    noun TEXT NOT NULL,
    verb TEXT NOT NULL,
    body BLOB NOT NULL,
    created INTEGER NOT NULL
);

CREATE TABLE sinks (
    sink TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE devices (
    device TEXT PRIMARY KEY,
    online INTEGER,
    seen INTEGER,
    state TEXT
) WITHOUT ROWID;

CREATE TABLE windows (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE ratings (
    device TEXT NOT NULL,
    session INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    closed TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (device, session)
) WITHOUT ROWID;

CREATE TABLE displays (
    device TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE desired (
    device TEXT PRIMARY KEY,
    rev INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- reply: NULL until there is one. waiting: a late reply that the hall system does not have yet.
CREATE TABLE commands (
    arrival INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    received INTEGER NOT NULL,
    reply BLOB,
    waiting INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE device_commands (
    id TEXT PRIMARY KEY,
    device TEXT NOT NULL,
    body BLOB NOT NULL,
    expires INTEGER NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
