//! The pages of a payment order: for the holder's own card, and for whoever knows a card's back.
//!
//! An order is never kept. A page, a picture or the form to print is made of what was typed, each
//! time anew.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::form::{Asked, Input, Need, Sent, Typed};
use super::super::pages::{cents, named};
use crate::Portal;
use crate::identity::{Posted, SignedIn, held_card};
use crate::page::failed::Failed;
use crate::page::{Page, show};
use cekr_bank::upn::order::{NAME_CHARS_MAX, spaced};
use cekr_bank::upn::{Code, Field, Payer, PaymentOrder, picture};

#[derive(Template)]
#[template(path = "loads/upn.html")]
struct OrderPage {
    page: Page,
    /// `get` for the holder's card, `post` where the card's back is asked for.
    method: &'static str,
    action: String,
    inputs: Vec<Input>,
    is_wrong: bool,
    drawn: Option<Drawn>,
}

#[derive(Template)]
#[template(path = "loads/upn_print.html")]
struct PrintPage {
    page: Page,
    drawn: Drawn,
}

/// An order as a page shows it.
struct Drawn {
    path: String,
    boxes: Vec<Boxed>,
    amount: i64,
    account: String,
    reference: String,
    purpose: String,
    payee: String,
    /// What was typed, for the buttons that ask for other forms of the same.
    typed: Vec<(&'static str, String)>,
}

/// A box of the form; lengths in tenths of a millimetre.
struct Boxed {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    label: String,
    lines: Vec<(u32, String)>,
}

/// `GET /cards/{id}/load/upn`: for the holder's own card.
pub(in crate::loads) async fn own(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(id): Path<String>,
    Query(typed): Query<Typed>,
) -> Result<Response, Failed> {
    let card = held_card(&portal, &who, &id).await?;
    let view = portal.durable().told(portal.durable().control().card(card)).await?;
    let action = format!("/cards/{id}/load/upn");
    let is_first = typed.is_empty();
    let mut sent = Sent::new(typed);
    let order = if is_first { None } else { order_of(&portal, &view.mok_id, &mut sent) };
    Ok(answer(page, Asking { method: "get", action, asked: OWN }, &sent, order))
}

/// `GET /load/upn`
pub(in crate::loads) async fn form(page: Page) -> Response {
    answer(page, Asking::of_anybody(), &Sent::default(), None)
}

/// `POST /load/upn`: for whoever knows what stands on the card's back.
pub(in crate::loads) async fn order(
    State(portal): State<Portal>,
    page: Page,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    let mut sent = Sent::new(typed);
    // The pair is judged last: whoever guesses at it has to fill in all the rest each time.
    let _ = order_of(&portal, "100000000", &mut sent);
    let card = match sent.is_right() {
        true => named(&portal, page.signed_in.as_ref(), &mut sent).await?,
        false => None,
    };
    let Some(card) = card else { return Ok(answer(page, Asking::of_anybody(), &sent, None)) };
    let view = portal.durable().told(portal.durable().control().card(card)).await?;
    let order = order_of(&portal, &view.mok_id, &mut sent);
    Ok(answer(page, Asking::of_anybody(), &sent, order))
}

/// What a page asks, and how.
struct Asking {
    method: &'static str,
    action: String,
    asked: &'static [Asked],
}

impl Asking {
    fn of_anybody() -> Self {
        Self { method: "post", action: "/load/upn".to_owned(), asked: ANYBODY }
    }
}

/// The order that a form makes; `None` where something is wrong, which the form then says.
fn order_of(portal: &Portal, mok_id: &str, sent: &mut Sent) -> Option<PaymentOrder> {
    let amount = sent.amount("amount", 1, AMOUNT_MAX);
    let payer = Payer {
        name: sent.line("upn_name", NAME_CHARS_MAX, Need::Free),
        street: sent.line("upn_street", NAME_CHARS_MAX, Need::Free),
        town: sent.line("upn_town", NAME_CHARS_MAX, Need::Free),
    };
    if !sent.is_right() {
        return None;
    }
    match PaymentOrder::load(mok_id.parse().ok()?, amount, &payer, &portal.settings().payee) {
        Ok(order) => Some(order),
        Err(fault) => {
            let fields = [
                (Field::Amount, "amount"),
                (Field::PayerStreet, "upn_street"),
                (Field::PayerTown, "upn_town"),
            ];
            let known = fields.into_iter().find(|(field, _)| *field == fault.field);
            let name = known.map_or("upn_name", |(_, name)| name);
            sent.fault(name, "loads-fault-latin2");
            None
        }
    }
}

fn answer(page: Page, asking: Asking, sent: &Sent, order: Option<PaymentOrder>) -> Response {
    let code = order.as_ref().and_then(|order| Some((order, Code::of(order)?)));
    let drawn = match (sent.text("view"), code) {
        ("svg", Some((order, code))) => {
            let title = format!("UPN QR {} VZOREC", order.field(Field::PayeeReference));
            return file(picture::svg(&code, &title).into(), "image/svg+xml", "upn-qr-vzorec.svg");
        }
        ("png", Some((_, code))) => {
            return file(picture::png(&code, PNG_PIXELS), "image/png", "upn-qr-vzorec.png");
        }
        ("print", Some((order, code))) => {
            let drawn = drawn(&page, order, &code, sent);
            return show(StatusCode::OK, &PrintPage { drawn, page });
        }
        (_, Some((order, code))) => Some(drawn(&page, order, &code, sent)),
        (_, None) => None,
    };
    let is_wrong = !sent.is_right();
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let Asking { method, action, asked } = asking;
    let inputs = sent.inputs(asked, &page.say);
    show(status, &OrderPage { page, method, action, inputs, is_wrong, drawn })
}

fn file(octets: Vec<u8>, kind: &'static str, name: &str) -> Response {
    let mut response = ([(header::CONTENT_TYPE, kind)], octets).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

fn drawn(page: &Page, order: &PaymentOrder, code: &Code, sent: &Sent) -> Drawn {
    let names = ["amount", "upn_name", "upn_street", "upn_town", "mok_id", "last_six", "card"];
    let typed = names.map(|name| (name, sent.text(name).to_owned()));
    let cents = cents(order.field(Field::Amount).parse().unwrap_or_default());
    let payee = [Field::PayeeName, Field::PayeeStreet, Field::PayeeTown];
    Drawn {
        path: picture::path(code),
        boxes: boxes(page, order),
        amount: cents,
        account: spaced(order.field(Field::PayeeAccount)),
        reference: reference_spaced(order.field(Field::PayeeReference)),
        purpose: order.field(Field::Purpose).to_owned(),
        payee: payee.map(|field| order.field(field)).join(", "),
        typed: typed.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
    }
}

/// `SI05 8074720-123456782-200`
fn reference_spaced(reference: &str) -> String {
    match reference.split_at_checked(4) {
        Some((model, rest)) if !rest.is_empty() => format!("{model} {rest}"),
        _ => reference.to_owned(),
    }
}

/// The boxes of the form, 210 by 99 mm: the payer's part at the left, the order at the right.
fn boxes(page: &Page, order: &PaymentOrder) -> Vec<Boxed> {
    let field = |field| order.field(field).to_owned();
    let place = |x, y, width, height| (x, y, width, height);
    let cents = cents(order.field(Field::Amount).parse().unwrap_or_default());
    let amount = format!("EUR {}", amount_in_form(cents));
    let account = spaced(order.field(Field::PayeeAccount));
    let reference = reference_spaced(order.field(Field::PayeeReference));
    let (purpose_first, purpose_rest) = halves(order.field(Field::Purpose), STUB_CHARS);
    let payer = [Field::PayerName, Field::PayerStreet, Field::PayerTown].map(field);
    let payee = [Field::PayeeName, Field::PayeeStreet, Field::PayeeTown].map(field);
    let [payer_name, payer_street, payer_town] = payer.clone();
    let payer_lines = vec![payer_name, joined(&payer_street, &payer_town)];
    let [payee_name, payee_street, payee_town] = payee.clone();
    let payee_lines = vec![payee_name, joined(&payee_street, &payee_town)];
    let all = [
        (place(30, 60, 540, 130), "payer-name", payer.to_vec()),
        (
            place(30, 245, 540, 130),
            "purpose-due",
            vec![purpose_first, purpose_rest, field(Field::DueDay)],
        ),
        (place(30, 430, 540, 60), "amount", vec![amount.clone()]),
        (
            place(30, 545, 540, 95),
            "payee-account-reference",
            vec![account.clone(), reference.clone()],
        ),
        (place(30, 695, 540, 130), "payee-name", payee.to_vec()),
        (place(1040, 60, 620, 60), "payer-account", vec![spaced(order.field(Field::PayerAccount))]),
        (place(1700, 60, 70, 60), "deposit", vec![field(Field::Deposit)]),
        (place(1810, 60, 70, 60), "withdrawal", vec![field(Field::Withdrawal)]),
        (place(1040, 165, 620, 60), "payer-reference", vec![field(Field::PayerReference)]),
        (place(1040, 270, 1030, 95), "payer", payer_lines),
        (place(1040, 415, 420, 60), "amount", vec![amount]),
        (place(1500, 415, 270, 60), "payment-day", vec![field(Field::PaymentDay)]),
        (place(1810, 415, 70, 60), "urgent", vec![field(Field::Urgent)]),
        (place(640, 525, 160, 60), "purpose-code", vec![field(Field::PurposeCode)]),
        (place(840, 525, 920, 60), "purpose", vec![field(Field::Purpose)]),
        (place(1800, 525, 270, 60), "due-day", vec![field(Field::DueDay)]),
        (place(640, 635, 800, 60), "payee-account", vec![account]),
        (place(640, 740, 800, 60), "payee-reference", vec![reference]),
        (place(640, 850, 960, 95), "payee", payee_lines),
        (place(1640, 850, 430, 95), "signature", Vec::new()),
    ];
    all.into_iter()
        .map(|((x, y, width, height), label, texts)| Boxed {
            x,
            y,
            width,
            height,
            label: page.say.text(&format!("loads-upn-{label}")),
            lines: (y + 42..)
                .step_by(LINE)
                .zip(texts.into_iter().filter(|t| !t.is_empty()))
                .collect(),
        })
        .collect()
}

/// `***50,00`, as forms are filled in whatever the reader's language.
fn amount_in_form(cents: i64) -> String {
    let shown = crate::page::money::show(cents, crate::page::texts::Language::Slovene);
    format!("***{}", shown.trim_end_matches('€').trim_end())
}

fn joined(street: &str, town: &str) -> String {
    [street, town].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// A text in two lines, cut at a space where there is one.
fn halves(text: &str, most: usize) -> (String, String) {
    if text.chars().count() <= most {
        return (text.to_owned(), String::new());
    }
    let first: String = text.chars().take(most).collect();
    let cut = first.rfind(' ').filter(|at| *at > 0).unwrap_or(first.len());
    let (first, rest) = text.split_at_checked(cut).unwrap_or((text, ""));
    (first.to_owned(), rest.trim_start().to_owned())
}

const PAYER: [Asked; 4] = [
    Asked {
        name: "amount",
        kind: "text",
        keys: "decimal",
        autocomplete: "transaction-amount",
        chars_max: 16,
    },
    line("upn_name", "name"),
    line("upn_street", "street-address"),
    line("upn_town", "address-level2"),
];
const fn line(name: &'static str, autocomplete: &'static str) -> Asked {
    Asked { name, kind: "text", keys: "text", autocomplete, chars_max: NAME_CHARS_MAX }
}
const fn number(name: &'static str, chars_max: usize) -> Asked {
    Asked { name, kind: "text", keys: "numeric", autocomplete: "off", chars_max }
}
const OWN: &[Asked] = &PAYER;
const ANYBODY: &[Asked] = {
    let [amount, name, street, town] = PAYER;
    &[number("mok_id", 11), number("last_six", 8), amount, name, street, town]
};
/// Eleven digits of cents.
const AMOUNT_MAX: u64 = 99_999_999_999;
/// Characters on a line of the payer's part.
const STUB_CHARS: usize = 33;
/// Between two lines of a box, in tenths of a millimetre.
const LINE: usize = 40;
/// A code of 680 pixels, whose modules a screen and a printer keep sharp.
const PNG_PIXELS: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_cut_at_a_word_and_nothing_of_it_is_lost() {
        assert_eq!(halves("Polnjenje kartice CeKR", 33).1, "");
        let (first, rest) = halves("Polnjenje kartice za vse člane družine 12", 33);
        assert_eq!(
            (first.as_str(), rest.as_str()),
            ("Polnjenje kartice za vse člane", "družine 12")
        );
        let (first, rest) = halves(&"Č".repeat(42), 33);
        assert_eq!((first.chars().count(), rest.chars().count()), (33, 9));
    }

    #[test]
    fn an_amount_stands_in_the_form_as_forms_have_it() {
        assert_eq!(amount_in_form(1_234_50), "***1.234,50");
        assert_eq!(
            reference_spaced(&cekr_bank::upn::order::reference(123_456_782)),
            "SI05 8074720-123456782-200"
        );
    }
}
