//! A web shop that asks for a holder's confirmation, and its buyer's browser.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{CARDS, Site};

/// A purchase that a shop asked about.
#[derive(Clone, Debug)]
pub struct Bought {
    /// The acsTransID; empty where nobody is asked.
    pub id: String,
    /// The answer to the question.
    pub ares: Value,
}

/// Asks about a purchase with a card's number, as a shop does.
pub fn ask(site: &Site, card: &str, cents: u64, payee: &str) -> Bought {
    let (_, pan, _) = CARDS.into_iter().find(|(name, ..)| *name == card).unwrap();
    let areq = json!({
        "messageVersion": "2.2.0", "messageType": "AReq",
        "threeDSServerTransID": SERVER_ID, "dsTransID": "f25084f0-5b16-4c0a-ae5d-b24808a95e4b",
        "dsReferenceNumber": "DS_SIM_001", "dsURL": "https://127.0.0.1/ds/rreq",
        "threeDSServerRefNumber": "SRV_SIM_001",
        "threeDSServerURL": "https://127.0.0.1/3dss/rreq",
        "threeDSRequestorID": "REQ1", "threeDSRequestorName": "Shop",
        "threeDSRequestorURL": "https://shop.invalid/cart",
        "threeDSRequestorAuthenticationInd": "01", "threeDSRequestorChallengeInd": "04",
        "threeDSCompInd": "N", "notificationURL": "https://shop.invalid/3ds",
        "deviceChannel": "02", "messageCategory": "01", "acquirerBIN": "412345",
        "acquirerMerchantID": "MERCH000000001", "acctNumber": pan, "cardExpiryDate": "3012",
        "merchantName": payee, "merchantCountryCode": "705", "mcc": "5732",
        "purchaseAmount": cents.to_string(), "purchaseCurrency": "978", "purchaseExponent": "2",
        "purchaseDate": "20261122101500", "transType": "01", "browserIP": "198.51.100.42",
        "browserAcceptHeader": "text/html", "browserLanguage": "sl-SI",
        "browserUserAgent": "Mozilla/5.0", "browserScreenWidth": "1920",
        "browserScreenHeight": "1080", "browserColorDepth": "24", "browserTZ": "-60",
        "browserJavaEnabled": false, "browserJavascriptEnabled": true,
    });
    let (status, ares) = site.operator("POST", "/3ds/areq", &areq);
    assert_eq!(status, 200, "{ares}");
    let id = if ares["transStatus"] == "C" { ares["acsTransID"].as_str().unwrap() } else { "" };
    Bought { id: id.to_owned(), ares }
}

/// Sends the buyer's browser: from now on the holder is asked.
pub fn send_browser(site: &Site, bought: &Bought) {
    assert_eq!(bought.ares["transStatus"], "C", "{}", bought.ares);
    let creq = json!({"threeDSServerTransID": SERVER_ID, "acsTransID": bought.id,
        "messageVersion": "2.2.0", "messageType": "CReq", "challengeWindowSize": "05"});
    let creq = URL_SAFE_NO_PAD.encode(creq.to_string());
    let came = site.browser().post("/3ds/creq", &[("creq", &*creq)]);
    assert_eq!(came.status, 303, "{}", came.body);
}

/// A purchase that waits for its holder.
pub fn waiting(site: &Site, card: &str, cents: u64, payee: &str) -> String {
    let bought = ask(site, card, cents, payee);
    send_browser(site, &bought);
    bought.id
}

/// Waits until the buyer's page has an end to show, and gives what it says.
pub fn end(site: &Site, id: &str) -> String {
    let browser = site.browser();
    loop {
        let answer = browser.get(&format!("/3ds/challenge/{id}/end"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        if answer.json()["ended"] == true {
            let page = browser.get(&format!("/3ds/challenge/{id}"));
            let cres = page.field("cres");
            let cres = URL_SAFE_NO_PAD.decode(cres).unwrap();
            let cres: Value = serde_json::from_slice(&cres).unwrap();
            return cres["transStatus"].as_str().unwrap().to_owned();
        }
    }
}

const SERVER_ID: &str = "8a880dc0-d2d2-4067-bcb1-b08d1690b26e";
