//! A simulated web shop asks the card's issuer before it asks for the money.

use std::time::Duration;

use cekr_switch::http::ApiError;
use cekr_terminal_sim::form::{Authentication, Tender};
use cekr_terminal_sim::outcome::{Ending, Outcome};
use cekr_terminal_sim::place::Place;
use tokio::sync::Semaphore;

use crate::shop::{Asked, Buyer, Purchase, authenticate};

/// The access control server beside the switch.
pub(super) struct Issuer {
    url: String,
    /// Orders that wait for their holder hold up no other simulation.
    waiting: Semaphore,
}

impl Issuer {
    /// The one at this address.
    pub(super) fn new(url: String) -> Issuer {
        Issuer { url, waiting: Semaphore::new(WAITING_MAX) }
    }

    /// Asks, and waits at most so many seconds for the holder; then the buyer cancels.
    pub(super) async fn ask(
        &self,
        tender: &Tender,
        place: &Place,
        amount: u64,
        wait_s: Option<u64>,
    ) -> Result<Asked, ApiError> {
        let wait_s = wait_s.unwrap_or(WAIT_S);
        if wait_s > WAIT_S_MAX {
            let message = format!("wait_s is at most {WAIT_S_MAX}: the holder has no longer");
            return Err(ApiError::invalid("invalid_wait", message).of("wait_s"));
        }
        let _seat = self.waiting.acquire().await;
        let (buyer, patience) = (Buyer::Waits, Duration::from_secs(wait_s));
        let (api, card, language) = (&*self.url, &tender.card, "sl");
        let purchase = Purchase { api, card, place, amount, buyer, patience, language };
        let asked = authenticate(&purchase, |_| {}).await;
        asked.map_err(|why| {
            ApiError::conflict("three_ds_failed", format!("3-D Secure came to no end: {why}"))
        })
    }
}

/// What the issuer gave for the order.
pub(super) fn given(asked: Option<&Asked>) -> Option<Authentication> {
    match asked {
        Some(Asked::Authenticated { given, .. }) => Some(*given),
        Some(Asked::Declined(_) | Asked::GivenUp(_) | Asked::NoServer(_)) | None => None,
    }
}

/// What becomes of an order that its holder did not confirm: the switch never hears of it.
pub(super) fn not_ordered(asked: Option<&Asked>, amount: u64) -> Option<Outcome> {
    let Some(Asked::GivenUp(refused)) = asked else { return None };
    let mut outcome = Outcome::unanswered(Ending::Cancelled, amount, None);
    outcome.remark = format!("not confirmed: {} {}", refused.status, refused.reason);
    Some(outcome)
}

/// How long a holder is waited for.
const WAIT_S: u64 = 60;
/// What the question itself allows.
const WAIT_S_MAX: u64 = 300;
/// Orders that wait side by side; more wait before they ask.
const WAITING_MAX: usize = 32;

#[cfg(all(test, feature = "portal"))]
mod tests {
    use cekr_switch::config::{Address, Config, Durability};
    use cekr_switch::server::Running;
    use serde_json::{Value, json};

    use crate::holder::{Answer, Back, Holder};
    use crate::serve::{self, Start};

    fn sandbox() -> Running {
        let mut config = Config::default();
        config.data.durability = Durability::None;
        config.switch.threads = 1;
        config.http.operator_token = "a-token-for-tests".to_owned();
        let free = Address::parse("127.0.0.1:0").unwrap();
        config.listener.first_mut().addr = free.clone();
        config.http.addr = free;
        serve::start(Start { sandbox: true, ..Start::guest(config) }).unwrap()
    }

    fn holder(running: &Running) -> Holder {
        let control = running.control();
        let (card, _) = control.card(control.find("ana").unwrap()).unwrap();
        let back = Back { card: card.id, mok_id: card.mok_id, last_six: "000011".to_owned() };
        Holder::register(&running.http_url(), running.expose_token(), &back).unwrap()
    }

    fn simulated(url: &str, token: &str, body: &Value) -> Value {
        let request = ureq::post(format!("{url}/v1/simulate/online_purchase"));
        let request = request.header("Authorization", format!("Bearer {token}"));
        let request = request.config().http_status_as_error(false).build();
        let mut answer = request.send_json(body).unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    #[test]
    fn a_simulated_order_waits_for_its_holder_or_is_given_up() {
        let running = sandbox();
        let (url, token) = (running.http_url(), running.expose_token());
        let order = json!({"card": "ana", "amount": 39_00, "merchant": "Knjige"});
        let unasked = simulated(&url, token, &order);
        assert_eq!(unasked["three_ds"]["trans_status"], "U", "nobody holds the card yet");
        assert_eq!(unasked["response_code"], "1A");

        let mut ana = holder(&running);
        for (answer, trans_status, code) in
            [(Answer::Confirm, "Y", json!("00")), (Answer::Refuse, "N", Value::Null)]
        {
            let ordered = std::thread::scope(|scope| {
                let ordered = scope.spawn(|| simulated(&url, token, &order));
                ana.answer("Knjige", answer).unwrap();
                ordered.join().unwrap()
            });
            assert_eq!(ordered["three_ds"]["trans_status"], trans_status, "{ordered}");
            assert_eq!(ordered["response_code"], code, "{ordered}");
        }
        let unsayable = json!({"card": "ana", "amount": 39_00, "merchant": "\u{7}", "wait_s": 0});
        assert_eq!(simulated(&url, token, &unsayable)["error"]["code"], "three_ds_failed");
        let hurried = json!({"card": "ana", "amount": 39_00, "wait_s": 0});
        let hurried = simulated(&url, token, &hurried);
        assert_eq!(hurried["three_ds"]["challenge_cancel"], "01", "the buyer gave up: {hurried}");
        running.shutdown().unwrap();
    }
}
