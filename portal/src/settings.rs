//! What the website is told at its start.

use std::path::PathBuf;

/// Settings of the website; the root package makes them of the file's `[portal]` section.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where people, sessions and evidence are kept.
    pub database: DatabasePlace,
    /// The address in the browser's bar, without a path: `http://localhost:8080`. Passkeys are
    /// bound to its host, so that it must be a name; `http` is for this machine only.
    pub public_url: String,
    /// Whether calls that simulate what others do are served.
    pub sandbox: bool,
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
