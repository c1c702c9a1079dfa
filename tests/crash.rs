//! Killed at random moments under load, again and again, the switch loses nothing that it said.
//!
//! `kill -9` takes the process and leaves the page cache: what is shown here is that journal,
//! answers and cards agree after any interruption. Whether data reached the disk is the subject of
//! `power_cut.rs`.

mod crash_support;

use std::collections::HashMap;
use std::thread;

use cekr_iso8583::Pan;
use cekr_terminal_sim::card::Card;
use cekr_terminal_sim::quick_chip::{QuickChip, Terms};
use crash_support::book::{Book, Standing, name};
use crash_support::load::{self, Counts, Plan, Said};
use crash_support::message::{Ask, Kind, Terminal, pan};
use crash_support::{PATIENCE, Random, Scratch, Setup, Switch, count};
use serde_json::{Value, json};

/// Cards that every cycle uses; then one more for each cycle, for its wrong PINs.
const SHARED_CARDS: usize = 7;
/// Of these the last has a chip that takes money at a cashpoint, and nobody else uses it.
const CHIP_CARD: usize = SHARED_CARDS - 1;
/// The card that is locked and unlocked.
const LOCKED_CARD: usize = 0;
/// Terminals that have parts of their own.
const PIN_TERMINAL: u32 = 90;
const CHIP_TERMINAL: u32 = 91;
/// What each withdrawal by chip takes.
const CHIP_CENTS: u64 = 20_00;
/// A wrong PIN, and the right one of every card.
const WRONG: Kind = Kind::WithPin("9999");
const RIGHT: Kind = Kind::WithPin("1234");

/// Kills of one directory: every one is followed by a look at its whole journal, which grows.
const KILLS_PER_DIRECTORY: u32 = 20;

#[test]
fn killed_at_random_moments_it_loses_nothing_that_it_said() {
    let kills = count("CEKR_KILL_CYCLES", 20);
    let mut random = Random::new(Random::seed());
    let (mut left, mut heard, mut entries, mut cut) = (kills, 0, 0, 0);
    while left > 0 {
        let cycles = left.min(KILLS_PER_DIRECTORY);
        left -= cycles;
        let world = kill_again_and_again(cycles, &mut random);
        heard += world.book.approved();
        entries += world.setup.dump().len();
        cut += world.cut;
    }
    println!("{kills} kills, {heard} approvals heard, {entries} entries, none lost");
    println!("{cut} starts cut an unfinished batch off");
    assert!(heard > kills as usize, "the load was real");
}

fn kill_again_and_again(cycles: u32, random: &mut Random) -> World {
    let scratch = Scratch::new("crash");
    let setup = Setup::new(&scratch.0, SHARED_CARDS + cycles as usize);
    let chip = Withdrawals::of(CHIP_CARD);
    let book = Book::default();
    let mut world = World { setup, book, stan: 1, cut: 0, chip, _scratch: scratch };
    let mut before = None;
    for cycle in 0..cycles {
        let switch = world.setup.start();
        if let Some(before) = before.take() {
            world.check_start(&switch, &before);
        }
        before = Some(world.cycle(switch, cycle as usize, random));
    }
    let switch = world.setup.start();
    world.check_start(&switch, &before.unwrap());
    assert_eq!(switch.stop().code, Some(0));
    world.book.must_hold(&world.setup.dump());
    world
}

struct World {
    setup: Setup,
    book: Book,
    /// The next STAN.
    stan: u32,
    cut: u32,
    chip: Withdrawals,
    _scratch: Scratch,
}

/// What must be found again after a kill.
struct Before {
    standings: HashMap<String, Standing>,
    /// What was said in the last cycle.
    asked: Vec<Ask>,
    pin_card: usize,
    /// Wrong PINs whose answer was heard, and those sent.
    wrong_heard: usize,
    wrong_sent: usize,
}

impl World {
    /// Lets terminals and the holder work, kills the switch among it, and reads the journal.
    fn cycle(&mut self, switch: Switch, cycle: usize, random: &mut Random) -> Before {
        let plan =
            Plan { connections: 3, depth_max: 16, messages: 100_000, cards: 0..CHIP_CARD as u64 };
        let (seed, ring_at) = (random.below(u64::from(u32::MAX)), 1 + random.below(600) as u32);
        let (counts, bell) = Counts::new(self.stan, ring_at);
        let pin_card = SHARED_CARDS + cycle;
        let wrong_wanted = random.below(3) as usize;
        let (iso, http) = (switch.iso, switch.http.clone());
        let chip = &mut self.chip;
        let (said, pins, cash, holder) = thread::scope(|scope| {
            let load = scope.spawn(|| load::run(iso, &plan, seed, &counts));
            let pins = scope.spawn(|| wrong_pins(iso, pin_card, wrong_wanted, &counts));
            let cash = scope.spawn(|| chip.go_on(iso, &counts));
            let holder = scope.spawn(|| switch_off_and_on(&http));
            bell.recv_timeout(PATIENCE).expect("there were answers");
            switch.kill();
            let (load, pins) = (load.join().unwrap(), pins.join().unwrap());
            (load, pins, cash.join().unwrap(), holder.join().unwrap())
        });
        self.stan = counts.next_stan();
        let wrong_heard = pins.iter().filter(|(_, reply)| reply.is_some()).count();
        let wrong_sent = pins.len();
        let all = said.iter().chain(&pins).chain(&cash);
        let asked = all.map(|(ask, _)| ask.clone()).collect();
        self.book.note(said);
        self.book.note(pins);
        self.book.note(cash);
        let standings = self.book.must_hold(&self.setup.dump());
        let locked = &standings[&name(LOCKED_CARD)];
        for version in &holder.acknowledged {
            assert!(locked.versions.contains(version), "LOST: what the holder set, {version}");
        }
        let states = &holder.states;
        assert!(
            states.contains(&locked.state),
            "{} was not acknowledged: {states:?}",
            locked.state
        );
        Before { standings, asked, pin_card, wrong_heard, wrong_sent }
    }

    /// After a start: balances, states and tries are those of the journal, repeats are answered as
    /// before, and no wrong PIN is forgotten.
    fn check_start(&mut self, switch: &Switch, before: &Before) {
        self.cut += u32::from(self.setup.said().contains("cut off"));
        for card in switch.cards() {
            let name = card["name"].as_str().unwrap();
            let Some(standing) = before.standings.get(name) else { continue };
            let told = (card["balance"].as_i64(), card["available"].as_i64());
            assert_eq!(told, (Some(standing.balance), Some(standing.available)), "{name}");
            assert_eq!(card["state"], *standing.state, "{name}");
            assert_eq!(card["channels"], standing.channels, "{name}");
        }
        let path = format!("/v1/cards?name={}", name(LOCKED_CARD));
        let id = switch.call("GET", &path, &Value::Null).unwrap().1["data"][0]["id"].clone();
        let path = format!("/v1/cards/{}/unlock", id.as_str().unwrap());
        assert_eq!(switch.call("POST", &path, &json!({})).unwrap().0, 200);

        // Everything once more: what was heard is heard again, octet for octet, and what was not
        // is answered now, once.
        let mut line = Terminal::connect(switch.iso).unwrap();
        let mut again: Said = Vec::new();
        for asks in before.asked.chunks(32) {
            let octets: Vec<u8> = asks.iter().flat_map(|ask| ask.frame.clone()).collect();
            assert!(line.send(&octets));
            for _ in asks {
                let reply = line.reply().unwrap();
                let ask = asks.iter().find(|ask| ask.key() == reply.key()).unwrap();
                again.push((ask.clone(), Some(reply)));
            }
        }
        self.book.note(again);

        // No counter that was used is used again: the cryptogram is right, and it is a replay.
        for data in self.chip.last_used() {
            let kind = Kind::WithChip(0);
            let at = (CHIP_TERMINAL, self.next_stan());
            let ask = Ask::with_chip(kind, CHIP_CARD, CHIP_CENTS, at, &data);
            let reply = line.ask(&ask).unwrap();
            assert_eq!(reply.code, "82", "a counter went back");
            self.book.note(vec![(ask, Some(reply))]);
        }

        // The tries that are left are those that the acknowledged wrong PINs have left; a repeat
        // above has counted what was sent and lost.
        assert!(before.wrong_heard <= before.wrong_sent);
        let mut wrong = before.wrong_sent;
        loop {
            let ask = Ask::new(WRONG, before.pin_card, 1_00, PIN_TERMINAL, self.next_stan());
            let reply = line.ask(&ask).unwrap();
            let code = reply.code.clone();
            self.book.note(vec![(ask, Some(reply))]);
            if code == "75" {
                break;
            }
            assert_eq!(code, "55");
            wrong += 1;
        }
        assert_eq!(wrong, 3, "a kill gives no try back");
        let right = Ask::new(RIGHT, before.pin_card, 1_00, PIN_TERMINAL, self.next_stan());
        let reply = line.ask(&right).unwrap();
        assert_eq!(reply.code, "75");
        self.book.note(vec![(right, Some(reply))]);
    }

    fn next_stan(&mut self) -> u32 {
        self.stan += 1;
        self.stan - 1
    }
}

/// A chip that takes money, on and on.
struct Withdrawals {
    card: usize,
    chip: QuickChip,
    /// DE 55 of each message that went out, the newest last.
    sent: Vec<Vec<u8>>,
}

impl Withdrawals {
    fn of(card: usize) -> Self {
        let number = Pan::parse(pan(card).as_bytes()).unwrap();
        let held = Card::new("chip", number, 3012).unwrap();
        let chip = QuickChip::new(&held, None, 0, u16::MAX).unwrap();
        Self { card, chip, sent: Vec::new() }
    }

    /// One withdrawal after the other, until nobody answers any more.
    fn go_on(&mut self, addr: std::net::SocketAddr, counts: &Counts) -> Said {
        let mut said = Said::new();
        let Some(mut line) = Terminal::connect(addr) else { return said };
        loop {
            let terms = Terms {
                amount: CHIP_CENTS,
                cashback: 0,
                kind: 0x01,
                country: [0x07, 0x05],
                date: [0x26, 0x11, 0x22],
                has_pin: true,
                unpredictable_number: [1, 2, 3, 4],
            };
            let request = self.chip.ask(&terms).expect("a chip counts far");
            let data = self.chip.data(&terms, &request).data;
            let kind = Kind::WithChip(u16::from_be_bytes(request.atc));
            let at = (CHIP_TERMINAL, counts.next_stan());
            let ask = Ask::with_chip(kind, self.card, CHIP_CENTS, at, &data);
            self.sent.push(data);
            let reply = line.ask(&ask);
            let code = reply.as_ref().map(|reply| reply.code.clone());
            // "Try later" is no answer for good: it is asked for again after the start.
            said.push((ask, reply.filter(|reply| reply.code != "91")));
            match code.as_deref() {
                Some("00") => counts.heard(),
                Some("91") => {}
                Some(code) => panic!("a withdrawal by chip was answered {code}"),
                None => return said,
            }
        }
    }

    /// The last ones that went out: all of them were answered since.
    fn last_used(&self) -> Vec<Vec<u8>> {
        self.sent.iter().rev().take(4).cloned().collect()
    }
}

/// Sends wrong PINs one after the other.
fn wrong_pins(addr: std::net::SocketAddr, card: usize, wanted: usize, counts: &Counts) -> Said {
    let mut said = Said::new();
    let Some(mut line) = Terminal::connect(addr) else { return said };
    for _ in 0..wanted {
        let ask = Ask::new(WRONG, card, 1_00, PIN_TERMINAL, counts.next_stan());
        let reply = line.ask(&ask);
        let is_gone = reply.is_none();
        said.push((ask, reply));
        if is_gone {
            break;
        }
    }
    said
}

/// What a holder was told.
struct Holder {
    /// The state that was acknowledged last, and after it one that was asked for, if any.
    states: Vec<String>,
    /// The versions of the controls whose change was acknowledged.
    acknowledged: Vec<u64>,
}

/// Locks and unlocks the card until the switch is gone, and unticks and ticks it.
fn switch_off_and_on(http: &str) -> Holder {
    let mut holder = Holder { states: vec!["active".to_owned()], acknowledged: Vec::new() };
    let path = format!("/v1/cards?name={}", name(LOCKED_CARD));
    let Some((_, page)) = crash_support::call(http, "GET", &path, &Value::Null) else {
        return holder;
    };
    let path = format!("/v1/cards/{}", page["data"][0]["id"].as_str().unwrap());
    let off = json!({"channels": {"abroad": false}});
    let on = json!({"channels": {"abroad": true}});
    loop {
        for (method, verb, body, state) in [
            ("POST", "/lock", &json!({}), "locked"),
            ("PATCH", "", &off, "locked"),
            ("POST", "/unlock", &json!({}), "active"),
            ("PATCH", "", &on, "active"),
        ] {
            holder.states.push(state.to_owned());
            match crash_support::call(http, method, &format!("{path}{verb}"), body) {
                Some((200, card)) => {
                    assert_eq!(card["state"], state);
                    holder.states.remove(0);
                    holder.acknowledged.extend(card["version"].as_u64());
                }
                Some(other) => panic!("{other:?}"),
                None => return holder,
            }
        }
    }
}
