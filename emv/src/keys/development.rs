//! Published test keys of the host's side and of PIN pads: no secret, for simulations only.
//!
//! Each is an ASCII text, that of a DES key with odd parity, so that anybody can type it in.

use super::{AesKey, Bdk, Kbpk, Key, KeyLength, Mak, Zpk};

impl Key<Bdk> {
    /// The published test key of PIN pads with DUKPT over triple DES.
    ///
    /// The ASCII text `CEKR-BDK-TESTKEY` with odd parity, check value `9D68D0`.
    pub fn development() -> Self {
        Self::derived(*b"CEKR-BDK-TESTKEY")
    }
}

impl Key<Mak> {
    /// The published test key for the MACs of messages.
    ///
    /// The ASCII text `CEKR-MAK-TESTKEY` with odd parity, check value `84AC90`.
    pub fn development() -> Self {
        Self::derived(*b"CEKR-MAK-TESTKEY")
    }
}

impl AesKey<Bdk> {
    /// The published test key of PIN pads with DUKPT over AES with 128 bits.
    ///
    /// The ASCII text `CEKR-AES-BDK-KEY`, check value `D2DF6C`.
    pub fn development() -> Self {
        aes(*b"CEKR-AES-BDK-KEY")
    }
}

impl AesKey<Kbpk> {
    /// The published test key that protects the key blocks of a key exchange.
    ///
    /// The ASCII text `CEKR-AES-KBP-KEY`, check value `16738F`.
    pub fn development() -> Self {
        aes(*b"CEKR-AES-KBP-KEY")
    }
}

impl AesKey<Zpk> {
    /// The published test key for PIN blocks of format 4.
    ///
    /// The ASCII text `CEKR-AES-ZPK-KEY`, check value `F3F85A`.
    pub fn development() -> Self {
        aes(*b"CEKR-AES-ZPK-KEY")
    }
}

fn aes<P: super::Purpose>(text: [u8; 16]) -> AesKey<P> {
    let mut octets = [0; super::AES_LEN_OCTETS_MAX];
    for (to, from) in octets.iter_mut().zip(text) {
        *to = from;
    }
    AesKey::derived(KeyLength::Bits128, octets)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn the_check_values_are_those_that_are_published() {
        let check_values = [
            Key::<Bdk>::development().kcv(),
            Key::<Mak>::development().kcv(),
            AesKey::<Bdk>::development().kcv(),
            AesKey::<Kbpk>::development().kcv(),
            AesKey::<Zpk>::development().kcv(),
        ];
        let published = ["9D68D0", "84AC90", "D2DF6C", "16738F", "F3F85A"];
        assert_eq!(check_values.map(|kcv| kcv.to_string()), published);
    }
}
