//! What must hold of key blocks for arbitrary octets: the body of a fuzz target, which tests run
//! too.

use super::{BLOCK_OCTETS_MAX, BlockError, Header, ProtectionKey, Version, open, seal};

/// Arbitrary octets are refused by name or opened; a block made of them opens to the key that went
/// in; and with one octet changed it gives that key or none.
///
/// # Panics
///
/// Where a key block breaks one of these promises.
pub fn tr31(data: &[u8]) {
    for version in VERSIONS {
        let Ok(kbpk) = protection_key(version) else { return };
        if let Ok(opened) = open(&kbpk, data) {
            assert!(!opened.expose().is_empty(), "a key has octets");
        }
    }
    let [choice, place, change, key @ ..] = data else { return };
    let Some(version) = VERSIONS.get(usize::from(choice % 5)).copied() else { return };
    let Ok(kbpk) = protection_key(version) else { return };
    let key = key.get(..key.len().min(32)).unwrap_or_default();
    let header = Header::new(version, *b"P0", if choice & 0x80 == 0 { b'T' } else { b'A' });
    let mut block = [0; BLOCK_OCTETS_MAX];
    let len = match seal(&kbpk, header, key, [*change; 64], &mut block) {
        Ok(len) => len,
        Err(error) => {
            assert_eq!((error, key.len()), (BlockError::BadKey, 0), "any key of 1 to 32 octets");
            return;
        }
    };
    let block = block.get_mut(..len).unwrap_or_default();
    let opened = open(&kbpk, block);
    assert_eq!(opened.map(|opened| opened.expose() == key).ok(), Some(true), "what was sealed");
    if let Some(octet) = block.get_mut(usize::from(*place) % len) {
        *octet ^= change;
    }
    if let Ok(opened) = open(&kbpk, block) {
        // A letter of another case is the same digit.
        assert!(opened.expose() == key && opened.header() == header, "the MAC covers everything");
    }
}

const VERSIONS: [Version; 5] = [Version::A, Version::B, Version::C, Version::D, Version::E];

/// The key under which the cases of the published vectors are not: any will do.
fn protection_key(version: Version) -> Result<ProtectionKey, BlockError> {
    ProtectionKey::for_version(
        version,
        b"\x42\x1F\x6E\x2A\x42\x1F\x6E\x2A\x99\x10\x27\x55\x99\x10\x27\x55",
    )
}
