//! The website beside the switch: its settings out of the file's, and its routes on the same port.

use std::path::Path;

use cekr_bank::upn::{Payee, Payer, PaymentOrder};
use cekr_portal::Portal;
use cekr_portal::outbound::{OutboundSettings, Reach};
use cekr_portal::settings::{
    ClientSecret, Confirmations, DatabasePlace, PostgresUrl, Rekono, Settings,
};
use cekr_switch::config::{Config, Durability};
use cekr_switch::server::Server;

/// Opens the website; [`Portal::extension`] has its routes for the control API's port.
///
/// # Errors
/// Why the start is refused, and what to do.
pub(crate) fn portal(server: &Server, config: &Config, sandbox: bool) -> Result<Portal, String> {
    let public_url = if config.portal.public_url.is_empty() {
        server.http_url().map_err(|error| error.to_string())?
    } else {
        config.portal.public_url.trim_end_matches('/').to_owned()
    };
    let (database, payee) = (database(config)?, payee(config)?);
    let (outbound, rekono) = (outbound(config, sandbox), rekono(config));
    let audit_head = audit_head(config);
    let results_url = config.portal.results_url.clone();
    let settings = Settings {
        audit_head,
        database,
        public_url,
        sandbox,
        rekono,
        payee,
        outbound,
        results_url,
    };
    let opened = server.block_on(Portal::open(server.durable().clone(), settings));
    opened.map_err(|error| error.to_string())
}

/// Whom TLS believes, and where given addresses may lead: with `--sandbox` to this machine too.
/// In the directory of the journal; what is in memory has none.
fn audit_head(config: &Config) -> Option<std::path::PathBuf> {
    match config.data.durability {
        Durability::None => None,
        Durability::Sync => Some(Path::new(&config.data.dir).join("audit-head")),
    }
}

fn outbound(config: &Config, sandbox: bool) -> OutboundSettings {
    let ca_file = &config.portal.ca_file;
    let is_free = sandbox || config.portal.private_targets;
    OutboundSettings {
        ca_file: (!ca_file.is_empty()).then(|| ca_file.into()),
        reach: if is_free { Reach::Anywhere } else { Reach::Public },
    }
}

fn rekono(config: &Config) -> Option<Rekono> {
    let rekono = &config.rekono;
    (!rekono.issuer.is_empty()).then(|| Rekono {
        issuer: rekono.issuer.clone(),
        client_id: rekono.client_id.clone(),
        client_secret: ClientSecret::new(rekono.client_secret.clone()),
        level_claim: rekono.level_claim.clone(),
        level_20: rekono.level_20.clone(),
        level_30: rekono.level_30.clone(),
        confirmations: match rekono.confirmations {
            cekr_switch::config::Confirmations::App => Confirmations::App,
            cekr_switch::config::Confirmations::Ciba => Confirmations::Ciba,
        },
    })
}

/// Who is paid by payment orders: every field must fit its line.
fn payee(config: &Config) -> Result<Payee, String> {
    let portal = &config.portal;
    let payee = Payee {
        name: portal.payee_name.clone(),
        street: portal.payee_street.clone(),
        town: portal.payee_town.clone(),
        purpose: portal.load_purpose.clone(),
    };
    PaymentOrder::load(0, 0, &Payer::default(), &payee).map_err(|fault| {
        format!(
            "payment orders cannot be written: {fault}\nhelp: [portal] payee_name, payee_street and \
             payee_town have at most 33 characters of ISO 8859-2, load_purpose 42"
        )
    })?;
    Ok(payee)
}

fn database(config: &Config) -> Result<DatabasePlace, String> {
    let url = &config.portal.database_url;
    if !url.is_empty() {
        return match url.strip_prefix("sqlite:") {
            Some(":memory:") => Ok(DatabasePlace::Memory),
            Some(path) if !path.is_empty() => Ok(DatabasePlace::File(path.into())),
            _ => PostgresUrl::parse(url).map(DatabasePlace::Postgres).ok_or_else(|| {
                "[portal] database_url is postgres://..., sqlite:FILE or sqlite::memory:\nhelp: \
                 leave it empty for a file in the data directory"
                    .to_owned()
            }),
        };
    }
    Ok(match config.data.durability {
        Durability::None => DatabasePlace::Memory,
        Durability::Sync => DatabasePlace::File(Path::new(&config.data.dir).join("portal.db")),
    })
}
