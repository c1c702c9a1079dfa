//! Smart Kranj: points on the page and in the holder's API, and what makes the website installable.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

mod support;

use serde_json::{Value, json};
use support::{Browser, Site};

/// Lines of the network's file about ana; the sample enrols her shop and kinds of business.
fn clear(site: &Site, file: &str, lines: &[(i64, &str, &str)]) {
    let lines: Vec<Value> = (1..)
        .zip(lines)
        .map(|(number, (cents, merchant, mcc))| {
            json!({
                "line": number, "card": site.card("ana"), "amount": cents, "currency": "EUR",
                "merchant": merchant, "mcc": mcc,
            })
        })
        .collect();
    let body = json!({ "file": file, "lines": lines });
    let (status, told) = site.operator("POST", "/v1/clearing", &body);
    assert_eq!(status, 200, "{told}");
}

fn in_english(browser: &Browser<'_>, path: &str) -> String {
    let reply = browser.get_with(path, &[("Accept-Language", "en")]);
    assert_eq!(reply.status, 200, "{path}");
    reply.body
}

#[test]
fn points_come_with_clearing_and_stand_on_the_page_and_in_the_holders_api() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let card = site.card("ana");
    assert_eq!(browser.get("/kranj").location, format!("/kranj/{card}"), "the only one");
    let page = in_english(&browser, &format!("/kranj/{card}"));
    assert!(page.contains("0 points"), "{page}");
    assert!(page.contains("500 more points within twelve months make it silver."), "{page}");
    clear(
        &site,
        "a.csv",
        &[
            (24_90, "CEKRSHOP0000001", "5411"),
            (10_00, "KNJIGE000000001", "5942"),
            (30_00, "NEKDO0000000001", "5999"),
            (20_00, "CEKRBANK0000001", "6011"),
        ],
    );
    clear(&site, "a.csv", &[(24_90, "CEKRSHOP0000001", "5411")]);
    let page = in_english(&browser, &format!("/kranj/{card}"));
    assert!(page.contains("44 points"), "{page}");
    assert!(page.contains("44 points are good until 30 Nov 2028."), "{page}");
    assert!(page.contains("Purchase: Trgovina v Kranju"), "{page}");
    let slovene = browser.get_with(&format!("/kranj/{card}"), &[("Accept-Language", "sl")]).body;
    assert!(slovene.contains("44 točk velja do 30. 11. 2028."), "{slovene}");

    let points = browser.get(&format!("/v1/holder/cards/{card}/points")).json();
    assert_eq!((&points["points"], &points["tier"]), (&json!(44), &json!("basic")));
    assert_eq!(points["expiring"], json!({ "points": 44, "on": "2028-11-30" }));
    let (_, operators) = site.operator("GET", &format!("/v1/cards/{card}/points"), &Value::Null);
    assert_eq!(operators, points);
    let path = format!("/v1/holder/cards/{card}/points/history");
    let history = browser.get(&format!("{path}?limit=1")).json();
    assert_eq!(history["data"][0]["points"], 20);
    let next = history["next"].as_u64().unwrap();
    let older = browser.get(&format!("{path}?starting_after={next}")).json();
    assert_eq!((&older["data"][0]["points"], &older["has_more"]), (&json!(24), &json!(false)));
    assert_eq!(browser.get(&format!("{path}?limit=0")).status, 400);
    assert_eq!(browser.get(&format!("{path}?starting_after=999999")).status, 404);

    let (_, books) = site.operator("GET", "/v1/books", &Value::Null);
    let accounts = json!({ "points_cost": -44, "points_liability": 44 });
    assert_eq!(books["points"], json!({ "accounts": accounts, "sum": 0 }));
    let whole = in_english(&browser, &format!("/kranj/{card}/points"));
    assert!(whole.contains("+24") && whole.contains("+20"), "{whole}");
}

#[test]
fn points_of_another_holders_card_are_not_told() {
    let site = Site::start();
    let (bor, _) = site.registered("bor");
    let card = site.card("ana");
    for path in ["points", "points/history"] {
        assert_eq!(bor.get(&format!("/v1/holder/cards/{card}/{path}")).status, 404);
        let stranger = site.browser().get(&format!("/v1/holder/cards/{card}/{path}"));
        assert_eq!(stranger.status, 401);
    }
    assert!(site.browser().get("/kranj").location.starts_with("/sign-in?next="));
}

#[test]
fn a_switch_of_the_page_leads_back_to_it() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let card = site.card("ana");
    let csrf = browser.csrf();
    let fields = [("csrf", &*csrf), ("channel", "abroad"), ("ticked", "false"), ("back", "kranj")];
    let off = browser.post(&format!("/cards/{card}/channels"), &fields);
    assert_eq!((off.status, off.location), (303, format!("/kranj/{card}")));
    let fields = [("csrf", &*csrf), ("back", "kranj")];
    let locked = browser.post(&format!("/cards/{card}/lock"), &fields);
    assert_eq!((locked.status, locked.location), (303, format!("/kranj/{card}")));
    assert!(in_english(&browser, &format!("/kranj/{card}")).contains("id=\"card-locked\""));
    let elsewhere = [("csrf", &*csrf), ("back", "//evil.example")];
    assert_eq!(browser.post(&format!("/cards/{card}/lock"), &elsewhere).status, 422);
}

#[test]
fn merchants_are_found_by_a_part_of_their_name_and_shown_as_they_are_typed() {
    let site = Site::start();
    let browser = site.browser();
    let all = in_english(&browser, "/kranj/merchants");
    assert!(all.contains("Trgovina v Kranju") && all.contains("1 point for each euro"), "{all}");
    assert!(
        all.contains("3 points for each €2.00") && all.contains("at most 200 points a purchase")
    );
    let found = in_english(&browser, "/kranj/merchants?q=KNJIG");
    assert!(found.contains("Knjigarne") && !found.contains("Trgovina v Kranju"), "{found}");
    assert!(found.contains("all merchants of this kind"));
    let none = in_english(&browser, "/kranj/merchants?q=%3Cscript%3Ealert(1)%3C/script%3E");
    assert!(none.contains("No merchant of the programme is called that."));
    assert!(!none.contains("<script>alert"), "{none}");
    let (_, table) = site.operator("GET", "/v1/advantage/merchants", &Value::Null);
    assert_eq!(table["data"].as_array().unwrap().len(), 6);
    assert_eq!(table["data"][1]["purchase_max"], 200);
}

#[test]
fn the_website_is_installable_and_keeps_nothing_that_is_anybodys_own() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let manifest = browser.get("/manifest.webmanifest").json();
    assert_eq!(
        (&manifest["start_url"], &manifest["display"]),
        (&json!("/kranj"), &json!("standalone"))
    );
    for icon in manifest["icons"].as_array().unwrap() {
        let picture = browser.get(icon["src"].as_str().unwrap());
        assert_eq!(picture.status, 200, "{icon}");
    }
    let page = browser.get(&format!("/kranj/{}", site.card("ana"))).body;
    assert!(page.contains("rel=\"manifest\"") && page.contains("data-worker"));
    let worker = site.browser().get("/worker.js").body;
    let kept = worker.split_once("KEPT = ").unwrap().1.split_once(';').unwrap().0;
    let kept: Vec<String> = serde_json::from_str(kept).unwrap();
    assert_eq!((kept.len(), &*kept[0]), (3, "/offline"));
    for address in &kept {
        assert_eq!(site.browser().get(address).status, 200, "{address}");
        let (own, strangers) = (browser.get(address).body, site.browser().get(address).body);
        assert_eq!(own, strangers, "{address} is the same for everybody");
    }
    assert!(!kept.iter().any(|address| address.contains("/cards") || address.contains("/kranj")));
    assert_eq!(worker, browser.get("/worker.js").body);
}
