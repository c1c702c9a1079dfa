//! The desks: what the people who run the programme look at and do, each by their role.
//!
//! Every page asks [`role::Deed`] whether its reader may; every change is noted in the audit with
//! who, when, before and after. Money stays in the journal: what moves it here goes through the
//! switch's control interface like everything else.

mod actions;
mod audit;
mod cash;
mod find;
mod noted;
pub mod role;
mod statements;
mod story;

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use crate::Portal;
use crate::identity::OnDesk;
use crate::page::texts::Say;
use crate::page::{Page, show};
use role::Deed;

/// The pages.
pub fn routes() -> Router<Portal> {
    Router::new()
        .route("/desk", get(home))
        .route("/desk/audit", get(audit::list))
        .route("/desk/cards", get(find::ask).post(find::find))
        .route("/desk/cards/{id}", get(story::show_card))
        .route("/desk/cards/{id}/code", post(actions::code))
        .route("/desk/cards/{id}/limits", get(actions::ask_limits).post(actions::set_limits))
        .route("/desk/cards/{id}/lock", post(actions::lock))
        .route("/desk/cards/{id}/report", post(actions::report))
        .route("/desk/cards/{id}/scripts", post(actions::script))
        .route("/desk/cards/{id}/unlock", post(actions::unlock))
        .route("/desk/cash", get(cash::ask).post(cash::take))
        .route("/desk/cash/{seq}", get(cash::show_receipt))
        .route("/desk/holders/{id}/recovery", post(actions::recover))
        .route(
            "/desk/statements",
            get(statements::ask)
                .post(statements::import)
                .layer(DefaultBodyLimit::max(statements::FORM_OCTETS_MAX)),
        )
}

/// What every desk's page has above its own matter: who is there, and where they may go.
#[derive(Clone, Debug)]
pub struct Nav {
    /// What they are called.
    pub name: String,
    /// What they are there for, in words.
    pub roles: String,
    /// Where they may go.
    pub places: Vec<Place>,
}

/// A desk's page as the list of them has it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its address.
    pub address: &'static str,
    /// The key of its name.
    pub name: &'static str,
    deed: Deed,
}

impl Place {
    /// The key of what it is for.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{}-words", self.name)
    }
}

impl Nav {
    /// For `on_desk`, in the language of `say`.
    #[must_use]
    pub fn of(on_desk: &OnDesk, say: &Say) -> Nav {
        let roles: Vec<String> = on_desk.roles.iter().map(|role| say.text(role.text())).collect();
        Nav {
            name: on_desk.name.clone(),
            roles: roles.join(", "),
            places: PLACES.into_iter().filter(|place| on_desk.has(place.deed)).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "desk/home.html")]
struct Home {
    page: Page,
    nav: Nav,
}

/// `GET /desk`
async fn home(on_desk: OnDesk, page: Page) -> Response {
    let nav = Nav::of(&on_desk, &page.say);
    show(StatusCode::OK, &Home { page, nav })
}

#[derive(Template)]
#[template(path = "desk/forbidden.html")]
struct Forbidden {
    page: Page,
    roles: Vec<&'static str>,
}

/// The page for somebody whose roles do not do this: it says which would.
#[must_use]
pub fn forbidden(page: Page, deed: Deed) -> Response {
    let roles = deed.roles().iter().map(|role| role.text()).collect();
    show(StatusCode::FORBIDDEN, &Forbidden { page, roles })
}

const fn place(address: &'static str, name: &'static str, deed: Deed) -> Place {
    Place { address, name, deed }
}

const PLACES: [Place; 6] = [
    place("/desk/cards", "desk-cards", Deed::SeeCards),
    place("/desk/cash", "desk-cash", Deed::SeeCash),
    place("/desk/statements", "desk-statements", Deed::SeeSuspense),
    place("/desk/suspense", "desk-suspense", Deed::SeeSuspense),
    place("/desk/webhooks", "webhooks-title", Deed::SeeWebhooks),
    place("/desk/audit", "desk-audit", Deed::SeeAudit),
];
