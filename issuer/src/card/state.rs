//! A card's fields in and out of the octets of a checkpoint.

use alloc::boxed::Box;

use super::loads::{Loads, TakenBack};
use super::points::Points;
use super::{Card, Confirmations, Declines, Rare, Scripts, Unasked};
use crate::controls::Controls;
use crate::entry::{CardId, Seq};
use crate::limit::{OwnLimits, Spent};
use crate::snapshot::{Reader, SnapshotError, Writer};
use crate::transaction::Transactions;

impl Card {
    pub(crate) fn write_state(&self, out: &mut Writer<'_>) {
        let Self {
            id,
            controls,
            balance,
            held,
            limited,
            pvv,
            pin_tries_left,
            atc_last,
            atc_seen,
            contactless,
            spent,
            declines,
            due_first,
            last_seq,
            last_at,
            transactions,
            loads,
            rare,
        } = self;
        out.small(id.0);
        out.number(controls.word());
        out.balance(*balance);
        out.amount(*held);
        out.put([u8::from(*limited), u8::from(pvv.is_some()), *pin_tries_left]);
        out.put(pvv.unwrap_or_default().to_le_bytes());
        out.put(atc_last.to_le_bytes());
        out.number(*atc_seen);
        contactless.write_state(out);
        spent.write_state(out);
        out.number(declines.hour.into());
        out.small(declines.entered);
        out.small(declines.counted);
        out.number(*due_first);
        out.number(last_seq.0);
        out.number(*last_at);
        out.all(transactions.iter(), Writer::transaction);
        out.put([u8::from(loads.is_some() || rare.is_some())]);
        if loads.is_some() || rare.is_some() {
            let (no_loads, nothing_rare) = (Loads::default(), Rare::default());
            let Loads { posted, taken_back, opening, points } =
                loads.as_deref().unwrap_or(&no_loads);
            let Rare { remembered, dispense_faults, scripts, limits, confirmations } =
                rare.as_deref().unwrap_or(&nothing_rare);
            out.all(remembered.iter(), Writer::key);
            out.all(posted.iter(), |out, (mark, seq)| {
                out.number(*mark);
                out.number(seq.0);
            });
            out.all(dispense_faults.iter(), |out, at| out.number(*at));
            out.amount(*opening);
            out.all(taken_back.iter(), |out, taken| {
                let TakenBack { load, amount, mark, at } = taken;
                out.number(load.0);
                out.amount(*amount);
                out.number(*mark);
                out.number(*at);
            });
            scripts.write_state(out);
            limits.write_state(out);
            confirmations.write_state(out);
            points.as_deref().unwrap_or(&Points::default()).write_state(out);
        }
    }

    /// `version` is the layout's: the first knows no chip, the second no entries of
    /// loads, the third no scripts, the fourth no limits of the holder's own, the fifth no
    /// confirmations, the sixth no points.
    pub(crate) fn read_state(from: &mut Reader<'_>, version: u8) -> Result<Self, SnapshotError> {
        let id = CardId(from.small()?);
        let controls = Controls::from_word(from.number()?);
        let balance = from.balance()?;
        let held = from.amount()?;
        let limited = from.flag()?;
        let has_pvv = from.flag()?;
        let [pin_tries_left] = from.take()?;
        let pvv = u16::from_le_bytes(from.take()?);
        let (atc_last, atc_seen, contactless) = match version {
            1 => (0, 0, Unasked::default()),
            2..6 => {
                let (last, seen) = (u16::from_le_bytes(from.take()?), from.number()?);
                (last, seen, Unasked::of_sum(from.small()?))
            }
            _ => {
                let (last, seen) = (u16::from_le_bytes(from.take()?), from.number()?);
                (last, seen, Unasked::read_state(from)?)
            }
        };
        let spent = Spent::read_state(from)?;
        let hour = u32::try_from(from.number()?).map_err(|_| SnapshotError::BadField)?;
        let declines = Declines { hour, entered: from.small()?, counted: from.small()? };
        let due_first = from.number()?;
        let last_seq = Seq(from.number()?);
        let last_at = from.number()?;
        let transactions = Transactions::restored(from.all(|from| from.transaction(version))?);
        let (mut loads, mut rare) = (Loads::default(), Rare::default());
        if from.flag()? {
            rare.remembered = from.all(Reader::key)?;
            loads.posted = from.all(|from| {
                let mark = from.number()?;
                let seq = if version > 2 { from.number()? } else { 0 };
                Ok((mark, Seq(seq)))
            })?;
            rare.dispense_faults = from.all(Reader::number)?;
            loads.opening = from.amount()?;
            if version > 2 {
                loads.taken_back = from.all(|from| {
                    let load = Seq(from.number()?);
                    let amount = from.amount()?;
                    Ok(TakenBack { load, amount, mark: from.number()?, at: from.number()? })
                })?;
            }
            if version > 3 {
                rare.scripts = Scripts::read_state(from)?;
            }
            if version > 4 {
                rare.limits = OwnLimits::read_state(from)?;
            }
            if version > 5 {
                rare.confirmations = Confirmations::read_state(from)?;
            }
            if version > 6 {
                loads.points = Points::read_state(from)?.boxed();
            }
        }
        Ok(Self {
            id,
            controls,
            balance,
            held,
            limited,
            pvv: has_pvv.then_some(pvv),
            pin_tries_left,
            atc_last,
            atc_seen,
            contactless,
            spent,
            declines,
            due_first,
            last_seq,
            last_at,
            transactions,
            loads: (loads != Loads::default()).then(|| Box::new(loads)),
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
        })
    }
}
