//! The oracle: what the rules of the card say, worked out slowly and without the issuer's code.
//!
//! It keeps a list of everything a card ever did and adds it up anew for each question: no running
//! totals, no index, its own reading of every element, its own fee. It knows messages only as
//! characters. Where it and the switch differ, one of them is wrong.

use std::collections::BTreeMap;

use cekr_issuer::{CardStatus, Channels, Now};

use crate::account::{Account, Money, Undone};
use crate::cleared::ClearingBook;
use crate::consent::{Shown, Step};
use crate::read::{Ask, Key, Read, read_key, read_money, read_reversal, stranger};
use crate::statements::BankBook;
use crate::support::{CardSpec, FIRST_MOK_ID, Told, luhn_holds};
use crate::totals::{Booked, Kind, Totals};

/// The settings of a world, as plain numbers; zero switches a limit off.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Foreign web shops need no ABROAD tick.
    pub abroad_with_card_only: bool,
    /// The cash of a purchase costs the cashpoint fee as well.
    pub cashback_fee: bool,
    /// A withdrawal needs chip data and a PIN.
    pub chip_at_cashpoints: bool,
    /// So many dispense faults of a card within thirty days, and the last one is disputed.
    pub dispense_faults: u32,
    /// Whether web shops must bring what the holder confirmed.
    pub confirms: bool,
    /// Whether any limit applies.
    pub limits: bool,
    /// Whether the format says what stands in DE 48.
    pub private_is_tagged: bool,
}

/// PINs that are typed by mistake in these worlds.
pub const WRONG_PINS: [&str; 2] = ["9999", "43210"];

/// PINs that holders change to.
pub const NEW_PINS: [&str; 2] = ["2580", "777123"];

/// Every PIN of these worlds, the one that cards begin with first.
pub const PINS: [&str; 5] = ["1234", WRONG_PINS[0], WRONG_PINS[1], NEW_PINS[0], NEW_PINS[1]];

/// What a reply must say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// DE 39.
    pub code: &'static str,
    /// DE 4, where it is not the request's own.
    pub approved: Option<u64>,
    /// DE 8.
    pub fee: Option<u64>,
    /// DE 44.
    pub missing: Option<String>,
    /// DE 54.
    pub amounts: Option<String>,
    /// Whether DE 38 is there.
    pub has_auth_code: bool,
    /// Whether DE 55 is: a cryptogram that was right is answered.
    pub answers_chip: bool,
    /// DE 66, 74 to 77, 86 to 89 and 97.
    pub totals: Option<Box<[(u8, String)]>>,
}

/// The holder of every number that no card of ours has: what is kept of them tells them apart by
/// their ends.
const NOBODY: u64 = 0;

/// The first six and the last four digits of a card's number; `None` of what is no card's.
fn ends_of(number: &str) -> Option<String> {
    let is_number = (13..=19).contains(&number.len()) && !number.starts_with('0');
    let is_card = is_number && luhn_holds(number.parse().ok()?);
    is_card.then(|| format!("{}{}", &number[..6], &number[number.len() - 4..]))
}

/// A reply that says no more than a code.
pub fn say(code: &'static str) -> Verdict {
    Verdict { code, ..Verdict::default() }
}

/// Everything that the rules need to know.
#[derive(Clone)]
pub struct Oracle {
    rules: Rules,
    accounts: BTreeMap<u64, Account>,
    answered: BTreeMap<Key, Answered>,
    booked: Vec<Booked>,
    /// The numbers on the cards' backs.
    backs: BTreeMap<u32, u64>,
    /// What the bank told.
    pub bank: BankBook,
    /// What the network's files told.
    pub clearing: ClearingBook,
    newest: Option<(u64, usize)>,
}

#[derive(Clone)]
struct Answered {
    about: About,
    verdict: Verdict,
}

/// What a request with a known key must have in common with the first.
#[derive(Clone, Eq, PartialEq)]
enum About {
    Card {
        pan: u64,
        /// The ends of a number that is none of ours, where it is a card's at all.
        stranger: Option<String>,
        code: String,
        amount: u64,
        currency: String,
        moved: bool,
    },
    Other,
}

impl Oracle {
    /// An oracle that knows these cards.
    pub fn new(rules: Rules, cards: &[CardSpec]) -> Self {
        let accounts = cards.iter().map(|card| (card.pan, Account::new(card))).collect();
        let (answered, booked) = (BTreeMap::new(), Vec::new());
        let backs = (FIRST_MOK_ID..).zip(cards.iter().map(|card| card.pan)).collect();
        let (bank, clearing) = (BankBook::default(), ClearingBook::default());
        Self { rules, accounts, answered, booked, backs, bank, clearing, newest: None }
    }

    /// The account of a card of ours, as it is at this moment.
    pub fn account(&mut self, pan: u64, now: Now) -> &mut Account {
        let account = self.accounts.get_mut(&pan).unwrap();
        account.expire(now);
        account
    }

    /// Balance and available of a card at a moment, in cents.
    pub fn money(&mut self, pan: u64, now: Now) -> (i128, i128) {
        let account = self.account(pan, now);
        (account.balance(), account.available())
    }

    /// The approval code that the newest approval was given.
    pub fn learn(&mut self, auth_code: &str) {
        if let Some((pan, line)) = self.newest.take() {
            self.accounts.get_mut(&pan).unwrap().lines[line].auth_code = auth_code.to_owned();
        }
    }

    /// What a message that can be read is answered.
    pub fn judge(&mut self, told: &Told, now: Now) -> Verdict {
        self.newest = None;
        let rules = self.rules.clone();
        let verdict = match told.mti {
            100 | 101 | 120 | 121 | 200 | 201 | 220 | 221 => {
                read_money(told, &rules).map(|(read, ask)| self.judge_money(&read, ask, now))
            }
            302 | 303 => read_key(told).map(|key| self.judge_file_action(told, key)),
            400 | 401 | 420 | 421 => {
                read_reversal(told, &rules).map(|read| self.judge_reversal(&read, now))
            }
            500 | 501 | 520 | 521 => read_key(told).map(|key| self.judge_totals(told, key)),
            800 | 801 => read_key(told).map(|key| self.judge_network(told, key)),
            _ => Err("12"),
        };
        verdict.unwrap_or_else(say)
    }

    fn judge_money(&mut self, read: &Read<'_>, ask: Ask, now: Now) -> Verdict {
        if let Some(verdict) = self.answered_before(read) {
            return verdict;
        }
        let rules = self.rules.clone();
        let pan = read.number.parse().unwrap();
        let Some(account) = self.accounts.get_mut(&pan) else {
            if !read.is_advice() || ask == Ask::Refund {
                return say(stranger(&read.number));
            }
            // It is kept for a person to look at, under its key.
            self.remember(read, NOBODY, &say("00"), false);
            return say("00");
        };
        account.expire(now);
        let lines = account.lines.len();
        let verdict = if read.is_advice() {
            account.judge_advice(read, ask, now, &rules)
        } else {
            account.judge(read, ask, now, &rules)
        };
        let moved = account.lines.len() > lines;
        if moved {
            self.newest = Some((pan, lines));
            let line = &account.lines[lines];
            let kind = if line.money == Money::Pending { Kind::Credit } else { Kind::Debit };
            let cents = line.left;
            if read.key.class == 2 {
                self.book(&read.key, kind, cents);
            }
        }
        if ask != Ask::Enquiry || verdict.code != "00" {
            self.remember(read, pan, &verdict, moved);
        }
        verdict
    }

    fn judge_reversal(&mut self, read: &Read<'_>, now: Now) -> Verdict {
        if let Some(verdict) = self.answered_before(read) {
            return verdict;
        }
        let rules = self.rules.clone();
        let is_advice = read.is_advice();
        let unknown = say(if is_advice { "00" } else { "25" });
        let pan = read.number.parse().unwrap();
        let named = read.original();
        let moved_nothing = self.moved_nothing(pan, &named);
        let Some(account) = self.accounts.get_mut(&pan) else {
            return unknown;
        };
        account.expire(now);
        let by_key = account.by_key(&named, |_| true);
        let at = match by_key {
            None if moved_nothing => {
                self.remember(read, pan, &say("00"), false);
                return say("00");
            }
            None => account.by_codes(read),
            Some(at) => Some(at),
        };
        let verdict = match account.undo(read, at, now, &rules) {
            Undone::Nothing => {
                account.remember_reversed(named);
                unknown
            }
            Undone::Unlike => say(if is_advice { "00" } else { "13" }),
            Undone::Given { cents, class, from } => {
                let kind = match from {
                    Money::Posted => Some(Kind::DebitReversal),
                    Money::Pending => Some(Kind::CreditReversal),
                    Money::Completed { .. } | Money::Expired | Money::Held { .. } => None,
                };
                if let Some(kind) = kind.filter(|_| class == 2 && cents > 0) {
                    self.book(&read.key, kind, cents);
                }
                say("00")
            }
        };
        self.remember(read, pan, &verdict, false);
        verdict
    }

    /// Whether this names a request of the card that was answered and moved no money.
    fn moved_nothing(&self, pan: u64, named: &Key) -> bool {
        let is_named = |class: &u16| named.class == 0 || named.class == *class;
        [1, 2].into_iter().filter(is_named).any(|class| {
            let key = Key { class, ..named.clone() };
            self.answered.get(&key).is_some_and(|given| match &given.about {
                About::Card { pan: of, moved, .. } => *of == pan && !moved,
                About::Other => false,
            })
        })
    }

    /// A list of cards that are out of use is told from outside.
    fn judge_file_action(&mut self, told: &Told, key: Key) -> Verdict {
        if [2, 91, 101].iter().any(|de| told.text(*de).is_none()) {
            return say("30");
        }
        let is_hot = told.text(101).unwrap().trim_end() == "HOTCARD";
        let action = told.text(91).unwrap();
        if !is_hot || !["1", "2", "5"].contains(&action) {
            return say("12");
        }
        let account = told.number(2).and_then(|pan| self.accounts.get_mut(&pan));
        let Some(account) = account else { return say("25") };
        if let Some(given) = self.answered.get(&key) {
            return given.verdict.clone();
        }
        if action != "5" && account.status != CardStatus::Closed {
            let is_stolen = told.text(120).is_some_and(|text| text.starts_with("43"));
            account.status = if is_stolen { CardStatus::Stolen } else { CardStatus::Lost };
        }
        let (about, verdict) = (About::Other, say("00"));
        self.answered.insert(key, Answered { about, verdict: verdict.clone() });
        verdict
    }

    /// What an acquirer counted since its last cutover, against what we did.
    fn judge_totals(&mut self, told: &Told, key: Key) -> Verdict {
        if let Some(given) = self.answered.get(&key) {
            return given.verdict.clone();
        }
        let ours = Totals::of(&self.booked, &key.acquirer).elements();
        let is_ours = |(de, value): &(u8, String)| told.text(*de).is_none_or(|told| told == value);
        let is_equal = ours.iter().all(is_ours);
        let mut totals = ours;
        totals.push((66, if is_equal { "1" } else { "2" }.to_owned()));
        totals.sort();
        let code = if is_equal { "00" } else { "95" };
        let verdict = Verdict { totals: Some(totals.into()), ..say(code) };
        self.answered.insert(key, Answered { about: About::Other, verdict: verdict.clone() });
        verdict
    }

    fn judge_network(&mut self, told: &Told, key: Key) -> Verdict {
        match told.text(70) {
            None => say("30"),
            Some("001" | "002" | "301") => say("00"),
            // The world's links bring no key.
            Some("101" | "161") => say("30"),
            Some("201") => {
                if !self.answered.contains_key(&key) {
                    self.book(&key, Kind::Cutover, 0);
                    let (about, verdict) = (About::Other, say("00"));
                    self.answered.insert(key, Answered { about, verdict });
                }
                say("00")
            }
            // Keys are exchanged once there is something to protect with them.
            Some(_) => say("12"),
        }
    }

    fn book(&mut self, key: &Key, kind: Kind, cents: u64) {
        self.booked.push(Booked { acquirer: key.acquirer.clone(), kind, cents });
    }

    fn answered_before(&self, read: &Read<'_>) -> Option<Verdict> {
        let given = self.answered.get(&read.key)?;
        let About::Card { pan, stranger, code, amount, currency, .. } = &given.about else {
            return None;
        };
        let number = read.number.parse().unwrap_or(NOBODY);
        let holder = if self.accounts.contains_key(&number) { number } else { NOBODY };
        let is_same = holder == *pan
            && (stranger.is_none() || *stranger == ends_of(&read.number))
            && read.told.text(3) == Some(code.as_str())
            && read.asked == *amount
            && read.currency == *currency;
        Some(if is_same { given.verdict.clone() } else { say("94") })
    }

    fn remember(&mut self, read: &Read<'_>, pan: u64, verdict: &Verdict, moved: bool) {
        let about = About::Card {
            pan,
            stranger: ends_of(&read.number).filter(|_| pan == NOBODY),
            code: read.told.text(3).unwrap().to_owned(),
            amount: read.asked,
            currency: read.currency.clone(),
            moved,
        };
        self.answered.insert(read.key.clone(), Answered { about, verdict: verdict.clone() });
    }

    /// Sets ticks; tells whether that is possible.
    pub fn set_ticks(&mut self, pan: u64, channel: Channels, ticked: bool) -> bool {
        let account = self.accounts.get_mut(&pan).unwrap();
        if account.status == CardStatus::Closed {
            return false;
        }
        account.ticks = account.ticks.with(channel, ticked);
        true
    }

    /// Moves a card between two states; tells whether that is possible.
    pub fn move_between(&mut self, pan: u64, from: CardStatus, to: CardStatus) -> bool {
        let account = self.accounts.get_mut(&pan).unwrap();
        let is_possible = account.status == from || account.status == to;
        if is_possible {
            account.status = to;
        }
        is_possible
    }

    /// Reports a card; tells whether that is possible.
    pub fn report(&mut self, pan: u64, as_status: CardStatus) -> bool {
        let account = self.accounts.get_mut(&pan).unwrap();
        let is_possible = account.status != CardStatus::Closed;
        if is_possible {
            account.status = as_status;
        }
        is_possible
    }

    /// A step of a confirmation; tells whether it is possible.
    pub fn confirm(&mut self, pan: u64, step: Step, shown: &Shown, now: Now) -> bool {
        self.accounts.get_mut(&pan).unwrap().confirm(step, shown, now)
    }

    /// Loads money; tells whether that is possible.
    pub fn load(&mut self, pan: u64, cents: u64, reference: &str, now: Now) -> bool {
        let limits = self.rules.limits;
        self.accounts.get_mut(&pan).unwrap().load(cents, reference, now, limits)
    }

    /// Whether a card takes a load.
    pub fn may_load(&self, pan: u64, cents: u64, now: Now) -> bool {
        self.accounts[&pan].may_load(cents, now, self.rules.limits)
    }

    /// Loads a card whatever stands against it.
    pub fn add_load(&mut self, pan: u64, cents: u64, reference: &str, now: Now) {
        self.accounts.get_mut(&pan).unwrap().add_load(cents, reference, now);
    }

    /// Takes back what the bank took.
    pub fn take(&mut self, pan: u64, cents: u64) {
        let taken_back = &mut self.accounts.get_mut(&pan).unwrap().taken_back;
        taken_back.push(("the bank's".to_owned(), String::new(), cents));
    }

    /// Takes back a part of a load; tells whether that is possible.
    pub fn refund_load(&mut self, pan: u64, load: &str, name: &str, cents: u64) -> bool {
        self.accounts.get_mut(&pan).unwrap().refund_load(load, name, cents)
    }

    /// Whether a card is closed.
    pub fn is_closed(&self, pan: u64) -> bool {
        self.accounts[&pan].status == CardStatus::Closed
    }

    /// The card with this number on its back.
    pub fn pan_of(&self, mok_id: u32) -> Option<u64> {
        self.backs.get(&mok_id).copied()
    }
}
