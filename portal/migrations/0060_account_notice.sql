-- What holders are told of their ways to sign in: one that is new, one that went, a recovery.
CREATE TABLE account_notice (
    id TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL REFERENCES holder (id),
    made_at BIGINT NOT NULL,
    what TEXT NOT NULL,
    -- The device's name, or the provider; empty where there is none.
    label TEXT NOT NULL,
    -- 0 until it was read.
    read_at BIGINT NOT NULL
);
CREATE INDEX account_notice_by_holder ON account_notice (holder, made_at);
