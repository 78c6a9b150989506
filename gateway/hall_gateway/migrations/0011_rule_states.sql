-- What a rule shows goes by what is known now, not by what was when it began.

CREATE TABLE rule_states_new (
    rule TEXT NOT NULL,
    place TEXT NOT NULL,
    held INTEGER NOT NULL,
    stands INTEGER,
    alert INTEGER,
    PRIMARY KEY (rule, place)
) WITHOUT ROWID;
INSERT INTO rule_states_new SELECT rule, place, held, stands, alert FROM rule_states;
DROP TABLE rule_states;
ALTER TABLE rule_states_new RENAME TO rule_states;
