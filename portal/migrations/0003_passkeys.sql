-- Ways to prove who somebody is, the codes that bind them to a card, and what was changed by whom.
CREATE TABLE passkey (
    id TEXT NOT NULL PRIMARY KEY,
    face TEXT NOT NULL,
    subject TEXT NOT NULL,
    label TEXT NOT NULL,
    credential TEXT NOT NULL,
    version BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL
);
CREATE INDEX passkey_by_subject ON passkey (subject);

-- A code is for a card that nobody holds (`card`), or for a holder who lost their passkeys
-- (`subject` of face `holder`), or for a new operator (`subject` of face `desk`).
CREATE TABLE one_time_code (
    id TEXT NOT NULL PRIMARY KEY,
    face TEXT NOT NULL,
    card TEXT NOT NULL,
    subject TEXT NOT NULL,
    hash TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    tries_left BIGINT NOT NULL
);
CREATE INDEX one_time_code_by_card ON one_time_code (card);
CREATE INDEX one_time_code_by_subject ON one_time_code (subject);

-- Only ever appended to. `hash` covers the line and the hash before it, under a key that is not in
-- this database.
CREATE TABLE audit (
    number BIGINT NOT NULL PRIMARY KEY,
    made_at BIGINT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    about TEXT NOT NULL,
    was TEXT NOT NULL,
    became TEXT NOT NULL,
    hash TEXT NOT NULL
);
