//! Loads by card under a provider whose answers get lost, come late, come twice or lie: what is on
//! the card is what the provider kept, whatever happens in between.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may")]

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use cekr_iso8583::{Expiry, Pan};
use cekr_issuer::entry::{LoadSource, Name, Reference};
use cekr_issuer::{Amount, CardId, CardStatus, Channels, Controls};
use cekr_portal::db::Database;
use cekr_portal::loads::flow::Flow;
use cekr_portal::loads::psp::faulty::{Fault, Faulty};
use cekr_portal::loads::psp::sandbox::{Sandbox, TEST_CODE};
use cekr_portal::loads::psp::{Payment, PaymentStatus, Psp as _};
use cekr_portal::loads::state::State;
use cekr_portal::loads::store::{self, CardLoad, Consent, PayerData};
use cekr_portal::settings::DatabasePlace;
use cekr_switch::clock::Clock;
use cekr_switch::config::{Config, Durability};
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Server, Signals};
use cekr_switch::shard::NewCard;
use cekr_switch::sync::Mutex;
use proptest::prelude::*;

const APPROVES: &str = "4111 1111 1111 1111";
const ASKS: &str = "4012888888881881";
const DECLINES: &str = "4000000000000002";

/// A switch in memory, a database on disk, and one provider whose faults are told beforehand.
struct World {
    server: Option<Server>,
    database: Database,
    psp: Arc<Faulty<Sandbox>>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    made: Mutex<u32>,
    folder: std::path::PathBuf,
}

impl World {
    async fn new(name: &str) -> World {
        let mut config = Config::parse("", "test").unwrap();
        let free = cekr_switch::config::Address::parse("127.0.0.1:0").unwrap();
        config.listener.first_mut().addr = free.clone();
        config.http.addr = free;
        config.http.operator_token = "a-token-for-tests".to_owned();
        config.data.durability = Durability::None;
        config.switch.threads = 1;
        let options = Options {
            start_key: StartKey::development(),
            clock: Clock::system().unwrap(),
            signals: Signals::Leave,
            clock_behind: ClockBehind::Refuse,
        };
        let server = std::thread::spawn(move || Server::bind(config, options).unwrap());
        let server = server.join().unwrap();
        let folder = std::env::temp_dir().join(format!("cekr-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let place = DatabasePlace::File(folder.join("portal.db"));
        let database = Database::open(&place).await.unwrap();
        let faults = Arc::new(Mutex::new(VecDeque::new()));
        let drawn = faults.clone();
        let draw = move || drawn.lock().pop_front().unwrap_or(Fault::None);
        let psp = Arc::new(Faulty::new(Sandbox::new(database.clone()), draw));
        World { server: Some(server), database, psp, faults, made: Mutex::new(0), folder }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// What a start has: nothing but the switch, the database and the provider.
    fn flow(&self) -> Flow {
        Flow::new(self.server().durable().clone(), self.database.clone(), self.psp.clone())
    }

    fn card(&self) -> CardId {
        let mut made = self.made.lock();
        *made += 1;
        let first = 476_173_000_000_000_u64 + u64::from(*made);
        let pan = (0..10).find_map(|check| Pan::from_number(first * 10 + check).ok()).unwrap();
        let card = NewCard {
            pan,
            name: Name::new(&format!("card {made}")).unwrap(),
            mok_id: 100_000_000 + *made,
            controls: Controls {
                status: CardStatus::Active,
                ticks: Channels::NONE,
                expiry: Expiry::new(3012).unwrap(),
                version: 1,
            },
            pin: None,
            limited: true,
            balance: Amount::default(),
        };
        self.server().control().shard().issue(card, self.server().clock().now()).unwrap();
        self.server().control().card_by_mok_id(100_000_000 + *made).unwrap()
    }

    /// An order put down, as the page does it.
    async fn order(&self, amount: u64) -> (CardId, String) {
        let card = self.card();
        let (view, _) = self.server().control().card(card).unwrap();
        let id = format!("{:032x}", *self.made.lock());
        let now = i64::try_from(self.server().clock().now().unix_ms).unwrap();
        let load = CardLoad {
            id: id.clone(),
            card: view.id,
            mok_id: view.mok_id,
            amount,
            taken_back: 0,
            state: State::Created,
            failure: None,
            made_at: now,
            changed_at: now,
            holder: "ana".into(),
            masked: String::new(),
            brand: String::new(),
            payer: PayerData { name: "A".into(), address: "B".into(), email: "c@d.e".into() },
            consent: Consent::Forget,
        };
        assert!(store::insert(&self.database, &load, &id).await.unwrap());
        assert!(!store::insert(&self.database, &load, &id).await.unwrap(), "a form orders once");
        (card, id)
    }

    async fn open(&self, id: &str) {
        let load = store::find(&self.database, id).await.unwrap().unwrap();
        alive(&self.psp, self.flow().open(&load, "/".into(), None)).await;
    }

    /// The order looks as old as `ms`.
    async fn age(&self, id: &str, ms: i64) {
        let age = "UPDATE card_load SET made_at = made_at - $2, due_at = 0 WHERE id = $1";
        let age = sqlx::query(age).bind(id).bind(ms);
        age.execute(self.database.pool()).await.unwrap();
    }

    async fn load(&self, id: &str) -> CardLoad {
        store::find(&self.database, id).await.unwrap().unwrap()
    }

    async fn payment(&self, id: &str) -> Option<Payment> {
        self.psp.inner().find(id).await.unwrap()
    }

    /// What the journal says of this load: how often it was credited, cents that came, cents that
    /// went again.
    fn journal(&self, card: CardId, id: &str) -> (usize, u64, u64) {
        let (entries, _) = self.server().control().transactions(card, None, 1_000).unwrap();
        let mut told = (0, 0, 0);
        for entry in entries.items {
            let amount = entry["amount"].as_u64().unwrap_or(0);
            match entry["kind"].as_str().unwrap() {
                "loaded" if entry["reference"] == id => {
                    told = (told.0 + 1, told.1 + amount, told.2);
                }
                "load_taken_back" => told.2 += amount,
                _ => {}
            }
        }
        told
    }

    /// What holds at every moment.
    async fn check(&self, card: CardId, id: &str) {
        let (count, came, went) = self.journal(card, id);
        assert!(count <= 1, "credited {count} times");
        assert!(went <= came, "{went} of {came} cents were taken back");
        let captured = self.payment(id).await.is_some_and(|p| p.status == PaymentStatus::Captured);
        assert!(came == 0 || captured, "credited and not captured");
    }

    /// Lets the sweep end it without faults, and holds the end against the provider's books.
    async fn end(&self, card: CardId, id: &str) -> State {
        self.faults.lock().clear();
        for _ in 0..4 {
            self.age(id, 0).await;
            assert_eq!(self.flow().sweep().await.unwrap(), 0);
        }
        self.check(card, id).await;
        let (_, came, went) = self.journal(card, id);
        let payment = self.payment(id).await;
        let captured = payment.as_ref().filter(|p| p.status == PaymentStatus::Captured);
        let kept = captured.map_or(0, |payment| payment.amount - payment.returned());
        assert_eq!(came - went, kept, "{payment:?}");
        let load = self.load(id).await;
        match load.state {
            State::Credited => assert!(kept > 0),
            State::Refunded | State::ChargedBack => assert!(captured.is_some() && kept == 0),
            State::Failed | State::Expired => assert_eq!((captured, came), (None, 0)),
            State::Captured => panic!("captured and neither credited nor given back"),
            State::Created | State::Authenticating | State::Authorized => assert_eq!(came, 0),
        }
        if load.state.is_settled() {
            assert_eq!(load.payer, PayerData::default(), "who paid is forgotten");
        }
        load.state
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Its runtimes must not end within another one.
        let server = self.server.take();
        std::thread::spawn(move || drop(server)).join().unwrap();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs `work` until it ends or its caller dies waiting for the provider.
async fn alive<T>(psp: &Faulty<Sandbox>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = psp.died() => None,
    }
}

/// A process that ends after so many turns of its work, wherever it then is.
struct Abandoned<F> {
    work: Pin<Box<F>>,
    turns: u32,
}

impl<F: Future> Future for Abandoned<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.turns == 0 {
            return Poll::Ready(None);
        }
        self.turns -= 1;
        self.work.as_mut().poll(context).map(Some)
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Abandon(u32),
    Age,
    ChargeBack(u64),
    Code(bool),
    GiveUp,
    Open,
    Other(u64),
    Pay(&'static str),
    Refund(u64),
    Settle,
    Sweep,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Settle),
        2 => Just(Act::Sweep),
        2 => (1_u32..40).prop_map(Act::Abandon),
        3 => prop::sample::select(vec![APPROVES, ASKS, DECLINES]).prop_map(Act::Pay),
        3 => any::<bool>().prop_map(Act::Code),
        2 => Just(Act::Open),
        1 => Just(Act::Age),
        1 => Just(Act::GiveUp),
        1 => (1_u64..1_000_00).prop_map(Act::Other),
        2 => (1_u64..700_00).prop_map(Act::Refund),
        2 => (1_u64..700_00).prop_map(Act::ChargeBack),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    use Fault::{DiesAfter, DiesBefore, LostAfter, LostBefore, None, Stale, Twice, WrongAmount};
    let faults = vec![DiesAfter, DiesBefore, LostAfter, LostBefore, Stale, Twice, WrongAmount];
    prop_oneof![3 => Just(None), 2 => prop::sample::select(faults)]
}

/// Plays a story against the world, looking at what always holds after each act.
async fn play(world: &World, faults: Vec<Fault>, acts: Vec<Act>) {
    let (card, id) = world.order(600_00).await;
    *world.faults.lock() = faults.into();
    let (psp, sandbox) = (&world.psp, world.psp.inner());
    world.open(&id).await;
    for (number, act) in acts.into_iter().enumerate() {
        let flow = world.flow();
        match act {
            Act::Abandon(turns) => {
                let work = async { alive(psp, flow.settle(&id)).await.map(drop) };
                Abandoned { work: Box::pin(work), turns }.await;
            }
            Act::Age => world.age(&id, 31 * 60 * 1_000).await,
            Act::ChargeBack(cents) => {
                let name = format!("{id}-c{number}");
                sandbox.charge_back(&id, &name, cents).await.unwrap();
            }
            Act::Code(is_right) => {
                let code = if is_right { TEST_CODE } else { "0" };
                sandbox.answer(&id, code).await.unwrap();
            }
            Act::GiveUp => {
                sandbox.cancel(&id).await.unwrap();
            }
            Act::Open => world.open(&id).await,
            Act::Other(cents) => {
                // Money from elsewhere may use up the day's limit.
                let reference = Reference::new(&format!("{id}-o{number}")).unwrap();
                let (amount, now) = (Amount::from_minor(cents), world.server().clock().now());
                let _ =
                    world.server().control().load(card, amount, LoadSource::Upn, reference, now);
            }
            Act::Pay(number) => {
                let _ = sandbox.give(&id, number).await.unwrap();
            }
            Act::Refund(cents) => {
                let name = format!("{id}-r{number}");
                alive(psp, flow.refund(&id, &name, cents)).await;
            }
            Act::Settle => {
                alive(psp, flow.settle(&id)).await;
            }
            Act::Sweep => {
                world.age(&id, 0).await;
                alive(psp, flow.sweep()).await;
            }
        }
        world.check(card, &id).await;
    }
    world.end(card, &id).await;
    // What is over is not taken up by later sweeps.
    let end = "UPDATE card_load SET due_at = $1";
    sqlx::query(end).bind(i64::MAX).execute(world.database.pool()).await.unwrap();
}

#[test]
fn what_is_on_the_card_is_what_the_provider_kept_whatever_gets_lost() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new("loads-property"));
    let config = ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() };
    let stories = (prop::collection::vec(fault(), 0..40), prop::collection::vec(act(), 0..24));
    proptest!(config, |((faults, acts) in stories)| {
        runtime.block_on(play(&world, faults, acts));
    });
}

#[tokio::test]
async fn a_crash_at_any_call_ends_as_no_crash_would() {
    let world = World::new("loads-crash").await;
    for kind in [Fault::DiesBefore, Fault::DiesAfter, Fault::LostBefore, Fault::LostAfter] {
        for at in 0..12 {
            let (card, id) = world.order(50_00).await;
            world.open(&id).await;
            world.psp.inner().give(&id, APPROVES).await.unwrap().unwrap();
            let mut faults = VecDeque::from(vec![Fault::None; at]);
            faults.push_back(kind);
            *world.faults.lock() = faults;
            alive(&world.psp, world.flow().settle(&id)).await;
            assert_eq!(world.end(card, &id).await, State::Credited, "{kind:?} at {at}");
            *world.faults.lock() = VecDeque::from(vec![Fault::None; at.saturating_sub(6)]);
            world.faults.lock().push_back(kind);
            let name = format!("{id}-refund");
            alive(&world.psp, world.flow().refund(&id, &name, 50_00)).await;
            world.faults.lock().clear();
            world.flow().refund(&id, &name, 50_00).await.unwrap();
            assert_eq!(world.end(card, &id).await, State::Refunded, "{kind:?} at {at}");
        }
    }
}

#[tokio::test]
async fn another_amount_is_given_back_or_given_up_and_never_credited() {
    let world = World::new("loads-amount").await;
    let (card, id) = world.order(50_00).await;
    world.faults.lock().push_back(Fault::WrongAmount);
    world.open(&id).await;
    world.psp.inner().give(&id, APPROVES).await.unwrap().unwrap();
    assert_eq!(world.end(card, &id).await, State::Failed);
    assert_eq!(world.load(&id).await.failure.unwrap().name(), "wrong_amount");
    // The same where the provider took the money by itself.
    let (card, id) = world.order(50_00).await;
    world.faults.lock().push_back(Fault::WrongAmount);
    world.open(&id).await;
    world.psp.inner().give(&id, APPROVES).await.unwrap().unwrap();
    world.psp.inner().capture(&id).await.unwrap();
    assert_eq!(world.end(card, &id).await, State::Refunded);
    assert_eq!(world.journal(card, &id), (0, 0, 0));
}

#[tokio::test]
async fn a_load_beyond_the_limit_takes_no_money_and_one_beyond_it_meanwhile_goes_back() {
    let world = World::new("loads-limit").await;
    let (card, id) = world.order(1_000_01).await;
    world.open(&id).await;
    world.psp.inner().give(&id, APPROVES).await.unwrap().unwrap();
    assert_eq!(world.end(card, &id).await, State::Failed);
    assert_eq!(world.payment(&id).await.unwrap().status, PaymentStatus::Cancelled);
    let (card, id) = world.order(600_00).await;
    world.open(&id).await;
    world.psp.inner().give(&id, APPROVES).await.unwrap().unwrap();
    world.psp.inner().capture(&id).await.unwrap();
    let (amount, now) = (Amount::from_minor(600_00), world.server().clock().now());
    let reference = Reference::new("elsewhere").unwrap();
    world.server().control().load(card, amount, LoadSource::Upn, reference, now).unwrap();
    assert_eq!(world.end(card, &id).await, State::Refunded);
    assert_eq!(world.load(&id).await.failure.unwrap().name(), "not_taken");
}

#[tokio::test]
async fn nobody_who_pays_in_time_is_refused_and_nobody_who_does_not_is_charged() {
    let world = World::new("loads-late").await;
    let (card, id) = world.order(50_00).await;
    world.age(&id, 31 * 60 * 1_000).await;
    assert_eq!(world.end(card, &id).await, State::Expired, "the provider never heard of it");
    let (card, id) = world.order(50_00).await;
    world.open(&id).await;
    world.age(&id, 31 * 60 * 1_000).await;
    assert_eq!(world.end(card, &id).await, State::Expired);
    let _ = world.psp.inner().give(&id, APPROVES).await.unwrap();
    assert_eq!(world.payment(&id).await.unwrap().status, PaymentStatus::Cancelled);
    let (card, id) = world.order(50_00).await;
    world.open(&id).await;
    world.psp.inner().give(&id, APPROVES).await.unwrap().unwrap();
    world.psp.inner().capture(&id).await.unwrap();
    world.age(&id, 31 * 60 * 1_000).await;
    assert_eq!(world.end(card, &id).await, State::Credited, "what was captured is credited");
}

#[tokio::test]
async fn the_database_and_the_code_know_the_same_moves() {
    let world = World::new("loads-moves").await;
    let moves = sqlx::query_as("SELECT from_state, to_state FROM card_load_move");
    let moves: Vec<(String, String)> = moves.fetch_all(world.database.pool()).await.unwrap();
    for (from, to) in &moves {
        let from = State::parse(from).unwrap();
        assert!(State::parse(to).is_some() && !from.is_final(), "{from:?} to {to}");
    }
    for from in State::ALL {
        for to in State::ALL {
            let (_, id) = world.order(1_00).await;
            let set = sqlx::query("UPDATE card_load SET state = $2 WHERE id = $1");
            set.bind(&id).bind(from.name()).execute(world.database.pool()).await.unwrap();
            let load = world.load(&id).await;
            let (failure, payment) = (None, None);
            let moved = store::Moved { load: &load, to, failure, payment, now_ms: 1, due_at: 1 };
            let is_known = moves.contains(&(from.name().into(), to.name().into()));
            assert_eq!(store::advance(&world.database, moved).await.unwrap(), is_known);
        }
    }
}
