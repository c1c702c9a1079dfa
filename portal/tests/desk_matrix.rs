//! Which role may do what: every route of the desks against every role.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use support::operator::{on_desk, post};
use support::{Browser, Reply, Site};

const ROLES: [&str; 5] = ["auditor", "branch", "finance", "security", "support"];

const READERS: &[&str] = &["auditor", "finance", "security", "support"];

/// Every route of the desks, and who is let in: a new one gets a line here.
const ROUTES: &[(&str, &str, &[&str])] = &[
    ("GET", "/desk", &ROLES),
    ("GET", "/desk/audit", &["auditor", "security"]),
    ("GET", "/desk/books", &["auditor", "finance"]),
    ("GET", "/desk/cards", READERS),
    ("POST", "/desk/cards", READERS),
    ("GET", "/desk/cards/{card}", READERS),
    ("POST", "/desk/cards/{card}/code", &["support"]),
    ("GET", "/desk/cards/{card}/limits", &["support"]),
    ("POST", "/desk/cards/{card}/limits", &["support"]),
    ("POST", "/desk/cards/{card}/lock", &["security", "support"]),
    ("POST", "/desk/cards/{card}/report", &["security", "support"]),
    ("POST", "/desk/cards/{card}/scripts", &["security", "support"]),
    ("POST", "/desk/cards/{card}/unlock", &["security", "support"]),
    ("GET", "/desk/cash", &["auditor", "branch"]),
    ("POST", "/desk/cash", &["branch"]),
    ("GET", "/desk/cash/1", &["auditor", "branch"]),
    ("GET", "/desk/clearing", &["auditor", "finance"]),
    ("POST", "/desk/holders/nobody/recovery", &["support"]),
    ("GET", "/desk/parked", &["auditor", "finance"]),
    ("POST", "/desk/parked/1/approve", &["finance"]),
    ("POST", "/desk/parked/1/propose", &["finance"]),
    ("POST", "/desk/parked/1/refuse", &["finance"]),
    ("GET", "/desk/settings", &["auditor", "security"]),
    ("GET", "/desk/statements", &["auditor", "finance"]),
    ("GET", "/desk/suspense", &["auditor", "finance"]),
    ("POST", "/desk/suspense/1/propose", &["finance"]),
    ("POST", "/desk/suspense/1/approve", &["finance"]),
    ("POST", "/desk/suspense/1/return", &["finance"]),
    ("GET", "/desk/webhooks", &["auditor", "security", "support"]),
    ("POST", "/desk/webhooks/nothing/resend", &["security", "support"]),
    ("GET", "/desk/traffic", READERS),
    ("GET", "/desk/traffic/now", READERS),
];

/// What every form can be made of.
const FIELDS: &[(&str, &str)] = &[
    ("mok_id", "1"),
    ("query", "ana"),
    ("reason", "lost"),
    ("command", "pin_unblock"),
    ("what", "close"),
];

fn ask(browser: &Browser<'_>, method: &str, path: &str, card: &str) -> Reply {
    let path = path.replace("{card}", card);
    if method == "GET" {
        return browser.get(&path);
    }
    post(browser, &path, FIELDS)
}

#[test]
fn each_route_lets_in_its_roles_and_tells_all_others_which_it_needs() {
    let site = Site::start();
    let card = site.card("ana");
    for role in ROLES {
        let (browser, _) = on_desk(&site, role, &[role]);
        for (method, path, roles) in ROUTES {
            let reply = ask(&browser, method, path, &card);
            if roles.contains(&role) {
                assert!(reply.status != 403 && reply.status != 500, "{role}: {method} {path}");
                continue;
            }
            assert_eq!(reply.status, 403, "{role}: {method} {path}");
            for needed in *roles {
                let word = word_of(needed);
                assert!(reply.body.contains(word), "{role}: {method} {path} names {needed}");
            }
        }
    }
}

#[test]
fn nobody_comes_in_who_is_not_signed_in_at_a_desk() {
    let site = Site::start();
    let (holder, _) = site.registered("ana");
    let card = site.card("ana");
    for browser in [site.browser(), holder] {
        for (method, path, _) in ROUTES {
            let path = path.replace("{card}", &card);
            // A body that nobody reads ends its connection: the next request takes another.
            let reply = match *method {
                "GET" => browser.get(&path),
                _ => browser.post_with(&path, FIELDS, &[("Connection", "close")]),
            };
            assert_eq!(reply.status, 303, "{method} {path}");
            assert!(reply.location.starts_with("/desk/sign-in?next="), "{}", reply.location);
        }
    }
}

fn word_of(role: &str) -> &'static str {
    match role {
        "auditor" => "<li>Revizija</li>",
        "branch" => "<li>Poslovalnica</li>",
        "finance" => "<li>Finance</li>",
        "security" => "<li>Varnost</li>",
        _ => "<li>Pomoč imetnikom</li>",
    }
}
