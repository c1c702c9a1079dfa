-- What the journal says of money that came in: made anew from it at any time (`cekr portal rebuild`).
CREATE TABLE load_projection (
    seq BIGINT NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    card TEXT NOT NULL,
    amount BIGINT NOT NULL,
    source TEXT NOT NULL,
    -- The load's reference, or the key of the bank's line.
    name TEXT NOT NULL,
    -- Empty where no bank booked it.
    booked_on TEXT NOT NULL,
    -- Cents that went back since: refunds, chargebacks, the bank's reversals.
    taken_back BIGINT NOT NULL
);
CREATE INDEX load_projection_by_card ON load_projection (card, seq);

-- Every item that ever waited, and where it went.
CREATE TABLE suspense_projection (
    item BIGINT NOT NULL PRIMARY KEY,
    statement_key TEXT NOT NULL,
    at TEXT NOT NULL,
    amount BIGINT NOT NULL,
    reason TEXT NOT NULL,
    mok_id TEXT NOT NULL,
    booked_on TEXT NOT NULL,
    -- waiting, assigned, loaded, returned or reversed.
    state TEXT NOT NULL,
    -- The card that it was assigned to; empty until then.
    card TEXT NOT NULL,
    -- The entry that says so; 0 while it waits.
    changed_by BIGINT NOT NULL
);
CREATE INDEX suspense_projection_by_key ON suspense_projection (statement_key);
CREATE INDEX suspense_projection_by_state ON suspense_projection (state, item);
