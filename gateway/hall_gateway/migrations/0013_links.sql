-- Over which link a late reply goes: the one that took the command; NULL for the hall system's.
ALTER TABLE commands ADD COLUMN link TEXT;
