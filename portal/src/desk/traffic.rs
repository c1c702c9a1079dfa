//! Live traffic: rate, codes, latencies, connections and the journal's lag, drawn on the server.
//!
//! A sample is taken every few seconds while the process runs, and the last ten minutes are kept in
//! memory. The page asks for its own middle anew; without JavaScript a link does.

mod picture;
mod samples;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use cekr_switch::control::process::ListenerView;

use super::Nav;
use super::role::Deed;
use crate::Portal;
use crate::identity::{OnDesk, WatchingDesk};
use crate::page::failed::Failed;
use crate::page::texts::Say;
use crate::page::{Page, language_of, show};

pub(crate) use samples::{Samples, sample};

#[derive(Template)]
#[template(path = "desk/traffic.html")]
struct Traffic {
    page: Page,
    nav: Nav,
    now: Now,
    say: Say,
}

#[derive(Template)]
#[template(path = "desk/traffic_now.html")]
struct OnlyNow {
    now: Now,
    say: Say,
}

/// What the middle of the page shows.
struct Now {
    /// Answers a second over the last minute, with one decimal.
    rate: String,
    answers: u64,
    p50: String,
    p99: String,
    p999: String,
    commit_p99: String,
    codes: Vec<(String, u64)>,
    repeats: u64,
    unanswered: u64,
    faults: u64,
    connections: u64,
    connections_refused: u64,
    in_flight: u64,
    lag: u64,
    appended: u64,
    durable: u64,
    cards: u32,
    listeners: Vec<ListenerView>,
    /// Pictures in SVG that this crate has drawn out of numbers.
    rate_picture: String,
    latency_picture: String,
}

/// `GET /desk/traffic`
///
/// # Errors
/// [`Failed`].
pub(super) async fn look(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeTraffic, portal.durable().now().unix_ms)?;
    let (nav, say) = (Nav::of(&on_desk, &page.say), page.say.clone());
    let now = Now::of(&portal, &say);
    Ok(show(StatusCode::OK, &Traffic { page, nav, now, say }))
}

/// `GET /desk/traffic/now`: the middle alone, asked for by the page itself, which is no activity of
/// its reader.
///
/// # Errors
/// [`Failed`].
pub(super) async fn look_again(
    State(portal): State<Portal>,
    WatchingDesk(on_desk): WatchingDesk,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeTraffic, portal.durable().now().unix_ms)?;
    let say = portal.texts().say(language_of(&headers));
    let now = Now::of(&portal, &say);
    Ok(show(StatusCode::OK, &OnlyNow { now, say }))
}

impl Now {
    fn of(portal: &Portal, say: &Say) -> Now {
        let process = portal.durable().process();
        let view = process.traffic(portal.durable().control());
        let kept = portal.samples().read();
        let minute = kept.last_minute(&view);
        let ns = |permille| in_words(minute.switch_time.percentile_ns(permille));
        Now {
            rate: minute.rate(),
            answers: view.answers.iter().map(|(_, count)| count).sum(),
            p50: ns(500),
            p99: ns(990),
            p999: ns(999),
            commit_p99: in_words(minute.commit_wait.percentile_ns(990)),
            codes: view.answers.clone(),
            repeats: view.repeats,
            unanswered: view.unanswered,
            faults: view.faults,
            connections: view.connections,
            connections_refused: view.connections_refused,
            in_flight: view.in_flight,
            lag: view.appended.saturating_sub(view.durable),
            appended: view.appended,
            durable: view.durable,
            cards: view.cards,
            listeners: process.listeners().to_vec(),
            rate_picture: picture::line(
                &say.text("desk-traffic-rate-picture"),
                &[("line-1", &kept.rates_milli())],
                |milli| format!("{}/s", milli / 1_000),
            ),
            latency_picture: picture::line(
                &say.text("desk-traffic-latency-picture"),
                &[("line-1", &kept.percentiles_ns(500)), ("line-2", &kept.percentiles_ns(990))],
                in_words,
            ),
        }
    }
}

/// Nanoseconds in the unit that people read: `850 ns`, `12 µs`, `3 ms`.
fn in_words(ns: u64) -> String {
    match ns {
        0 => "–".to_owned(),
        1..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{} µs", ns / 1_000),
        _ => format!("{} ms", ns / 1_000_000),
    }
}
