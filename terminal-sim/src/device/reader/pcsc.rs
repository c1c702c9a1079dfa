//! Cards in readers of this machine, by the system's PC/SC service.
//!
//! Built with the feature `pcsc`, which links to the system's `libpcsclite`. The card is held
//! exclusively from the power-on to the power-off, as a terminal holds it.

use std::ffi::CString;

use pcsc::{Card, Context, Disposition, Error, Protocols, Scope, ShareMode};

use super::{CardReader, ReaderError};

/// A reader by its name, or the first one.
pub struct PcscReader {
    context: Context,
    name: CString,
    card: Option<Card>,
}

impl PcscReader {
    /// Opens the first reader whose name contains `part`; an empty one takes the first reader.
    ///
    /// # Errors
    /// [`ReaderError::ReaderBroken`] without the service or without such a reader.
    pub fn open(part: &str) -> Result<Self, ReaderError> {
        let context = Context::establish(Scope::User).map_err(of_system)?;
        let names = context.list_readers_owned().map_err(of_system)?;
        let name = names.into_iter().find(|name| name.to_string_lossy().contains(part));
        let name = name.ok_or(ReaderError::ReaderBroken)?;
        Ok(Self { context, name, card: None })
    }

    /// The reader's name as the system tells it.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }
}

impl CardReader for PcscReader {
    fn power_on(&mut self, atr: &mut [u8]) -> Result<usize, ReaderError> {
        self.power_off();
        let card = self.context.connect(&self.name, ShareMode::Exclusive, Protocols::ANY);
        let card = card.map_err(of_system)?;
        let told = card.status2_owned().map_err(of_system)?;
        let room = atr.get_mut(..told.atr().len()).ok_or(ReaderError::TooLong)?;
        room.copy_from_slice(told.atr());
        self.card = Some(card);
        Ok(told.atr().len())
    }

    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, ReaderError> {
        let card = self.card.as_ref().ok_or(ReaderError::CardGone)?;
        card.transmit(command, answer).map(<[u8]>::len).map_err(of_system)
    }

    fn power_off(&mut self) {
        if let Some(card) = self.card.take() {
            // A card that was pulled out is as powerless as one that obeys.
            let _ = card.disconnect(Disposition::UnpowerCard);
        }
    }
}

impl core::fmt::Debug for PcscReader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PcscReader").field("name", &self.name).finish_non_exhaustive()
    }
}

fn of_system(error: Error) -> ReaderError {
    if matches!(error, Error::NoSmartcard | Error::RemovedCard | Error::ResetCard) {
        ReaderError::CardGone
    } else if error == Error::InsufficientBuffer {
        ReaderError::TooLong
    } else {
        ReaderError::ReaderBroken
    }
}
