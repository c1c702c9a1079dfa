//! The wire of Debian's vsmartcard-vpcd, from the card's side: octets in, octets out, no socket.
//!
//! Every message is two octets of length, big-endian, and as many octets. One octet is a control:
//! 0 power off, 1 power on, 2 reset, 4 tell the ATR. Anything longer is a command for the chip,
//! answered by a message with its answer. The reader waits for the answer to each command before it
//! sends the next, but may send controls at any time.
//!
//! Source: vsmartcard 3.3, `virtualsmartcard/src/vpcd/vpcd.h` and the documentation of vpcd's API.

use cekr_emv::chip::{ANSWER_OCTETS_MAX, Chip};

/// A chip at the end of the wire.
pub(crate) struct CardSide {
    chip: Chip,
    received: Vec<u8>,
    /// Commands that the chip has answered.
    pub(crate) commands: u64,
}

impl CardSide {
    /// A chip without power.
    pub(crate) fn new(chip: Chip) -> Self {
        Self { chip, received: Vec::new(), commands: 0 }
    }

    /// What the chip says of itself at a reset.
    pub(crate) fn atr(&self) -> &'static [u8] {
        self.chip.atr()
    }

    /// Takes what came, however it was cut, and writes the answers to every whole message behind
    /// what stands in `out`; `entropy` gives fresh octets whenever the power comes.
    pub(crate) fn receive(
        &mut self,
        octets: &[u8],
        entropy: &mut dyn FnMut() -> [u8; 32],
        out: &mut Vec<u8>,
    ) {
        self.received.extend_from_slice(octets);
        let mut rest = std::mem::take(&mut self.received);
        let mut taken = 0;
        while let Some((message, len)) = rest.get(taken..).and_then(whole_message) {
            self.answer(message, entropy, out);
            taken += len;
        }
        // What is left is less than one message of at most 65 537 octets.
        self.received = rest.split_off(taken);
    }

    fn answer(&mut self, message: &[u8], entropy: &mut dyn FnMut() -> [u8; 32], out: &mut Vec<u8>) {
        match message {
            [] | [POWER_OFF] => (),
            [POWER_ON | RESET] => self.chip.reset(entropy()),
            [TELL_ATR] => write_message(self.chip.atr(), out),
            // A control that is not known wants no answer.
            [_] => (),
            command => {
                let mut answer = [0; ANSWER_OCTETS_MAX];
                let len = self.chip.process(command, &mut answer);
                self.commands += 1;
                write_message(answer.get(..len).unwrap_or_default(), out);
            }
        }
    }
}

const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const TELL_ATR: u8 = 4;

/// The first message of a stream and its length on the wire, if it is whole.
fn whole_message(stream: &[u8]) -> Option<(&[u8], usize)> {
    let (len, rest) = stream.split_first_chunk::<2>()?;
    let len = usize::from(u16::from_be_bytes(*len));
    Some((rest.get(..len)?, 2 + len))
}

fn write_message(message: &[u8], out: &mut Vec<u8>) {
    // A chip's answer has at most 258 octets.
    out.extend_from_slice(&(message.len() as u16).to_be_bytes());
    out.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    use cekr_emv::chip::profile::{Profile, Version};
    use cekr_emv::{CardNumber, Pin};
    use proptest::prelude::*;

    use super::*;

    fn card() -> CardSide {
        let number = CardNumber::parse(b"4761730000000011").unwrap();
        let pin = Pin::parse(b"1234").unwrap();
        let mut profile = Profile::development(number, 1, 3012, &pin, Version::Eighteen).unwrap();
        profile.oda = None;
        CardSide::new(Chip::new(&profile))
    }

    fn received(card: &mut CardSide, octets: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        card.receive(octets, &mut || [7; 32], &mut out);
        out
    }

    const SELECT: &[u8] = b"\x00\x0D\x00\xA4\x04\x00\x07\xA0\x00\x00\x00\x03\x10\x10\x00";

    #[test]
    fn controls_are_obeyed_and_the_atr_is_told() {
        let mut card = card();
        assert!(received(&mut card, &[0, 1, POWER_ON]).is_empty());
        let atr = received(&mut card, &[0, 1, TELL_ATR]);
        assert_eq!(atr[..2], [0, 13]);
        assert_eq!(atr[2..], *card.atr());
        assert_eq!(atr[2], 0x3B);
        let silent = [0, 1, 9, 0, 0, 0, 1, RESET, 0, 1, POWER_OFF];
        assert!(received(&mut card, &silent).is_empty());
    }

    #[test]
    fn a_reset_forgets_the_application() {
        let mut card = card();
        let counter = b"\x00\x05\x80\xCA\x9F\x36\x00";
        assert_eq!(received(&mut card, counter), [0, 2, 0x69, 0x85]);
        assert_eq!(received(&mut card, SELECT)[2], 0x6F);
        assert_eq!(received(&mut card, counter), [0, 7, 0x9F, 0x36, 2, 0, 0, 0x90, 0]);
        received(&mut card, &[0, 1, RESET]);
        assert_eq!(received(&mut card, counter), [0, 2, 0x69, 0x85]);
        assert_eq!(card.commands, 4);
    }

    fn message() -> impl Strategy<Value = Vec<u8>> {
        let known = vec![vec![POWER_ON], vec![TELL_ATR], SELECT[2..].to_vec()];
        prop_oneof![prop::sample::select(known), prop::collection::vec(any::<u8>(), 0..20)]
    }

    proptest! {
        #[test]
        fn a_stream_means_the_same_however_it_is_cut(
            messages in prop::collection::vec(message(), 0..20),
            cut in 1_usize..9,
        ) {
            let stream: Vec<u8> = messages
                .iter()
                .flat_map(|message| [&(message.len() as u16).to_be_bytes()[..], message].concat())
                .collect();
            let whole = received(&mut card(), &stream);
            let mut other = card();
            let pieces: Vec<u8> =
                stream.chunks(cut).flat_map(|piece| received(&mut other, piece)).collect();
            prop_assert_eq!(&pieces, &whole);
            let answered = messages.iter().filter(|message| message.len() > 1).count();
            let told = messages.iter().filter(|message| message[..] == [TELL_ATR]).count();
            let (mut count, mut rest) = (0, &whole[..]);
            while let Some((message, len)) = whole_message(rest) {
                prop_assert!(message.len() >= 2, "an ATR or an answer with a status");
                rest = &rest[len..];
                count += 1;
            }
            prop_assert_eq!((count, rest.len()), (answered + told, 0));
        }

        #[test]
        fn any_stream_leaves_less_than_one_message(
            stream in prop::collection::vec(any::<u8>(), 0..400)
        ) {
            let mut card = card();
            received(&mut card, &stream);
            prop_assert!(whole_message(&card.received).is_none());
        }
    }
}
