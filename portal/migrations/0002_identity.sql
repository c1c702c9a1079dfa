-- People, their cards, and who is signed in. Moments are milliseconds since 1970.
CREATE TABLE holder (
    id TEXT NOT NULL PRIMARY KEY,
    made_at BIGINT NOT NULL
);

-- A card has one holder; a holder may have several cards. `card` is the opaque id of the API.
CREATE TABLE held_card (
    card TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL REFERENCES holder (id),
    bound_at BIGINT NOT NULL
);
CREATE INDEX held_card_by_holder ON held_card (holder);

-- `hash` is of the cookie's value, which is kept nowhere. `subject` is a holder or an operator, as
-- `face` says: `holder` or `desk`.
CREATE TABLE session (
    hash TEXT NOT NULL PRIMARY KEY,
    face TEXT NOT NULL,
    subject TEXT NOT NULL,
    level BIGINT NOT NULL,
    proven_at BIGINT NOT NULL,
    means TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    agent TEXT NOT NULL
);
CREATE INDEX session_by_subject ON session (subject);
CREATE INDEX session_by_seen ON session (seen_at);
