-- What the rules remember. Times are unix ms; a body, about, signs and steps are JSON.

-- A condition that holds (held: since when), and once it has held long enough, a rule that stands
-- (stands: since when) with what it shows on displays and the alert that it raised.
CREATE TABLE rule_states (
    rule TEXT NOT NULL,
    place TEXT NOT NULL,
    held INTEGER NOT NULL,
    stands INTEGER,
    devices TEXT NOT NULL DEFAULT '[]',
    signs TEXT NOT NULL DEFAULT '[]',
    alert INTEGER,
    PRIMARY KEY (rule, place)
) WITHOUT ROWID;

-- The last rule file that was good.
CREATE TABLE rule_files (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    file TEXT NOT NULL,
    text TEXT NOT NULL
);

-- What each floor sensor said last, by an event or by its reported state, whichever is newer.
CREATE TABLE floors (
    device TEXT PRIMARY KEY,
    wet INTEGER NOT NULL DEFAULT 0,
    wet_at INTEGER NOT NULL DEFAULT 0,
    rain INTEGER NOT NULL DEFAULT 0,
    rain_at INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- cleared: it is over. told: when it was last raised; times: how often. repeat_ms: 0 for never.
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    place TEXT NOT NULL,
    subject TEXT NOT NULL,
    level TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    raised INTEGER NOT NULL,
    told INTEGER NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    repeat_ms INTEGER NOT NULL,
    acknowledged INTEGER,
    by TEXT,
    note TEXT,
    cleared INTEGER
);
CREATE INDEX alerts_open ON alerts (rule, place) WHERE cleared IS NULL;

-- step: opened, acknowledged, contacted, fixed, rerated. late: the clocks whose end was told.
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    title TEXT NOT NULL,
    about TEXT NOT NULL,
    opened INTEGER NOT NULL,
    contact_by INTEGER NOT NULL,
    fix_by INTEGER NOT NULL,
    step TEXT NOT NULL DEFAULT 'opened',
    steps TEXT NOT NULL DEFAULT '[]',
    contact_late INTEGER NOT NULL DEFAULT 0,
    fix_late INTEGER NOT NULL DEFAULT 0,
    done INTEGER
);
CREATE INDEX tasks_open ON tasks (step) WHERE done IS NULL;

CREATE TABLE bookmarks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subject TEXT NOT NULL,
    made INTEGER NOT NULL,
    body TEXT NOT NULL
);
