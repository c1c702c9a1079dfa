//! `cekr shop`: an order in a web shop, confirmed by the holder, or a refund.
//!
//! The shop first asks the card's issuer by 3-D Secure. What the issuer refuses to ask about, the
//! switch has the last word on; what a holder refuses is no order at all.

use cekr_iso8583::response::Language;
use cekr_terminal_sim::amount;
use cekr_terminal_sim::client::{Note, ShopTerminal};
use cekr_terminal_sim::form::{Authentication, Entry};
use cekr_terminal_sim::outcome::{Ending, Outcome};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::{
    Channel, CommonArgs, ExitCode, Fault, Line, OriginalArgs, Tender, cvv2, name_of, place,
    say_what_to_type, settled, usual_place,
};
use crate::shop::{Asked, Buyer, By, PATIENCE, Purchase, authenticate};

/// A web shop
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cekr shop buy --card ana --amount 39                     waits for the holder to confirm
  cekr shop buy --card ana --amount 39 --cancel            the buyer gives up on the issuer's page
  cekr shop buy --card ana --amount 39 --without-3ds --expect 1A
  cekr shop buy --card ana --amount 39 --replay            the same value a second time: 1A
  cekr shop buy --card ana --amount 39 --country AT --cvv2 123 --json
  cekr shop refund --card ana --amount 39 --rrn 632610000042

A purchase that the issuer refuses to ask about is still sent to the switch, without proof, to see
its answer; one that the holder refuses is not.")]
pub struct ShopArgs {
    /// What to do
    #[arg(value_enum)]
    form: Option<ShopFormName>,
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    original: OriginalArgs,
    /// The three digits from the back of the card
    #[arg(long, value_name = "DIGITS", value_parser = cvv2)]
    cvv2: Option<[u8; 3]>,
    /// The issuer's access control server; without it the one of `cekr serve`, if it answers
    #[arg(long, visible_alias = "http", value_name = "URL", env = "CEKR_API")]
    api: Option<String>,
    /// Ask for the money without asking the issuer before
    #[arg(long)]
    without_3ds: bool,
    /// The buyer presses "cancel" on the issuer's page
    #[arg(long, conflicts_with = "stay_away")]
    cancel: bool,
    /// The buyer's browser never gets to the issuer's page
    #[arg(long)]
    stay_away: bool,
    /// Ask for the money a second time with the same authentication value; that answer counts
    #[arg(long)]
    replay: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShopFormName {
    /// Order
    Buy,
    /// Pay back
    Refund,
}

/// Runs `cekr shop`.
pub fn run_shop(args: ShopArgs) -> ExitCode {
    let Some(form) = args.form else { return say_what_to_type("shop", "buy") };
    let place = place(&args.common, usual_place("shop", args.common.country));
    let channel = Channel { command: "shop", step: name_of(form), entry: Entry::Ecommerce };
    super::run(&args.common, channel, place, async |line, tender| {
        let sum = args.common.amount.ok_or_else(|| Fault::missing("--amount 39"))?;
        match form {
            ShopFormName::Buy => buy(&args, line, tender, sum).await,
            ShopFormName::Refund => {
                let of = args.original.read(&line.place);
                let mut shop = ShopTerminal::new(line.open().await?, line.place);
                let outcome = shop.refund(&tender.card, sum, of).await;
                Ok((outcome, settled(&mut shop.host).await, Map::new()))
            }
        }
    })
}

async fn buy(
    args: &ShopArgs,
    line: Line,
    tender: Tender,
    sum: u64,
) -> Result<(Outcome, Vec<Note>, Map<String, Value>), Fault> {
    let asked = ask(args, &line, &tender, sum).await?;
    let mut more = Map::new();
    more.insert("three_ds".to_owned(), told_three_ds(asked.as_ref()));
    let given = match &asked {
        Some(Asked::Authenticated { given, .. }) => Some(*given),
        Some(Asked::GivenUp(refused)) => {
            let mut outcome = Outcome::unanswered(Ending::Cancelled, sum, None);
            outcome.remark = format!("not confirmed: {} {}", refused.status, refused.reason);
            return Ok((outcome, Vec::new(), more));
        }
        Some(Asked::Declined(refused)) => {
            let Refusal { status, reason, info } = refusal(refused);
            let hint = if refused.reason == NOT_ENROLLED { HINT_ENROL } else { "" };
            eprintln!("cekr shop: the issuer asks nobody ({status} {reason}){info}{hint}");
            None
        }
        Some(Asked::NoServer(why)) if args.api.is_some() => {
            return Err(Fault::Connect(format!("no access control server: {why}")));
        }
        Some(Asked::NoServer(why)) => {
            eprintln!("cekr shop: no access control server ({why}); ordering without confirmation");
            None
        }
        None => None,
    };
    let mut shop = ShopTerminal::new(line.open().await?, line.place);
    let mut outcome = order(&mut shop, args, &tender, sum, given).await;
    if args.replay {
        eprintln!("cekr shop: the first time: {}", outcome.response_code_text());
        outcome = order(&mut shop, args, &tender, sum, given).await;
    }
    Ok((outcome, settled(&mut shop.host).await, more))
}

/// `transStatusReason`: nobody can be asked for this card.
const NOT_ENROLLED: &str = "13";
const HINT_ENROL: &str = "\nhelp: no card of ours, or it has no device that confirms: register it \
     with a passkey on the website, at /register";

async fn order(
    shop: &mut ShopTerminal,
    args: &ShopArgs,
    tender: &Tender,
    sum: u64,
    given: Option<Authentication>,
) -> Outcome {
    match given {
        Some(given) => shop.buy_authenticated(&tender.card, sum, args.cvv2, given).await,
        None => shop.buy(&tender.card, sum, args.cvv2).await,
    }
}

async fn ask(
    args: &ShopArgs,
    line: &Line,
    tender: &Tender,
    sum: u64,
) -> Result<Option<Asked>, Fault> {
    if args.without_3ds {
        return Ok(None);
    }
    let purchase = Purchase {
        api: args.api.as_deref().unwrap_or(API),
        card: &tender.card,
        place: &line.place,
        amount: sum,
        buyer: match (args.cancel, args.stay_away) {
            (true, _) => Buyer::Cancels,
            (_, true) => Buyer::StaysAway,
            (false, false) => Buyer::Waits,
        },
        patience: PATIENCE,
        language: match args.common.language() {
            Language::En => "en",
            Language::Sl => "sl",
        },
    };
    let payee = line.place.name.clone();
    let tell = |words: &str| eprintln!("cekr shop: {} EUR to {payee}: {words}", amount::text(sum));
    authenticate(&purchase, tell).await.map(Some).map_err(Fault::Connect)
}

struct Refusal<'a> {
    status: &'a str,
    reason: &'a str,
    info: String,
}

fn refusal(refused: &cekr_terminal_sim::three_ds::Refused) -> Refusal<'_> {
    let info = if refused.info.is_empty() { String::new() } else { format!(": {}", refused.info) };
    Refusal { status: &refused.status, reason: &refused.reason, info }
}

/// How the issuer was asked, as programs read it.
pub(crate) fn told_three_ds(asked: Option<&Asked>) -> Value {
    match asked {
        None | Some(Asked::NoServer(_)) => Value::Null,
        Some(Asked::Authenticated { given, by }) => json!({
            "trans_status": "Y",
            "by": match by { By::Holder => "holder", By::Nobody => "exemption" },
            "eci": String::from_utf8_lossy(&given.eci),
        }),
        Some(Asked::GivenUp(refused) | Asked::Declined(refused)) => json!({
            "trans_status": refused.status,
            "trans_status_reason": refused.reason,
            "challenge_cancel": refused.cancel,
            "cardholder_info": refused.info,
        }),
    }
}

/// Where `cekr serve` has it.
const API: &str = "http://localhost:8080";
