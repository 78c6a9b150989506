-- How each sink is: when it last took something, why it does not now and when it is tried again,
-- how many of its events were given up, and when it left the settings. Times are unix ms.
ALTER TABLE sinks ADD COLUMN acked INTEGER;
ALTER TABLE sinks ADD COLUMN error TEXT;
ALTER TABLE sinks ADD COLUMN failing INTEGER;
ALTER TABLE sinks ADD COLUMN retry INTEGER;
ALTER TABLE sinks ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sinks ADD COLUMN discarded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sinks ADD COLUMN removed INTEGER;
ALTER TABLE sinks ADD COLUMN waited INTEGER;

-- What a sink refused while it took others: kept until somebody has it tried again, or discards it.
-- asked: somebody wants it tried again, since then.
CREATE TABLE dead_letters (
    sink TEXT NOT NULL,
    event TEXT NOT NULL,
    body BLOB NOT NULL,
    reason TEXT NOT NULL,
    tries INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    asked INTEGER,
    PRIMARY KEY (sink, event)
);

-- Who decided what about a dead letter.
CREATE TABLE dead_letter_log (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    sink TEXT NOT NULL,
    event TEXT NOT NULL,
    step TEXT NOT NULL,
    by TEXT NOT NULL
);
