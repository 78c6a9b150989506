-- How many people are in the hall, and in each area of it, since the last nightly reset.
CREATE TABLE occupancies (
    place TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;
