//! What the database knows of a card: who holds it, and where its money came from.

use jiff::Timestamp;

use crate::Portal;
use crate::card::history::when;
use crate::identity::passkeys::{self, Owner};
use crate::identity::{HolderId, cards_of, sessions};
use crate::page::failed::Failed;
use crate::page::texts::Say;

/// Who holds a card.
pub(super) struct Holder {
    /// Their id: nothing here says who they are.
    pub(super) id: String,
    /// Their cards, masked, with their pages.
    pub(super) cards: Vec<(String, String)>,
    /// Ways to sign in: name, since when, last used.
    pub(super) devices: Vec<Device>,
    /// Sessions that go on.
    pub(super) sessions: Vec<Device>,
    /// Identities of a provider that are theirs.
    pub(super) provider_identities: i64,
}

/// A passkey, or a session by its browser's name for itself.
pub(super) struct Device {
    pub(super) label: String,
    pub(super) since: String,
    pub(super) used: String,
}

/// Money that came to a card, with what proves it.
pub(super) struct Load {
    pub(super) seq: i64,
    pub(super) when: String,
    pub(super) amount: String,
    pub(super) taken_back: Option<String>,
    pub(super) source: String,
    /// Its reference, or the bank's name for the line.
    pub(super) name: String,
    /// Who paid, and from where.
    pub(super) payer: String,
    /// The file that brought it.
    pub(super) file: String,
}

impl Holder {
    pub(super) async fn read(
        portal: &Portal,
        say: &Say,
        holder: &HolderId,
    ) -> Result<Holder, Failed> {
        let control = portal.durable().control();
        let cards = cards_of(portal, holder).await?;
        let cards = cards.into_iter().filter_map(|id| {
            let (card, _) = control.card(id).ok()?;
            Some((card.pan_masked, format!("/desk/cards/{}", card.id)))
        });
        let moment = |ms: i64| moment(ms, say);
        let devices = passkeys::devices(portal, &Owner::holder(holder)).await?;
        let devices = devices.into_iter().map(|device| Device {
            label: device.label,
            since: moment(device.made_at),
            used: if device.used_at == 0 { String::new() } else { moment(device.used_at) },
        });
        let sessions = sessions::list(portal, holder).await?;
        let sessions = sessions.into_iter().map(|session| Device {
            label: session.agent,
            since: moment(session.made_at),
            used: moment(session.seen_at),
        });
        let count = "SELECT COUNT(*) FROM provider_identity WHERE holder = $1";
        let count = sqlx::query_scalar(count).bind(holder.as_str());
        Ok(Holder {
            id: holder.as_str().to_owned(),
            cards: cards.collect(),
            devices: devices.collect(),
            sessions: sessions.collect(),
            provider_identities: count.fetch_one(portal.database().pool()).await?,
        })
    }
}

/// The newest loads of a card, with the bank's line or the order that brought them.
pub(super) async fn loads(portal: &Portal, say: &Say, card: &str) -> Result<Vec<Load>, Failed> {
    type Row = (i64, String, i64, i64, String, String, String, String, String);
    let read = "SELECT load.seq, load.at, load.amount, load.taken_back, load.source, load.name, \
         COALESCE(line.payer, ''), COALESCE(line.payer_account, ''), COALESCE(file.name, '') \
         FROM load_projection load \
         LEFT JOIN statement_line line ON line.statement_key = load.name \
         LEFT JOIN statement_file file ON file.id = line.file \
         WHERE load.card = $1 ORDER BY load.seq DESC LIMIT $2";
    let read = sqlx::query_as(read).bind(card).bind(LOADS_SHOWN);
    let rows: Vec<Row> = read.fetch_all(portal.database().pool()).await?;
    let load = |(seq, at, amount, taken_back, source, name, payer, account, file): Row| Load {
        seq,
        when: when(&at, say.language()),
        amount: say.money(&amount),
        taken_back: (taken_back != 0).then(|| say.money(&taken_back)),
        source: say.text(&format!("loads-source-{}", source.replace('_', "-"))),
        name,
        payer: [payer, account]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
        file,
    };
    Ok(rows.into_iter().map(load).collect())
}

/// A moment of the database as people say it.
pub(in crate::desk) fn moment(ms: i64, say: &Say) -> String {
    let at = Timestamp::from_millisecond(ms).map(|at| at.to_string()).unwrap_or_default();
    when(&at, say.language())
}

const LOADS_SHOWN: i64 = 20;
