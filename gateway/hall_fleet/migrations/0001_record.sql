-- The record of many halls. Run as hall_owner, who owns the database; the other roles are there
-- (hall_fleet.roles says how they are made). What each column means: docs/reference/fleet-schema.md.

CREATE SCHEMA hall;
REVOKE ALL ON SCHEMA hall FROM PUBLIC;

-- Every event of every hall, once, in months of its own time (UTC).
CREATE TABLE hall.events (
    hall text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    source text NOT NULL,
    subject text NOT NULL,
    time timestamptz NOT NULL,
    clock text NOT NULL,
    received timestamptz NOT NULL DEFAULT now(),
    data jsonb NOT NULL,
    PRIMARY KEY (hall, id, time)
) PARTITION BY RANGE (time);
CREATE INDEX events_hall_time ON hall.events (hall, time);

-- Messages that are no event, with why. One row for each message of the stream.
CREATE TABLE hall.poison (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream text NOT NULL,
    sequence bigint NOT NULL,
    stored timestamptz NOT NULL,
    received timestamptz NOT NULL DEFAULT now(),
    hall text,
    claimed text,
    subject text NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    size integer NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    UNIQUE (stream, sequence, stored)
);
CREATE INDEX poison_received ON hall.poison (received DESC);
CREATE INDEX poison_hall ON hall.poison (hall, received DESC);
CREATE INDEX poison_reason ON hall.poison (reason, received DESC);

-- Each hall, with the last that it said of itself.
CREATE TABLE hall.halls (
    hall text PRIMARY KEY,
    name text,
    class text,
    areas text[] NOT NULL DEFAULT '{}',
    version text,
    status text,
    problems integer NOT NULL DEFAULT 0,
    alerts integer NOT NULL DEFAULT 0,
    devices integer NOT NULL DEFAULT 0,
    devices_online integer NOT NULL DEFAULT 0,
    outbox bigint,
    state jsonb,
    state_at timestamptz,
    state_stored timestamptz
) WITH (fillfactor = 70);

-- When a hall was heard of. Beside hall.halls, since it changes with every batch.
CREATE TABLE hall.seen (
    hall text PRIMARY KEY,
    first_event timestamptz NOT NULL,
    last_event timestamptz NOT NULL,
    last_received timestamptz NOT NULL
) WITH (fillfactor = 70);

-- What the events of a hall's day add up to. Sums only: any order of the events gives the same.
CREATE TABLE hall.days (
    hall text NOT NULL,
    day date NOT NULL,
    events bigint NOT NULL DEFAULT 0,
    -- Ratings that count, those of free windows too; `rated` are the services among them.
    mark5 integer NOT NULL DEFAULT 0,
    mark4 integer NOT NULL DEFAULT 0,
    mark3 integer NOT NULL DEFAULT 0,
    mark2 integer NOT NULL DEFAULT 0,
    mark1 integer NOT NULL DEFAULT 0,
    -- Services that were to be rated, by the day on which they ended.
    asked integer NOT NULL DEFAULT 0,
    prompted integer NOT NULL DEFAULT 0,
    rated integer NOT NULL DEFAULT 0,
    unrated integer NOT NULL DEFAULT 0,
    -- Tickets by the day on which they were taken.
    taken integer NOT NULL DEFAULT 0,
    taken_called integer NOT NULL DEFAULT 0,
    cancelled integer NOT NULL DEFAULT 0,
    abandoned integer NOT NULL DEFAULT 0,
    -- Calls by their day, and the waits of those that came and of those that did not.
    calls integer NOT NULL DEFAULT 0,
    no_shows integer NOT NULL DEFAULT 0,
    waits integer NOT NULL DEFAULT 0,
    wait_ms bigint NOT NULL DEFAULT 0,
    no_show_waits integer NOT NULL DEFAULT 0,
    no_show_wait_ms bigint NOT NULL DEFAULT 0,
    -- Services by the day on which they ended.
    handled integer NOT NULL DEFAULT 0,
    handling_ms bigint NOT NULL DEFAULT 0,
    overtime integer NOT NULL DEFAULT 0,
    overnight integer NOT NULL DEFAULT 0,
    -- Passages of all counters, in rooms within the hall too: `counts` has them by place.
    entered integer NOT NULL DEFAULT 0,
    departed integer NOT NULL DEFAULT 0,
    -- Presses that may count, and that do not.
    presses integer NOT NULL DEFAULT 0,
    quarantined integer NOT NULL DEFAULT 0,
    faults integer NOT NULL DEFAULT 0,
    lost bigint NOT NULL DEFAULT 0,
    offline integer NOT NULL DEFAULT 0,
    raised integer NOT NULL DEFAULT 0,
    cleared integer NOT NULL DEFAULT 0,
    -- Waits (w) and handling times (h) by length, of at most 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18,
    -- 20, 25, 30, 40, 50, 60, 75, 90, 120, 150, 180 and 240 minutes, and longer.
    w0 integer NOT NULL DEFAULT 0, w1 integer NOT NULL DEFAULT 0, w2 integer NOT NULL DEFAULT 0,
    w3 integer NOT NULL DEFAULT 0, w4 integer NOT NULL DEFAULT 0, w5 integer NOT NULL DEFAULT 0,
    w6 integer NOT NULL DEFAULT 0, w7 integer NOT NULL DEFAULT 0, w8 integer NOT NULL DEFAULT 0,
    w9 integer NOT NULL DEFAULT 0, w10 integer NOT NULL DEFAULT 0, w11 integer NOT NULL DEFAULT 0,
    w12 integer NOT NULL DEFAULT 0, w13 integer NOT NULL DEFAULT 0, w14 integer NOT NULL DEFAULT 0,
    w15 integer NOT NULL DEFAULT 0, w16 integer NOT NULL DEFAULT 0, w17 integer NOT NULL DEFAULT 0,
    w18 integer NOT NULL DEFAULT 0, w19 integer NOT NULL DEFAULT 0, w20 integer NOT NULL DEFAULT 0,
    w21 integer NOT NULL DEFAULT 0, w22 integer NOT NULL DEFAULT 0, w23 integer NOT NULL DEFAULT 0,
    h0 integer NOT NULL DEFAULT 0, h1 integer NOT NULL DEFAULT 0, h2 integer NOT NULL DEFAULT 0,
    h3 integer NOT NULL DEFAULT 0, h4 integer NOT NULL DEFAULT 0, h5 integer NOT NULL DEFAULT 0,
    h6 integer NOT NULL DEFAULT 0, h7 integer NOT NULL DEFAULT 0, h8 integer NOT NULL DEFAULT 0,
    h9 integer NOT NULL DEFAULT 0, h10 integer NOT NULL DEFAULT 0, h11 integer NOT NULL DEFAULT 0,
    h12 integer NOT NULL DEFAULT 0, h13 integer NOT NULL DEFAULT 0, h14 integer NOT NULL DEFAULT 0,
    h15 integer NOT NULL DEFAULT 0, h16 integer NOT NULL DEFAULT 0, h17 integer NOT NULL DEFAULT 0,
    h18 integer NOT NULL DEFAULT 0, h19 integer NOT NULL DEFAULT 0, h20 integer NOT NULL DEFAULT 0,
    h21 integer NOT NULL DEFAULT 0, h22 integer NOT NULL DEFAULT 0, h23 integer NOT NULL DEFAULT 0,
    -- The same by kind and name, e.g. "unrated timeout", "in zone/entrance", "press mashing".
    counts jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (hall, day)
) WITH (fillfactor = 70);
CREATE INDEX days_day ON hall.days (day, hall);

-- The workers that fill all this: each writes its own row.
CREATE TABLE hall.workers (
    worker text PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    started timestamptz NOT NULL,
    seen timestamptz NOT NULL,
    last_commit timestamptz,
    batches bigint NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    poison bigint NOT NULL DEFAULT 0,
    last_batch integer NOT NULL DEFAULT 0,
    stream_pending bigint,
    error text
);

-- What the figures of a class of halls are measured by (hall_gateway.hall_class).
CREATE TABLE hall.classes (
    class text PRIMARY KEY,
    min_n integer NOT NULL,
    wait_mean_min integer NOT NULL,
    wait_p90_min integer NOT NULL
);
INSERT INTO hall.classes VALUES ('A', 50, 15, 30), ('B', 30, 15, 30), ('C', 20, 15, 30),
    ('D', 10, 15, 30);

-- From which month on events are kept: what was before has been dropped, and comes no more.
CREATE TABLE hall.kept (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    since date NOT NULL
);
INSERT INTO hall.kept (since) VALUES ('2024-01-01');

-- The partition of a month: for workers, who may not create tables. False when that month's events
-- were dropped; an error for a month that no event can be of.
CREATE FUNCTION hall.ensure_month(of date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first date := date_trunc('month', of);
    last date := first + interval '1 month';
    name text := to_char(first, '"events_"YYYY_MM');
BEGIN
    IF first < '2024-01-01' OR first > current_date + 62 THEN
        RAISE EXCEPTION 'no event is of %', of USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF first < (SELECT since FROM hall.kept) THEN
        RETURN false;
    END IF;
    IF to_regclass(format('hall.%I', name)) IS NULL THEN
        -- One after the other; ATTACH lets others read and write meanwhile. Asked a second time,
        -- to_regclass would remember what it said.
        PERFORM pg_advisory_xact_lock(hashtext('hall.ensure_month'));
        IF NOT EXISTS (
            SELECT FROM pg_class WHERE relname = name AND relnamespace = to_regnamespace('hall')
        ) THEN
            EXECUTE format('CREATE TABLE hall.%I (LIKE hall.events INCLUDING ALL)', name);
            EXECUTE format(
                'ALTER TABLE hall.events ATTACH PARTITION hall.%I FOR VALUES FROM (%L) TO (%L)',
                name, first || ' 00:00:00+00', last || ' 00:00:00+00'
            );
        END IF;
    END IF;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION hall.ensure_month(date) FROM PUBLIC;

-- Counts by name, added up. A hall that makes up names has the rest of them under "*".
CREATE FUNCTION hall.plus(a jsonb, b jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN b = '{}' THEN a WHEN a = '{}' THEN b ELSE a || (
        SELECT jsonb_object_agg(name, coalesce((a ->> name)::bigint, 0) + n) FROM (
            SELECT CASE WHEN a ? key OR length(a::text) < 8000 THEN key ELSE '*' END AS name,
                sum(value::bigint) AS n
            FROM jsonb_each_text(b) GROUP BY 1
        ) AS named
    ) END
$$;
CREATE AGGREGATE hall.total(jsonb) (
    SFUNC = hall.plus, STYPE = jsonb, INITCOND = '{}', COMBINEFUNC = hall.plus, PARALLEL = SAFE
);

GRANT USAGE ON SCHEMA hall TO hall_ingest, hall_console;
GRANT INSERT, SELECT (hall, id, time) ON hall.events TO hall_ingest;
GRANT INSERT, SELECT ON hall.poison TO hall_ingest;
GRANT INSERT, SELECT, UPDATE ON hall.halls, hall.seen, hall.days, hall.workers
    TO hall_ingest;
GRANT EXECUTE ON FUNCTION hall.ensure_month(date) TO hall_ingest;
GRANT SELECT ON hall.events, hall.poison, hall.halls, hall.seen, hall.days, hall.workers,
    hall.classes, hall.kept TO hall_console;
