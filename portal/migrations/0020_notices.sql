-- How far a holder has read what happened to a card: the number of the newest entry then.
CREATE TABLE notice_seen (
    holder TEXT NOT NULL REFERENCES holder (id),
    card TEXT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (holder, card)
);
