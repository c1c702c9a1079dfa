-- Who said where money in suspense belongs, and who agreed. Two people: the switch is asked only
-- when the second has.
CREATE TABLE suspense_proposal (
    id TEXT NOT NULL PRIMARY KEY,
    -- The number of the item's entry in the journal.
    item BIGINT NOT NULL,
    -- What it is, whatever its number: a journal that is begun anew counts from 1 again.
    statement_key TEXT NOT NULL,
    -- The card's id as the API names it.
    card TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    -- Empty until somebody has agreed.
    approved_by TEXT NOT NULL,
    approved_at BIGINT NOT NULL
);
CREATE INDEX suspense_proposal_by_item ON suspense_proposal (item, proposed_at);

-- Money that goes back to its payer, as the order to the bank says it.
CREATE TABLE suspense_return (
    item BIGINT NOT NULL PRIMARY KEY,
    statement_key TEXT NOT NULL,
    ordered_by TEXT NOT NULL,
    ordered_at BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    payer TEXT NOT NULL,
    payer_account TEXT NOT NULL,
    bank_reference TEXT NOT NULL
);
