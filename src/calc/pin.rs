//! Calculations about PINs, card verification values and MACs.

use cekr_emv::Pin;
use cekr_emv::crypto::cavv::{self, Authentication};
use cekr_emv::crypto::cvv::{self, Expiry, ServiceCode};
use cekr_emv::crypto::ibm3624::{self, DecimalTable};
use cekr_emv::crypto::mac::{self, Padding};
use cekr_emv::crypto::{pin_block, pin_block::format4, pvv};
use cekr_emv::keys::{Cvk, Key, Mak, Pvk};
use serde_json::{Value, json};

use super::given::{Given, Operation, hex};

/// Every calculation of this family.
pub(crate) const OPERATIONS: &[Operation] = &[
    ("pinblock0", |given| {
        Ok(json!({ "block": hex(pin_block::encode_format0(&given.pin("pin")?, given.pan()?)) }))
    }),
    ("pinblock1", |given| {
        let fill = u64::from_be_bytes(given.array("filler")?);
        Ok(json!({ "block": hex(pin_block::encode_format1(&given.pin("pin")?, fill)) }))
    }),
    ("pinblock2", |given| {
        Ok(json!({ "block": hex(pin_block::encode_format2(&given.pin("pin")?)) }))
    }),
    ("pinblock3_decode", |given| {
        let pin = pin_block::decode_format3(given.array("block")?, given.pan()?);
        let pin = pin.map_err(|error| format!("`block`: {error}"))?;
        Ok(json!({ "pin": digits(&pin) }))
    }),
    ("pinblock4_decipher", |given| {
        let block = given.array("block")?;
        let pin = format4::decipher(&given.aes_key("key")?, block, given.card()?);
        let pin = pin.map_err(|error| format!("`block`: {error}"))?;
        Ok(json!({ "pin": digits(&pin) }))
    }),
    ("pinblock4_encipher_fill_ff", |given| {
        let (key, pin) = (given.aes_key("key")?, given.pin("pin")?);
        Ok(json!({ "block": hex(format4::encipher(&key, &pin, given.card()?, [0xFF; 8])) }))
    }),
    ("pvv", |given| {
        let pvki = match given.text("pvki")?.as_bytes() {
            [digit @ b'0'..=b'9'] => digit & 0x0F,
            _ => return Err("`pvki` has not one digit".to_owned()),
        };
        let pvk = given.key::<Pvk>("pvk")?;
        let value = pvv::pvv(&pvk, pvki, given.pan()?, &given.pin("pin")?);
        Ok(json!({ "pvv": format!("{:04}", value.number()) }))
    }),
    ("ibm3624_offset", ibm3624_offset),
    ("cvv", |given| cvv(given, None)),
    ("cvv2", |given| cvv(given, Some(ServiceCode::CVV2))),
    ("icvv", |given| cvv(given, Some(ServiceCode::ICVV))),
    ("cavv", cavv),
    ("retail_mac_pad1", |given| retail(given, Padding::Zeros)),
    ("retail_mac_pad2", |given| retail(given, Padding::Marked)),
    ("cbc_mac_aes_pad1", |given| cbc(given, Padding::Zeros)),
    ("cbc_mac_aes_pad2", |given| cbc(given, Padding::Marked)),
    ("aes_cmac", |given| {
        let mac = mac::cmac_aes(&given.aes_key("key")?, &given.octets("data")?);
        Ok(json!({ "mac": hex(mac) }))
    }),
    ("des_kcv", |given| Ok(json!({ "kcv": given.key::<Mak>("key")?.kcv().to_string() }))),
];

/// The digits of a PIN. It has no way out but a block, so they are read off one.
fn digits(pin: &Pin) -> String {
    let block = hex(pin_block::encode_format2(pin));
    block.chars().skip(2).take(usize::from(pin.len_digits())).collect()
}

/// The offset; the validation data are a part of the card number, filled up to sixteen digits.
fn ibm3624_offset(given: &Given<'_>) -> Result<Value, String> {
    let table = DecimalTable::parse(given.text("table")?.as_bytes())
        .ok_or("`table` has not sixteen digits")?;
    given.card()?;
    let digits = given.text("pan")?;
    let (from, len) = (given.small("verify_offset")?, given.small("verify_len")?);
    let from = usize::from(from);
    let part = digits.get(from..from + usize::from(len)).filter(|_| len > 0);
    let part = part.ok_or("`verify_offset` and `verify_len` name no part of `pan`")?;
    let pad = match given.text("pad")?.as_bytes() {
        [digit] if digit.is_ascii_hexdigit() => char::from(*digit),
        _ => return Err("`pad` is not one hexadecimal digit".to_owned()),
    };
    let filled: String = part.chars().chain(std::iter::repeat(pad)).take(16).collect();
    let validation = u64::from_str_radix(&filled, 16).map_err(|_| "`pan` has no digits")?;
    let (pvk, pin) = (given.key::<Pvk>("pvk")?, given.pin("pin")?);
    let offset = ibm3624::offset(&pvk, &table, validation.to_be_bytes(), &pin);
    let width = usize::from(pin.len_digits());
    // One digit in each nibble: hexadecimal shows it as it is.
    Ok(json!({ "offset": format!("{offset:0width$x}") }))
}

fn cvv(given: &Given<'_>, usual: Option<ServiceCode>) -> Result<Value, String> {
    let expiry = Expiry::parse(given.text("exp_in")?.as_bytes());
    let expiry = expiry.ok_or("`exp_in` has not four digits")?;
    let service = match usual {
        Some(service) if !given.has("service_code") => service,
        Some(_) | None => ServiceCode::parse(given.text("service_code")?.as_bytes())
            .ok_or("`service_code` has not three digits")?,
    };
    let value = cvv::cvv(&given.key::<Cvk>("cvk")?, given.card()?, expiry, service);
    Ok(json!({ "cvv": format!("{:03}", value.number()) }))
}

fn cavv(given: &Given<'_>) -> Result<Value, String> {
    let (a, b): ([u8; 8], [u8; 8]) = (given.array("key_a")?, given.array("key_b")?);
    let cvk = Key::<Cvk>::from_octets(&[a, b].concat()).map_err(|error| error.to_string())?;
    let what = Authentication {
        number: given.array("atn")?,
        outcome: given.small("auth_result")?,
        second_factor: given.small("second_factor")?,
        key_id: given.small("key_id")?,
    };
    let cavv = cavv::cavv(&cvk, given.card()?, what).ok_or(
        "`atn` has sixteen digits, `auth_result` is at most 9, `second_factor` and `key_id` 99",
    )?;
    Ok(json!({ "cavv_hex": hex(cavv) }))
}

fn retail(given: &Given<'_>, padding: Padding) -> Result<Value, String> {
    let (k1, k2): ([u8; 8], [u8; 8]) = (given.array("k1")?, given.array("k2")?);
    let key = Key::<Mak>::from_octets(&[k1, k2].concat()).map_err(|error| error.to_string())?;
    Ok(json!({ "mac": hex(mac::retail(&key, &given.octets("data")?, padding)) }))
}

fn cbc(given: &Given<'_>, padding: Padding) -> Result<Value, String> {
    let mac = mac::cbc_aes(&given.aes_key("key")?, &given.octets("data")?, padding);
    Ok(json!({ "mac": hex(mac) }))
}
