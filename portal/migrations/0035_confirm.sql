-- The device that confirms a card's purchases in the app: one for each card, one of its holder's
-- passkeys. A row whose passkey is gone, or is another person's than the card, binds nothing.
CREATE TABLE confirm_device (
    card TEXT NOT NULL PRIMARY KEY,
    passkey TEXT NOT NULL,
    bound_at BIGINT NOT NULL
);

-- Purchases that somebody was asked about and whose end the shop has not been told yet. The record
-- itself is in the journal. `request` is the provider's name for it, empty in the app.
CREATE TABLE confirm_open (
    id TEXT NOT NULL PRIMARY KEY,
    card TEXT NOT NULL,
    channel TEXT NOT NULL,
    request TEXT NOT NULL,
    interval_s BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Every answer of a holder, whatever came of it: evidence, only ever appended to. `challenge` is
-- what the device signed, made of `said` and the moment's `nonce`; `assertion` is what it answered.
CREATE TABLE confirm_answer (
    nonce TEXT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    card TEXT NOT NULL,
    holder TEXT NOT NULL,
    channel TEXT NOT NULL,
    device TEXT NOT NULL,
    answer TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    payee TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    challenge TEXT NOT NULL,
    assertion TEXT NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX confirm_answer_by_id ON confirm_answer (id);
CREATE INDEX confirm_answer_by_card ON confirm_answer (card, made_at);
