-- Files of the bank that were read: the evidence of what the journal says of money.
CREATE TABLE statement_file (
    -- SHA-256 of the file, in hexadecimal.
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    sent_by TEXT NOT NULL,
    octets BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    -- When its last line was posted; 0 until then.
    finished_at BIGINT NOT NULL,
    -- The newest entry of the journal that a line of it has.
    seq BIGINT NOT NULL
);

-- Statements in them.
CREATE TABLE statement (
    -- Made of kind, account, message, own id and number: what makes it the same again.
    id TEXT NOT NULL PRIMARY KEY,
    file TEXT NOT NULL,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    message_id TEXT NOT NULL,
    statement_id TEXT NOT NULL,
    -- -1 where the bank gave none.
    sequence BIGINT NOT NULL
);
CREATE INDEX statement_by_sequence ON statement (account, kind, sequence);

-- Lines in them that were posted, each as the file tells it that brought it first.
CREATE TABLE statement_line (
    statement_key TEXT NOT NULL PRIMARY KEY,
    file TEXT NOT NULL,
    statement BIGINT NOT NULL,
    entry BIGINT NOT NULL,
    part BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    booked_on TEXT NOT NULL,
    bank_reference TEXT NOT NULL,
    end_to_end TEXT NOT NULL,
    payer TEXT NOT NULL,
    payer_account TEXT NOT NULL,
    reference TEXT NOT NULL
);
