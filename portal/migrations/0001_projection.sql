-- How far each projection of the journal has come: the number of the last entry that it has seen.
CREATE TABLE projection (
    name TEXT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL
);
