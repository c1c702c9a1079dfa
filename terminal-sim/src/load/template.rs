//! Messages encoded before a run, of which only a few digits are written anew for each sending.
//!
//! A connection's templates are a stretch of a seeded street (see [`crate::world`]) as seen from
//! one terminal, so that kinds, cards and sums have the proportions of the mix. They are sent in
//! turn. A reversal's DE 90 is filled with what its original was last sent with; that original
//! stands before it in the same stretch.

use std::collections::BTreeMap;

use cekr_iso8583::{View, WriteError};

use super::{Chips, LoadPlan};
use crate::message::frame_of_terminal;
use crate::moment::{Moment, digits};
use crate::quick_chip::{ARQC_TO_ATC, ISSUER_DATA_TO_ARQC, Request, Terms};
use crate::world::{World, WorldConfig, WorldStep};

/// One message, framed and ready but for its STAN and time.
#[derive(Debug)]
pub(crate) struct Template {
    frame: Vec<u8>,
    stan: Option<Patch>,
    transmitted: Option<Patch>,
    /// Where DE 90 begins, and which template it refers to.
    original: Option<(Patch, usize)>,
    chip: Option<ChipPart>,
}

/// What of a message its chip says, and says otherwise each time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChipPart {
    /// Whose chip.
    pub(crate) holder: usize,
    /// What it is told.
    pub(crate) terms: Terms,
    /// Where its cryptogram stands in the frame.
    arqc_at: usize,
    width: Width,
}

/// How an octet of DE 55 is written.
#[derive(Clone, Copy, Debug)]
enum Width {
    /// As two hexadecimal digits.
    Hex,
    /// As it is.
    Octet,
}

/// Where a number of a message stands.
#[derive(Clone, Copy, Debug)]
struct Patch {
    offset: usize,
    shape: Shape,
}

/// How its digits are written.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// One octet a digit.
    Ascii,
    /// Two digits an octet.
    Bcd,
}

/// STAN and transmission time of a sending.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Stamp {
    pub(crate) stan: u32,
    pub(crate) transmitted: u32,
}

impl Template {
    /// Appends the frame with this stamp; `original` is the stamp of the reversed template,
    /// `request` what the chip says now.
    pub(crate) fn write(
        &self,
        stamp: Stamp,
        original: Option<Stamp>,
        request: Option<Request>,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let frame = out.get_mut(start..).unwrap_or_default();
        if let Some(patch) = self.stan {
            patch.write(frame, &digits::<6>(stamp.stan.into()), 0);
        }
        if let Some(patch) = self.transmitted {
            patch.write(frame, &digits::<10>(stamp.transmitted.into()), 0);
        }
        if let (Some((patch, _)), Some(original)) = (self.original, original) {
            // DE 90: message type 4, STAN 6, transmission 10.
            patch.write(frame, &digits::<6>(original.stan.into()), 4);
            patch.write(frame, &digits::<10>(original.transmitted.into()), 10);
        }
        if let (Some(chip), Some(request)) = (&self.chip, request) {
            chip.write(frame, &request);
        }
    }

    /// What its chip is to say.
    pub(crate) fn chip(&self) -> Option<&ChipPart> {
        self.chip.as_ref()
    }

    /// The template that this one reverses.
    pub(crate) fn original(&self) -> Option<usize> {
        self.original.map(|(_, at)| at)
    }
}

impl ChipPart {
    /// Where the chip's part of `step` stands in its frame.
    fn find(step: &WorldStep, frame: &[u8]) -> Option<Self> {
        let ((terms, request), holder) = (step.chip?, step.holder?);
        let octets = frame.windows(8).position(|octets| octets == request.arqc);
        let (arqc_at, width) = match octets {
            Some(at) => (at, Width::Octet),
            None => {
                let text: Vec<u8> = request.arqc.into_iter().flat_map(hex).collect();
                (frame.windows(16).position(|octets| octets == text)?, Width::Hex)
            }
        };
        Some(Self { holder, terms, arqc_at, width })
    }

    fn write(&self, frame: &mut [u8], request: &Request) {
        let width = match self.width {
            Width::Hex => 2,
            Width::Octet => 1,
        };
        let mut put = |at: usize, octets: &[u8]| {
            let room = frame.get_mut(at..).unwrap_or_default();
            match self.width {
                Width::Hex => room
                    .iter_mut()
                    .zip(octets.iter().copied().flat_map(hex))
                    .for_each(|(to, from)| *to = from),
                Width::Octet => {
                    room.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
                }
            }
        };
        put(self.arqc_at, &request.arqc);
        put(self.arqc_at + ARQC_TO_ATC * width, &request.atc);
        put(self.arqc_at - ISSUER_DATA_TO_ARQC * width, &request.issuer_data);
    }
}

/// Two upper-case hexadecimal digits.
fn hex(octet: u8) -> [u8; 2] {
    [octet >> 4, octet & 0x0F].map(|nibble| match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + nibble - 10,
    })
}

impl Patch {
    /// Writes an even number of digits, so many digits behind the start of the value.
    fn write(self, frame: &mut [u8], digits: &[u8], digits_before: usize) {
        match self.shape {
            Shape::Ascii => {
                let room = frame.iter_mut().skip(self.offset + digits_before);
                for (to, from) in room.zip(digits) {
                    *to = *from;
                }
            }
            Shape::Bcd => {
                let room = frame.iter_mut().skip(self.offset + digits_before / 2);
                for (to, pair) in room.zip(digits.chunks_exact(2)) {
                    *to = pair.iter().fold(0, |octet, digit| octet << 4 | digit & 15);
                }
            }
        }
    }
}

/// The templates of one connection; `chips` are those of the holders.
pub(crate) fn templates(
    plan: &LoadPlan,
    connection: usize,
    now: Moment,
    chips: &mut Chips,
) -> Result<Vec<Template>, WriteError> {
    let seed = plan.seed.wrapping_mul(1_000_003).wrapping_add(connection as u64);
    let config = WorldConfig {
        mix: plan.mix,
        start: now,
        pause_ms: 0..1,
        ..WorldConfig::new(seed, plan.holders.clone())
    };
    let mut world = World::new(config).with_chips(core::mem::take(chips));
    let mut places = BTreeMap::new();
    let count = (TEMPLATES_MAX / plan.connections.0.max(1)).clamp(16, TEMPLATES_EACH_MAX);
    let mut templates = Vec::with_capacity(count);
    for at in 0..count {
        let step = world.step();
        places.insert(step.number, at);
        let original = step.reverses.and_then(|number| places.get(&number).copied());
        let message = step.message.clone().text(41, &terminal(connection, now));
        let mut encoded = vec![];
        message.encode(plan.spec, &mut encoded)?;
        let mut frame = vec![];
        frame_of_terminal(plan.framing, &encoded, &mut frame);
        let header_len = frame.len() - encoded.len();
        // We wrote it, so it reads; should it not, it goes out as it is and matches nothing.
        let view = View::parse(plan.spec, &encoded).ok();
        let patch = |de, digit_count| {
            let view = view.as_ref()?;
            let offset = view.offset(de)? + header_len;
            let is_ascii = view.raw(de)?.len() == digit_count;
            Some(Patch { offset, shape: if is_ascii { Shape::Ascii } else { Shape::Bcd } })
        };
        let (stan, transmitted) = (patch(11, 6), patch(7, 10));
        let original = patch(90, 42).zip(original);
        let chip = ChipPart::find(&step, &frame);
        templates.push(Template { frame, stan, transmitted, original, chip });
    }
    *chips = world.into_chips();
    Ok(templates)
}

/// DE 41 of a connection: `L`, three characters of the run, four digits of the connection. Each
/// connection is a terminal of its own, and two runs within a second do not send the same keys.
pub(crate) fn terminal(connection: usize, now: Moment) -> [u8; 8] {
    let mut terminal = *b"L0000000";
    let mut run = now.unix_ms();
    for to in terminal.iter_mut().skip(1).take(3) {
        let digit = u8::try_from(run % 36).unwrap_or(0);
        *to = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
        run /= 36;
    }
    for (to, from) in terminal.iter_mut().skip(4).zip(digits::<4>(connection as u64)) {
        *to = from;
    }
    terminal
}

/// Templates of all connections together, about 250 octets each.
const TEMPLATES_MAX: usize = 65_536;
/// Templates of one connection.
const TEMPLATES_EACH_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cekr_iso8583::{CEKR87, Framing, ISO87ASCII, ISO87BINARY, Pan, Step, View};

    use super::{Stamp, templates, terminal};
    use crate::card::Card;
    use crate::load::LoadPlan;
    use crate::moment::Moment;
    use crate::quick_chip::QuickChip;
    use crate::world::Holder;

    #[test]
    fn writes_stan_time_and_original_into_every_dialect() {
        let pan = Pan::parse(b"4761730000000011").unwrap();
        let holder = Holder { card: Card::new("ana", pan, 3012).unwrap(), pin: None };
        for spec in [&CEKR87, &ISO87ASCII, &ISO87BINARY] {
            let plan = LoadPlan {
                holders: vec![holder.clone()],
                ..LoadPlan::new("nowhere", spec, Framing::Nac)
            };
            let now = Moment::from_unix_ms(1_795_341_600_000);
            let mut chips = vec![QuickChip::new(&holder.card, None, 0, 60_000)];
            let templates = templates(&plan, 3, now, &mut chips).unwrap();
            assert!(templates.iter().any(|template| template.chip().is_some()));
            assert!(templates.iter().any(|template| template.original().is_some()));
            for template in &templates {
                let stamp = Stamp { stan: 123_456, transmitted: 1_231_235_959 };
                let original = Stamp { stan: 654_321, transmitted: 101_000_001 };
                let mut frame = vec![];
                let request = template.chip().and_then(|part| {
                    chips.get_mut(part.holder).unwrap().as_mut().unwrap().ask(&part.terms)
                });
                template.write(stamp, Some(original), request, &mut frame);
                let Ok(Step::Message { message, .. }) = plan.framing.next(&frame, 4096) else {
                    panic!("a whole frame");
                };
                let view = View::parse(spec, message).map_err(|damaged| damaged.error).unwrap();
                assert_eq!(view.number(11), Some(123_456));
                assert_eq!(view.number(7), Some(1_231_235_959));
                assert_eq!(*view.terminal().unwrap().octets(), terminal(3, now));
                if let Some(request) = request {
                    let mut scratch = [0; 255];
                    let data = view.chip_data(&mut scratch).unwrap();
                    for (tag, value) in [
                        (0x9F10, &request.issuer_data[..]),
                        (0x9F26, &request.arqc),
                        (0x9F36, &request.atc),
                    ] {
                        assert_eq!(cekr_emv::tlv::value_of(data, tag), Some(value));
                    }
                }
                if template.original().is_some() {
                    let mut text = [0; 64];
                    let text = view.field(90).unwrap().text(&mut text).unwrap();
                    assert_eq!(&text[4..20], b"6543210101000001");
                }
            }
        }
    }
}
