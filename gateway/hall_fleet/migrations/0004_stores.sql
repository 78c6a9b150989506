-- depends: 0003_console

-- What of the halls' outboxes the record accounts for, and so what is missing: a server can lose
-- what it acknowledged. A store is one gateway's, until it is replaced or restored; a position is a
-- row of its outbox.

CREATE TABLE hall.stores (
    hall text NOT NULL,
    store text NOT NULL,
    -- The hall's own word: its sink began after position `began` and had all up to `claimed`
    -- acknowledged.
    began bigint,
    claimed bigint NOT NULL DEFAULT 0,
    -- Positions whose events are here, or poison, or that are no event for the record, or gone.
    accounted int8multirange NOT NULL DEFAULT '{}',
    -- Those among them that the hall has not any more: lost for good.
    gone int8multirange NOT NULL DEFAULT '{}',
    missing int8multirange NOT NULL GENERATED ALWAYS AS (
        int8multirange(int8range(
            coalesce(began, lower(accounted) - 1),
            greatest(began, claimed, lower(accounted) - 1, upper(accounted) - 1),
            '(]'
        )) - accounted
    ) STORED,
    -- What was missing when the stream of events was as far as the sequence `noticed_at`.
    noticed int8multirange NOT NULL DEFAULT '{}',
    noticed_at bigint,
    -- What the hall was last asked for, and when; how many positions came after that, ever.
    asked int8multirange NOT NULL DEFAULT '{}',
    asked_at timestamptz,
    again bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (hall, store)
) WITH (fillfactor = 70);
CREATE INDEX stores_missing ON hall.stores (hall) WHERE NOT isempty(missing);

-- How many positions there are in it.
CREATE FUNCTION hall.size(positions int8multirange) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(sum(upper(part) - lower(part)), 0)::bigint FROM unnest(positions) AS part
$$;

-- Whether a store is known, or the hall has few: one that makes up stores fills no table.
CREATE FUNCTION hall.has_room(of_hall text, of_store text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM hall.stores WHERE (hall, store) = (of_hall, of_store))
        OR (SELECT count(*) FROM hall.stores WHERE hall = of_hall) < 100
$$;

-- Halls whose servers lost something: what is asked for, what was told again, what is lost for
-- good. What is only on its way has not been asked for.
CREATE VIEW hall.shortfalls AS
SELECT hall, sum(hall.size(missing * asked))::bigint AS missing,
    max(asked_at) FILTER (WHERE missing && asked) AS asked_at,
    sum(again)::bigint AS again, sum(hall.size(gone))::bigint AS gone
FROM hall.stores WHERE missing && asked OR again > 0 OR NOT isempty(gone) GROUP BY hall;

GRANT INSERT, SELECT, UPDATE ON hall.stores TO hall_ingest;
GRANT SELECT ON hall.shortfalls TO hall_ingest;
GRANT SELECT ON hall.stores, hall.shortfalls TO hall_console;
