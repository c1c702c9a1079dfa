//! Confirmations at the control interface: every right order, every wrong one, every limit of time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may")]

use cekr_iso8583::{CurrencyCode, Mcc, Pan};
use cekr_issuer::confirmation::{
    BLOCKED_MS, ConfirmationRefused, ENDED_KEPT_MAX, OPEN_MAX, PENDING_MS, SEALED_MAX, SEALED_MS,
};
use cekr_issuer::policy::Policy;
use cekr_issuer::{
    Amount, CardId, CardStatus, ConfirmationEnd, ConfirmationId, ConfirmationState, Exemption,
    LocalDate, NewConfirmation, Now, OnlinePurchase, OnlineVerdict, Payee, Reason, SecondFactor,
};
use cekr_switch::control::{ChannelsPatch, Control, ControlError};
use cekr_switch::fuzzing::small_engine;
use cekr_switch::sync::Arc;

const CARD: CardId = CardId(0);
const NOW: Now = Now { unix_ms: 1_795_341_600_000, local_date: LocalDate::new(2026, 11, 22) };
const FACTOR: SecondFactor = SecondFactor::OutOfBandBiometric;

fn later(ms: u64) -> Now {
    Now { unix_ms: NOW.unix_ms + ms, ..NOW }
}

fn control() -> Control {
    Control::new(small_engine().shard().clone(), Arc::new(Policy::default()))
}

fn id(number: u8) -> ConfirmationId {
    ConfirmationId([number; 16])
}

fn purchase(number: u8, cents: u64) -> NewConfirmation {
    NewConfirmation {
        id: id(number),
        amount: Amount::from_minor(cents),
        currency: CurrencyCode::EUR,
        payee: Payee::of("SHOP0001", "Knjigarna").unwrap(),
    }
}

fn asked(cents: u64) -> OnlinePurchase {
    OnlinePurchase {
        expiry: None,
        amount: Amount::from_minor(cents),
        currency: CurrencyCode::EUR,
        country: *b"SI",
        mcc: Mcc::new(5942).unwrap(),
        claim: None,
    }
}

/// Asked for, pushed and approved at `now`.
fn approved(control: &Control, number: u8, cents: u64, now: Now) {
    control.ask_confirmation(CARD, purchase(number, cents), now).unwrap();
    control.push_confirmation(CARD, id(number), now).unwrap();
    control.approve_confirmation(CARD, id(number), now).unwrap();
}

fn state(control: &Control, number: u8, now: Now) -> ConfirmationState {
    control.confirmation(CARD, id(number), now).unwrap().0.state
}

fn wrong(state: ConfirmationState) -> ControlError {
    ControlError::Confirmation(ConfirmationRefused::Wrong(state))
}

#[test]
fn a_confirmation_goes_its_way_and_each_step_may_be_asked_again() {
    let control = control();
    let (created, first) = control.ask_confirmation(CARD, purchase(1, 39_00), NOW).unwrap();
    assert_eq!(created.state, ConfirmationState::Created);
    assert_eq!(control.ask_confirmation(CARD, purchase(1, 39_00), NOW).unwrap(), (created, first));
    let pushed = control.push_confirmation(CARD, id(1), NOW).unwrap();
    assert_eq!(pushed.0.expires_at, NOW.unix_ms + PENDING_MS);
    // A second push does not give the holder more time.
    assert_eq!(control.push_confirmation(CARD, id(1), later(1_000)).unwrap(), pushed);
    let agreed = control.approve_confirmation(CARD, id(1), later(2_000)).unwrap();
    assert_eq!(control.approve_confirmation(CARD, id(1), later(3_000)).unwrap(), agreed);
    let (sealed, seq) = control.seal_confirmation(CARD, id(1), FACTOR, later(4_000)).unwrap();
    assert_eq!(sealed.view.state, ConfirmationState::Sealed);
    assert_eq!((sealed.eci, sealed.cavv[0], sealed.cavv[1], sealed.cavv[2]), (5, 0, 7, 1));
    assert_eq!(
        control.seal_confirmation(CARD, id(1), FACTOR, later(5_000)).unwrap(),
        (sealed, seq),
        "the same value again, and no entry",
    );
    let other = control.seal_confirmation(CARD, id(1), SecondFactor::Other, later(5_000));
    assert_eq!(other.unwrap_err(), wrong(ConfirmationState::Sealed));
    let pan = Pan::from_number(4_761_730_000_000_011).unwrap();
    assert_eq!(control.shard().hsm().verify_cavv(pan, &sealed.cavv), Ok(true));
    assert_eq!(control.by_number(pan), Some(CARD));
    assert!(!format!("{sealed:?}").contains("cavv"), "the value is not shown");
}

#[test]
fn every_wrong_order_is_refused_with_the_state_that_it_met() {
    let control = control();
    let unknown = ControlError::Confirmation(ConfirmationRefused::NotFound);
    assert_eq!(control.push_confirmation(CARD, id(9), NOW).unwrap_err(), unknown);
    assert_eq!(control.confirmation(CARD, id(9), NOW).unwrap_err(), unknown);
    control.ask_confirmation(CARD, purchase(1, 39_00), NOW).unwrap();
    let created = wrong(ConfirmationState::Created);
    assert_eq!(control.approve_confirmation(CARD, id(1), NOW).unwrap_err(), created);
    assert_eq!(control.fail_confirmation(CARD, id(1), NOW).unwrap_err(), created);
    assert_eq!(control.seal_confirmation(CARD, id(1), FACTOR, NOW).unwrap_err(), created);
    control.push_confirmation(CARD, id(1), NOW).unwrap();
    let pending = wrong(ConfirmationState::Pending);
    assert_eq!(control.seal_confirmation(CARD, id(1), FACTOR, NOW).unwrap_err(), pending);
    control.approve_confirmation(CARD, id(1), NOW).unwrap();
    let agreed = wrong(ConfirmationState::Approved);
    for end in [ConfirmationEnd::Denied, ConfirmationEnd::Expired] {
        assert_eq!(control.end_confirmation(CARD, id(1), end, NOW).unwrap_err(), agreed);
    }
    control.end_confirmation(CARD, id(1), ConfirmationEnd::Cancelled, NOW).unwrap();
    control.end_confirmation(CARD, id(1), ConfirmationEnd::Cancelled, NOW).unwrap();
    let cancelled = wrong(ConfirmationState::Cancelled);
    assert_eq!(control.seal_confirmation(CARD, id(1), FACTOR, NOW).unwrap_err(), cancelled);
    assert_eq!(control.push_confirmation(CARD, id(1), NOW).unwrap_err(), cancelled);
    let differs = control.ask_confirmation(CARD, purchase(1, 39_01), NOW).unwrap_err();
    assert_eq!(differs, ControlError::Confirmation(ConfirmationRefused::Differs));
    let nothing = control.ask_confirmation(CARD, purchase(2, 0), NOW).unwrap_err();
    assert_eq!(nothing, ControlError::AmountZero);
    let nobody = control.ask_confirmation(CardId(7), purchase(2, 1), NOW).unwrap_err();
    assert_eq!(nobody, ControlError::NotFound);
}

#[test]
fn what_nobody_answers_expires_by_itself() {
    let control = control();
    control.ask_confirmation(CARD, purchase(1, 39_00), NOW).unwrap();
    control.push_confirmation(CARD, id(1), NOW).unwrap();
    assert_eq!(state(&control, 1, later(PENDING_MS - 1)), ConfirmationState::Pending);
    assert_eq!(state(&control, 1, later(PENDING_MS)), ConfirmationState::Expired);
    let late = control.approve_confirmation(CARD, id(1), later(PENDING_MS)).unwrap_err();
    assert_eq!(late, wrong(ConfirmationState::Expired));
    approved(&control, 2, 39_00, later(PENDING_MS));
    control.seal_confirmation(CARD, id(2), FACTOR, later(PENDING_MS)).unwrap();
    let end = PENDING_MS + SEALED_MS;
    assert_eq!(state(&control, 2, later(end - 1)), ConfirmationState::Sealed);
    assert_eq!(state(&control, 2, later(end)), ConfirmationState::Expired);
}

#[test]
fn the_sixth_open_one_is_refused_and_old_ones_are_forgotten_at_their_bounds() {
    let control = control();
    let open = u8::try_from(OPEN_MAX).unwrap();
    for number in 1..=open {
        control.ask_confirmation(CARD, purchase(number, 1_00), NOW).unwrap();
    }
    let full = control.ask_confirmation(CARD, purchase(99, 1_00), NOW).unwrap_err();
    assert_eq!(full, ControlError::Confirmation(ConfirmationRefused::Full));
    for number in 1..=open {
        control.end_confirmation(CARD, id(number), ConfirmationEnd::Denied, NOW).unwrap();
    }
    let sealed = u8::try_from(SEALED_MAX).unwrap();
    for number in 100..=100 + sealed {
        approved(&control, number, 1_00, NOW);
        control.seal_confirmation(CARD, id(number), FACTOR, NOW).unwrap();
    }
    assert_eq!(state(&control, 100, NOW), ConfirmationState::Expired, "the oldest gave its place");
    assert_eq!(state(&control, 101, NOW), ConfirmationState::Sealed);
    for number in 1..50 {
        control.ask_confirmation(CARD, purchase(number, 2_00), NOW).ok();
        control.end_confirmation(CARD, id(number), ConfirmationEnd::Cancelled, NOW).ok();
    }
    let all = control.confirmations(CARD, NOW).unwrap().0;
    assert_eq!(all.len(), SEALED_MAX + ENDED_KEPT_MAX);
}

#[test]
fn five_failures_deny_what_is_open_and_block_for_a_day_or_until_somebody_unblocks() {
    let control = control();
    control.ask_confirmation(CARD, purchase(1, 39_00), NOW).unwrap();
    control.push_confirmation(CARD, id(1), NOW).unwrap();
    control.ask_confirmation(CARD, purchase(2, 39_00), NOW).unwrap();
    for tries in 1..=4 {
        let failed = control.fail_confirmation(CARD, id(1), NOW).unwrap().0;
        assert_eq!((failed.state, failed.tries), (ConfirmationState::Pending, tries));
    }
    let failed = control.fail_confirmation(CARD, id(1), NOW).unwrap().0;
    assert_eq!((failed.state, failed.tries), (ConfirmationState::Denied, 5));
    assert_eq!(state(&control, 2, NOW), ConfirmationState::Denied);
    let until = NOW.unix_ms + BLOCKED_MS;
    let blocked = ControlError::Confirmation(ConfirmationRefused::Blocked { until });
    assert_eq!(control.ask_confirmation(CARD, purchase(3, 1_00), NOW).unwrap_err(), blocked);
    assert_eq!(control.confirmations_blocked(CARD, NOW).unwrap().0, Some(until));
    // A day later they go on, and failures count from nothing.
    let tomorrow = later(BLOCKED_MS);
    control.ask_confirmation(CARD, purchase(3, 1_00), tomorrow).unwrap();
    control.push_confirmation(CARD, id(3), tomorrow).unwrap();
    for _ in 0..4 {
        control.fail_confirmation(CARD, id(3), tomorrow).unwrap();
    }
    assert_eq!(state(&control, 3, tomorrow), ConfirmationState::Pending);
    control.fail_confirmation(CARD, id(3), tomorrow).unwrap();
    assert!(control.confirmations_blocked(CARD, tomorrow).unwrap().0.is_some());
    let (_, seq) = control.unblock_confirmations(CARD, tomorrow).unwrap();
    assert_eq!(control.unblock_confirmations(CARD, tomorrow).unwrap().1, seq, "nothing to do");
    control.ask_confirmation(CARD, purchase(4, 1_00), tomorrow).unwrap();
}

#[test]
fn an_approval_forgets_the_failures_before_it() {
    let control = control();
    for number in 1..=3 {
        control.ask_confirmation(CARD, purchase(number, 1_00), NOW).unwrap();
        control.push_confirmation(CARD, id(number), NOW).unwrap();
        for _ in 0..4 {
            control.fail_confirmation(CARD, id(number), NOW).unwrap();
        }
        control.approve_confirmation(CARD, id(number), NOW).unwrap();
    }
    assert_eq!(control.confirmations_blocked(CARD, NOW).unwrap().0, None);
}

#[test]
fn a_card_that_is_not_active_confirms_nothing_and_can_still_end_what_is_open() {
    let control = control();
    approved(&control, 1, 39_00, NOW);
    control.lock(CARD, NOW).unwrap();
    let locked = ControlError::Conflict(CardStatus::Locked);
    assert_eq!(control.seal_confirmation(CARD, id(1), FACTOR, NOW).unwrap_err(), locked);
    assert_eq!(control.ask_confirmation(CARD, purchase(2, 1_00), NOW).unwrap_err(), locked);
    let ended = control.end_confirmation(CARD, id(1), ConfirmationEnd::Cancelled, NOW).unwrap();
    assert_eq!(ended.0.state, ConfirmationState::Cancelled);
}

#[test]
fn a_purchase_is_judged_before_it_is_asked_for_as_the_switch_will_judge_it() {
    let control = control();
    let judge = |asked: OnlinePurchase| control.judge_online(CARD, &asked, NOW).unwrap();
    assert_eq!(judge(asked(30_00)), OnlineVerdict::Exempt(Exemption::LowValue));
    assert_eq!(judge(asked(30_01)), OnlineVerdict::NeedsConfirmation);
    let foreign = OnlinePurchase { currency: CurrencyCode::new(840).unwrap(), ..asked(1_00) };
    assert_eq!(judge(foreign), OnlineVerdict::NeedsConfirmation, "nobody knows what it will be");
    let expiry = cekr_iso8583::Expiry::new(3_011);
    let refused = OnlineVerdict::Refused;
    assert_eq!(judge(OnlinePurchase { expiry, ..asked(1_00) }), refused(Reason::ExpiredNotPresent));
    let abroad = OnlinePurchase { country: *b"HR", ..asked(1_00) };
    assert_eq!(judge(abroad), OnlineVerdict::Exempt(Exemption::LowValue));
    let off = ChannelsPatch { abroad: Some(false), ..ChannelsPatch::default() };
    control.set_channels(CARD, off, NOW).unwrap();
    assert_eq!(judge(abroad), refused(Reason::ChannelOff));
    assert_eq!(judge(asked(1_00)), OnlineVerdict::Exempt(Exemption::LowValue));
    control.lock(CARD, NOW).unwrap();
    assert_eq!(judge(asked(1_00)), refused(Reason::Locked));
}

#[test]
fn a_purchase_that_is_exempt_is_sealed_without_the_holder_and_no_other() {
    let control = control();
    let new = purchase(1, 20_00);
    let (sealed, seq) = control.seal_frictionless(CARD, new, &asked(20_00), NOW).unwrap();
    assert_eq!(sealed.view.factor, Some(SecondFactor::Frictionless));
    assert_eq!(sealed.view.exemption, Some(Exemption::LowValue));
    assert_eq!(sealed.cavv[1], 0x97);
    let again = control.seal_frictionless(CARD, new, &asked(20_00), NOW).unwrap();
    assert_eq!(again, (sealed, seq));
    // What is asked of the rules is what is sealed, whatever else the caller says.
    let large = control.seal_frictionless(CARD, purchase(2, 40_00), &asked(1_00), NOW);
    assert_eq!(large.unwrap_err(), ControlError::NotExempt);
}
