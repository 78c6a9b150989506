-- The tickets that wait, as JSON.
CREATE TABLE tickets (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL
);

-- What is reported, as the published CloudEvents tell it: facts, each table with its time in unix
-- ms, so that whole days of the hall go when they are old. Durations are ms.

-- Of what was before there is no fact.
INSERT INTO meta SELECT 'facts_from', max(received) FROM events HAVING max(received) IS NOT NULL;

-- left and fate: NULL while it waits; fate is called, cancelled or abandoned.
CREATE TABLE fact_tickets (
    arrival INTEGER PRIMARY KEY,
    ticket TEXT NOT NULL,
    business TEXT,
    priority INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    left INTEGER,
    fate TEXT
);
CREATE INDEX fact_tickets_taken ON fact_tickets (taken);
CREATE INDEX fact_tickets_waiting ON fact_tickets (ticket) WHERE fate IS NULL;

-- One row for each call to a window. verdict: given, or why there is no rating; NULL while there is
-- none. why: the reason that the customer gave for a bad mark.
CREATE TABLE fact_services (
    arrival INTEGER PRIMARY KEY,
    ticket TEXT NOT NULL,
    window TEXT NOT NULL,
    staff TEXT,
    business TEXT,
    queued INTEGER,
    transferred INTEGER NOT NULL,
    called INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER,
    served INTEGER,
    reason TEXT,
    verdict TEXT,
    prompted INTEGER,
    mark INTEGER,
    presses INTEGER,
    why TEXT
);
CREATE INDEX fact_services_called ON fact_services (called);
CREATE INDEX fact_services_ended ON fact_services (ended);
CREATE INDEX fact_services_open ON fact_services (window) WHERE ended IS NULL;

-- Ratings where nobody asks: of no service.
CREATE TABLE fact_free_ratings (
    arrival INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    window TEXT NOT NULL,
    staff TEXT,
    mark INTEGER NOT NULL
);
CREATE INDEX fact_free_ratings_at ON fact_free_ratings (at);

-- Presses by the hour in which they were pressed; reason '' for those that may count.
CREATE TABLE fact_presses (
    hour INTEGER NOT NULL,
    window TEXT NOT NULL,
    reason TEXT NOT NULL,
    presses INTEGER NOT NULL,
    PRIMARY KEY (hour, window, reason)
) WITHOUT ROWID;

-- Passages by the quarter of an hour in which they happened; place is a counter's subject.
CREATE TABLE fact_passages (
    quarter INTEGER NOT NULL,
    place TEXT NOT NULL,
    direction TEXT NOT NULL,
    passages INTEGER NOT NULL,
    PRIMARY KEY (quarter, place, direction)
) WITHOUT ROWID;

-- The most that were told to be inside, by the quarter of an hour in which it was told.
CREATE TABLE fact_occupancy (
    quarter INTEGER NOT NULL,
    place TEXT NOT NULL,
    peak INTEGER NOT NULL,
    PRIMARY KEY (quarter, place)
) WITHOUT ROWID;

-- When a window was open, and when paused (kind); ended NULL while it is.
CREATE TABLE fact_spans (
    arrival INTEGER PRIMARY KEY,
    window TEXT NOT NULL,
    kind TEXT NOT NULL,
    staff TEXT,
    began INTEGER NOT NULL,
    ended INTEGER
);
CREATE INDEX fact_spans_began ON fact_spans (began);
CREATE INDEX fact_spans_open ON fact_spans (window, kind) WHERE ended IS NULL;
