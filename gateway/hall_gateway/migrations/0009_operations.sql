-- Who gave a command on this machine; NULL: the hall system did. Such a command is answered here,
-- and its late reply is nothing for the hall's broker.
ALTER TABLE commands ADD COLUMN given_by TEXT;
