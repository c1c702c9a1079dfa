-- Operators as people: what needs two of them needs to tell them apart. `roles` are words with
-- commas between them.
CREATE TABLE operator (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    roles TEXT NOT NULL,
    made_at BIGINT NOT NULL
);
