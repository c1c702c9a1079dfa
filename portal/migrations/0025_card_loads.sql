-- Loads by another card: what was ordered, and how far it has come. Amounts here are evidence;
-- whether money was credited is the journal's to say.
CREATE TABLE card_load (
    -- Also the order's name at the payment provider, and the load's reference in the journal.
    id TEXT NOT NULL PRIMARY KEY,
    -- The card's opaque id.
    card TEXT NOT NULL,
    mok_id TEXT NOT NULL,
    -- Cents.
    amount BIGINT NOT NULL,
    taken_back BIGINT NOT NULL,
    state TEXT NOT NULL,
    -- Why it failed, or is about to; empty while nothing is wrong.
    failure TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    -- When the payment provider is asked next.
    due_at BIGINT NOT NULL,
    -- Who ordered it, where somebody was signed in.
    holder TEXT NOT NULL,
    -- A mark of the form that ordered it: the same form orders once.
    form TEXT NOT NULL UNIQUE,
    masked TEXT NOT NULL,
    brand TEXT NOT NULL,
    -- Wiped when it is settled, unless the payer agreed that it is kept.
    payer_name TEXT NOT NULL,
    payer_address TEXT NOT NULL,
    payer_email TEXT NOT NULL,
    keep BIGINT NOT NULL
);
CREATE INDEX card_load_due ON card_load (due_at);
CREATE INDEX card_load_card ON card_load (card, made_at);

-- The one table of its states: from where to where. A change that it has not is refused.
CREATE TABLE card_load_move (
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    PRIMARY KEY (from_state, to_state)
);
INSERT INTO card_load_move (from_state, to_state) VALUES
    ('CREATED', 'AUTHENTICATING'),
    ('CREATED', 'FAILED'),
    ('CREATED', 'EXPIRED'),
    ('AUTHENTICATING', 'AUTHORIZED'),
    ('AUTHENTICATING', 'FAILED'),
    ('AUTHENTICATING', 'EXPIRED'),
    ('AUTHORIZED', 'CAPTURED'),
    ('AUTHORIZED', 'FAILED'),
    ('AUTHORIZED', 'EXPIRED'),
    ('CAPTURED', 'CREDITED'),
    ('CAPTURED', 'REFUNDED'),
    ('CAPTURED', 'CHARGED_BACK'),
    ('CREDITED', 'REFUNDED'),
    ('CREDITED', 'CHARGED_BACK');

-- Means of payment that holders asked to be kept: the provider's token, never a card's number.
CREATE TABLE kept_means (
    id TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    token TEXT NOT NULL,
    masked TEXT NOT NULL,
    brand TEXT NOT NULL,
    payer_name TEXT NOT NULL,
    payer_address TEXT NOT NULL,
    payer_email TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    UNIQUE (holder, masked, brand)
);

-- The embedded payment provider for trying things out: one payment a row, as it tells it.
CREATE TABLE sandbox_payment (
    order_id TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
);
