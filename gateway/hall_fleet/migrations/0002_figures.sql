-- depends: 0001_record

-- The figures for the company's own reports: views, and no table. What each column means, and how
-- far it can be trusted: docs/reference/fleet-schema.md.

CREATE SCHEMA hall_figures;
REVOKE ALL ON SCHEMA hall_figures FROM PUBLIC;

-- `part` of `whole`, rounded half up to four decimals; null of nothing.
CREATE FUNCTION hall_figures.share(part bigint, whole bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN whole > 0 THEN round(part::numeric / whole, 4) END
$$;

-- The 95 % Wilson score interval of `good` in `n` without continuity correction; null of none.
CREATE FUNCTION hall_figures.wilson_low(good bigint, n bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN n > 0 AND good = 0 THEN 0.0000 WHEN n > 0 THEN round(((
        good::float8 / n + 3.8414588206941254 / (2 * n) - 1.959963984540054
        * sqrt(good::float8 / n * (1 - good::float8 / n) / n + 3.8414588206941254 / (4.0 * n * n))
    ) / (1 + 3.8414588206941254 / n))::numeric, 4) END
$$;
CREATE FUNCTION hall_figures.wilson_high(good bigint, n bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN n > 0 AND good = n THEN 1.0000 WHEN n > 0 THEN round(((
        good::float8 / n + 3.8414588206941254 / (2 * n) + 1.959963984540054
        * sqrt(good::float8 / n * (1 - good::float8 / n) / n + 3.8414588206941254 / (4.0 * n * n))
    ) / (1 + 3.8414588206941254 / n))::numeric, 4) END
$$;

-- `sum` ÷ `n`, rounded half up to a whole number; null of none.
CREATE FUNCTION hall_figures.mean(sum bigint, n bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN n > 0 THEN (2 * sum + n) / (2 * n) END
$$;

-- The figure of the nearest rank of `percent` from counts by length: it is at most so many minutes
-- (and more than the edge below). 'Infinity': more than 240. Null of none.
CREATE FUNCTION hall_figures.percentile_min(bins bigint[], percent integer) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY[
        1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20, 25, 30, 40, 50, 60, 75, 90, 120, 150, 180, 240,
        'Infinity'
    ]::float8[])[min(bin)] FROM (
        SELECT bin, sum(n) OVER (ORDER BY bin) AS so_far, sum(n) OVER () AS n
        FROM unnest(bins) WITH ORDINALITY AS counted(n, bin)
    ) AS ranked
    WHERE n > 0 AND so_far * 100 >= n * percent
$$;

-- Of counts by kind and name, those of one kind.
CREATE FUNCTION hall_figures.named(counts jsonb, kind text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(substr(key, length(kind) + 2), value), '{}')
    FROM jsonb_each(counts) WHERE starts_with(key, kind || ' ')
$$;

-- How many of the passages in one direction ('in', 'out') are of rooms within the hall.
CREATE FUNCTION hall_figures.in_areas(counts jsonb, direction text, areas text[]) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(sum((counts ->> (direction || ' zone/' || area))::bigint), 0)::bigint
    FROM unnest(areas) AS area
$$;

-- The sums of each hall's day and month.
CREATE VIEW hall_figures.day_sums AS
SELECT
    d.hall, d.day, h.name, h.class, d.events,
    d.mark5 + d.mark4 + d.mark3 + d.mark2 + d.mark1 AS ratings, d.mark5 + d.mark4 AS satisfied,
    d.mark5, d.mark4, d.mark3, d.mark2, d.mark1,
    d.entered - hall_figures.in_areas(d.counts, 'in', h.areas) AS entered,
    d.departed - hall_figures.in_areas(d.counts, 'out', h.areas) AS departed,
    d.asked, d.prompted, d.rated, d.unrated, d.taken, d.taken_called, d.cancelled, d.abandoned,
    d.calls, d.no_shows, d.waits, d.wait_ms, d.no_show_waits, d.no_show_wait_ms, d.handled,
    d.handling_ms, d.overtime, d.overnight, d.presses, d.quarantined, d.faults, d.lost, d.offline,
    d.raised, d.cleared, d.counts, d.w0, d.w1, d.w2, d.w3, d.w4, d.w5, d.w6, d.w7, d.w8, d.w9,
    d.w10, d.w11, d.w12, d.w13, d.w14, d.w15, d.w16, d.w17, d.w18, d.w19, d.w20, d.w21, d.w22,
    d.w23, d.h0, d.h1, d.h2, d.h3, d.h4, d.h5, d.h6, d.h7, d.h8, d.h9, d.h10, d.h11, d.h12, d.h13,
    d.h14, d.h15, d.h16, d.h17, d.h18, d.h19, d.h20, d.h21, d.h22, d.h23
FROM hall.days AS d LEFT JOIN hall.halls AS h USING (hall);

CREATE VIEW hall_figures.month_sums AS
SELECT
    hall, date_trunc('month', day)::date AS month, min(name) AS name, min(class) AS class,
    count(*) AS days,
    sum(events)::bigint AS events, sum(ratings)::bigint AS ratings,
    sum(satisfied)::bigint AS satisfied, sum(mark5)::bigint AS mark5, sum(mark4)::bigint AS mark4,
    sum(mark3)::bigint AS mark3, sum(mark2)::bigint AS mark2, sum(mark1)::bigint AS mark1,
    sum(asked)::bigint AS asked, sum(prompted)::bigint AS prompted, sum(rated)::bigint AS rated,
    sum(unrated)::bigint AS unrated, sum(taken)::bigint AS taken,
    sum(taken_called)::bigint AS taken_called, sum(cancelled)::bigint AS cancelled,
    sum(abandoned)::bigint AS abandoned, sum(calls)::bigint AS calls,
    sum(no_shows)::bigint AS no_shows, sum(waits)::bigint AS waits,
    sum(wait_ms)::bigint AS wait_ms, sum(no_show_waits)::bigint AS no_show_waits,
    sum(no_show_wait_ms)::bigint AS no_show_wait_ms, sum(handled)::bigint AS handled,
    sum(handling_ms)::bigint AS handling_ms, sum(overtime)::bigint AS overtime,
    sum(overnight)::bigint AS overnight, sum(entered)::bigint AS entered,
    sum(departed)::bigint AS departed, sum(presses)::bigint AS presses,
    sum(quarantined)::bigint AS quarantined, sum(faults)::bigint AS faults,
    sum(lost)::bigint AS lost, sum(offline)::bigint AS offline, sum(raised)::bigint AS raised,
    sum(cleared)::bigint AS cleared, hall.total(counts) AS counts, sum(w0)::bigint AS w0,
    sum(w1)::bigint AS w1, sum(w2)::bigint AS w2, sum(w3)::bigint AS w3, sum(w4)::bigint AS w4,
    sum(w5)::bigint AS w5, sum(w6)::bigint AS w6, sum(w7)::bigint AS w7, sum(w8)::bigint AS w8,
    sum(w9)::bigint AS w9, sum(w10)::bigint AS w10, sum(w11)::bigint AS w11,
    sum(w12)::bigint AS w12, sum(w13)::bigint AS w13, sum(w14)::bigint AS w14,
    sum(w15)::bigint AS w15, sum(w16)::bigint AS w16, sum(w17)::bigint AS w17,
    sum(w18)::bigint AS w18, sum(w19)::bigint AS w19, sum(w20)::bigint AS w20,
    sum(w21)::bigint AS w21, sum(w22)::bigint AS w22, sum(w23)::bigint AS w23,
    sum(h0)::bigint AS h0, sum(h1)::bigint AS h1, sum(h2)::bigint AS h2, sum(h3)::bigint AS h3,
    sum(h4)::bigint AS h4, sum(h5)::bigint AS h5, sum(h6)::bigint AS h6, sum(h7)::bigint AS h7,
    sum(h8)::bigint AS h8, sum(h9)::bigint AS h9, sum(h10)::bigint AS h10, sum(h11)::bigint AS h11,
    sum(h12)::bigint AS h12, sum(h13)::bigint AS h13, sum(h14)::bigint AS h14,
    sum(h15)::bigint AS h15, sum(h16)::bigint AS h16, sum(h17)::bigint AS h17,
    sum(h18)::bigint AS h18, sum(h19)::bigint AS h19, sum(h20)::bigint AS h20,
    sum(h21)::bigint AS h21, sum(h22)::bigint AS h22, sum(h23)::bigint AS h23
FROM hall_figures.day_sums GROUP BY hall, date_trunc('month', day)::date;

-- The figures of a day and of a month: the same columns, from the sums above.
CREATE VIEW hall_figures.hall_day AS
SELECT
    hall, day, name, class, events,
    ratings, satisfied, mark5, mark4, mark3, mark2, mark1,
    hall_figures.share(satisfied, ratings) AS satisfaction,
    hall_figures.wilson_low(satisfied, ratings) AS satisfaction_low,
    hall_figures.wilson_high(satisfied, ratings) AS satisfaction_high,
    hall_figures.share(satisfied + mark3, ratings) AS satisfaction_wide,
    asked, prompted, rated, asked - rated - unrated AS pending,
    hall_figures.share(prompted, asked) AS prompted_share,
    hall_figures.share(rated, asked) AS rated_share,
    taken, taken_called, cancelled, abandoned,
    hall_figures.share(cancelled + abandoned, taken) AS walk_away_share,
    calls, no_shows, hall_figures.share(no_shows, calls) AS no_show_share,
    waits, hall_figures.mean(wait_ms, waits) AS wait_mean_ms,
    hall_figures.percentile_min(ARRAY[
        w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15, w16, w17, w18, w19,
        w20, w21, w22, w23
    ], 90) AS wait_p90_min,
    no_show_waits, hall_figures.mean(no_show_wait_ms, no_show_waits) AS no_show_wait_mean_ms,
    handled, hall_figures.mean(handling_ms, handled) AS handling_mean_ms,
    hall_figures.percentile_min(ARRAY[
        h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, h11, h12, h13, h14, h15, h16, h17, h18, h19,
        h20, h21, h22, h23
    ], 90) AS handling_p90_min,
    overtime, hall_figures.share(overtime, handled) AS overtime_share, overnight,
    entered, departed,
    presses + quarantined AS presses_raw, presses AS presses_counted, quarantined,
    hall_figures.named(counts, 'press') AS quarantined_by_reason,
    hall_figures.named(counts, 'unrated') AS unrated_by_reason,
    faults, hall_figures.named(counts, 'fault') AS faults_by_code, lost, offline,
    raised AS alerts_raised, hall_figures.named(counts, 'alert') AS alerts_by_level,
    cleared AS alerts_cleared
FROM hall_figures.day_sums;

CREATE VIEW hall_figures.hall_month AS
SELECT
    hall, month, name, class, days, events,
    ratings, satisfied, mark5, mark4, mark3, mark2, mark1,
    hall_figures.share(satisfied, ratings) AS satisfaction,
    hall_figures.wilson_low(satisfied, ratings) AS satisfaction_low,
    hall_figures.wilson_high(satisfied, ratings) AS satisfaction_high,
    hall_figures.share(satisfied + mark3, ratings) AS satisfaction_wide,
    asked, prompted, rated, asked - rated - unrated AS pending,
    hall_figures.share(prompted, asked) AS prompted_share,
    hall_figures.share(rated, asked) AS rated_share,
    taken, taken_called, cancelled, abandoned,
    hall_figures.share(cancelled + abandoned, taken) AS walk_away_share,
    calls, no_shows, hall_figures.share(no_shows, calls) AS no_show_share,
    waits, hall_figures.mean(wait_ms, waits) AS wait_mean_ms,
    hall_figures.percentile_min(ARRAY[
        w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15, w16, w17, w18, w19,
        w20, w21, w22, w23
    ], 90) AS wait_p90_min,
    no_show_waits, hall_figures.mean(no_show_wait_ms, no_show_waits) AS no_show_wait_mean_ms,
    handled, hall_figures.mean(handling_ms, handled) AS handling_mean_ms,
    hall_figures.percentile_min(ARRAY[
        h0, h1, h2, h3, h4, h5, h6, h7, h8, h9, h10, h11, h12, h13, h14, h15, h16, h17, h18, h19,
        h20, h21, h22, h23
    ], 90) AS handling_p90_min,
    overtime, hall_figures.share(overtime, handled) AS overtime_share, overnight,
    entered, departed,
    presses + quarantined AS presses_raw, presses AS presses_counted, quarantined,
    hall_figures.named(counts, 'press') AS quarantined_by_reason,
    hall_figures.named(counts, 'unrated') AS unrated_by_reason,
    faults, hall_figures.named(counts, 'fault') AS faults_by_code, lost, offline,
    raised AS alerts_raised, hall_figures.named(counts, 'alert') AS alerts_by_level,
    cleared AS alerts_cleared
FROM hall_figures.month_sums;

-- Halls of one class beside each other: only with as many ratings as the class asks for. A place is
-- a range: before a hall are those whose whole interval lies above its own for sure (best_place),
-- and at worst all whose interval reaches into it.
CREATE VIEW hall_figures.class_ranking AS
WITH enough AS MATERIALIZED (
    SELECT
        m.month, m.class, m.hall, m.name, m.ratings, m.satisfied,
        hall_figures.share(m.satisfied, m.ratings) AS satisfaction,
        hall_figures.wilson_low(m.satisfied, m.ratings) AS satisfaction_low,
        hall_figures.wilson_high(m.satisfied, m.ratings) AS satisfaction_high,
        hall_figures.share(m.rated, m.asked) AS rated_share
    FROM hall_figures.month_sums AS m JOIN hall.classes AS c USING (class)
    WHERE m.ratings >= c.min_n
),
bounds AS (
    -- Both ends of each interval in one line, so that each is compared with all others at once;
    -- of equal ones the lower ends go first.
    SELECT enough.*, satisfaction_low AS bound, 1 AS low, 0 AS high FROM enough
    UNION ALL SELECT enough.*, satisfaction_high, 0, 1 FROM enough
),
counted AS (
    SELECT
        bounds.*, sum(low) OVER so_far AS lows_up_to, sum(high) OVER so_far AS highs_below,
        sum(low) OVER (PARTITION BY month, class) AS places
    FROM bounds WINDOW so_far AS (PARTITION BY month, class ORDER BY bound, high)
)
SELECT
    month, class, hall, name, ratings, satisfaction, satisfaction_low, satisfaction_high,
    rated_share, 1 + places - min(lows_up_to) FILTER (WHERE high = 1) AS best_place,
    places - min(highs_below) FILTER (WHERE low = 1) AS worst_place, places
FROM counted
GROUP BY month, class, hall, name, ratings, satisfaction, satisfaction_low, satisfaction_high,
    rated_share, places;

-- Each class as a whole. `halls_compared`: how many have enough ratings for a place.
CREATE VIEW hall_figures.class_month AS
SELECT
    m.month, m.class, c.min_n, count(*) AS halls,
    count(*) FILTER (WHERE m.ratings >= c.min_n) AS halls_compared,
    sum(m.ratings)::bigint AS ratings, sum(m.satisfied)::bigint AS satisfied,
    hall_figures.share(sum(m.satisfied)::bigint, sum(m.ratings)::bigint) AS satisfaction,
    hall_figures.wilson_low(sum(m.satisfied)::bigint, sum(m.ratings)::bigint) AS satisfaction_low,
    hall_figures.wilson_high(sum(m.satisfied)::bigint, sum(m.ratings)::bigint) AS satisfaction_high,
    hall_figures.share(sum(m.rated)::bigint, sum(m.asked)::bigint) AS rated_share,
    hall_figures.mean(sum(m.wait_ms)::bigint, sum(m.waits)::bigint) AS wait_mean_ms,
    hall_figures.percentile_min(ARRAY[
        sum(m.w0)::bigint, sum(m.w1)::bigint, sum(m.w2)::bigint, sum(m.w3)::bigint,
        sum(m.w4)::bigint, sum(m.w5)::bigint, sum(m.w6)::bigint, sum(m.w7)::bigint,
        sum(m.w8)::bigint, sum(m.w9)::bigint, sum(m.w10)::bigint, sum(m.w11)::bigint,
        sum(m.w12)::bigint, sum(m.w13)::bigint, sum(m.w14)::bigint, sum(m.w15)::bigint,
        sum(m.w16)::bigint, sum(m.w17)::bigint, sum(m.w18)::bigint, sum(m.w19)::bigint,
        sum(m.w20)::bigint, sum(m.w21)::bigint, sum(m.w22)::bigint, sum(m.w23)::bigint
    ], 90) AS wait_p90_min
FROM hall_figures.month_sums AS m JOIN hall.classes AS c USING (class)
GROUP BY m.month, m.class, c.min_n;

GRANT USAGE ON SCHEMA hall_figures TO hall_console, hall_bi;
GRANT SELECT ON hall_figures.hall_day, hall_figures.hall_month, hall_figures.class_ranking,
    hall_figures.class_month TO hall_bi, hall_console;
GRANT SELECT ON hall_figures.day_sums, hall_figures.month_sums TO hall_console;
