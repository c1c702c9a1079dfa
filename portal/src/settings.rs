//! What the website is told at its start.

use std::path::PathBuf;

/// Settings of the website; the root package makes them of the file's `[portal]` section.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where people, sessions and evidence are kept.
    pub database: DatabasePlace,
    /// The file that knows the newest line of the audit; without one it is known in memory.
    pub audit_head: Option<PathBuf>,
    /// The address in the browser's bar, without a path: `http://localhost:8080`. Passkeys are
    /// bound to its host, so that it must be a name; `http` is for this machine only.
    pub public_url: String,
    /// Whether calls that simulate what others do are served.
    pub sandbox: bool,
    /// Who is paid by payment orders, and what they say they are for.
    pub payee: cekr_bank::upn::Payee,
    /// Calls to others.
    pub outbound: crate::outbound::OutboundSettings,
    /// Where results of online purchases go; empty: to a shop on this machine that a message names.
    pub results_url: String,
    /// An OpenID Connect provider beside passkeys, if there is one.
    pub rekono: Option<Rekono>,
}

/// An OpenID Connect provider, as Rekono is one.
#[derive(Clone, Debug, Default)]
pub struct Rekono {
    /// Its address; what it says of itself is found from there.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our secret there; empty for a public client.
    pub client_secret: ClientSecret,
    /// The claim that tells the level of assurance.
    pub level_claim: String,
    /// What stands there for level 20.
    pub level_20: String,
    /// What stands there for level 30.
    pub level_30: String,
    /// Where holders confirm online purchases.
    pub confirmations: Confirmations,
}

/// Where holders confirm online purchases.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Confirmations {
    /// On the app's own page, with a passkey.
    #[default]
    App,
    /// At the provider, over CIBA.
    Ciba,
}

/// Our secret at a provider.
#[derive(Clone, Default)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// Takes it.
    #[must_use]
    pub const fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

/// Where a database is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DatabasePlace {
    /// A file of SQLite.
    File(PathBuf),
    /// In memory, gone at the end, as the switch's own data then are.
    Memory,
    /// PostgreSQL, by its URL. It may hold a password: it is not shown.
    Postgres(PostgresUrl),
}

/// The URL of a PostgreSQL database.
#[derive(Clone, Eq, PartialEq)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// A URL that begins as one of PostgreSQL's.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let known = url.starts_with("postgres://") || url.starts_with("postgresql://");
        known.then(|| Self(url.to_owned()))
    }

    /// The URL with its password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresUrl(..)")
    }
}
