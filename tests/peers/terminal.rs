//! A terminal that nobody here wrote, at our chip: from selection to script.
//!
//! The chip is `cekr chip serve`, the line leads to `cekr serve`. Every cryptogram is judged by our
//! issuer, every answer by our chip, every certificate and signature by the peer.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 24_90")]

mod issuer;
mod reader;
mod till;

use std::path::{Path, PathBuf};

use issuer::Switch;
use reader::Inserted;
use till::{AMOUNT, End, Ended, Line, Place, Till};

/// The binary under test: what `CEKR` names, else the workspace's own build.
fn cekr() -> PathBuf {
    let named = std::env::var_os("CEKR").map(PathBuf::from);
    let path = named
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug/cekr"));
    assert!(
        path.exists(),
        "no {}; build it with `cargo build`, or name it in CEKR",
        path.display()
    );
    path
}

/// A chip of `ana`, a switch that knows her, and a folder of their own.
struct Shop {
    chip: Inserted,
    switch: Switch,
    folder: PathBuf,
    number: u32,
}

impl Shop {
    fn new(name: &str, version: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("cekr-peer-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let chip = Inserted::new("ana", version, &folder);
        let switch = Switch::new(&folder);
        Self { chip, switch, folder, number: 0 }
    }

    fn sell(&mut self, till: Till, pin: [u8; 4]) -> Ended {
        self.number += 1;
        till.sell(&mut self.chip, &mut self.switch, &pin, self.number)
    }

    fn balance(&self) -> u64 {
        let card = self.switch.operator("GET", "ana", "", "");
        card["available"].as_u64().unwrap()
    }

    fn asks_for(&self, command: &str) {
        self.switch.operator("POST", "ana", "/scripts", &format!(r#"{{"command":"{command}"}}"#));
    }

    fn newest_script(&self) -> String {
        let scripts = self.switch.operator("GET", "ana", "/scripts", "");
        scripts["data"].as_array().unwrap().last().unwrap()["state"].as_str().unwrap().to_owned()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Every way to verify the holder, every way to authenticate the card.
const ALL: Till = Till { capabilities: "F8C8", line: Line::Honest, place: Place::Shop };
const PIN: [u8; 4] = [1, 2, 3, 4];

/// GENERATE AC, EXTERNAL AUTHENTICATE, VERIFY, GET CHALLENGE and INTERNAL AUTHENTICATE.
const GENERATE: u8 = 0xAE;
const EXTERNAL: u8 = 0x82;
const VERIFY: u8 = 0x20;
const CHALLENGE: u8 = 0x84;
const INTERNAL: u8 = 0x88;

#[test]
fn it_pays_with_every_version_and_both_sides_believe_each_other() {
    for version in ["10", "18", "22"] {
        let mut shop = Shop::new(&format!("pays-{version}"), version);
        let ended = shop.sell(ALL, PIN);
        assert_eq!((ended.end, ended.code.as_deref()), (End::Approved, Some("00")), "{ended:?}");
        assert_eq!(shop.balance(), 100_00 - AMOUNT, "{version}");
        // The PIN went enciphered, and the chip found it right; nothing failed but the floor limit.
        assert_eq!(ended.cvm, [0x44, 0x03, 0x02], "{version}");
        assert_eq!(ended.tvr, [0, 0, 0, 0x80, 0], "{version}: {ended:?}");
        assert_eq!(ended.tsi[0] & 0xE0, 0xE0, "authentication, verification, risk: {ended:?}");
        let said =
            |instruction| shop.chip.instructions.iter().filter(|i| **i == instruction).count();
        assert_eq!((said(GENERATE), said(VERIFY)), (2, 1), "{version}");
        assert!(said(CHALLENGE) >= 1, "{version}");
        assert_eq!(said(EXTERNAL), usize::from(version == "10"), "{version}");
        // The chip is not new any more: the next purchase ends the same.
        let again = shop.sell(ALL, PIN);
        assert_eq!((again.end, shop.balance()), (End::Approved, 100_00 - 2 * AMOUNT), "{version}");
    }
}

#[test]
fn it_draws_cash_with_a_pin_that_the_issuer_verifies() {
    for version in ["10", "18", "22"] {
        let mut shop = Shop::new(&format!("cash-{version}"), version);
        let machine = Till { capabilities: "40C8", place: Place::Cashpoint, ..ALL };
        let ended = shop.sell(machine, [9, 9, 9, 9]);
        assert_eq!((ended.end, ended.code.as_deref()), (End::Declined, Some("55")), "{ended:?}");
        let ended = shop.sell(machine, PIN);
        assert_eq!((ended.end, ended.code.as_deref()), (End::Approved, Some("00")), "{ended:?}");
        assert_eq!(ended.cvm[..2], [0x02, 0x01], "the PIN goes online at unattended cash");
        assert_eq!(shop.balance(), 100_00 - AMOUNT - 15_00, "{version}: with the fee");
    }
}

#[test]
fn it_authenticates_the_card_in_each_of_the_three_ways() {
    // Combined with the cryptogram, dynamic, and static, which alone is noted (SDA selected).
    for (capabilities, internal, noted) in [("F8C8", 0, 0), ("F8C0", 1, 0), ("F880", 0, 0x02)] {
        let mut shop = Shop::new(&format!("oda-{capabilities}"), "18");
        let ended = shop.sell(Till { capabilities, ..ALL }, PIN);
        assert_eq!(ended.end, End::Approved, "{capabilities}: {ended:?}");
        assert_eq!(ended.tvr[0], noted, "{capabilities}: done, and nothing failed");
        assert_eq!(ended.tsi[0] & 0x80, 0x80, "{capabilities}");
        let asked = shop.chip.instructions.iter().filter(|i| **i == INTERNAL).count();
        assert_eq!(asked, internal, "{capabilities}");
    }
}

#[test]
fn a_pin_in_clear_a_signature_and_no_verification_reach_the_issuer_as_what_they_are() {
    // Plain PIN by the chip; signature, whose success nobody knows; nothing.
    for (capabilities, cvm) in
        [("80C8", [0x41, 0x03, 0x02]), ("20C8", [0x5E, 0x03, 0x00]), ("08C8", [0x1F, 0x03, 0x02])]
    {
        let mut shop = Shop::new(&format!("cvm-{capabilities}"), "18");
        let ended = shop.sell(Till { capabilities, ..ALL }, PIN);
        assert_eq!(ended.cvm, cvm, "{capabilities}: {ended:?}");
        assert_eq!(ended.end, End::Approved, "{capabilities}: {ended:?}");
    }
}

#[test]
fn a_wrong_pin_costs_a_try_at_the_chip_and_the_right_one_gives_it_back() {
    let mut shop = Shop::new("pin", "18");
    // Only PINs that are enciphered for the chip.
    let till = Till { capabilities: "10C8", ..ALL };
    for _ in 0..2 {
        let ended = shop.sell(till, [9, 9, 9, 9]);
        assert_eq!(ended.tvr[2] & 0x80, 0x80, "the holder was not verified: {ended:?}");
        assert_eq!((ended.end, ended.code.as_deref()), (End::Declined, Some("82")), "{ended:?}");
        assert_eq!(shop.balance(), 100_00);
    }
    let ended = shop.sell(till, PIN);
    assert_eq!((ended.end, shop.balance()), (End::Approved, 100_00 - AMOUNT), "{ended:?}");
}

#[test]
fn an_approval_that_the_issuer_never_gave_ends_in_a_decline() {
    for version in ["10", "18", "22"] {
        let mut shop = Shop::new(&format!("forged-{version}"), version);
        let ended = shop.sell(Till { line: Line::Forging, ..ALL }, PIN);
        assert_eq!(ended.end, End::Declined, "{version}: {ended:?}");
        // And where nobody answers, a card without limits of its own approves nothing.
        let ended = shop.sell(Till { line: Line::Down, ..ALL }, PIN);
        assert_eq!((ended.end, ended.code), (End::Declined, None), "{version}");
        // Neither spoils what comes after.
        assert_eq!(shop.sell(ALL, PIN).end, End::Approved, "{version}");
    }
}

#[test]
fn a_script_goes_out_is_carried_out_and_takes_the_card_out_of_use() {
    for version in ["10", "18", "22"] {
        let mut shop = Shop::new(&format!("script-{version}"), version);
        shop.asks_for("application_block");
        let ended = shop.sell(ALL, PIN);
        assert_eq!(ended.end, End::Approved, "{version}: the script comes after: {ended:?}");
        assert_eq!(ended.scripts.len(), 1, "{version}: {ended:?}");
        assert_eq!(ended.scripts[0][0] >> 4, 2, "{version}: carried out");
        assert_eq!(shop.newest_script(), "sent", "{version}");
        let ended = shop.sell(ALL, PIN);
        assert_eq!((ended.end, ended.code), (End::NoApplication, None), "{version}");
    }
}
