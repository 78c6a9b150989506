-- What a sink can answer for: it began after position `began`, and `taken` is the position of the
-- last event that it took. Between `taken` and its cursor stands nothing that it wants.
ALTER TABLE sinks ADD COLUMN began INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sinks ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;
UPDATE sinks SET began = position, taken = position;
