-- Programs that want to hear what happens, and how far each was told. Their secrets are not here:
-- they follow from the name, the generation and a key that the switch has.
CREATE TABLE webhook_endpoint (
    id TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL,
    kinds TEXT NOT NULL,
    state TEXT NOT NULL,
    generation BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    seq BIGINT NOT NULL
);
-- An entry on its way to an endpoint. The body is kept as it was first sent.
CREATE TABLE webhook_delivery (
    id TEXT NOT NULL PRIMARY KEY,
    endpoint TEXT NOT NULL REFERENCES webhook_endpoint (id),
    seq BIGINT NOT NULL,
    event TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    give_up_at BIGINT NOT NULL,
    UNIQUE (endpoint, seq)
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint, state, next_at);
-- What came of each try. A status of 0: there was no answer, and the fault says why.
CREATE TABLE webhook_attempt (
    delivery TEXT NOT NULL REFERENCES webhook_delivery (id),
    number BIGINT NOT NULL,
    tried_at BIGINT NOT NULL,
    status BIGINT NOT NULL,
    latency_ms BIGINT NOT NULL,
    answer TEXT NOT NULL,
    fault TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
);
