//! What must hold for arbitrary chip data: the body of the fuzz target `chip_check`, which tests
//! run as well.

use crate::CardNumber;
use crate::issuer::{
    Card, Entry, Letter, Outcome, Profile, Request, ScriptResult, Told, Trace, respond, verify,
};
use crate::keys::{ImkAc, Key};

/// Any octets of DE 55 come to a fault or to a letter; a cryptogram is right by intent only, and
/// then it is answered at once as it would be later.
pub fn chip_check(data: &[u8]) {
    let (Some(number), Ok(imk)) =
        (CardNumber::from_number(4_761_730_000_000_011), Key::<ImkAc>::from_octets(&[0x2A; 16]))
    else {
        return;
    };
    let Ok(request) = Request::parse(data) else {
        return;
    };
    let told =
        Told { amount: None, currency: 978, sequence: None, entry: Entry::Contact, date: None };
    let card = Card { number, sequence: request.sequence.unwrap_or(1) };
    let mut trace = Trace::default();
    let verdict = verify(&request, &told, &imk, &card, &Profile::PREPAID, Some(&mut trace));
    assert_eq!(trace.letter, Some(verdict.letter), "a trace ends as its check does");
    let is_right = trace.expected.is_some() && trace.expected == trace.got;
    assert_eq!(verdict.proven.is_some(), is_right, "right is what was expected");
    assert_eq!(
        verdict.letter == Letter::C || verdict.letter == Letter::T,
        is_right,
        "only what is right is judged further"
    );
    if let Some(proven) = &verdict.proven {
        let by = (proven.rules.scheme, proven.rules.version);
        let answer = proven.answer(*b"00", Outcome::Approved);
        let later = respond(&imk, &card, by, proven.occasion, *b"00", Outcome::Approved);
        assert_eq!(later, Some(answer), "an answer is the same again");
    }
    let results = ScriptResult::all(request.script_results.unwrap_or_default()).count();
    assert!(results <= data.len(), "no result comes of nothing");
}
