//! Calculations about keys on their way: DUKPT and key blocks.

use cekr_emv::crypto::aes::KeyLength;
use cekr_emv::crypto::dukpt::{aes, tdes};
use cekr_emv::crypto::mac::{self, Padding};
use cekr_emv::crypto::pin_block::format4;
use cekr_emv::crypto::tr31::{self, ProtectionKey, Version};
use cekr_emv::keys::{Bdk, DukptIk};
use serde_json::{Map, Value, json};

use super::given::{Given, Operation, hex};

/// Every calculation of this family.
pub(crate) const OPERATIONS: &[Operation] = &[
    ("dukpt_tdes_ik", |given| {
        let ksn = tdes::Ksn::new(given.array("ksn")?);
        let ik = tdes::initial_key(&given.key::<Bdk>("bdk")?, ksn);
        Ok(json!({ "ik": hex(ik.expose()) }))
    }),
    ("dukpt_tdes", dukpt_tdes),
    ("dukpt_tdes_rollover", dukpt_tdes),
    ("dukpt_aes_ik", |given| {
        let ik = aes::initial_key(&given.aes_key::<Bdk>("bdk")?, given.array("ikid")?);
        Ok(json!({ "ik": hex(ik.expose()) }))
    }),
    ("dukpt_aes", dukpt_aes),
    ("tr31_unwrap", tr31_unwrap),
];

/// The key of a transaction, and what it makes of a PIN block and of data, where these are given.
fn dukpt_tdes(given: &Given<'_>) -> Result<Value, String> {
    let ksn = tdes::Ksn::new(given.array("ksn")?);
    let transaction = tdes::transaction_key(&given.key::<DukptIk>("ik")?, ksn)
        .map_err(|error| format!("`ksn`: {error}"))?;
    let mut out = Map::new();
    let mut say = |name: String, value| out.insert(name, Value::String(value));
    say("txn_key".to_owned(), hex(transaction.expose()));
    if given.has("clear_pinblock") {
        let block = tdes::pin_key(&transaction).encipher_block(given.array("clear_pinblock")?);
        say("encrypted_pinblock".to_owned(), hex(block));
    }
    if given.has("data_ascii") {
        let data = given.text("data_ascii")?.as_bytes();
        let request = tdes::mac_key_request(&transaction);
        let response = tdes::mac_key_response(&transaction);
        let short = |mac: [u8; 8]| hex(mac.first_chunk::<4>().unwrap_or(&[0; 4]));
        say("mac_request".to_owned(), short(mac::retail(&request, data, Padding::Zeros)));
        say("mac_response".to_owned(), short(mac::retail(&response, data, Padding::Zeros)));
        say("cmac_request".to_owned(), hex(mac::cmac_des(&request, data)));
        say("cmac_response".to_owned(), hex(mac::cmac_des(&response, data)));
    }
    Ok(Value::Object(out))
}

/// The key of a transaction, its working keys up to its own length, and a PIN block under the
/// longest of them.
fn dukpt_aes(given: &Given<'_>) -> Result<Value, String> {
    let ksn = aes::Ksn::new(given.array("ksn")?);
    let ik = given.aes_key::<DukptIk>("ik")?;
    let bits = 8 * ik.length().octets();
    if given.has("bdk_type") && given.text("bdk_type")? != format!("AES-{bits}") {
        return Err(format!("`bdk_type` is not AES-{bits}, as long as `ik`"));
    }
    let transaction = aes::transaction_key(&ik, ksn).map_err(|error| format!("`ksn`: {error}"))?;
    let mut out = Map::new();
    let mut say = |name: String, value| out.insert(name, Value::String(value));
    say("txn_key".to_owned(), hex(transaction.expose()));
    for length in [KeyLength::Bits128, KeyLength::Bits192, KeyLength::Bits256] {
        if length.octets() > ik.length().octets() {
            break;
        }
        let bits = 8 * length.octets();
        let pin_key = aes::pin_key(&transaction, ksn, length);
        let mac_key = aes::mac_key(&transaction, ksn, length);
        let data_key = aes::data_key(&transaction, ksn, length);
        say(format!("pin_key_aes{bits}"), hex(pin_key.expose()));
        say(format!("cmac_aes{bits}_key"), hex(mac_key.expose()));
        say(format!("data_aes{bits}_key"), hex(data_key.expose()));
        if length == ik.length() && given.has("pinfield") {
            let (pin, pan) = (given.array("pinfield")?, given.array("panfield")?);
            let block = format4::encipher_fields(&pin_key, pin, pan);
            say("encrypted_pinblock".to_owned(), hex(block));
        }
    }
    Ok(Value::Object(out))
}

fn tr31_unwrap(given: &Given<'_>) -> Result<Value, String> {
    let block = given.text("block")?;
    let version = match block.as_bytes().first() {
        Some(b'A') => Version::A,
        Some(b'B') => Version::B,
        Some(b'C') => Version::C,
        Some(b'D') => Version::D,
        Some(b'E') => Version::E,
        Some(_) | None => return Err("`block` is of no version from A to E".to_owned()),
    };
    let kbpk = ProtectionKey::for_version(version, &given.octets("kbpk")?)
        .map_err(|error| format!("`kbpk`: {error}"))?;
    let opened =
        tr31::open(&kbpk, block.as_bytes()).map_err(|error| format!("`block`: {error}"))?;
    Ok(json!({ "key": hex(opened.expose()) }))
}
