//! The order of the decision, row by row, and which rows hold for which kind of request.
//!
//! Each row has one case that hits it. For every two rows that can be hit together the earlier
//! one must answer, so that swapping any two of them fails here.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may")]

use alloc::vec;
use alloc::vec::Vec;

use cekr_iso8583::{
    CurrencyCode, Expiry, Mcc, MerchantId, Mti, Pan, PanError, PinBlock, PosEntryMode,
    ProcessingCode, Rrn, TerminalId,
};

use super::fact::{answered, authorized};
use super::*;
use crate::controls::Controls;
use crate::entry::{Answered, CardId, Issued, LoadName, LoadSource, Loaded, Name, Reference};
use crate::limit::OwnLimits;
use crate::money::Balance;
use crate::policy::Bin;
use crate::proof::{CavvProof, ChipFault, ChipRight, ChipScript, ChipVersion};
use crate::request::{Alarms, Outcome, ReversalAsk};
use crate::time::LocalDate;

const NOW: Now = Now { unix_ms: 1_795_341_600_000, local_date: LocalDate::new(2026, 11, 22) };

/// Everything that a decision rests on; the plain one is a withdrawal of 50.00 that is approved.
struct Case {
    request: Request,
    proofs: Proofs,
    card: Card,
    signals: Signals,
    policy: Policy,
}

fn key(class: u8) -> RequestKey {
    let terminal = TerminalId::new(*b"ATM00001");
    RequestKey { acquirer: 408_972, terminal, when: 1_122_100_000, stan: 1, class }
}

fn expiry() -> Expiry {
    Expiry::new(3012).unwrap()
}

fn withdrawal() -> Request {
    Request {
        mti: Mti::new(200).unwrap(),
        key: key(2),
        ask: Ask::Withdrawal,
        pan: Pan::from_number(4_761_730_000_000_011),
        expiry: ExpiryRead::Told(expiry()),
        processing_code: ProcessingCode::new(10_000).unwrap(),
        transaction_amount: Amount::from_minor(50_00),
        currency: CurrencyCode::EUR,
        amount: Amount::from_minor(50_00),
        cash: Amount::from_minor(50_00),
        place: Place::Cashpoint,
        needs: Channels::CASHPOINT,
        entry_mode: PosEntryMode::new(51).unwrap(),
        condition: 2,
        mcc: Mcc::new(6011).unwrap(),
        country: Some(*b"SI"),
        rrn: Some(Rrn::new(*b"632610000001")),
        merchant: Some(MerchantId::new(*b"KRANJ0000000001")),
        pin_block: Some(PinBlock::new([7; 8])),
        new_pin_block: None,
        has_chip_data: true,
        has_verification_value: true,
        has_aes_pin: false,
        asks_consent: false,
        has_cavv: false,
        is_authenticated: false,
        claim: None,
        partial_allowed: false,
        alarms: Alarms::default(),
    }
}

/// A cryptogram that is right, of this counter.
fn cryptogram(atc: u16) -> ChipRight {
    ChipRight {
        seen: ChipSeen {
            atc: atc.to_be_bytes(),
            arqc: [0xA9; 8],
            version: ChipVersion::Cvn18,
            script: None,
        },
        findings: Findings::Fine,
        has_verified_pin: false,
        is_pin_blocked: false,
        scripts_sealed: (0, false),
        script_told: None,
    }
}

/// A card in this state with this much on it.
fn card(status: CardStatus, cents: u64) -> Card {
    let controls = Controls { status, ticks: Channels::ALL, expiry: expiry(), version: 0 };
    let issued = Issued {
        sealed_pan: [0; 24],
        controls,
        mok_id: 1,
        pvv: Some(1234),
        limited: true,
        name: Name::new("ana").unwrap(),
        opening: Amount::default(),
    };
    let mut card = Card::issued(CardId(0), &issued);
    happens(&mut card, Fact::Issued(issued));
    let amount = Amount::from_minor(cents);
    let balance = Balance::ZERO.plus(amount);
    let name = LoadName::Reference(Reference::new("opening").unwrap());
    let source = LoadSource::Opening;
    happens(&mut card, Fact::Loaded(Loaded { amount, source, name, balance, available: balance }));
    card
}

fn happens(card: &mut Card, fact: Fact) {
    let made = entry(card, NOW, fact);
    let seq = card.last_seq().next();
    card.apply(seq, &made);
}

/// The same at another merchant, which no refund of this one names.
fn elsewhere(request: &Request) -> Request {
    Request { merchant: None, rrn: None, ..request.clone() }
}

impl Case {
    fn plain() -> Self {
        let mut card = card(CardStatus::Active, 100_00);
        let answered = answered(&withdrawal(), &card, Reason::InsufficientFunds);
        let seen = Some(cryptogram(20).seen);
        happens(&mut card, Fact::Declined(Answered { chip: seen, ..answered }));
        Self {
            request: withdrawal(),
            proofs: Proofs {
                chip: Some(ChipProof::Right(cryptogram(28))),
                cvv: Some(CvvProof::Right),
                pin: Some(PinProof::Right),
                new_pin: Some(NewPinProof::Read { pvv: 4321 }),
                ..Proofs::default()
            },
            card,
            signals: Signals::default(),
            policy: Policy { atc_jump_max: 200, ..Policy::default() },
        }
    }

    fn of(ask: Ask) -> Self {
        let mut case = Self::plain();
        case.request.ask = ask;
        case
    }

    fn decide(&self) -> Decision {
        let Self { request, proofs, card, signals, policy } = self;
        decide(request, proofs, card, signals, NOW, policy)
    }

    /// The reason of a decline, or none.
    fn declined(&self) -> Option<Reason> {
        match self.decide() {
            Decision::Decline(decline) => Some(decline.reason),
            Decision::Approve(_) => None,
            Decision::Need(kind) => panic!("everything is proven, and {kind:?} is asked for"),
        }
    }

    /// Puts the card into another state; what it did before stays.
    fn set(&mut self, change: impl FnOnce(&mut Controls)) {
        let mut controls = self.card.controls();
        change(&mut controls);
        happens(&mut self.card, Fact::ControlsSet(controls));
    }
}

/// A row of the decision: its reason, what it is about, and how it is hit.
struct Row {
    reason: Reason,
    /// Two rows about the same thing cannot be hit at once.
    about: &'static str,
    hit: fn(&mut Case),
}

fn row(reason: Reason, about: &'static str, hit: fn(&mut Case)) -> Row {
    Row { reason, about, hit }
}

/// Where a reason stands in the order of the decision; its number is its age.
fn place(reason: Reason) -> usize {
    Reason::ALL.iter().position(|one| *one == reason).unwrap()
}

/// The rows that are decided here, in their order.
fn rows() -> Vec<Row> {
    vec![
        row(Reason::NoSuchCard, "number", |case| case.request.pan = Err(PanError::Luhn)),
        row(Reason::NotOurBin, "range", |case| {
            case.policy.bins = vec![Bin::parse("476174").unwrap()];
        }),
        row(Reason::NoSuchCard, "state", |case| {
            case.set(|controls| controls.status = CardStatus::Unknown);
        }),
        row(Reason::NotActivated, "state", |case| {
            case.set(|controls| controls.status = CardStatus::NotActivated);
        }),
        row(Reason::Lost, "state", |case| {
            case.set(|controls| controls.status = CardStatus::Lost);
        }),
        row(Reason::Stolen, "state", |case| {
            case.set(|controls| controls.status = CardStatus::Stolen);
        }),
        row(Reason::Closed, "state", |case| {
            case.set(|controls| controls.status = CardStatus::Closed);
        }),
        row(Reason::Expired, "expiry", |case| case.request.expiry = ExpiryRead::Contradictory),
        row(Reason::Expired, "expiry", |case| {
            case.request.expiry = ExpiryRead::Told(Expiry::new(3011).unwrap());
        }),
        row(Reason::Expired, "expiry", |case| {
            case.request.expiry = ExpiryRead::Absent;
            case.set(|controls| controls.expiry = Expiry::new(2610).unwrap());
        }),
        row(Reason::Locked, "state", |case| {
            case.set(|controls| controls.status = CardStatus::Locked);
        }),
        row(Reason::ChannelOff, "ticks", |case| {
            case.set(|controls| controls.ticks = Channels::NONE);
        }),
        row(Reason::AmountZero, "amount", |case| case.request.amount = Amount::from_minor(0)),
        row(Reason::FallbackRefused, "chip", |case| case.request.has_chip_data = false),
        row(Reason::ChipFormat, "cryptogram", |case| {
            case.proofs.chip = Some(ChipProof::Refused(ChipFault::Format));
        }),
        row(Reason::ChipNotArqc, "cryptogram", |case| {
            case.proofs.chip = Some(ChipProof::Refused(ChipFault::NoRequest));
        }),
        row(Reason::ChipUnsupported, "cryptogram", |case| {
            case.proofs.chip = Some(ChipProof::Refused(ChipFault::Unsupported));
        }),
        row(Reason::ChipInvalid, "cryptogram", |case| {
            case.proofs.chip = Some(ChipProof::Refused(ChipFault::Invalid));
        }),
        row(Reason::ChipReplay, "cryptogram", |case| {
            let seen = Some(cryptogram(28).seen);
            let answered = answered(&case.request, &case.card, Reason::InsufficientFunds);
            happens(&mut case.card, Fact::Declined(Answered { chip: seen, ..answered }));
        }),
        row(Reason::ChipCounter, "cryptogram", |case| {
            case.proofs.chip = Some(ChipProof::Right(cryptogram(229)));
        }),
        row(Reason::ChipFindings, "cryptogram", |case| {
            let findings = Findings::Refused;
            case.proofs.chip = Some(ChipProof::Right(ChipRight { findings, ..cryptogram(28) }));
        }),
        row(Reason::CvvWrong, "verification value", |case| {
            case.proofs.cvv = Some(CvvProof::Wrong);
        }),
        row(Reason::PinTriesExceeded, "tries", |case| {
            let refused = Answered {
                pin_tries: Some(0),
                ..answered(&case.request, &case.card, Reason::PinWrong)
            };
            happens(&mut case.card, Fact::Declined(refused));
        }),
        row(Reason::PinMissing, "PIN", |case| case.request.pin_block = None),
        row(Reason::PinWrong, "PIN", |case| case.proofs.pin = Some(PinProof::Wrong)),
        row(Reason::PinBlockUnreadable, "PIN", |case| {
            case.proofs.pin = Some(PinProof::Unreadable);
        }),
        row(Reason::LimitAmount, "amount a day", |case| {
            case.policy.limits.cash_day = Amount::from_minor(49_99);
        }),
        row(Reason::LimitCount, "count a day", |case| {
            case.policy.limits.cash_count_day = 1;
            let cent = Authorization {
                reason: Reason::Approved,
                amount: Amount::from_minor(1),
                fee: Amount::from_minor(0),
                cash: Amount::from_minor(1),
                place: Place::Cashpoint,
                hold_days: 0,
                pin_tries: None,
                sum: Sum::Exact,
                authority: Authority::Here,
                consent: Consent::NotAsked,
            };
            let fact = authorized(&elsewhere(&case.request), &case.card, &cent);
            happens(&mut case.card, fact);
        }),
        row(Reason::ProofWrong, "confirmation", |case| {
            case.request.has_cavv = true;
            case.proofs.cavv = Some(CavvProof::Wrong);
        }),
        row(Reason::ConfirmationRequired, "confirmation", |case| case.request.asks_consent = true),
        row(Reason::SuspectedFraud, "signals", |case| case.signals.is_enumeration = true),
        row(Reason::InsufficientFunds, "funds", |case| {
            let all = Authorization {
                reason: Reason::Approved,
                amount: Amount::from_minor(99_00),
                fee: Amount::from_minor(0),
                cash: Amount::from_minor(0),
                place: Place::Shop,
                hold_days: 5,
                pin_tries: None,
                sum: Sum::Exact,
                authority: Authority::Here,
                consent: Consent::NotAsked,
            };
            let fact = authorized(&elsewhere(&case.request), &case.card, &all);
            happens(&mut case.card, fact);
        }),
    ]
}

#[test]
fn the_plain_case_is_approved_with_its_fee() {
    let Decision::Approve(Effect::Authorize(approved)) = Case::plain().decide() else {
        panic!("{:?}", Case::plain().decide())
    };
    assert_eq!(approved.reason, Reason::Approved);
    assert_eq!((approved.amount.minor(), approved.fee.minor()), (50_00, 15_00));
}

#[test]
fn the_holders_own_limits_count_beside_the_programmes_and_without_them() {
    for limited in [true, false] {
        let own = |cents, count| OwnLimits {
            cash_day: Some(Amount::from_minor(cents)),
            cash_count_day: Some(count),
            ..OwnLimits::NONE
        };
        for (limits, declined) in [
            (own(50_00, 1), None),
            (own(49_99, 1), Some(Reason::LimitAmount)),
            (own(50_00, 0), Some(Reason::LimitCount)),
            (own(0, 0), Some(Reason::LimitAmount)),
            (OwnLimits::NONE, None),
        ] {
            let mut case = Case::plain();
            if !limited {
                case.policy.limits.cash_day = Amount::default();
                case.policy.limits.cash_count_day = 0;
            }
            happens(&mut case.card, Fact::LimitsSet(limits));
            assert_eq!(case.declined(), declined, "{limits:?}");
        }
    }
}

#[test]
fn each_row_is_hit_by_its_case() {
    for Row { reason, hit, .. } in rows() {
        let mut case = Case::plain();
        hit(&mut case);
        assert_eq!(case.declined(), Some(reason));
    }
}

#[test]
fn of_any_two_rows_the_earlier_one_answers() {
    let mut pairs = 0;
    for (at, first) in rows().iter().enumerate() {
        for second in rows().iter().skip(at + 1).filter(|second| second.about != first.about) {
            let mut case = Case::plain();
            // The later one first: what hits the earlier must not undo it.
            (second.hit)(&mut case);
            (first.hit)(&mut case);
            let why = (first.about, second.about);
            assert_eq!(case.declined(), Some(first.reason), "{why:?}");
            pairs += 1;
        }
    }
    assert!(pairs > 180, "{pairs} pairs");
}

/// Whether the row about `about` holds for a kind of request at a cashpoint, as the table of the
/// rules says.
fn holds(ask: Ask, about: &str) -> bool {
    match ask {
        Ask::Increment(_) | Ask::Purchase | Ask::Withdrawal => true,
        Ask::AccountCheck => !matches!(about, "amount" | "amount a day" | "count a day" | "funds"),
        Ask::BalanceInquiry | Ask::PinChange => {
            !matches!(about, "ticks" | "amount" | "amount a day" | "count a day" | "funds")
        }
        Ask::FeeEnquiry => matches!(about, "number" | "range" | "state 7"),
        // A refund of nothing is no refund.
        Ask::Refund { .. } => matches!(about, "number" | "range" | "state 7" | "amount"),
        Ask::Advice(_) | Ask::Reversal(_) => false,
    }
}

#[test]
fn each_kind_of_request_has_the_rows_that_hold_for_it() {
    let itself = ReversalAsk {
        original: key(0),
        auth_code: None,
        is_advice: true,
        cause: None,
        actual: Amount::from_minor(0),
    };
    let kinds = [
        Ask::AccountCheck,
        Ask::Advice(AdviceAsk {
            spend: Spend::Withdrawal,
            named: Named::default(),
            outcome: Outcome::Approved,
        }),
        Ask::BalanceInquiry,
        Ask::FeeEnquiry,
        Ask::Increment(Named::default()),
        Ask::PinChange,
        Ask::Purchase,
        Ask::Refund { original: None },
        Ask::Reversal(itself),
        Ask::Withdrawal,
    ];
    for ask in kinds {
        for Row { reason, about, hit } in rows() {
            let about = match (about, reason) {
                ("state", Reason::Locked) => "lock",
                ("state", _) => "state 7",
                (about, _) => about,
            };
            let mut case = Case::of(ask);
            hit(&mut case);
            assert_eq!(case.declined(), holds(ask, about).then_some(reason), "{ask:?}, {about}");
        }
    }
}

#[test]
fn without_the_card_a_wrong_expiry_looks_like_a_wrong_number() {
    let mut case = Case::of(Ask::Purchase);
    case.request.needs = Channels::ONLINE;
    case.request.expiry = ExpiryRead::Contradictory;
    let reason = case.declined().unwrap();
    assert_eq!((reason, reason.response_code()), (Reason::ExpiredNotPresent, *b"14"));
}

#[test]
fn part_is_approved_only_of_goods_in_euros_and_only_where_something_is_left() {
    let asks = |change: &dyn Fn(&mut Case)| {
        let mut case = Case::of(Ask::Purchase);
        case.request.place = Place::Shop;
        case.request.cash = Amount::from_minor(0);
        case.request.needs = Channels::NONE;
        case.request.amount = Amount::from_minor(100_01);
        case.request.transaction_amount = Amount::from_minor(100_01);
        case.request.partial_allowed = true;
        case.request.has_chip_data = false;
        change(&mut case);
        case.decide()
    };
    let part = asks(&|_| {});
    let Decision::Approve(Effect::Authorize(approved)) = part else { panic!("{part:?}") };
    assert_eq!((approved.reason, approved.amount.minor()), (Reason::Partial, 100_00));
    let declined = Decision::Decline(Reason::InsufficientFunds.into());
    assert_eq!(asks(&|case| case.request.partial_allowed = false), declined);
    assert_eq!(asks(&|case| case.request.cash = Amount::from_minor(10_00)), declined);
    let at_cashpoint = asks(&|case| {
        case.request.place = Place::Cashpoint;
        case.policy.cashpoint_requires = CashpointRequires::Any;
    });
    assert_eq!(at_cashpoint, declined);
    assert_eq!(asks(&|case| case.card = card(CardStatus::Active, 0)), declined);
    let dollars = CurrencyCode::new(840).unwrap();
    assert_eq!(asks(&|case| case.request.currency = dollars), declined);
}

#[test]
fn a_pin_is_asked_for_only_when_the_rows_before_it_let_the_request_pass() {
    for Row { reason, about, hit } in rows() {
        let mut case = Case::plain();
        hit(&mut case);
        if about == "PIN" && reason != Reason::PinMissing {
            continue;
        }
        case.proofs.pin = None;
        let comes_before = place(reason) < place(Reason::PinWrong);
        let expected = if comes_before {
            matches!(case.decide(), Decision::Decline(_))
        } else {
            case.decide() == Decision::Need(ProofKind::Pin)
        };
        assert!(expected, "{reason:?}: {:?}", case.decide());
    }
}

#[test]
fn only_a_wrong_pin_counts_a_try_and_only_a_used_try_is_given_back() {
    let tries = |decision: Decision| match decision {
        Decision::Approve(Effect::Authorize(authorization)) => authorization.pin_tries,
        Decision::Decline(decline) => decline.pin_tries,
        Decision::Approve(_) | Decision::Need(_) => panic!("{decision:?}"),
    };
    let mut case = Case::plain();
    assert_eq!(tries(case.decide()), None, "nothing to give back");
    case.proofs.pin = Some(PinProof::Unreadable);
    assert_eq!(tries(case.decide()), None);
    case.proofs.pin = Some(PinProof::Wrong);
    for (atc, left) in [(1, 2), (2, 1), (3, 0)] {
        case.proofs.chip = Some(ChipProof::Right(cryptogram(atc)));
        assert_eq!(tries(case.decide()), Some(left));
        let fact = case.decide().fact(&case.request, &case.proofs, &case.card).unwrap();
        happens(&mut case.card, fact);
    }
    case.proofs.chip = Some(ChipProof::Right(cryptogram(4)));
    assert_eq!(case.declined(), Some(Reason::PinTriesExceeded));
    let mut case = Case::plain();
    case.proofs.pin = Some(PinProof::Wrong);
    let fact = case.decide().fact(&case.request, &case.proofs, &case.card).unwrap();
    happens(&mut case.card, fact);
    case.proofs.chip = Some(ChipProof::Right(cryptogram(29)));
    case.proofs.pin = Some(PinProof::Right);
    assert_eq!(tries(case.decide()), Some(PIN_TRIES_MAX));
}

#[test]
fn an_entry_counts_for_the_day_that_its_card_has_reached() {
    let mut case = Case::plain();
    let Decision::Approve(effect) = case.decide() else { panic!("approved") };
    let fact = Decision::Approve(effect).fact(&case.request, &case.proofs, &case.card).unwrap();
    happens(&mut case.card, fact);
    let before_midnight = Now { local_date: LocalDate::new(2026, 11, 21), ..NOW };
    let late = entry(&case.card, before_midnight, Fact::DeclinesCounted { count: 1 });
    assert_eq!(late.date, NOW.local_date);
}

#[test]
fn holds_fall_due_in_the_order_of_their_expiry_and_a_reversed_one_never_does() {
    let mut card = card(CardStatus::Active, 1_000_00);
    let mut holds = Vec::new();
    for (atc, hold_days) in [(1, 5), (2, 2), (3, 30), (4, 2)] {
        let mut case = Case::plain();
        case.proofs.chip = Some(ChipProof::Right(cryptogram(atc)));
        case.card = card.clone();
        case.policy.limits.cash_count_day = 0;
        case.request.key.class = 1;
        let Decision::Approve(Effect::Authorize(approved)) = case.decide() else {
            panic!("approved")
        };
        let effect = Effect::Authorize(Authorization { hold_days, ..approved });
        let fact = Decision::Approve(effect).fact(&case.request, &case.proofs, &card).unwrap();
        happens(&mut card, fact);
        holds.push(card.last_seq());
    }
    let reversal = Reversal {
        original: holds[0],
        amount: Amount::from_minor(50_00),
        fee: Amount::from_minor(15_00),
        ..Reversal::default()
    };
    let given_back = Decision::Approve(Effect::Reverse(reversal));
    let fact = given_back.fact(&withdrawal(), &Proofs::default(), &card).unwrap();
    happens(&mut card, fact);
    let later = Now { unix_ms: NOW.unix_ms + 40 * 24 * 60 * 60 * 1_000, ..NOW };
    let mut ended = Vec::new();
    while let Some(fact) = card.due(later) {
        let Fact::HoldExpired(expired) = &fact else { panic!("a hold's end") };
        ended.push(expired.original);
        happens(&mut card, fact);
    }
    assert_eq!(ended, [holds[1], holds[3], holds[2]]);
    assert_eq!(card.held(), Amount::default());
    assert_eq!(card.balance(), card.available());
}

/// Lets the decision of `case` happen, and gives it.
fn carried_out(case: &mut Case) -> Decision {
    let decision = case.decide();
    if let Some(fact) = decision.fact(&case.request, &case.proofs, &case.card) {
        happens(&mut case.card, fact);
    }
    decision
}

#[test]
fn a_counter_moves_with_every_answer_behind_the_chips_row_and_with_none_before_it() {
    for Row { reason, hit, .. } in rows() {
        let mut case = Case::plain();
        hit(&mut case);
        let before = case.card.counters_used();
        let Decision::Decline(decline) = carried_out(&mut case) else { panic!("{reason:?}") };
        let moves = place(reason) >= place(Reason::ChipFindings);
        let jumps = reason == Reason::ChipCounter;
        assert_eq!(decline.moves_counter, moves || jumps, "{reason:?}");
        assert_eq!(case.card.counters_used() != before, moves || jumps, "{reason:?}");
        let is_answered = moves || matches!(reason, Reason::ChipCounter | Reason::ChipReplay);
        assert_eq!(decline.chip.is_some(), is_answered, "{reason:?}");
        if moves {
            assert_eq!(case.declined(), Some(Reason::ChipReplay), "the same once more");
        }
    }
}

#[test]
fn one_cryptogram_approves_once_and_a_jump_is_let_through_the_second_time() {
    let mut case = Case::plain();
    assert!(matches!(carried_out(&mut case), Decision::Approve(_)));
    assert_eq!(case.card.counters_used().last(), 28);
    assert_eq!(case.declined(), Some(Reason::ChipReplay));
    case.proofs.chip = Some(ChipProof::Right(cryptogram(27)));
    assert!(matches!(carried_out(&mut case), Decision::Decline(Decline { reason, .. })
        if reason == Reason::InsufficientFunds));
    assert_eq!(case.declined(), Some(Reason::ChipReplay), "a decline has used it up as well");
    case.proofs.chip = Some(ChipProof::Right(cryptogram(u16::MAX)));
    assert_eq!(case.declined(), Some(Reason::ChipCounter));
    case.proofs.chip = Some(ChipProof::Right(cryptogram(1_000)));
    carried_out(&mut case);
    case.proofs.chip = Some(ChipProof::Right(cryptogram(1_001)));
    assert_eq!(case.declined(), Some(Reason::InsufficientFunds));
}

#[test]
fn a_chip_is_asked_about_before_a_pin_and_only_where_it_came() {
    let mut case = Case::plain();
    case.proofs = Proofs::default();
    assert_eq!(case.decide(), Decision::Need(ProofKind::Chip));
    case.proofs.chip = Case::plain().proofs.chip;
    assert_eq!(case.decide(), Decision::Need(ProofKind::Cvv));
    case.proofs.cvv = Some(CvvProof::Absent);
    assert_eq!(case.decide(), Decision::Need(ProofKind::Pin));
    case.proofs.chip = Some(ChipProof::Absent);
    assert_eq!(case.declined(), Some(Reason::FallbackRefused), "cash wants more");
    case.policy.cashpoint_requires = CashpointRequires::Any;
    assert_eq!(case.decide(), Decision::Need(ProofKind::Pin));
    case.request.has_chip_data = false;
    case.request.has_verification_value = false;
    case.proofs = Proofs::default();
    assert_eq!(case.decide(), Decision::Need(ProofKind::Pin));
}

/// A purchase over the air of so many cents.
fn tapped(cents: u64) -> Case {
    let mut case = Case::of(Ask::Purchase);
    case.card = card(CardStatus::Active, 1_000_00);
    case.proofs = Proofs { chip: case.proofs.chip, ..Proofs::default() };
    case.request = Request {
        amount: Amount::from_minor(cents),
        cash: Amount::default(),
        place: Place::Shop,
        needs: Channels::NONE,
        entry_mode: PosEntryMode::new(71).unwrap(),
        mcc: Mcc::new(5411).unwrap(),
        pin_block: None,
        has_verification_value: false,
        ..case.request
    };
    case
}

#[test]
fn over_the_air_a_pin_is_asked_for_above_fifty_euros_and_after_a_hundred_and_fifty() {
    assert_eq!(tapped(50_00).declined(), None);
    assert_eq!(tapped(50_01).declined(), Some(Reason::PinRequired));
    let mut case = tapped(50_00);
    for atc in 1..=3 {
        case.proofs.chip = Some(ChipProof::Right(cryptogram(atc)));
        assert!(matches!(carried_out(&mut case), Decision::Approve(_)));
    }
    case.request.amount = Amount::from_minor(1);
    case.proofs.chip = Some(ChipProof::Right(cryptogram(4)));
    assert_eq!(case.declined(), Some(Reason::PinRequired));
    case.request.mcc = Mcc::new(4111).unwrap();
    assert_eq!(case.declined(), None, "a fare");
    let mut with_pin = tapped(60_00);
    with_pin.card = case.card;
    with_pin.proofs.chip = Some(ChipProof::Right(cryptogram(5)));
    with_pin.request.pin_block = Some(PinBlock::new([7; 8]));
    with_pin.proofs.pin = Some(PinProof::Right);
    assert!(matches!(carried_out(&mut with_pin), Decision::Approve(_)));
    assert_eq!(with_pin.card.contactless().sum().minor(), 0, "a PIN begins it anew");
    with_pin.request = tapped(50_00).request;
    with_pin.proofs = Proofs { chip: Some(ChipProof::Right(cryptogram(6))), ..Proofs::default() };
    assert_eq!(with_pin.declined(), None);
}

#[test]
fn a_blocked_chip_is_told_to_take_pins_again_where_the_pin_is_right() {
    let mut case = Case::plain();
    let right = ChipRight { is_pin_blocked: true, ..cryptogram(28) };
    case.proofs.chip = Some(ChipProof::Right(right));
    let approved = case.decide().fact(&case.request, &case.proofs, &case.card).unwrap();
    let Fact::Authorized(authorized) = approved else { panic!("approved") };
    assert_eq!(authorized.answered.chip.unwrap().script, Some(ChipScript::PinUnblock));
    assert!(authorized.answered.is_pin_proven);
    case.proofs.pin = Some(PinProof::Wrong);
    let Decision::Decline(decline) = case.decide() else { panic!("declined") };
    assert_eq!(decline.chip.unwrap().script, None);
}
