//! The database: opened, brought to this version, and asked with one set of statements.
//!
//! SQLite and PostgreSQL run the same migrations and the same statements. So columns are `TEXT` or
//! `BIGINT` and nothing else, places are `$1`, `$2`, moments are milliseconds since 1970, and names
//! of rows are texts that we make. An amount in it is evidence or a projection: money lives in the
//! journal.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, ConnectOptions as _};

use crate::settings::DatabasePlace;

/// The open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: AnyPool,
}

/// Why the database cannot be used. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be opened.
    #[error("the website's database ({place}) cannot be opened: {cause}\nhelp: {help}")]
    Open {
        /// Which one, without its password.
        place: String,
        /// What the driver says.
        cause: sqlx::Error,
        /// What changes it.
        help: &'static str,
    },
    /// It cannot be brought to this version.
    #[error(
        "the website's database ({place}) cannot be brought to this version: {cause}\nhelp: a newer \
         cekr may have written it; start that one, or give this one another `[portal] database_url`"
    )]
    Migrate {
        /// Which one, without its password.
        place: String,
        /// What the driver says.
        cause: sqlx::migrate::MigrateError,
    },
}

impl Database {
    /// Opens it and brings it to this version.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub async fn open(place: &DatabasePlace) -> Result<Database, DatabaseError> {
        sqlx::any::install_default_drivers();
        let (name, url, connections, help) = match place {
            DatabasePlace::File(path) => {
                let name = path.display().to_string();
                (name.clone(), format!("sqlite://{name}?mode=rwc"), SQLITE_CONNECTIONS, HELP_FILE)
            }
            // One connection: each has a memory of its own.
            DatabasePlace::Memory => ("memory".into(), "sqlite::memory:".into(), 1, HELP_FILE),
            DatabasePlace::Postgres(url) => {
                ("PostgreSQL".into(), url.expose().into(), POSTGRES_CONNECTIONS, HELP_POSTGRES)
            }
        };
        let failed = |cause| DatabaseError::Open { place: name.clone(), cause, help };
        let options = AnyConnectOptions::from_str(&url)
            .map_err(failed)?
            .log_slow_statements(tracing::log::LevelFilter::Off, Duration::MAX);
        let is_sqlite = !matches!(place, DatabasePlace::Postgres(_));
        let mut pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_MAX)
            .idle_timeout(None)
            .max_lifetime(None);
        if is_sqlite {
            pool = pool.after_connect(|connection, _| {
                Box::pin(async move {
                    for statement in SQLITE_STATEMENTS {
                        sqlx::query(*statement).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            });
        }
        let pool = pool.connect_with(options).await.map_err(failed)?;
        MIGRATIONS
            .run(&pool)
            .await
            .map_err(|cause| DatabaseError::Migrate { place: name.clone(), cause })?;
        Ok(Database { pool })
    }

    /// Where statements are run.
    #[must_use]
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }
}

/// One set for both.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Each connection of SQLite: readers beside one writer, who waits for another writer.
const SQLITE_STATEMENTS: &[&str] = &[
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA foreign_keys = ON",
];
const SQLITE_CONNECTIONS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a page may wait for a connection before it says that there is none.
const ACQUIRE_MAX: Duration = Duration::from_secs(5);
const HELP_FILE: &str = "the data directory must be writable, and nobody else may hold the file";
const HELP_POSTGRES: &str = "`[portal] database_url` (CEKR_PORTAL_DATABASE_URL) names it; empty uses a file in the data directory";

/// A database of its own for a test: in memory, or, where `CEKR_TEST_DATABASE_URL` names a
/// PostgreSQL server, a new one there. That server goes when the tests have ended.
#[cfg(test)]
pub(crate) async fn test_place() -> DatabasePlace {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Ok(server) = std::env::var("CEKR_TEST_DATABASE_URL") else {
        return DatabasePlace::Memory;
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("cekr_test_{}_{count}", std::process::id());
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::any::install_default_drivers();
    let made = async {
        let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&server).await?;
        sqlx::query(create).execute(&mut connection).await
    };
    assert!(made.await.is_ok(), "no database can be made at CEKR_TEST_DATABASE_URL");
    // What stands behind the server's address is the name of the database.
    let (place, parameters) = server.split_once('?').unwrap_or((&server, ""));
    let place = place.rsplit_once('/').map_or(place, |(place, _)| place);
    let url = format!("{place}/{name}?{parameters}");
    crate::settings::PostgresUrl::parse(&url).map_or(DatabasePlace::Memory, DatabasePlace::Postgres)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[tokio::test]
    async fn opens_twice_and_keeps_what_was_written() {
        let folder = std::env::temp_dir().join(format!("cekr-portal-db-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let place = DatabasePlace::File(folder.join("portal.db"));
        let first = Database::open(&place).await.unwrap();
        let write = "INSERT INTO projection (name, seq) VALUES ($1, $2)";
        sqlx::query(write).bind("loads").bind(7_i64).execute(first.pool()).await.unwrap();
        first.pool().close().await;
        let again = Database::open(&place).await.unwrap();
        let read = "SELECT seq FROM projection WHERE name = $1";
        let seq: i64 =
            sqlx::query_scalar(read).bind("loads").fetch_one(again.pool()).await.unwrap();
        assert_eq!(seq, 7);
        again.pool().close().await;
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
