-- depends: 0002_figures

-- What the fleet console's lists are made from, so that a page of ten thousand halls needs no sum
-- over their days. What each column means: docs/reference/fleet-schema.md.

-- The figures of a hall in a span: 'recent' (the last 31 days) or a month, '2026-11'. Made anew from
-- hall.days by hall.refresh_standing().
CREATE TABLE hall.standing (
    span text NOT NULL,
    hall text NOT NULL,
    since date NOT NULL,
    until date NOT NULL,
    days integer NOT NULL,
    events bigint NOT NULL,
    ratings bigint NOT NULL,
    satisfied bigint NOT NULL,
    satisfaction float8,
    low float8,
    high float8,
    asked bigint NOT NULL,
    rated bigint NOT NULL,
    calls bigint NOT NULL,
    no_shows bigint NOT NULL,
    waits bigint NOT NULL,
    wait_ms bigint NOT NULL,
    wait_p90_min float8,
    handled bigint NOT NULL,
    handling_ms bigint NOT NULL,
    overtime bigint NOT NULL,
    PRIMARY KEY (span, hall)
) WITH (fillfactor = 70);

-- When each span was last made.
CREATE TABLE hall.standing_made (
    span text PRIMARY KEY,
    made timestamptz NOT NULL
);

-- Of 24 counts by length as in hall.days, the edge in minutes of the length in which the nearest
-- rank of 90 % lies, as hall_figures.percentile_min has it; a loop, since that one takes ten times
-- as long.
CREATE FUNCTION hall.p90_min(bins bigint[]) RETURNS float8
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    edges CONSTANT float8[] := '{
        1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20, 25, 30, 40, 50, 60, 75, 90, 120, 150, 180, 240,
        Infinity
    }';
    n bigint := 0;
    so_far bigint := 0;
    each bigint;
    place integer := 0;
BEGIN
    FOREACH each IN ARRAY bins LOOP
        n := n + each;
    END LOOP;
    IF n = 0 THEN
        RETURN NULL;
    END IF;
    FOREACH each IN ARRAY bins LOOP
        place := place + 1;
        so_far := so_far + each;
        IF so_far * 10 >= n * 9 THEN
            RETURN edges[place];
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- The day that halls have now: it begins at 3 o'clock, UTC+8.
CREATE FUNCTION hall.today() RETURNS date
LANGUAGE sql STABLE AS $$
    SELECT (now() AT TIME ZONE 'UTC' + interval '5 hours')::date
$$;

CREATE FUNCTION hall.make_standing(which text, first date, last date) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH sums AS (
        SELECT hall, min(day) AS since, max(day) AS until, count(*)::integer AS days,
            sum(events)::bigint AS events, sum(mark5 + mark4 + mark3 + mark2 + mark1) AS ratings,
            sum(mark5 + mark4) AS satisfied, sum(asked) AS asked, sum(rated) AS rated,
            sum(calls) AS calls, sum(no_shows) AS no_shows, sum(waits) AS waits,
            sum(wait_ms)::bigint AS wait_ms, hall.p90_min(ARRAY[
                sum(w0), sum(w1), sum(w2), sum(w3), sum(w4), sum(w5), sum(w6), sum(w7), sum(w8),
                sum(w9), sum(w10), sum(w11), sum(w12), sum(w13), sum(w14), sum(w15), sum(w16),
                sum(w17), sum(w18), sum(w19), sum(w20), sum(w21), sum(w22), sum(w23)
            ]) AS wait_p90_min,
            sum(handled) AS handled, sum(handling_ms)::bigint AS handling_ms,
            sum(overtime) AS overtime
        FROM hall.days WHERE day BETWEEN first AND last GROUP BY hall
    ), gone AS (
        DELETE FROM hall.standing AS old
        WHERE span = which AND NOT EXISTS (SELECT FROM sums WHERE sums.hall = old.hall)
    )
    INSERT INTO hall.standing AS old
    SELECT which, hall, since, until, days, events, ratings, satisfied,
        hall_figures.share(satisfied, ratings), hall_figures.wilson_low(satisfied, ratings),
        hall_figures.wilson_high(satisfied, ratings), asked, rated, calls, no_shows, waits, wait_ms,
        wait_p90_min, handled, handling_ms, overtime
    FROM sums
    ON CONFLICT (span, hall) DO UPDATE SET
        since = excluded.since, until = excluded.until, days = excluded.days,
        events = excluded.events, ratings = excluded.ratings, satisfied = excluded.satisfied,
        satisfaction = excluded.satisfaction, low = excluded.low, high = excluded.high,
        asked = excluded.asked, rated = excluded.rated, calls = excluded.calls,
        no_shows = excluded.no_shows, waits = excluded.waits, wait_ms = excluded.wait_ms,
        wait_p90_min = excluded.wait_p90_min, handled = excluded.handled,
        handling_ms = excluded.handling_ms, overtime = excluded.overtime
    WHERE old IS DISTINCT FROM excluded;
    INSERT INTO hall.standing_made VALUES (which, now())
    ON CONFLICT (span) DO UPDATE SET made = excluded.made;
$$;
REVOKE ALL ON FUNCTION hall.make_standing(text, date, date) FROM PUBLIC;

-- For workers, as often as they like: makes what is stale, three spans at most. The last 31 days are
-- stale after a minute, the month that is going on after five, the month before after an hour, the
-- twelve before that after a day. Returns how many it made.
CREATE FUNCTION hall.refresh_standing() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today date := hall.today();
    month date := date_trunc('month', today);
    each record;
    made_now integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('hall.refresh_standing')) THEN
        RETURN 0;
    END IF;
    FOR each IN
        SELECT wanted.span, wanted.first, wanted.last FROM (
            SELECT 'recent' AS span, today - 30 AS first, today AS last,
                interval '1 minute' AS every, 0 AS age
            UNION ALL
            SELECT to_char(start, 'YYYY-MM'), start::date,
                (start + interval '1 month')::date - 1,
                CASE n WHEN 0 THEN interval '5 minutes' WHEN 1 THEN interval '1 hour'
                    ELSE interval '1 day' END, n
            FROM (
                SELECT n, month - make_interval(months => n) AS start FROM generate_series(0, 13) n
            ) AS months
        ) AS wanted LEFT JOIN hall.standing_made AS had USING (span)
        WHERE had.made IS NULL OR had.made <= now() - wanted.every + interval '5 seconds'
        ORDER BY age LIMIT 3
    LOOP
        PERFORM hall.make_standing(each.span, each.first, each.last);
        made_now := made_now + 1;
    END LOOP;
    RETURN made_now;
END $$;
REVOKE ALL ON FUNCTION hall.refresh_standing() FROM PUBLIC;

-- Every hall that was ever heard of, whether it told its state, sent events or both.
CREATE VIEW hall.heard AS
SELECT
    hall, h.name, h.class, h.version, h.status, coalesce(h.problems, 0) AS problems,
    coalesce(h.alerts, 0) AS alerts, coalesce(h.devices, 0) AS devices,
    coalesce(h.devices_online, 0) AS devices_online, coalesce(h.outbox, 0) AS outbox,
    greatest(h.state_stored, s.last_received) AS heard, s.first_event, s.last_event,
    s.last_received, h.state_at, h.state_stored
FROM hall.halls AS h FULL JOIN hall.seen AS s USING (hall);

GRANT SELECT ON hall.standing, hall.standing_made, hall.heard TO hall_console;
GRANT EXECUTE ON FUNCTION hall.p90_min(bigint[]), hall.today() TO hall_console;
GRANT EXECUTE ON FUNCTION hall.refresh_standing() TO hall_ingest;
