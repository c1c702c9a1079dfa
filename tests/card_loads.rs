//! Loads by card over a switch that is killed again and again: each payment is on the card once.
#![cfg(feature = "portal")]

mod crash_support;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use crash_support::{PATIENCE, Random, Scratch, Setup, Switch};
use serde_json::Value;

const CARDS: &str = r#"
[[card]]
name = "ana"
pan = "4761730000000011"
expiry = "2030-12"
mok_id = "123456782"
balance = "0.00"
limits = "off"
"#;

/// A card whose bank asks for a code, at the provider for trying things out.
const PAYS: &str = "4012888888881881";
const CODE: &str = "2468";

/// A browser without scripts or cookies: status, where it leads to, and the page. `None` where the
/// switch went away.
struct Browser {
    agent: ureq::Agent,
    address: String,
    origin: String,
}

impl Browser {
    fn of(switch: &Switch) -> Browser {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let origin = switch.http.replace("127.0.0.1", "localhost");
        Browser { agent, address: switch.http.clone(), origin }
    }

    fn get(&self, path: &str) -> Option<(u16, String, String)> {
        let request = self.agent.get(format!("{}{path}", self.address));
        told(request.header("Accept-Language", "en").call())
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Option<(u16, String, String)> {
        let request = self.agent.post(format!("{}{path}", self.address));
        let request = request.header("Origin", &self.origin).header("Accept-Language", "en");
        told(request.send_form(fields.iter().copied()))
    }

    /// Orders a load of so many euros; where its payment goes on.
    fn order(&self, form: &str, euros: &str) -> Option<String> {
        let fields = [
            ("form", form),
            ("amount", euros),
            ("mok_id", "123456782"),
            ("last_six", "000011"),
            ("payer_name", "Ana"),
            ("payer_address", "Kranj"),
            ("payer_email", "ana@example.si"),
        ];
        let (status, place, page) = self.post("/load", &fields)?;
        assert_eq!(status, 303, "{page}");
        Some(place)
    }

    /// Goes on with a payment from wherever it stands, up to its end; `None` where that was not
    /// reached.
    fn pay(&self, mut place: String) -> Option<()> {
        for _ in 0..STEPS_MAX {
            let fields: &[(&str, &str)] = match () {
                () if place.ends_with("/bank") => &[("bank_code", CODE)],
                () if place.starts_with("/sandbox/") => &[("card_number", PAYS)],
                () => {
                    let (_, _, page) = self.get(&place)?;
                    if page.contains("The money is on the card") {
                        return Some(());
                    }
                    // It is still to be paid: the order's page says where.
                    let Some((_, rest)) = page.split_once("class=\"button\" href=\"") else {
                        continue;
                    };
                    place = rest.split('"').next()?.to_owned();
                    continue;
                }
            };
            let (status, next, page) = self.post(&place, fields)?;
            assert_eq!(status, 303, "{page}");
            place = next;
        }
        None
    }
}

fn told(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Option<(u16, String, String)> {
    let mut answer = answer.ok()?;
    let place = answer.headers().get("location").and_then(|place| place.to_str().ok());
    let place = place.unwrap_or_default().to_owned();
    let page = answer.body_mut().read_to_string().ok()?;
    Some((answer.status().as_u16(), place, page))
}

fn balance(switch: &Switch) -> i64 {
    let (_, page) = switch.call("GET", "/v1/cards?name=ana", &Value::Null).unwrap();
    page["data"][0]["balance"].as_i64().unwrap()
}

#[test]
fn killed_at_any_step_of_many_payments_each_is_on_the_card_once() {
    let scratch = Scratch::new("card-loads-kill");
    // The evidence on disk, as it is outside of tests.
    let setup = Setup::new(&scratch.0, 0).with("CEKR_PORTAL_DATABASE_URL", "").flag("--sandbox");
    fs::write(&setup.cards, CARDS).unwrap();
    let mut random = Random::new(Random::seed());
    let form = |number: usize| format!("{number:032x}");
    let euros = |number: usize| (number + 1).to_string();
    for _ in 0..KILLS {
        let switch = setup.start();
        let browser = Browser::of(&switch);
        let stop_at = usize::try_from(random.below(4)).unwrap();
        let (ended, next) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    // Until the switch goes away, whatever was asked of it then. The same forms
                    // each time: what was ordered before is gone on with.
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= LOADS {
                            return;
                        }
                        let place = browser.order(&form(number), &euros(number));
                        if place.and_then(|place| browser.pay(place)).is_none() {
                            return;
                        }
                        ended.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            // As soon as so many have ended, in the middle of the others.
            while ended.load(Ordering::Relaxed) < stop_at && next.load(Ordering::Relaxed) < LOADS {
                std::thread::yield_now();
            }
            for _ in 0..random.below(200_000) {
                std::hint::spin_loop();
            }
            switch.kill();
        });
    }
    let switch = setup.start();
    let browser = Browser::of(&switch);
    for _ in 0..2 {
        for number in 0..LOADS {
            let place = browser.order(&form(number), &euros(number)).unwrap();
            assert_eq!(browser.pay(place), Some(()), "load {number}");
        }
    }
    let sum: usize = (1..=LOADS).sum();
    assert_eq!(balance(&switch), i64::try_from(sum * 100).unwrap());
    switch.stop();
    let loaded: Vec<Value> = setup.dump().into_iter().filter(is_by_card).collect();
    let names: BTreeSet<&str> =
        loaded.iter().filter_map(|load| load["reference"].as_str()).collect();
    assert_eq!((loaded.len(), names.len()), (LOADS, LOADS), "one entry each: {loaded:#?}");
}

fn is_by_card(entry: &Value) -> bool {
    entry["kind"] == "loaded" && entry["source"] == "card"
}

const LOADS: usize = 8;
const KILLS: usize = 5;
/// More than a payment has.
const STEPS_MAX: usize = 200;
