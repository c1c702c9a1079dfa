//! Calculations about a chip: its keys, its cryptograms, the issuer's answers and scripts.

use cekr_emv::Key;
use cekr_emv::crypto::cryptogram;
use cekr_emv::crypto::cvn::{Rules, Scheme, ScriptSession, Transaction};
use cekr_emv::crypto::derive::{self, Tree};
use cekr_emv::crypto::mac::Padding;
use cekr_emv::crypto::script::{self, Occasion, PinChangeKeys};
use cekr_emv::keys::{ImkAc, MkAc, MkSmi, Purpose, SkAc};
use serde_json::{Value, json};

use super::given::{Given, Operation, hex};

/// Every calculation of this family.
pub(crate) const OPERATIONS: &[Operation] = &[
    ("udk_a", |given| {
        let imk = given.key::<ImkAc>("imk")?;
        Ok(key("udk", &derive::card_key_a(&imk, given.card()?, given.sequence()?)))
    }),
    ("udk_b", |given| {
        let imk = given.key::<ImkAc>("imk")?;
        Ok(key("udk", &derive::card_key_b(&imk, given.card()?, given.sequence()?)))
    }),
    ("sk_common", |given| {
        Ok(key("sk", &derive::session_common(&given.key::<MkAc>("udk")?, given.array("r")?)))
    }),
    ("sk_common_ac", |given| {
        let mk = given.key::<MkAc>("udk")?;
        Ok(key("sk", &derive::session_common_of_atc(&mk, given.array("atc")?)))
    }),
    ("sk_visa_sm", |given| {
        let mk = given.key::<MkAc>("mk")?;
        Ok(key("sk", &derive::session_visa_script(&mk, given.array("atc")?)))
    }),
    ("sk_emv2000_tree", tree),
    ("ac_emv_pad", |given| {
        let (sk, data) = (given.key::<SkAc>("sk")?, given.octets("data")?);
        Ok(json!({ "ac": hex(cryptogram::seal(&sk, &[&data], Padding::Marked)) }))
    }),
    ("arqc_cvn10", |given| arqc(given, Scheme::Visa, 0x0A, &["cvr"], "arqc")),
    ("arqc_cvn18", |given| arqc(given, Scheme::Visa, 0x12, &["tag_9f10"], "arqc")),
    ("arqc_cvn22", |given| arqc(given, Scheme::Visa, 0x22, &["tag_9f10"], "arqc")),
    ("arqc_mchip_cvn16", |given| arqc(given, Scheme::MChip, 0x10, &["cvr"], "ac")),
    ("arqc_mchip_cvn17", |given| arqc(given, Scheme::MChip, 0x11, &["cvr", "counters"], "ac")),
    ("arqc_mchip_cvn20", |given| arqc(given, Scheme::MChip, 0x14, &["cvr"], "ac")),
    ("arqc_mchip_cvn21", |given| arqc(given, Scheme::MChip, 0x15, &["cvr", "counters"], "ac")),
    ("arpc1", |given| {
        let (sk, arqc) = (given.key::<SkAc>("key")?, given.array("arqc")?);
        Ok(json!({ "arpc": hex(cryptogram::arpc1(&sk, arqc, given.array("arc")?)) }))
    }),
    ("arpc2_cvn18", arpc2),
    ("arpc2_cvn22", arpc2),
    ("script_mac_cvn10", |given| script(given, ScriptSession::Visa)),
    ("script_mac_cvn18", |given| script(given, ScriptSession::Visa)),
    ("script_mac_cvn22", |given| script(given, ScriptSession::CommonOfCryptogram)),
    ("script_mac_visa", |given| script(given, ScriptSession::Visa)),
    ("script_put_data_cvn10", |given| script(given, ScriptSession::Visa)),
    ("script_put_data_cvn18", |given| script(given, ScriptSession::Visa)),
    ("script_put_data_cvn22", |given| script(given, ScriptSession::CommonOfCryptogram)),
    ("script_pin_change_cvn10", |given| pin_change(given, ScriptSession::Visa)),
    ("script_pin_change_cvn18", |given| pin_change(given, ScriptSession::Visa)),
    ("script_pin_change_cvn22", |given| pin_change(given, ScriptSession::CommonOfCryptogram)),
];

/// A derived key under its name, with the two octets of check value that chips' tables print.
fn key<P: Purpose>(name: &str, key: &Key<P>) -> Value {
    let [first, second, _] = key.kcv().octets();
    json!({ name: hex(key.expose()), "kcv": hex([first, second]) })
}

fn tree(given: &Given<'_>) -> Result<Value, String> {
    let or = |name, usual| if given.has(name) { given.small(name) } else { Ok(usual) };
    let tree = Tree {
        branch_count: or("branch", 4)?,
        height: or("height", 8)?,
        start: if given.has("iv") { given.array("iv")? } else { [0; 16] },
    };
    let sk = derive::session_tree(&given.key::<MkAc>("mk")?, given.array("atc")?, tree)
        .ok_or("a tree of this `branch` and `height` has too few keys, or too many levels")?;
    Ok(key("sk", &sk))
}

/// A cryptogram by the rules of a version, over the issuer data in the named fields.
fn arqc(
    given: &Given<'_>,
    scheme: Scheme,
    version: u8,
    issuer_fields: &[&str],
    name: &str,
) -> Result<Value, String> {
    let rules = Rules::by_version(scheme, version).ok_or("no rules for this version")?;
    let [kind] = given.array("tag_9c")?;
    let transaction = Transaction {
        amount: given.array("tag_9f02")?,
        amount_other: given.array("tag_9f03")?,
        country: given.array("tag_9f1a")?,
        tvr: given.array("tag_95")?,
        currency: given.array("tag_5f2a")?,
        date: given.array("tag_9a")?,
        kind,
        unpredictable_number: given.array("tag_9f37")?,
        aip: given.array("tag_82")?,
        atc: given.array("tag_9f36")?,
    };
    let mut issuer_data = Vec::new();
    for field in issuer_fields {
        issuer_data.extend(given.octets(field)?);
    }
    let mk = rules.card_key(&given.key("imk")?, given.card()?, given.sequence()?);
    let sk = rules.session_key(&mk, transaction.atc, transaction.unpredictable_number);
    Ok(json!({ name: hex(rules.cryptogram(&sk, &transaction, [&issuer_data, &[]])) }))
}

/// The answer by method 2, under the session key or, where none is given, the card's.
fn arpc2(given: &Given<'_>) -> Result<Value, String> {
    let sk = if given.has("sk") {
        given.key::<SkAc>("sk")?
    } else {
        derive::session_common_of_atc(&given.key::<MkAc>("udk")?, given.array("atc")?)
    };
    let update = given.array("csu")?;
    let proprietary =
        if given.has("prop_auth_data") { given.octets("prop_auth_data")? } else { Vec::new() };
    if proprietary.len() > 8 {
        return Err("`prop_auth_data` has more than 8 octets".to_owned());
    }
    let arpc = cryptogram::arpc2(&sk, given.array("arqc")?, update, &proprietary);
    let tag_91 = [&arpc[..], &update, &proprietary].concat();
    Ok(json!({ "arpc": hex(arpc), "tag_91": hex(tag_91) }))
}

/// A command with its MAC. The header's last octet already counts it.
fn script(given: &Given<'_>, session: ScriptSession) -> Result<Value, String> {
    let occasion = Occasion { atc: given.array("atc")?, arqc: given.array("arqc")? };
    let (header, data) = (given.array("header")?, given.octets("data")?);
    let sk = session.key(&given.key::<MkSmi>("mk_smi")?, occasion);
    let mac = script::mac(&sk, header, occasion, &data);
    let apdu = [&header[..], &data, &mac].concat();
    Ok(json!({ "mac": hex(mac), "apdu": hex(apdu) }))
}

fn pin_change(given: &Given<'_>, session: ScriptSession) -> Result<Value, String> {
    let occasion = Occasion { atc: given.array("atc")?, arqc: given.array("arqc")? };
    let keys = PinChangeKeys {
        ac: &given.key("mk_ac")?,
        smi: &given.key("mk_smi")?,
        smc: &given.key("mk_smc")?,
    };
    let old = if given.has("current_pin") { Some(given.pin("current_pin")?) } else { None };
    let pin = given.pin("pin")?;
    let apdu = script::pin_change_visa(session, &keys, occasion, &pin, old.as_ref());
    Ok(json!({ "apdu": hex(apdu) }))
}
