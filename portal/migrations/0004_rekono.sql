-- Identities of an OpenID Connect provider, each of one holder. `issuer` and `sub` name one together.
CREATE TABLE provider_identity (
    issuer TEXT NOT NULL,
    sub TEXT NOT NULL,
    holder TEXT NOT NULL REFERENCES holder (id),
    made_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, sub)
);
CREATE INDEX provider_identity_by_holder ON provider_identity (holder);
