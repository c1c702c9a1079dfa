//! Entries come back as they were written, whatever they hold; foreign octets are told apart.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use alloc::vec;

use cekr_emv::issuer::{Command, Datum, Order, ScriptOutcome};
use cekr_iso8583::{
    CurrencyCode, Expiry, Mcc, MerchantId, Mti, PosEntryMode, ProcessingCode, Rrn, TerminalId,
};
use proptest::prelude::*;

use super::*;
use crate::books::{Account, Books, postings};
use crate::channel::Channels;
use crate::confirmation::{
    ConfirmationEnd, ConfirmationId, ConfirmationNumber, ConfirmationStep, Exemption, NameKey,
    NewConfirmation, Payee, Sealed, SecondFactor,
};
use crate::controls::{CardStatus, Controls};
use crate::key::RequestKey;
use crate::limit::OwnLimits;
use crate::money::Amount;
use crate::points::Month;
use crate::proof::{ChipScript, ChipSeen, ChipVersion};
use crate::reason::Reason;
use crate::reconciliation::{Total, Totals};

/// Twelve digits, the most that an amount on the wire has.
fn amount() -> impl Strategy<Value = Amount> {
    (0..=999_999_999_999_u64).prop_map(Amount::from_minor)
}

/// Eight digits, the most that DE 8 tells.
fn fee() -> impl Strategy<Value = Amount> {
    (0..=99_999_999_u64).prop_map(Amount::from_minor)
}

fn balance() -> impl Strategy<Value = Balance> {
    (-140_000_000_000_000..=140_000_000_000_000_i64).prop_map(Balance::from_minor)
}

fn channels() -> impl Strategy<Value = Channels> {
    (0..8_u8).prop_map(Channels::from_bits)
}

fn key() -> impl Strategy<Value = RequestKey> {
    let acquirer =
        prop_oneof![0..=99_999_999_999_u64, any::<u32>().prop_map(RequestKey::listener),];
    (acquirer, any::<[u8; 8]>(), any::<u32>(), 0..=999_999_u32, 0..=4_u8).prop_map(
        |(acquirer, terminal, when, stan, class)| RequestKey {
            acquirer,
            terminal: TerminalId::new(terminal),
            when,
            stan,
            class,
        },
    )
}

fn answered() -> impl Strategy<Value = Answered> {
    let request = (
        (0..=9_999_u16).prop_map(|mti| Mti::new(mti).unwrap()),
        key(),
        (0..=999_999_u32).prop_map(|code| ProcessingCode::new(code).unwrap()),
        (0..=999_u16).prop_map(|mode| PosEntryMode::new(mode).unwrap()),
        (0..=9_999_u16).prop_map(|mcc| Mcc::new(mcc).unwrap()),
        (0..=999_u16).prop_map(|code| CurrencyCode::new(code).unwrap()),
        (any::<[u8; 2]>(), any::<[u8; 12]>(), any::<[u8; 15]>()),
    );
    let answer = (
        prop::sample::select(Reason::ALL),
        channels(),
        prop::option::of(0..=3_u8),
        (amount(), amount(), fee()),
        (balance(), balance()),
    );
    (request, answer).prop_map(|(request, answer)| {
        let (mti, key, processing_code, entry_mode, mcc, currency, texts) = request;
        let (reason, missing, pin_tries, (transaction_amount, amount, fee), balances) = answer;
        Answered {
            mti,
            key,
            reason,
            missing,
            pin_tries,
            processing_code,
            entry_mode,
            mcc,
            currency,
            transaction_amount,
            amount,
            fee,
            balance: balances.0,
            available: balances.1,
            country: texts.0,
            rrn: Rrn::new(texts.1),
            merchant: MerchantId::new(texts.2),
            chip: None,
            is_pin_proven: false,
        }
    })
}

fn chip() -> impl Strategy<Value = ChipSeen> {
    let versions = alloc::vec![ChipVersion::Cvn10, ChipVersion::Cvn18, ChipVersion::Cvn22];
    let script = prop::option::of(
        (1..=6_u8, any::<u16>())
            .prop_map(|(number, mark)| ChipScript::from_number(number, mark).unwrap()),
    );
    (any::<[u8; 2]>(), any::<[u8; 8]>(), prop::sample::select(versions), script)
        .prop_map(|(atc, arqc, version, script)| ChipSeen { atc, arqc, version, script })
}

/// An entry before which something was proven: a message type and a number that occur.
fn verified() -> impl Strategy<Value = Entry> {
    let fact = prop_oneof![
        (answered(), 0..9_999_u16, amount(), sum_of_a_shard()).prop_map(
            |(answered, _, cash, sum)| Fact::Authorized(Authorized {
                answered,
                // What adds to an estimate holds no cash.
                cash: if matches!(sum, Sum::AddsTo(_)) { Amount::default() } else { cash },
                place: Place::Shop,
                hold_days: 5,
                sum,
                authority: Authority::Here,
                consent: Consent::NotAsked,
            })
        ),
        answered().prop_map(Fact::Declined),
        answered().prop_map(Fact::Inquired),
        (answered(), 0..=9_999_u16)
            .prop_map(|(answered, pvv)| Fact::PinChanged(PinChanged { answered, pvv })),
    ];
    let mti = prop::sample::select(&[100_u16, 101, 200, 201][..]);
    let consent = prop_oneof![
        number().prop_map(Consent::Confirmed),
        Just(Consent::Exempt),
        Just(Consent::NotAsked)
    ];
    let proven = (prop::option::of(chip()), any::<bool>(), consent);
    (entry(), 0..1_u64 << 47, fact, proven, mti).prop_map(
        |(entry, previous, mut fact, (chip, is_pin_proven, consent), mti)| {
            // A chip confirms no purchase without the card.
            let chip = chip.filter(|_| !matches!(consent, Consent::Confirmed(_)));
            if let Fact::Authorized(fact) = &mut fact {
                fact.consent = consent;
            }
            let answered = octets::verifiable(&mut fact).unwrap();
            let mti = Mti::new(mti).unwrap();
            *answered = Answered { chip, is_pin_proven, mti, ..*answered };
            // No moment of a journal has more than 48 bits.
            Entry { previous: Seq(previous), fact, at: entry.at >> 16, ..entry }
        },
    )
}

fn sum_of_a_shard() -> impl Strategy<Value = Sum> {
    let first = (0..1_u64 << 40).prop_map(Seq);
    prop_oneof![first.prop_map(Sum::AddsTo), Just(Sum::Estimated), Just(Sum::Exact)]
}

fn controls() -> impl Strategy<Value = Controls> {
    let status = prop::sample::select(&CardStatus::ALL[..]);
    (status, channels(), 0..100_u16, 1..=12_u16, any::<u32>()).prop_map(
        |(status, ticks, year, month, version)| Controls {
            status,
            ticks,
            expiry: Expiry::new(year * 100 + month).unwrap(),
            version,
        },
    )
}

fn text<const N: usize>() -> impl Strategy<Value = ShortText<N>> {
    ".{0,80}".prop_filter_map("longer than its room", |text| ShortText::new(&text))
}

fn seq() -> impl Strategy<Value = Seq> {
    (0..1_u64 << 47).prop_map(Seq)
}

fn sum() -> impl Strategy<Value = Sum> {
    prop_oneof![seq().prop_map(Sum::AddsTo), Just(Sum::Estimated), Just(Sum::Exact)]
}

fn about_link() -> impl Strategy<Value = Answered> {
    ((0..=9_999_u16), key(), prop::sample::select(Reason::ALL))
        .prop_map(|(mti, key, reason)| Answered::about_link(Mti::new(mti).unwrap(), key, reason))
}

fn stranger() -> impl Strategy<Value = Option<MaskedPan>> {
    let masked = (0..=999_999_u32, 0..=9_999_u16)
        .prop_map(|(first_six, last_four)| MaskedPan { first_six, last_four });
    prop::option::of(masked)
}

fn totals() -> impl Strategy<Value = Totals> {
    let total = || (any::<u32>(), amount()).prop_map(|(count, amount)| Total { count, amount });
    (total(), total(), total(), total()).prop_map(|(one, two, three, four)| Totals {
        credits: one,
        credit_reversals: two,
        debits: three,
        debit_reversals: four,
    })
}

fn line() -> impl Strategy<Value = LineKey> {
    (any::<u64>(), any::<u32>(), any::<u32>()).prop_map(|(file, line, content)| LineKey {
        file,
        line,
        content,
    })
}

fn texts() -> impl Strategy<Value = (Rrn, MerchantId, Mcc)> {
    (any::<[u8; 12]>(), any::<[u8; 15]>(), 0..=9_999_u16).prop_map(|(rrn, merchant, mcc)| {
        (Rrn::new(rrn), MerchantId::new(merchant), Mcc::new(mcc).unwrap())
    })
}

fn cleared() -> impl Strategy<Value = Cleared> {
    let money = ((balance(), balance()), (amount(), amount()), (balance(), balance()));
    let place = prop::sample::select(&[Place::Cashpoint, Place::Online, Place::Shop][..]);
    let how = prop::sample::select(&ClearedAs::ALL[..]);
    let earned = prop::option::of(earned());
    (line(), how, seq(), place, money, texts(), earned).prop_map(
        |(line, how, original, place, money, texts, earned)| {
            let ((change, fee_change), (held, parked), (balance, available)) = money;
            let (rrn, merchant, mcc) = texts;
            Cleared {
                line,
                how,
                original,
                place,
                change,
                fee_change,
                held,
                parked,
                balance,
                available,
                rrn,
                merchant,
                mcc,
                earned,
            }
        },
    )
}

fn earned() -> impl Strategy<Value = Earned> {
    let month = prop::option::of((1..u16::MAX).prop_map(Month::from_number));
    (1..u32::MAX, any::<u16>(), month).prop_map(|(points, rule, expires)| Earned {
        points,
        rule,
        expires,
    })
}

fn line_parked() -> impl Strategy<Value = LineParked> {
    let cause = prop::sample::select(&LineCause::ALL[..]);
    (line(), cause, seq(), balance(), texts(), stranger()).prop_map(
        |(line, cause, original, amount, (rrn, merchant, mcc), stranger)| LineParked {
            line,
            cause,
            original,
            amount,
            rrn,
            merchant,
            mcc,
            stranger,
        },
    )
}

fn bank_line() -> impl Strategy<Value = BankLine> {
    (any::<[u8; 16]>(), any::<u32>()).prop_map(|(key, day)| BankLine {
        key: StatementKey(key),
        booked_on: LocalDate::from_packed(day),
    })
}

fn load_name() -> impl Strategy<Value = LoadName> {
    prop_oneof![bank_line().prop_map(LoadName::Line), text().prop_map(LoadName::Reference)]
}

fn own_limits() -> impl Strategy<Value = OwnLimits> {
    let limit = || prop::option::of(amount());
    (limit(), prop::option::of(any::<u32>()), limit(), limit()).prop_map(
        |(cash_day, cash_count_day, online_day, pos_day)| OwnLimits {
            cash_day,
            cash_count_day,
            online_day,
            pos_day,
        },
    )
}

fn taken_back() -> impl Strategy<Value = LoadTakenBack> {
    let cause = prop::sample::select(&TakeBackCause::ALL[..]);
    (seq(), cause, (amount(), amount()), load_name(), (balance(), balance())).prop_map(
        |(load, cause, (amount, left), name, (balance, available))| LoadTakenBack {
            load,
            cause,
            amount,
            left,
            name,
            balance,
            available,
        },
    )
}

fn suspense() -> impl Strategy<Value = Fact> {
    let reason = prop::sample::select(&SuspenseReason::ALL[..]);
    let cause = prop::sample::select(&ReleaseCause::ALL[..]);
    let of = prop::option::of(any::<[u8; 16]>().prop_map(StatementKey));
    prop_oneof![
        (bank_line(), balance(), reason, prop::option::of(any::<u32>()), of).prop_map(
            |(line, amount, reason, mok_id, of)| {
                Fact::SuspenseHeld(SuspenseHeld { line, amount, reason, mok_id, of })
            }
        ),
        (bank_line(), seq(), balance(), any::<u32>()).prop_map(|(line, item, amount, card)| {
            let card = CardId(card);
            Fact::SuspenseAssigned(SuspenseAssigned { line, item, amount, card })
        }),
        (bank_line(), seq(), balance(), cause, prop::option::of(bank_line())).prop_map(
            |(line, item, amount, cause, by)| {
                Fact::SuspenseReleased(SuspenseReleased { line, item, amount, cause, by })
            }
        ),
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    let place = prop::sample::select(&[Place::Cashpoint, Place::Online, Place::Shop][..]);
    let authority = prop::sample::select(&[Authority::Elsewhere, Authority::Here][..]);
    prop_oneof![
        (answered(), amount(), place, any::<u8>(), sum(), authority).prop_map(
            |(answered, cash, place, hold_days, sum, authority)| {
                // What adds to an estimate holds no cash.
                let cash = if matches!(sum, Sum::AddsTo(_)) { Amount::default() } else { cash };
                let consent = Consent::NotAsked;
                let fact = Authorized { answered, cash, place, hold_days, sum, authority, consent };
                Fact::Authorized(fact)
            }
        ),
        step().prop_map(Fact::Confirmation),
        (answered(), seq(), amount(), amount()).prop_map(|(answered, original, held, parked)| {
            let answered = answered.without_merchant();
            Fact::Completed(Completed { answered, original, held, parked })
        }),
        cleared().prop_map(Fact::Cleared),
        line_parked().prop_map(Fact::LineParked),
        about_link().prop_map(Fact::CutOver),
        answered().prop_map(Fact::DeclinedElsewhere),
        (answered(), controls()).prop_map(|(answered, controls)| {
            let answered = answered.without_merchant();
            Fact::FileActioned(FileActioned { answered, controls })
        }),
        (answered(), prop::sample::select(&ParkCause::ALL[..]), seq(), stranger()).prop_map(
            |(answered, cause, original, stranger)| {
                let answered = answered.without_merchant();
                Fact::Parked(Parked { answered, cause, original, stranger })
            }
        ),
        (answered(), 0..=9_999_u16)
            .prop_map(|(answered, pvv)| Fact::PinChanged(PinChanged { answered, pvv })),
        (seq(), 1..u32::MAX)
            .prop_map(|(of, points)| Fact::PointsTakenBack(PointsTakenBack { of, points })),
        (any::<u16>().prop_map(Month::from_number), any::<u64>())
            .prop_map(|(month, points)| Fact::PointsExpired(PointsExpired { month, points })),
        (about_link(), totals())
            .prop_map(|(answered, totals)| Fact::Reconciled(Reconciled { answered, totals })),
        controls().prop_map(Fact::ControlsSet),
        answered().prop_map(Fact::Declined),
        any::<u32>().prop_map(|count| Fact::DeclinesCounted { count }),
        (seq(), amount(), fee()).prop_map(|(original, amount, fee)| {
            Fact::HoldExpired(HoldExpired { original, amount, fee })
        }),
        answered().prop_map(Fact::Inquired),
        (
            any::<[u8; 24]>(),
            controls(),
            any::<u32>(),
            prop::option::of(0..=9_999_u16),
            any::<bool>(),
            text(),
            amount()
        )
            .prop_map(|(sealed_pan, controls, mok_id, pvv, limited, name, opening)| {
                Fact::Issued(Issued { sealed_pan, controls, mok_id, pvv, limited, name, opening })
            }),
        (amount(), prop::sample::select(&LoadSource::ALL[..]), load_name(), balance(), balance())
            .prop_map(|(amount, source, name, balance, available)| {
                Fact::Loaded(Loaded { amount, source, name, balance, available })
            }),
        own_limits().prop_map(Fact::LimitsSet),
        taken_back().prop_map(Fact::LoadTakenBack),
        suspense(),
        (answered(), seq()).prop_map(|(answered, original)| {
            Fact::RefundPending(Refund { answered, original })
        }),
        (answered(), key()).prop_map(|(answered, original)| {
            // What no reversal knows for sure of its original is not kept.
            let original = RequestKey { acquirer: 0, ..original };
            Fact::ReversalRemembered(Remembered { answered: answered.without_merchant(), original })
        }),
        (any::<u32>(), order())
            .prop_map(|(number, order)| Fact::ScriptAsked(ScriptAsked { number, order })),
        (any::<u32>(), order(), outcome(), any::<u8>(), any::<[u8; 2]>()).prop_map(
            |(number, order, outcome, sends, at)| {
                Fact::ScriptSettled(ScriptSettled { number, order, outcome, sends, at })
            }
        ),
        (answered(), seq(), amount(), fee(), 0..4_u8, 0..3_u8, any::<bool>()).prop_map(
            |(answered, original, amount_left, fee_left, from, fate, is_dispense_fault)| {
                Fact::Reversed(Reversed {
                    answered: answered.without_merchant(),
                    original,
                    amount_left,
                    fee_left,
                    given_back: GivenBack::from_number(from).unwrap(),
                    fate: ReversalFate::from_number(fate).unwrap(),
                    is_dispense_fault,
                })
            }
        ),
    ]
}

fn new_confirmation() -> impl Strategy<Value = NewConfirmation> {
    let payee = prop_oneof![
        any::<[u8; 15]>().prop_map(|octets| Payee::Merchant(MerchantId::new(octets))),
        "[a-z]{1,30}".prop_map(|name| Payee::Name(NameKey::of(&name).unwrap())),
    ];
    (any::<[u8; 16]>(), amount(), 0..=999_u16, payee).prop_map(|(id, amount, currency, payee)| {
        let (id, currency) = (ConfirmationId(id), CurrencyCode::new(currency).unwrap());
        NewConfirmation { id, amount, currency, payee }
    })
}

fn number() -> impl Strategy<Value = ConfirmationNumber> {
    any::<[u8; 8]>().prop_map(ConfirmationNumber::of_entropy)
}

fn step() -> impl Strategy<Value = ConfirmationStep> {
    let id = || any::<[u8; 16]>().prop_map(ConfirmationId);
    let factor = prop::sample::select(&SecondFactor::ALL[..]);
    let exemption = prop::option::of(prop::sample::select(&Exemption::ALL[..]));
    prop_oneof![
        id().prop_map(ConfirmationStep::Approved),
        new_confirmation().prop_map(ConfirmationStep::Asked),
        (id(), prop::sample::select(&ConfirmationEnd::ALL[..]))
            .prop_map(|(id, end)| ConfirmationStep::Ended(id, end)),
        id().prop_map(ConfirmationStep::Failed),
        id().prop_map(ConfirmationStep::Pushed),
        (new_confirmation(), factor, exemption, number()).prop_map(
            |(purchase, factor, exemption, number)| {
                ConfirmationStep::Sealed(Sealed { purchase, factor, exemption, number })
            }
        ),
        Just(ConfirmationStep::Unblocked),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    let datum = (any::<u16>(), proptest::collection::vec(any::<u8>(), 0..=6))
        .prop_map(|(tag, value)| Command::PutData(Datum::new(tag, &value).unwrap()));
    let command = prop_oneof![
        Just(Command::ApplicationBlock),
        Just(Command::ApplicationUnblock),
        Just(Command::CardBlock),
        Just(Command::PinUnblock),
        datum
    ];
    prop_oneof![4 => command.prop_map(Order::Command), 1 => Just(Order::PinChange)]
}

fn outcome() -> impl Strategy<Value = ScriptOutcome> {
    prop_oneof![
        Just(ScriptOutcome::Accepted),
        Just(ScriptOutcome::Cancelled),
        Just(ScriptOutcome::Failed),
        Just(ScriptOutcome::Refused)
    ]
}

fn about() -> impl Strategy<Value = About> {
    let desk = prop::sample::select(&Desk::ALL[..]).prop_map(About::Desk);
    prop_oneof![4 => (0..0xFFFF_FFF0_u32).prop_map(|id| About::Card(CardId(id))), 1 => desk]
}

fn entry() -> impl Strategy<Value = Entry> {
    (about(), any::<u64>(), any::<u64>(), 0..=99_991_231_u32, fact()).prop_map(
        |(about, previous, at, date, fact)| Entry {
            about,
            previous: Seq(previous),
            at,
            date: LocalDate::from_packed(date),
            fact,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_was_proven_comes_back_with_all_else(entry in verified()) {
        let octets = entry.encode();
        let answered = entry.answered().unwrap();
        let is_plain = answered.chip.is_none() && !answered.is_pin_proven;
        let script = answered.chip.and_then(|chip| chip.script);
        let is_asked = !matches!(
            entry.fact,
            Fact::Authorized(Authorized { consent: Consent::Confirmed(_) | Consent::Exempt, .. })
        );
        let version = match script {
            _ if !is_asked => 4,
            Some(ChipScript::PinChange { .. }) => 3,
            _ if is_plain => 1,
            _ => 2,
        };
        prop_assert_eq!(octets[1], version);
        prop_assert_eq!(Entry::decode(&octets), Ok(entry));
    }

    #[test]
    fn an_entry_comes_back_as_it_was_written(entry in entry()) {
        prop_assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }

    #[test]
    fn every_entry_posts_lines_that_sum_to_zero(entry in entry()) {
        let lines: alloc::vec::Vec<_> = postings(&entry).collect();
        let sum: i128 = lines.iter().map(|line| i128::from(line.amount.minor())).sum();
        prop_assert_eq!(sum, 0);
        prop_assert!(matches!(lines.len(), 0 | 2 | 3), "{} lines", lines.len());
        let mut books = Books::default();
        books.add(&entry);
        prop_assert_eq!(books.sum(), 0);
        for account in Account::ALL {
            let own = lines.iter().filter(|line| line.account == account);
            let expected: i128 = own.map(|line| i128::from(line.amount.minor())).sum();
            prop_assert_eq!(books.total(account), expected);
        }
    }

    #[test]
    fn any_octets_are_an_entry_or_say_why_not(octets in any::<[u8; 32]>(), kind in 0..48_u8) {
        let mut whole = [0; ENTRY_OCTETS];
        for (at, octet) in whole.iter_mut().enumerate() {
            *octet = octets[at % 32].wrapping_add(at as u8);
        }
        (whole[0], whole[1]) = (kind, ENTRY_VERSION);
        if let Ok(entry) = Entry::decode(&whole) {
            // What it was read as is written and read again the same.
            prop_assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }
}

fn loaded() -> Entry {
    Entry {
        about: About::Card(CardId(7)),
        previous: Seq(3),
        at: 1_795_341_600_000,
        date: LocalDate::new(2026, 11, 22),
        fact: Fact::Loaded(Loaded {
            amount: Amount::from_minor(50_00),
            source: LoadSource::Upn,
            name: LoadName::Reference(Reference::new("SI05 1").unwrap()),
            balance: Balance::from_minor(-1),
            available: Balance::from_minor(-2),
        }),
    }
}

#[test]
fn a_load_by_a_bank_line_stands_where_an_older_program_cannot_misread_it() {
    let line = BankLine { key: StatementKey([0xAB; 16]), booked_on: LocalDate::new(2026, 11, 20) };
    let Entry { fact: Fact::Loaded(fact), .. } = loaded() else { unreachable!() };
    let fact = Fact::Loaded(Loaded { name: LoadName::Line(line), ..fact });
    let octets = Entry { fact, ..loaded() }.encode();
    assert_eq!((octets[0], octets[1], octets[28], octets[29]), (21, 1, 4, 0));
    assert_eq!(octets[64..80], [0xAB; 16]);
    assert_eq!(octets[80..84], 20_261_120_u32.to_le_bytes());
    assert_eq!(octets[84..], [0; 44]);
}

#[test]
fn keys_and_reasons_come_back_from_their_texts() {
    let key = StatementKey([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xFF]);
    let text = alloc::format!("{key}");
    assert_eq!(text, "000102030405060708090a0b0c0d0eff");
    assert_eq!(StatementKey::parse(&text), Some(key));
    for wrong in ["", "00", "+00102030405060708090a0b0c0d0eff", "g00102030405060708090a0b0c0d0eff"]
    {
        assert_eq!(StatementKey::parse(wrong), None, "{wrong}");
    }
    for reason in SuspenseReason::ALL {
        assert_eq!(SuspenseReason::by_name(reason.name()), Some(reason));
        assert_eq!(SuspenseReason::from_number(reason as u8), Some(reason));
    }
}

#[test]
fn octets_of_another_version_or_kind_are_refused_in_clear_words() {
    let mut newer = loaded().encode();
    newer[1] = ENTRY_VERSION + 1;
    let refused = Entry::decode(&newer).unwrap_err();
    assert_eq!(refused, EntryError::UnknownVersion(ENTRY_VERSION + 1));
    assert!(alloc::format!("{refused}").contains("newer"));

    let mut unwritten = loaded().encode();
    unwritten[1] = 0;
    assert_eq!(Entry::decode(&unwritten), Err(EntryError::UnknownVersion(0)));
    assert_eq!(Entry::decode(&[0; ENTRY_OCTETS]), Err(EntryError::UnknownVersion(0)));

    for kind in [0, 36, 255] {
        let mut foreign = loaded().encode();
        foreign[0] = kind;
        assert_eq!(Entry::decode(&foreign), Err(EntryError::UnknownKind(kind)));
    }
}

#[test]
fn a_field_without_a_value_of_its_own_names_its_octet() {
    for (octet, value) in [(28, 0), (28, 9), (29, 65)] {
        let mut damaged = loaded().encode();
        damaged[octet] = value;
        let at = u8::try_from(octet).unwrap();
        assert_eq!(Entry::decode(&damaged), Err(EntryError::BadField(at)), "octet {octet}");
    }
}

#[test]
fn the_layout_does_not_move() {
    // An entry of an old journal, octet for octet: whoever changes the layout must keep reading it.
    let octets = loaded().encode();
    let mut expected = [0; ENTRY_OCTETS];
    expected[0] = 8;
    expected[1] = 1;
    expected[4] = 7;
    expected[8] = 3;
    expected[16..24].copy_from_slice(&1_795_341_600_000_u64.to_le_bytes());
    expected[24..28].copy_from_slice(&20_261_122_u32.to_le_bytes());
    (expected[28], expected[29]) = (4, 6);
    expected[32..34].copy_from_slice(&5_000_u16.to_le_bytes());
    expected[38..44].copy_from_slice(&[0xFF; 6]);
    expected[44..50].copy_from_slice(&[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    expected[64..70].copy_from_slice(b"SI05 1");
    assert_eq!(octets, expected);
}

#[test]
fn a_confirmed_purchase_names_its_record_where_a_cryptogram_would_stand() {
    // Whoever changes the layout must keep reading it: an approval of 39.00 that used up a record.
    let mut fact = Authorized {
        answered: Answered::about_link(
            Mti::new(100).unwrap(),
            RequestKey {
                acquirer: 476_173,
                terminal: TerminalId::new(*b"SHOP0001"),
                when: 1_122_101_500,
                stan: 7,
                class: 1,
            },
            Reason::Approved,
        ),
        cash: Amount::default(),
        place: Place::Online,
        hold_days: 10,
        sum: Sum::Exact,
        authority: Authority::Here,
        consent: Consent::Confirmed(
            ConfirmationNumber::from_packed([0x96, 0x02, 0x23, 0x10, 0x34, 0x72, 0x79, 0x93])
                .unwrap(),
        ),
    };
    fact.answered.amount = Amount::from_minor(39_00);
    let entry = Entry { fact: Fact::Authorized(fact), ..loaded() };
    let octets = entry.encode();
    assert_eq!((octets[0], octets[1], octets[30]), (1, 4, Place::Online as u8 | 0x08));
    let number = [37, 38, 39, 63, 69, 75, 126, 127].map(|at| octets[at]);
    assert_eq!(number, [0x96, 0x02, 0x23, 0x10, 0x34, 0x72, 0x79, 0x93]);
    assert_eq!(Entry::decode(&octets), Ok(entry.clone()));
    fact.consent = Consent::Exempt;
    let exempt = Entry { fact: Fact::Authorized(fact), ..entry }.encode();
    assert_eq!((exempt[1], exempt[30], exempt[37]), (4, Place::Online as u8 | 0x04, 0));
}

#[test]
fn the_layout_of_a_sealed_confirmation_does_not_move() {
    let sealed = ConfirmationStep::Sealed(Sealed {
        purchase: NewConfirmation {
            id: ConfirmationId([0xAB; 16]),
            amount: Amount::from_minor(39_00),
            currency: CurrencyCode::EUR,
            payee: Payee::Merchant(MerchantId::new(*b"SHOP0001       ")),
        },
        factor: SecondFactor::OutOfBandBiometric,
        exemption: None,
        number: ConfirmationNumber::from_packed([0x12; 8]).unwrap(),
    });
    let octets = Entry { fact: Fact::Confirmation(sealed), ..loaded() }.encode();
    assert_eq!((octets[0], octets[1], octets[28], octets[29]), (33, 1, 7, 0));
    assert_eq!(octets[32..48], [0xAB; 16]);
    assert_eq!(octets[48], 1);
    assert_eq!(octets[49..65], *b"SHOP0001       \0");
    assert_eq!(octets[65..73], [0x3C, 0x0F, 0, 0, 0, 0, 0xD2, 0x03]);
    assert_eq!(octets[73..81], [0x12; 8]);
    assert_eq!(octets[81..], [0; 47]);
}
