//! What a decision wants proven, taken out of the message and asked of the security module; and the
//! MACs of messages and replies.
//!
//! Nothing here holds a lock, and nothing is read of a message before somebody wants it.

use cekr_emv::crypto::cvv::{Cvv, Expiry, ServiceCode};
use cekr_emv::issuer::{Entry as ChipEntry, ScriptResult, Told};
use cekr_emv::tlv;
use cekr_iso8583::{CurrencyCode, Pan, View, subfield};
use cekr_issuer::proof::pin_mark;
use cekr_issuer::{
    Ask, CavvProof, ChipFault, ChipProof, ConfirmationNumber, CvvProof, NameKey, NewPinProof,
    PinProof, ProofKind, Proofs, Reason, Request,
};

use super::{Link, MacRule};
use crate::hsm::{Hsm, PinReference, SealedPin, Unavailable};
use crate::table::Cell;

/// A request about a card of ours, with the message that it came in.
#[derive(Clone, Copy)]
pub(super) struct Case<'c> {
    pub(super) link: &'c Link,
    pub(super) view: &'c View<'c>,
    pub(super) request: &'c Request,
    pub(super) cell: &'c Cell,
    /// What PIN blocks are marked under.
    pub(super) secret: [u64; 2],
}

impl Case<'_> {
    /// Finds the proof that is wanted and puts it to the others.
    pub(super) fn prove(
        &self,
        kind: ProofKind,
        pvv: Option<u16>,
        hsm: &dyn Hsm,
        proofs: &mut Proofs,
    ) -> Result<(), Unavailable> {
        // A card of the table has a number; without one nothing is right.
        let pan = self.cell.pan().ok_or(Unavailable)?;
        match kind {
            ProofKind::Cavv => proofs.cavv = Some(self.cavv(pan, hsm)?),
            ProofKind::Chip => {
                let mut scratch = [0; CHIP_DATA_MAX];
                proofs.chip = Some(match self.view.chip_data(&mut scratch) {
                    Some(data) => hsm.verify_chip(pan, data, &self.told())?,
                    // Data that are there and cannot be read may not pass for none.
                    None => ChipProof::Refused(ChipFault::Format),
                });
            }
            ProofKind::Cvv => proofs.cvv = Some(self.cvv(pan, hsm)?),
            ProofKind::NewPin => {
                let proof = match self.new_pin() {
                    Some(sealed) => hsm.read_new_pin(&sealed, pan)?,
                    None => NewPinProof::Unreadable,
                };
                proofs.new_pin = Some(proof);
            }
            ProofKind::Pin => {
                let reference = pvv.map_or(PinReference::None, PinReference::Pvv);
                let proof = match self.pin() {
                    Some(sealed) => hsm.verify_pin(&sealed, pan, &reference)?,
                    None => PinProof::Unreadable,
                };
                if proof == PinProof::Right {
                    proofs.pin_mark = self.pin_mark();
                }
                proofs.pin = Some(proof);
            }
        }
        Ok(())
    }

    /// What a message tells of a script of an earlier answer, without a proof.
    pub(super) fn script_told(&self) -> Option<ScriptResult> {
        let mut scratch = [0; CHIP_DATA_MAX];
        let told = tlv::value_of(self.view.chip_data(&mut scratch)?, SCRIPT_RESULTS)?;
        ScriptResult::all(told).next()
    }

    /// The PIN that the chip is to take, if the message brings the blocks that `mark` stands for.
    pub(super) fn pin_for_chip(&self, mark: u16) -> Option<SealedPin> {
        let is_same = self.pin_mark() == mark;
        let pin = if self.request.ask == Ask::PinChange { self.new_pin() } else { self.pin() };
        pin.filter(|_| is_same)
    }

    fn pin_mark(&self) -> u16 {
        let clear = self.request.pin_block.as_ref().map(|block| block.expose().as_slice());
        let private = self.view.private();
        let ids = [subfield::PIN_BLOCK, subfield::NEW_PIN_BLOCK, subfield::KSN];
        let value = |id| private.as_ref().and_then(|parts| parts.value(id)).unwrap_or_default();
        let blocks = [clear.unwrap_or_default()].into_iter().chain(ids.map(value));
        pin_mark(self.secret, blocks)
    }

    /// What the message says of the values that the chip has sealed.
    fn told(&self) -> Told {
        let Self { view, request, .. } = self;
        let sequence = view.field(23).and_then(|field| number_of(field.characters()));
        let date = view.field(13).and_then(|field| {
            let day = number_of(field.characters())?;
            let packed = |two: u16| u8::try_from(two / 10 * 16 + two % 10).ok();
            Some([packed(day / 100)?, packed(day % 100)?])
        });
        Told {
            amount: view.has(4).then(|| request.transaction_amount.minor()),
            currency: currency_number(request.currency),
            sequence,
            entry: ChipEntry::of_mode(request.entry_mode.entry),
            date,
        }
    }

    /// The PIN block of the message: DE 52, or DE 48 id 52; with a serial number (id 53) it is
    /// under the key of a pad's transaction, else under a zone key.
    fn pin(&self) -> Option<SealedPin> {
        let private = self.view.private();
        let value = |id| private.as_ref().and_then(|parts| parts.value(id));
        let serial = value(subfield::KSN);
        if let Some(block) = &self.request.pin_block {
            return Some(self.sealed(*block.expose(), serial));
        }
        Some(sealed_aes(value(subfield::PIN_BLOCK)?, serial))
    }

    /// The block of a new PIN (DE 48 id 54), sealed as the old one's is.
    fn new_pin(&self) -> Option<SealedPin> {
        let private = self.view.private()?;
        let serial = private.value(subfield::KSN);
        let block = private.value(subfield::NEW_PIN_BLOCK)?;
        match octets_of_hex::<8>(block) {
            Some(block) => Some(self.sealed(block, serial)),
            None => Some(sealed_aes(block, serial)),
        }
    }

    fn sealed(&self, block: [u8; 8], serial: Option<&[u8]>) -> SealedPin {
        match serial.map(octets_of_hex::<10>) {
            None => SealedPin::Zone { link: self.link.id, block },
            Some(Some(ksn)) => SealedPin::DukptTdes { block, ksn },
            Some(None) => SealedPin::Unreadable,
        }
    }

    /// The authentication value of a web shop (DE 48 id 43), with what else of the message its
    /// record is compared with.
    fn cavv(&self, pan: Pan, hsm: &dyn Hsm) -> Result<CavvProof, Unavailable> {
        let private = self.view.private();
        let text = private.as_ref().and_then(|parts| parts.value(subfield::CAVV));
        let Some(value) = text.and_then(subfield::cavv_octets) else {
            return Ok(CavvProof::Wrong);
        };
        let [_, _, _, _, _, _, _, number @ .., _, _, _, _, _] = value;
        let Some(number) = ConfirmationNumber::from_packed(number) else {
            return Ok(CavvProof::Wrong);
        };
        if !hsm.verify_cavv(pan, &value)? {
            return Ok(CavvProof::Wrong);
        }
        let location = self.view.location();
        let name = location.as_ref().and_then(|location| str::from_utf8(location.name()).ok());
        Ok(CavvProof::Right { number, shop: name.and_then(NameKey::of) })
    }

    /// The verification value of the track, or the CVV2 of a card that is not at hand.
    fn cvv(&self, pan: Pan, hsm: &dyn Hsm) -> Result<CvvProof, Unavailable> {
        let found = self.track_value().or_else(|| self.printed_value());
        Ok(match found {
            None => CvvProof::Absent,
            Some(None) => CvvProof::Wrong,
            Some(Some((expiry, service, value))) => {
                let is_right = hsm.verify_cvv(pan, expiry, service, value)?;
                if is_right { CvvProof::Right } else { CvvProof::Wrong }
            }
        })
    }

    /// Track 2 behind the separator: expiry 4, service code 3, key index 1 and PIN verification
    /// value 4, card verification value 3. A track that is shorter, or that has zeros there, has
    /// none. What a chip gives for its track is made with the service code 999.
    fn track_value(&self) -> Option<Option<(Expiry, ServiceCode, Cvv)>> {
        let mut digits = [0; TRACK_VALUE_END];
        let track = self.view.field(35)?;
        let behind = track.characters().skip_while(u8::is_ascii_digit).skip(1);
        let mut len = 0;
        for (to, from) in digits.iter_mut().zip(behind) {
            *to = from;
            len += 1;
        }
        let (expiry, rest) = digits.split_first_chunk::<4>()?;
        let (service, rest) = rest.split_first_chunk::<3>()?;
        let (_, value) = rest.split_first_chunk::<5>()?;
        if len < TRACK_VALUE_END || value == b"000" {
            return None;
        }
        let is_by_chip = match ChipEntry::of_mode(self.request.entry_mode.entry) {
            ChipEntry::Contact | ChipEntry::Contactless => true,
            ChipEntry::Other => false,
        };
        let service =
            if is_by_chip { Some(ServiceCode::ICVV) } else { ServiceCode::parse(service) };
        Some((|| Some((Expiry::parse(expiry)?, service?, cvv_of(value)?)))())
    }

    /// CVV2 (DE 48 id 92), over the card's expiry as month and year.
    fn printed_value(&self) -> Option<Option<(Expiry, ServiceCode, Cvv)>> {
        let value = self.view.private()?.value(subfield::CVV2)?;
        let number = self.cell.controls().expiry.number();
        let turned = number % 100 * 100 + number / 100;
        let digit = |power: u16| b'0' + u8::try_from(turned / power % 10).unwrap_or_default();
        let expiry = Expiry::parse(&[1000, 100, 10, 1].map(digit));
        Some((|| Some((expiry?, ServiceCode::CVV2, cvv_of(value)?)))())
    }
}

/// Whether a message has the MAC that its link requires.
pub(super) fn check_mac(
    link: &Link,
    view: &View<'_>,
    message: &[u8],
    hsm: &dyn Hsm,
) -> Result<(), Reason> {
    let MacRule::Required = link.mac else {
        return Ok(());
    };
    let mut scratch = [0; 8];
    let found = mac_element(view).and_then(|element| {
        let mac = view.field(element)?.octets(&mut scratch)?;
        let covered = message.get(..view.offset(element)?)?;
        Some((covered, <[u8; 8]>::try_from(mac).ok()?))
    });
    let (covered, mac) = found.ok_or(Reason::MacMissing)?;
    match hsm.verify_mac(link.id, covered, mac) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Reason::MacWrong),
        Err(Unavailable) => Err(Reason::Internal),
    }
}

/// The last element of a message that has a MAC: 64 or 128.
pub(super) fn mac_element(view: &View<'_>) -> Option<u8> {
    [128, 64].into_iter().find(|element| view.has(*element))
}

/// Puts the MAC of a reply in the place of the zeros that end it.
pub(super) fn seal_reply(
    link: &Link,
    reply: &mut [u8],
    is_text: bool,
    hsm: &dyn Hsm,
) -> Result<(), Unavailable> {
    let len = if is_text { 16 } else { 8 };
    let at = reply.len().checked_sub(len).ok_or(Unavailable)?;
    let (covered, place) = reply.split_at_mut_checked(at).ok_or(Unavailable)?;
    let mac = hsm.mac(link.id, covered)?;
    if is_text {
        for (to, octet) in place.as_chunks_mut::<2>().0.iter_mut().zip(mac) {
            *to = [hex_digit(octet >> 4), hex_digit(octet & 0x0F)];
        }
    } else {
        place.copy_from_slice(&mac);
    }
    Ok(())
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

fn sealed_aes(block: &[u8], serial: Option<&[u8]>) -> SealedPin {
    let Some(block) = octets_of_hex::<16>(block) else {
        return SealedPin::Unreadable;
    };
    match serial.map(octets_of_hex::<12>) {
        None => SealedPin::ZoneAes { block },
        Some(Some(ksn)) => SealedPin::DukptAes { block, ksn },
        Some(None) => SealedPin::Unreadable,
    }
}

fn cvv_of(digits: &[u8]) -> Option<Cvv> {
    let digits: [u8; 3] = digits.try_into().ok()?;
    Cvv::new(number_of(digits.into_iter())?)
}

fn currency_number(currency: CurrencyCode) -> u16 {
    currency.number()
}

/// The number of up to four digits.
fn number_of(digits: impl Iterator<Item = u8>) -> Option<u16> {
    let mut number = None;
    for digit in digits {
        let digit = digit.is_ascii_digit().then_some(u16::from(digit & 0x0F))?;
        number = Some(number.unwrap_or(0_u16).checked_mul(10)?.checked_add(digit)?);
    }
    number
}

fn octets_of_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, odd) = digits.as_chunks::<2>();
    if pairs.len() != N || !odd.is_empty() {
        return None;
    }
    let mut octets = [0; N];
    for (octet, pair) in octets.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *octet = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(octets)
}

/// Digits of track 2 from its separator to the end of the verification value.
const TRACK_VALUE_END: usize = 4 + 3 + 5 + 3;

/// What became of scripts (EMV 4.3 Book 4, Annex A5).
const SCRIPT_RESULTS: u32 = 0x9F5B;

/// What a message carries of the chip's data; more than this is no request of a terminal.
const CHIP_DATA_MAX: usize = 512;
