//! The desks: what the people who run the programme look at and do, each by their role.
//!
//! Every page asks [`role::Deed`] whether its reader may; every change is noted in the audit with
//! who, when, before and after. Money stays in the journal: what moves it here goes through the
//! switch's control interface like everything else.

mod actions;
mod audit;
mod books;
mod cash;
mod clearing;
mod find;
pub(crate) mod noted;
pub mod role;
mod starts;
mod statements;
mod story;
mod traffic;

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use cekr_switch::sync::Arc;

use crate::Portal;
use crate::identity::OnDesk;
use crate::page::texts::Say;
use crate::page::{Page, show};
pub(crate) use clearing::follow::Progress;
use role::Deed;
pub(crate) use traffic::Samples;

/// The pages.
pub fn routes() -> Router<Portal> {
    Router::new()
        .route("/desk", get(home))
        .route("/desk/audit", get(audit::list))
        .route("/desk/books", get(books::look))
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
        .route("/desk/clearing", get(clearing::report))
        .route("/desk/holders/{id}/recovery", post(actions::recover))
        .route("/desk/parked", get(clearing::parked::list))
        .route("/desk/parked/{seq}/approve", post(clearing::parked::approve))
        .route("/desk/parked/{seq}/propose", post(clearing::parked::propose))
        .route("/desk/parked/{seq}/refuse", post(clearing::parked::refuse))
        .route("/desk/settings", get(starts::look))
        .route(
            "/desk/statements",
            get(statements::ask)
                .post(statements::import)
                .layer(DefaultBodyLimit::max(statements::FORM_OCTETS_MAX)),
        )
        .route("/desk/traffic", get(traffic::look))
        .route("/desk/traffic/now", get(traffic::look_again))
}

/// What the desks keep while the website runs.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    clearing: Arc<Progress>,
    samples: Samples,
}

impl Kept {
    pub(crate) fn clearing(&self) -> &Progress {
        &self.clearing
    }

    pub(crate) const fn samples(&self) -> &Samples {
        &self.samples
    }
}

/// Begins what runs beside the pages: the start is written down, clearing is followed, and traffic
/// is sampled.
pub(crate) async fn open(portal: &Portal) {
    if let Err(error) = starts::write_down(portal).await {
        tracing::error!(%error, "this start could not be written down");
    }
    tokio::spawn(clearing::follow::follow(portal.clone()));
    tokio::spawn(traffic::sample(portal.clone()));
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

const PLACES: [Place; 11] = [
    place("/desk/cards", "desk-cards", Deed::SeeCards),
    place("/desk/cash", "desk-cash", Deed::SeeCash),
    place("/desk/statements", "desk-statements", Deed::SeeSuspense),
    place("/desk/suspense", "desk-suspense", Deed::SeeSuspense),
    place("/desk/webhooks", "webhooks-title", Deed::SeeWebhooks),
    place("/desk/clearing", "desk-clearing", Deed::SeeClearing),
    place("/desk/parked", "desk-parked", Deed::SeeClearing),
    place("/desk/books", "desk-books", Deed::SeeBooks),
    place("/desk/traffic", "desk-traffic", Deed::SeeTraffic),
    place("/desk/audit", "desk-audit", Deed::SeeAudit),
    place("/desk/settings", "desk-settings", Deed::SeeSettings),
];
