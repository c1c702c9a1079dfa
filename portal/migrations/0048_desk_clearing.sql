-- What clearing did, by file and outcome, and what was parked for a person: folded from the journal,
-- and made anew from it where the journal is another one.
CREATE TABLE desk_clearing (
    -- The file's mark, sixteen hexadecimal digits.
    file TEXT NOT NULL,
    outcome TEXT NOT NULL,
    lines BIGINT NOT NULL,
    -- Cents on the accounts, without fees and by fees; what was parked.
    change BIGINT NOT NULL,
    fee_change BIGINT NOT NULL,
    parked BIGINT NOT NULL,
    newest_at TEXT NOT NULL,
    PRIMARY KEY (file, outcome)
);
CREATE TABLE desk_parked (
    -- The entry that parked it.
    seq BIGINT NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    -- line, rest, completion, advice, reversal or disputed.
    kind TEXT NOT NULL,
    cause TEXT NOT NULL,
    -- The card's opaque id; empty where it is none of ours.
    card TEXT NOT NULL,
    pan_masked TEXT NOT NULL,
    -- Cents: positive would take, negative would bring.
    amount BIGINT NOT NULL,
    merchant TEXT NOT NULL,
    reference TEXT NOT NULL,
    original BIGINT NOT NULL
);

-- What people said of parked money. The switch is asked only when a second one has agreed.
CREATE TABLE desk_decision (
    id TEXT NOT NULL PRIMARY KEY,
    -- The parked entry, and its moment: a journal that is begun anew counts from 1 again.
    seq BIGINT NOT NULL,
    at TEXT NOT NULL,
    -- assign, write_back or close.
    what TEXT NOT NULL,
    -- The card that it is settled on; empty where no money moves.
    card TEXT NOT NULL,
    -- Cents that a disputed reversal gives back; 0 for all that is left.
    amount BIGINT NOT NULL,
    words TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    -- Empty until a second person agreed, or refused.
    decided_by TEXT NOT NULL,
    decided_at BIGINT NOT NULL,
    -- proposed, done or refused.
    state TEXT NOT NULL,
    -- The entry that settled it; 0 where no money moved.
    settled_by BIGINT NOT NULL
);
CREATE INDEX desk_decision_by_seq ON desk_decision (seq, proposed_at);
