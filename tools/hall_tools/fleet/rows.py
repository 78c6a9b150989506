"""The record of a company of thousands of halls, made up: for the console's tests and measurements.

Here: rows straight into PostgreSQL, by a few statements over whole sets, the same for the same
seed. Not here: halls that live and tell what happens (simulated.py, halls.py); of these rows no
gateway and no worker knows, so they say nothing about how a record comes to be.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, LiteralString, cast

import psycopg

EDGES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20, 25, 30, 40, 50, 60, 75, 90, 120, 150, 180, 240)
"""Minutes, as hall.days counts durations."""

_TOWNS = (
    *("城东", "城西", "城南", "城北", "开发区", "新区", "高铁站", "大学城", "老街", "河口"),
    *("东湖", "西山", "南郊", "北郊", "青石", "白塔", "柳林", "桃源", "龙门", "云岭"),
)

_BEGIN = """
CREATE FUNCTION pg_temp.u(key text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashtextextended(key, {seed}) & 2147483647) / 2147483648.0
$$;
CREATE TEMPORARY TABLE made AS
SELECT
    n, hall, now_at, u_class, u_state,
    CASE WHEN u_class < 0.1 THEN 'A' WHEN u_class < 0.4 THEN 'B' WHEN u_class < 0.8 THEN 'C'
        ELSE 'D' END AS class,
    -- Most halls please nineteen customers in twenty; some please fewer.
    0.985 - 0.13 * power(pg_temp.u('good' || hall), 3) AS good,
    0.35 + 0.55 * pg_temp.u('rated' || hall) AS rated,
    2 + 14 * power(pg_temp.u('wait' || hall), 2) AS wait_min,
    4 + 5 * pg_temp.u('handling' || hall) AS handling_min,
    CASE WHEN u_state < 0.02 THEN 'away' WHEN u_state < 0.03 THEN 'failing'
        WHEN u_state < 0.10 THEN 'degraded' ELSE 'ok' END AS word,
    -- An hour to ten days for those that are away, else within the last minute.
    CASE WHEN u_state < 0.02 THEN 3600 + 864000 * power(pg_temp.u('away' || hall), 3)
        ELSE 60 * pg_temp.u('away' || hall) END AS silent_s
FROM (
    SELECT n, hall, {now}::timestamptz AS now_at, pg_temp.u('class' || hall) AS u_class,
        pg_temp.u('state' || hall) AS u_state
    FROM (SELECT n, 'hall-' || lpad(n::text, 5, '0') AS hall FROM generate_series(1, {halls}) n) x
) AS drawn;
ANALYZE made;
"""

_HALLS = """
INSERT INTO hall.halls (hall, name, class, version, status, problems, alerts, devices,
    devices_online, outbox, state, state_at, state_stored)
SELECT
    hall, name, class, version, status, jsonb_array_length(problems), jsonb_array_length(alerts),
    jsonb_array_length(devices),
    (SELECT count(*) FROM jsonb_array_elements(devices) d WHERE d -> 'online' = 'true'), outbox,
    jsonb_build_object('hall', hall, 'name', name, 'class', class, 'version', version,
        'status', status, 'problems', problems, 'alerts', alerts, 'devices', devices,
        'outbox', outbox, 'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
    at, at
FROM (
    SELECT m.*, now_at - make_interval(secs => silent_s) AS at,
        ({towns})[1 + (n - 1) % {many}] || CASE WHEN n <= {many} THEN ''
            ELSE ((n - 1) / {many} + 1)::text END || '供电营业厅' AS name,
        CASE WHEN pg_temp.u('version' || hall) < 0.8 THEN '0.1.0' ELSE '0.0.9' END AS version,
        CASE word WHEN 'away' THEN 'ok' ELSE word END AS status,
        CASE word WHEN 'failing' THEN '["the store takes nothing: the disk is full"]'
            WHEN 'degraded' THEN '["disp-2: not heard of for 20 min"]' ELSE '[]' END::jsonb
            AS problems,
        CASE WHEN word IN ('degraded', 'failing') OR pg_temp.u('alert' || hall) < 0.05
            THEN jsonb_build_array(jsonb_build_object('id', 1, 'rule', 'device_offline',
                'level', CASE word WHEN 'failing' THEN 'critical' ELSE 'warning' END,
                'title', '设备离线 A device is offline',
                'since', to_char(now_at AT TIME ZONE 'UTC' - interval '40 minutes',
                    'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
            ELSE '[]' END AS alerts,
        CASE WHEN pg_temp.u('outbox' || hall) < 0.97 THEN 0
            ELSE floor(2000 * pg_temp.u('waits' || hall)) END::bigint AS outbox,
        (SELECT jsonb_agg(jsonb_build_object(
            'id', kind || '-' || d, 'profile', profile, 'where', 'window ' || d, 'fw', '0.1.0',
            'online', NOT (word = 'degraded' AND kind || d = 'disp2'),
            'error', CASE WHEN word = 'failing' AND d = 1 THEN 'journal_full' END))
        FROM generate_series(1, CASE class WHEN 'A' THEN 6 WHEN 'B' THEN 4 WHEN 'C' THEN 3
            ELSE 2 END) d, (VALUES ('disp', 'call-display-p10-64x16'), ('kp', 'keypad-5'))
            AS kinds(kind, profile)) AS devices
    FROM made AS m
    WHERE pg_temp.u('mute' || hall) < 0.995
) AS told;
INSERT INTO hall.seen (hall, first_event, last_event, last_received)
SELECT hall, now_at - make_interval(days => {days}), at - interval '2 seconds', at
FROM (SELECT *, now_at - make_interval(secs => silent_s) AS at FROM made) AS m
WHERE pg_temp.u('young' || hall) < 0.997;
"""

_EVENTS = """
SELECT hall.ensure_month(month::date) FROM generate_series(
    date_trunc('month', {now}::timestamptz - interval '11 days'), {now}::timestamptz,
    interval '1 month') AS month;
INSERT INTO hall.events (hall, id, type, source, subject, time, clock, received, data)
SELECT hall, 'kp-1/0000abcd/' || e, type, '/hall/' || hall || '/kp-1', 'window/1', at, 'synced', at,
    data::jsonb
FROM made, generate_series(1, {events}) AS e,
    LATERAL (SELECT now_at - make_interval(secs => silent_s + 2 + 90 * (e - 1)) AS at) AS times,
    LATERAL (SELECT * FROM (VALUES
        (0, 'hall.rating.given', '{{"window": "1", "ticket": "A015", "mark": 5}}'),
        (1, 'hall.service.ended', '{{"window": "1", "ticket": "A015", "served_ms": 412000}}'),
        (2, 'hall.service.started', '{{"window": "1", "ticket": "A015"}}'),
        (3, 'hall.call.shown', '{{"window": "1", "ticket": "A015"}}')
    ) AS kinds(k, type, data) WHERE k = e % 4) AS kind
WHERE pg_temp.u('young' || hall) < 0.997;
"""

_DAYS = """
-- OFFSET 0 keeps each step: else what is drawn once would be worked out for every column.
INSERT INTO hall.days (hall, day, events, mark5, mark4, mark3, mark2, mark1, asked, prompted, rated,
    unrated, taken, taken_called, abandoned, calls, no_shows, waits, wait_ms, handled, handling_ms,
    overtime, entered, departed, presses, {w}, {h})
SELECT hall, day, 7 * n, good5, good - good5, (n_rated - good) / 2, 0,
    n_rated - good - (n_rated - good) / 2, n, n, n_rated, n - n_rated, n, n, 0, n, n / 40, n,
    (n * wait_min * 60000)::bigint, n, (n * handling_min * 60000)::bigint, n / 30, 2 * n, 2 * n,
    n_rated, {w_counts}, {h_counts}
FROM (
    SELECT *, (0.75 * good)::integer AS good5 FROM (
        SELECT *, (n_rated * good_share)::integer AS good FROM (
            SELECT *, (n * rated_share)::integer AS n_rated FROM (
                SELECT hall, day, wait_min, handling_min, rated AS rated_share, good AS good_share,
                    (customers * (0.75 + 0.5 * pg_temp.u(hall || day))
                        * CASE WHEN extract(isodow FROM day) > 5 THEN 0.55 ELSE 1 END)::integer AS n
                FROM made, (SELECT {today}::date - d AS day FROM generate_series(0, {days} - 1) d)
                    AS each_day, LATERAL (SELECT CASE class WHEN 'A' THEN 320 WHEN 'B' THEN 200
                    WHEN 'C' THEN 120 ELSE 60 END AS customers) AS size
                WHERE pg_temp.u('young' || hall) < 0.997
                    AND day <= ((now_at AT TIME ZONE 'UTC' + interval '5 hours')
                        - make_interval(secs => silent_s))::date
                OFFSET 0
            ) AS counted OFFSET 0
        ) AS rated OFFSET 0
    ) AS pleased OFFSET 0
) AS drawn, LATERAL (SELECT {w_sums}, {h_sums} OFFSET 0) AS sums;
"""

_POISON = """
INSERT INTO hall.poison (stream, sequence, stored, received, hall, claimed, subject, headers, body,
    size, reason, detail)
SELECT 'HALL_EVENTS', p, at, at, m.hall, CASE WHEN reason = 'hall' THEN 'hall-00001' END,
    'hall.v1.' || m.hall || '.event.rating.given',
    jsonb_build_object('ce-source', '/hall/' || CASE WHEN reason = 'hall' THEN 'hall-00001'
        ELSE m.hall END || '/kp-1', 'ce-type', 'hall.rating.given'),
    '{{"window": "1", "mark": 5}}'::bytea, 26, reason, detail
FROM generate_series(1, {poison}) AS p
JOIN made AS m ON m.n = 1 + (p * 7919) % {halls},
LATERAL (SELECT now_at - make_interval(mins => 37 * ({poison} - p)) AS at) AS times,
LATERAL (SELECT * FROM (VALUES
    (0, 'hall', 'its source is /hall/hall-00001/kp-1'), (1, 'time', 'its time is 1970-01-01'),
    (2, 'form', 'the header ce-type is missing'), (3, 'data', 'mark: 9 is not 1 to 5')
) AS kinds(k, reason, detail) WHERE k = CASE WHEN p % 15 = 0 THEN 0 ELSE 1 + p % 3 END) AS kind;
"""

_WORKERS = """
INSERT INTO hall.workers (worker, host, pid, started, seen, last_commit, batches, events,
    duplicates, poison, last_batch, stream_pending)
SELECT 'ingest-' || n, 'backoffice', 4000 + n, now_at - interval '3 days',
    now_at - make_interval(secs => 3 * n), now_at - make_interval(secs => 4 * n), 91000 + n,
    2100000 + 7 * n, 40 + n, {poison} / 2, 120, 85
FROM generate_series(1, 2) AS n, (SELECT now_at FROM made LIMIT 1) AS one;
"""


@dataclass(frozen=True)
class Company:
    """`days` before `now`, with sums for each hall and day. Of each hall the last `events` are
    there, and `poison` messages were refused, one every 37 minutes."""

    halls: int = 10_000
    days: int = 31
    events: int = 12
    poison: int = 400
    seed: int = 1
    now: dt.datetime | None = None


def fill(connection: psycopg.Connection[Any], company: Company) -> None:
    """Put the rows into an empty record, as its owner, and make the standing of the last months.

    Raises psycopg.Error.
    """
    now = company.now or dt.datetime.now(dt.UTC)
    values: dict[str, object] = {
        "seed": company.seed,
        "halls": company.halls,
        "days": company.days,
        "events": company.events,
        "poison": company.poison,
        "now": f"'{now.isoformat()}'",
        "today": f"'{_hall_day(now)}'",
        "towns": f"ARRAY[{', '.join(repr(town) for town in _TOWNS)}]",
        "many": len(_TOWNS),
        **_durations("w", "wait_min"),
        **_durations("h", "handling_min"),
    }
    with connection.transaction(), connection.cursor() as cursor:
        for part in (_BEGIN, _HALLS, _EVENTS, _DAYS, _POISON, _WORKERS):
            # Of our own text and numbers alone.
            cursor.execute(cast("LiteralString", part.format(**values)))
        cursor.execute("DROP TABLE made")
        cursor.execute("DROP FUNCTION pg_temp.u")
        for span, first, last in _spans(_hall_day(now)):
            cursor.execute("SELECT hall.make_standing(%s, %s, %s)", (span, first, last))
        cursor.execute("UPDATE hall.standing_made SET made = %s", (now,))
    connection.execute("ANALYZE")


def _hall_day(now: dt.datetime) -> dt.date:
    """As hall.today() has it, at another time."""
    return (now.astimezone(dt.UTC) + dt.timedelta(hours=5)).date()


def _spans(today: dt.date) -> list[tuple[str, dt.date, dt.date]]:
    """The last 31 days, this month and the one before."""
    one, first = dt.timedelta(days=1), today.replace(day=1)
    before = (first - one).replace(day=1)
    after = (first + 32 * one).replace(day=1)
    return [
        ("recent", today - 30 * one, today),
        (f"{first:%Y-%m}", first, after - one),
        (f"{before:%Y-%m}", before, first - one),
    ]


def _durations(letter: str, mean: str) -> dict[str, str]:
    """The columns of counts by length, of n durations that wane exponentially around their mean."""
    sums = [f"(n * (1 - exp(-{edge} / {mean})))::integer AS {letter}s{i}"
            for i, edge in enumerate(EDGES)]  # fmt: skip
    last = len(EDGES)
    counts = [
        f"{letter}s0",
        *(f"{letter}s{i} - {letter}s{i - 1}" for i in range(1, last)),
        f"n - {letter}s{last - 1}",
    ]
    return {
        letter: ", ".join(f"{letter}{i}" for i in range(last + 1)),
        f"{letter}_sums": ", ".join(sums),
        f"{letter}_counts": ", ".join(counts),
    }
