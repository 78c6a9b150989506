-- The tickets that wait, as JSON.
CREATE TABLE tickets (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL
);
