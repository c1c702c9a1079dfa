//! Loads as a signed-in holder makes them: own cards, six digits alone, what is kept and forgotten.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use support::{Browser, Reply, Site, back};

/// A form filled in rightly, with some fields otherwise.
fn order(browser: &Browser<'_>, changes: &[(&str, &str)]) -> Reply {
    let page = browser.get("/load");
    assert_eq!(page.status, 200, "{}", page.body);
    let (csrf, form) = (page.field("csrf"), page.field("form"));
    let mut fields = vec![
        ("csrf", &*csrf),
        ("form", &*form),
        ("amount", "25"),
        ("payer_name", "Ana Novak"),
        ("payer_address", "Koroška cesta 1, 4000 Kranj"),
        ("payer_email", "ana@example.si"),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    browser.post("/load", &fields)
}

/// Pays an order by a test card and looks at how it stands.
fn pay(browser: &Browser<'_>, ordered: &Reply, fields: &[(&str, &str)]) -> Reply {
    assert_eq!(ordered.status, 303, "{}", ordered.body);
    let csrf = browser.csrf();
    let mut all = vec![("csrf", &*csrf)];
    all.extend_from_slice(fields);
    let given = browser.post(&ordered.location, &all);
    assert_eq!(given.status, 303, "{}", given.body);
    browser.get(&given.location)
}

fn balance(site: &Site, name: &str) -> i64 {
    let control = site.portal.durable().control();
    control.card(control.find(name).unwrap()).unwrap().0.balance
}

#[test]
fn a_holder_loads_an_own_card_by_choosing_it_or_by_six_digits_alone() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let id = site.card("ana");
    assert!(browser.get("/load").body.contains(&format!("value=\"{id}\" checked")));
    let ordered = order(&browser, &[("card", &id)]);
    pay(&browser, &ordered, &[("card_number", "4111111111111111")]);
    assert_eq!(balance(&site, "ana"), 125_00);
    let (_, last_six) = back("ana");
    let ordered = order(&browser, &[("card", ""), ("last_six", &last_six)]);
    pay(&browser, &ordered, &[("card_number", "4111111111111111")]);
    assert_eq!(balance(&site, "ana"), 150_00);
    // Six digits of a card that is not theirs say nothing, nor does its id.
    let (_, foreign) = back("bor");
    let refused = order(&browser, &[("card", ""), ("last_six", &foreign)]);
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("id=\"mok_id-error\""), "{}", refused.body);
    assert_eq!(order(&browser, &[("card", &site.card("bor"))]).status, 404);
    assert_eq!(order(&browser, &[("card", "nothing")]).status, 404);
}

#[test]
fn means_of_payment_are_kept_by_consent_only_shown_used_and_deleted() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let id = site.card("ana");
    let ordered = order(&browser, &[("card", &id)]);
    pay(&browser, &ordered, &[("card_number", "4111111111111111")]);
    assert!(!browser.get("/load").body.contains("411111******1111"), "nobody asked to keep it");
    let ordered = order(&browser, &[("card", &id), ("keep", "1")]);
    pay(&browser, &ordered, &[("card_number", "4111111111111111")]);
    let page = browser.get("/load");
    assert!(page.body.contains("411111******1111"), "{}", page.body);
    assert!(!page.body.contains("4111111111111111"), "{}", page.body);
    let means = page.field("means");
    let kept = [("card", &*id), ("means", &*means), ("payer_name", ""), ("payer_address", "")];
    let ordered = order(&browser, &[&kept[..], &[("payer_email", "")]].concat());
    assert!(browser.get(&ordered.location).body.contains("411111******1111"));
    pay(&browser, &ordered, &[("kept", "1")]);
    assert_eq!(balance(&site, "ana"), 175_00);
    // Nobody else sees it, uses it or deletes it.
    let (other, _) = site.registered("bor");
    assert!(!other.get("/load").body.contains("411111"));
    let theirs = site.card("bor");
    let ordered = order(&other, &[("card", &theirs), ("means", &means)]);
    assert!(!other.get(&ordered.location).body.contains("411111******1111"));
    let forget = format!("/load/means/{means}/forget");
    other.post(&forget, &[("csrf", &other.csrf())]);
    assert!(browser.get("/load").body.contains("411111******1111"));
    assert_eq!(browser.post(&forget, &[("csrf", "wrong")]).status, 403);
    assert_eq!(browser.post(&forget, &[("csrf", &browser.csrf())]).status, 303);
    assert!(!browser.get("/load").body.contains("411111******1111"));
}

#[test]
fn a_payment_order_for_the_own_card_asks_for_an_amount_only_and_foreign_ones_are_not_there() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let path = format!("/cards/{}/load/upn", site.card("ana"));
    assert_eq!(browser.get(&path).status, 200);
    let order = browser.get(&format!("{path}?amount=50"));
    let (mok_id, _) = back("ana");
    assert!(order.body.contains(&format!("SI05 8074720-{mok_id}-200")), "{}", order.body);
    assert_eq!(
        browser.get(&format!("{path}?amount=50&view=svg")).headers["content-type"],
        "image/svg+xml"
    );
    assert_eq!(browser.get(&format!("{path}?amount=50&view=print")).status, 200);
    let wrong = browser.get(&format!("{path}?amount=five"));
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("id=\"amount-error\"") && wrong.body.contains("value=\"five\""));
    for id in [site.card("bor").as_str(), "nothing"] {
        assert_eq!(browser.get(&format!("/cards/{id}/load/upn?amount=50")).status, 404, "{id}");
    }
}
