-- Old events are found by age, past any that still wait for another.
CREATE INDEX events_received ON events (received);

-- What a command with this id was, to tell its repetition from another; NULL: from before this.
ALTER TABLE commands ADD COLUMN digest BLOB;
