-- Where a late reply goes when its command named a response topic (MQTT 5, 4.10).
CREATE TABLE responses (
    id TEXT PRIMARY KEY,
    topic TEXT NOT NULL,
    correlation BLOB
) WITHOUT ROWID;
