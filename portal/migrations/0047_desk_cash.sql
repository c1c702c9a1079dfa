-- Cash that somebody at a branch says they took: the evidence of loads in cash. Whether a load was
-- posted is the journal's to say; `reference` is its name there.
CREATE TABLE desk_cash (
    reference TEXT NOT NULL PRIMARY KEY,
    operator TEXT NOT NULL,
    card TEXT NOT NULL,
    -- Cents.
    amount BIGINT NOT NULL,
    taken_at BIGINT NOT NULL,
    -- Why the switch refused it, so that the money went back over the counter; empty otherwise.
    refused TEXT NOT NULL
);
CREATE INDEX desk_cash_by_operator ON desk_cash (operator, taken_at);
