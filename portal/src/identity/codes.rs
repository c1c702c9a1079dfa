//! One-time codes: what a new card's letter has printed in it, and what an operator hands out.
//!
//! Ten letters and digits of Crockford's alphabet, 50 bits, shown once; kept is a keyed hash. A
//! code is good for thirty days, for one use, and for twenty wrong guesses. With `--sandbox` the
//! built-in cards have a published one, so that somebody can try the website.

use cekr_issuer::CardId;

use super::attempts::Counted;
use super::audit::{Change, Line};
use super::back::{Back, NoCard};
use super::holder::{HolderId, holder_of};
use super::secret;
use super::session::SignedIn;
use super::sessions::{Face, at};
use crate::Portal;
use crate::page::failed::Failed;

/// A code as it is typed: letters that look alike are one, dashes and spaces are nothing.
#[derive(Clone, Eq, PartialEq)]
pub struct Code(String);

impl Code {
    /// Ten letters and digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Code> {
        let plain = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let read = plain.map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        });
        let code: String = read.take(CODE_CHARS + 1).collect();
        let known = code.bytes().all(|octet| ALPHABET.contains(&octet));
        (code.len() == CODE_CHARS && known).then_some(Code(code))
    }

    fn drawn() -> Result<Code, Failed> {
        let octets = secret::draw::<CODE_CHARS>()?;
        let letter = |octet: u8| ALPHABET.get(usize::from(octet % 32)).copied().map(char::from);
        Ok(Code(octets.into_iter().filter_map(letter).collect()))
    }

    /// The code as it is printed, with a dash in its middle. It is shown once.
    #[must_use]
    pub fn expose(&self) -> String {
        let (one, two) = self.0.split_at_checked(CODE_CHARS / 2).unwrap_or((&self.0, ""));
        format!("{one}-{two}")
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(..)")
    }
}

/// Whom a code is for.
#[derive(Clone, Debug)]
pub enum For<'a> {
    /// The holder of this card, whom nobody knows yet.
    Card(&'a str),
    /// A new operator.
    Desk(&'a str),
    /// A holder who lost their passkeys.
    Holder(&'a HolderId),
}

impl For<'_> {
    fn columns(&self) -> (Face, &str, &str) {
        match self {
            Self::Card(card) => (Face::Holder, card, ""),
            Self::Desk(operator) => (Face::Desk, "", operator),
            Self::Holder(holder) => (Face::Holder, "", holder.as_str()),
        }
    }
}

/// Makes a code; one that was made before for the same is good no more.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn make(change: &mut Change, whom: &For<'_>, portal: &Portal) -> Result<Code, Failed> {
    let (face, card, subject) = whom.columns();
    let forget = "DELETE FROM one_time_code WHERE face = $1 AND card = $2 AND subject = $3";
    let forget = sqlx::query(forget).bind(face.name()).bind(card).bind(subject);
    forget.execute(change.on()).await?;
    let (id, code) = (secret::name("c_")?, Code::drawn()?);
    let expires_at = at(portal.durable().now().unix_ms.saturating_add(CODE_MS));
    sqlx::query(
        "INSERT INTO one_time_code (id, face, card, subject, hash, expires_at, used_at, tries_left) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7)",
    )
    .bind(&id)
    .bind(face.name())
    .bind(card)
    .bind(subject)
    .bind(portal.identity().secret().hash(PURPOSE, &[&id, &code.0]))
    .bind(expires_at)
    .bind(TRIES_MAX)
    .execute(change.on())
    .await?;
    Ok(code)
}

/// A code that was right, and has not been used up yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Right {
    /// One of the store's, by its name.
    Kept(String),
    /// The published one.
    Published,
}

impl Right {
    /// Uses it up. As the first statement of a change it writes.
    ///
    /// # Errors
    /// [`Failed::Conflict`] if somebody was faster.
    pub async fn use_up(&self, change: &mut Change, now_ms: u64) -> Result<(), Failed> {
        let Self::Kept(id) = self else {
            return Ok(());
        };
        let use_up = "UPDATE one_time_code SET used_at = $1 WHERE id = $2 AND used_at = 0 AND \
                      expires_at > $1 AND tries_left > 0";
        let used = sqlx::query(use_up).bind(at(now_ms)).bind(id).execute(change.on()).await?;
        if used.rows_affected() == 1 { Ok(()) } else { Err(Failed::Conflict("identity-code-used")) }
    }
}

/// A card whose back and code somebody knew.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// The card's opaque id.
    pub card: String,
    /// Who holds it already, and came back with a code.
    pub holder: Option<HolderId>,
    /// By which code.
    pub code: Right,
}

/// Judges a card's back and a code together. What is wrong is not told, nor by the time that it
/// takes which half of the back was: a back that fits no card goes on with a card that nobody has.
///
/// # Errors
/// [`NoCard`], or that the database does not answer.
pub async fn judge(
    portal: &Portal,
    back: &Back,
    code: &Code,
    who: Option<&SignedIn>,
) -> Result<Result<Enrolment, NoCard>, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let (counted, attempts) = (back.counted(who), portal.identity().attempts());
    if let Err(blocked) = attempts.begin(&counted, now_ms) {
        return Ok(Err(NoCard::of(blocked, now_ms)));
    }
    let control = portal.durable().control();
    let found = control.card_by_back(back.mok_id, back.last_six);
    let card = found.map(|id| token(portal, id)).unwrap_or_default();
    let holder = holder_of(portal, &card).await?;
    let kept = right(portal, &card, holder.as_ref(), Face::Holder, code).await?;
    let published = Code::parse(PUBLISHED).is_some_and(|published| published == *code);
    let is_open = portal.settings().sandbox && found.is_some_and(|id| is_built_in(portal, id));
    let right = kept.or((published && is_open).then_some(Right::Published));
    let (Some(_), Some(code)) = (found, right) else {
        return Ok(Err(NoCard::Wrong));
    };
    attempts.right(&counted);
    Ok(Ok(Enrolment { card, holder, code }))
}

/// Judges a new operator's code, whose name is no secret.
///
/// # Errors
/// [`NoCard`], or that the database does not answer.
pub async fn judge_desk(
    portal: &Portal,
    operator: &str,
    code: &Code,
) -> Result<Result<Right, NoCard>, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let (counted, attempts) = ([Counted::Code(operator)], portal.identity().attempts());
    if let Err(blocked) = attempts.begin(&counted, now_ms) {
        return Ok(Err(NoCard::of(blocked, now_ms)));
    }
    let whom = HolderId::of(operator.to_owned());
    let Some(right) = right(portal, "", Some(&whom), Face::Desk, code).await? else {
        return Ok(Err(NoCard::Wrong));
    };
    attempts.right(&counted);
    Ok(Ok(right))
}

/// The kept code of a card, or of its holder, that `code` is.
async fn right(
    portal: &Portal,
    card: &str,
    subject: Option<&HolderId>,
    face: Face,
    code: &Code,
) -> Result<Option<Right>, Failed> {
    let subject = subject.map(HolderId::as_str).unwrap_or_default();
    let read = "SELECT id, hash FROM one_time_code WHERE face = $1 AND used_at = 0 AND \
                expires_at > $2 AND tries_left > 0 AND \
                ((card <> '' AND card = $3) OR (subject <> '' AND subject = $4))";
    let read = sqlx::query_as(read).bind(face.name()).bind(at(portal.durable().now().unix_ms));
    let read = read.bind(card).bind(subject);
    let kept: Vec<(String, String)> = read.fetch_all(portal.database().pool()).await?;
    let secret = portal.identity().secret();
    let is_it =
        |(id, hash): &&(String, String)| secret::same(&secret.hash(PURPOSE, &[id, &code.0]), hash);
    if let Some((id, _)) = kept.iter().find(is_it) {
        return Ok(Some(Right::Kept(id.clone())));
    }
    // Noted aside: the answer must not take longer where there is a code to be guessed.
    let pool = portal.database().pool().clone();
    tokio::spawn(async move {
        for (id, _) in kept {
            let wrong = "UPDATE one_time_code SET tries_left = tries_left - 1 WHERE id = $1";
            if let Err(error) = sqlx::query(wrong).bind(id).execute(&pool).await {
                tracing::error!(%error, "a wrong code could not be counted");
            }
        }
    });
    Ok(None)
}

/// Gives a card to a holder, which uses the code up.
///
/// # Errors
/// [`Failed::Conflict`] if the card is somebody else's, or the code was used meanwhile.
pub async fn bind_card(
    change: &mut Change,
    enrolment: &Enrolment,
    holder: &HolderId,
    now_ms: u64,
) -> Result<(), Failed> {
    match &enrolment.holder {
        Some(known) if known == holder => return Ok(()),
        Some(_) => return Err(Failed::Conflict("identity-card-held")),
        None => {}
    }
    let bind = "INSERT INTO held_card (card, holder, bound_at) VALUES ($1, $2, $3) \
                ON CONFLICT (card) DO NOTHING";
    let bind = sqlx::query(bind).bind(&enrolment.card).bind(holder.as_str()).bind(at(now_ms));
    if bind.execute(change.on()).await?.rows_affected() == 0 {
        return Err(Failed::Conflict("identity-card-held"));
    }
    let what = "card_bound";
    let (who, about) = (holder.as_str(), enrolment.card.as_str());
    change.note(Line { who, what, about, before: "", after: holder.as_str() }).await
}

/// Makes a code for a card that nobody holds; `who` made it.
///
/// # Errors
/// [`Failed::Conflict`] if it is held: then recovery is what its holder needs.
pub async fn for_card(portal: &Portal, card: CardId, who: &str) -> Result<Code, Failed> {
    let card = token(portal, card);
    if holder_of(portal, &card).await?.is_some() {
        return Err(Failed::Conflict("identity-card-held"));
    }
    let mut change = Change::begin(portal).await?;
    let code = make(&mut change, &For::Card(&card), portal).await?;
    let line = Line { who, what: "code_made", about: &card, before: "", after: "" };
    change.note(line).await?;
    change.commit().await?;
    Ok(code)
}

fn token(portal: &Portal, card: CardId) -> String {
    portal.durable().control().card(card).map(|(card, _)| card.id).unwrap_or_default()
}

fn is_built_in(portal: &Portal, card: CardId) -> bool {
    let card = portal.durable().control().card(card);
    card.is_ok_and(|(card, _)| BUILT_IN.contains(&card.name.as_str()))
}

/// The built-in cards' code with `--sandbox`.
pub const PUBLISHED: &str = "KRANJ-40000";
/// The cards that `cards.toml` publishes.
const BUILT_IN: [&str; 8] = ["ana", "bor", "cilka", "dana", "edo", "fani", "gita", "hugo"];
const PURPOSE: &str = "cekr-code-v1";
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_CHARS: usize = 10;
const CODE_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
const TRIES_MAX: i64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let printed = Code("K1ANJ40000".to_owned());
        for typed in ["K1ANJ-40000", "kianj 4oooo", " K1ANJ-4 0000", "KlanJ-4O0oO"] {
            assert_eq!(Code::parse(typed), Some(printed.clone()), "{typed}");
        }
        for typed in ["", "K1ANJ-4000", "K1ANJ-400000", "K1ANU-40000", "K1ANJ+40000"] {
            assert_eq!(Code::parse(typed), None, "{typed}");
        }
        assert_eq!(printed.expose(), "K1ANJ-40000");
        assert!(Code::parse(PUBLISHED).is_some_and(|code| code.expose() == PUBLISHED));
    }
}
