//! Changes with somebody's name on them.
//!
//! The line is written first: nothing happens that nobody did. What is refused then gets a second
//! line that says so; a line without its effect is found by the journal, an effect without its line
//! by nobody.

use cekr_issuer::Seq;
use cekr_switch::control::ControlError;

use crate::Portal;
use crate::identity::OnDesk;
use crate::identity::audit::{Change, Line};
use crate::page::failed::Failed;

/// What is done, to what, and what it is to become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted<'a> {
    /// In a word of `snake_case`.
    pub(crate) what: &'a str,
    /// A card's id, a holder's, or a number of the journal.
    pub(crate) about: &'a str,
    pub(crate) before: &'a str,
    pub(crate) after: &'a str,
}

/// Does something to a card, durably, with the operator's name on it.
///
/// # Errors
/// [`Failed`]; then nothing was changed.
pub(crate) async fn done<T>(
    portal: &Portal,
    on_desk: &OnDesk,
    noted: Noted<'_>,
    act: impl FnOnce() -> Result<(T, Seq), ControlError>,
) -> Result<T, Failed> {
    note(portal, &on_desk.operator, noted).await?;
    match portal.durable().told(act()).await {
        Ok(told) => Ok(told),
        Err(refused) => {
            let after = refused.to_string();
            let refusal = Noted { what: "refused", before: noted.what, after: &after, ..noted };
            note(portal, &on_desk.operator, refusal).await?;
            Err(refused.into())
        }
    }
}

/// Writes one line.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(crate) async fn note(portal: &Portal, who: &str, noted: Noted<'_>) -> Result<(), Failed> {
    let mut change = begin(portal, who).await?;
    write(&mut change, who, noted).await?;
    change.commit().await
}

/// Begins a change of the database by `who`.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(crate) async fn begin(portal: &Portal, who: &str) -> Result<Change, Failed> {
    let mut change = Change::begin(portal).await?;
    // A change begins with a write: a reader that becomes a writer may be refused.
    let touch = "UPDATE operator SET name = name WHERE id = $1";
    sqlx::query(touch).bind(who).execute(change.on()).await?;
    Ok(change)
}

/// Writes a line of `change`.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(crate) async fn write(change: &mut Change, who: &str, noted: Noted<'_>) -> Result<(), Failed> {
    let Noted { what, about, before, after } = noted;
    change.note(Line { who, what, about, before, after }).await
}
