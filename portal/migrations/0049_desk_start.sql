-- What the process was started with, each time: settings as `cekr config --json` tells them, secrets
-- masked. The newest are kept.
CREATE TABLE desk_start (
    number BIGINT NOT NULL PRIMARY KEY,
    started_at BIGINT NOT NULL,
    version TEXT NOT NULL,
    -- SHA-256 of the settings, in hexadecimal.
    hash TEXT NOT NULL,
    settings TEXT NOT NULL
);
