//! Operators who are signed in at a desk.

use serde_json::json;

use super::authenticator::Authenticator;
use super::{Browser, Reply, Site};

/// An operator of these roles who is signed in, and their device.
pub fn on_desk<'s>(site: &'s Site, name: &str, roles: &[&str]) -> (Browser<'s>, Authenticator) {
    let body = json!({"name": name, "roles": roles});
    let (status, made) = site.operator("POST", "/v1/operators", &body);
    assert_eq!(status, 200, "{made}");
    let (browser, mut device) = (site.browser(), Authenticator::new(&site.url));
    let code = made["code"].as_str().unwrap();
    let judged = browser.post("/desk/register", &[("name", name), ("code", code)]);
    let ceremony = judged.field("ceremony");
    let begun = browser.post("/desk/register/begin", &[("ceremony", &ceremony)]).json();
    let credential = device.create(&begun["publicKey"]).to_string();
    let ceremony = begun["ceremony"].as_str().unwrap();
    let fields = [("ceremony", ceremony), ("credential", &*credential)];
    assert_eq!(browser.post("/desk/register/finish", &fields).status, 303);
    (browser, device)
}

/// Proves anew who they are, as the sign-in that a stale proof leads to does.
pub fn prove(browser: &Browser<'_>, device: &mut Authenticator) -> Reply {
    let csrf = desk_csrf(browser);
    let begun = browser.post_with("/desk/sign-in/begin", &[], &[("X-CSRF-Token", &csrf)]).json();
    let credential = device.get(&begun["publicKey"]).to_string();
    let ceremony = begun["ceremony"].as_str().unwrap();
    let fields = [("csrf", &*csrf), ("ceremony", ceremony), ("credential", &*credential)];
    browser.post("/desk/sign-in/finish", &fields)
}

/// The desk's token of whoever is signed in.
pub fn desk_csrf(browser: &Browser<'_>) -> String {
    browser.get("/desk").field("csrf")
}

/// Sends a file as the form of a page does.
pub fn send_file(browser: &Browser<'_>, path: &str, name: &str, octets: &str) -> Reply {
    let csrf = desk_csrf(browser);
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: text/xml\r\n\r\n{octets}\r\n--b--\r\n"
    );
    browser.post_body(path, "multipart/form-data; boundary=b", body)
}

/// Posts a form with the desk's token.
pub fn post(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)]) -> Reply {
    let csrf = desk_csrf(browser);
    let mut all = vec![("csrf", csrf.as_str())];
    all.extend_from_slice(fields);
    browser.post(path, &all)
}
