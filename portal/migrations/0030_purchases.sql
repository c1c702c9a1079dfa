-- Purchases in web shops that an access control server was asked about: evidence, and how far each
-- conversation has come. Whether a purchase was confirmed is the journal's to say, by the same id.
CREATE TABLE purchases (
    -- The acsTransID, a UUID in its text form.
    id TEXT NOT NULL PRIMARY KEY,
    -- The card's opaque id.
    card TEXT NOT NULL,
    -- Safe to show: short, one line, no character that changes its direction.
    payee TEXT NOT NULL,
    -- Minor units of the currency.
    amount BIGINT NOT NULL,
    -- ISO 4217 numeric.
    currency BIGINT NOT NULL,
    -- Of the shop, ISO 3166-1 alpha-2.
    country TEXT NOT NULL,
    mcc BIGINT NOT NULL,
    -- The acquirerMerchantID.
    merchant TEXT NOT NULL,
    -- 01 app, 02 browser.
    device_channel TEXT NOT NULL,
    -- sl or en.
    language TEXT NOT NULL,
    message_version TEXT NOT NULL,
    server_trans_id TEXT NOT NULL,
    ds_trans_id TEXT NOT NULL,
    ds_reference TEXT NOT NULL,
    -- What the shop says of itself; never opened by us.
    shop_url TEXT NOT NULL,
    -- Where the browser takes the end to; empty until there is a browser.
    notification_url TEXT NOT NULL,
    -- Where the result is sent to; empty where nothing may be sent.
    results_url TEXT NOT NULL,
    -- The shop's own mark, given back as it came.
    session_data TEXT NOT NULL,
    state TEXT NOT NULL,
    -- How it ended; empty until it has.
    outcome TEXT NOT NULL,
    -- How the result was taken.
    results TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- When the browser came; 0 until then.
    challenged_at BIGINT NOT NULL,
    -- When the holder had answered, or the time was over; 0 until then.
    concluded_at BIGINT NOT NULL,
    -- When something is to be done next; the largest number where nothing is.
    due_at BIGINT NOT NULL
);
CREATE INDEX purchases_card ON purchases (card, created_at);
CREATE INDEX purchases_due ON purchases (due_at);
