//! Countries and currencies that a message names by number.
//!
//! Sources: ISO 3166-1 (numeric and alpha-2), ISO 4217 (numeric, letters, minor units). Codes that
//! name no money of a country (testing, metals, "no currency") are left out on purpose: EMV 3-D
//! Secure has none of them in a purchase.

use cekr_iso8583::CurrencyCode;
use cekr_issuer::Amount;

use crate::page::texts::{Language, Say};

/// A currency.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Currency {
    /// Three letters.
    pub(super) letters: &'static str,
    /// Digits behind the decimal mark.
    pub(super) exponent: u8,
}

/// The letters of the country with this number.
#[must_use]
pub(super) fn country(number: &str) -> Option<[u8; 2]> {
    let found = COUNTRIES.split_ascii_whitespace().find_map(|row| row.strip_prefix(number));
    found?.as_bytes().try_into().ok()
}

/// The currency with this number.
#[must_use]
pub(super) fn currency(number: u16) -> Option<Currency> {
    let number = format!("{number:03}");
    let mut rows = CURRENCIES.split_ascii_whitespace();
    let (letters, exponent) =
        rows.find_map(|row| row.strip_prefix(&number))?.split_at_checked(3)?;
    Some(Currency { letters, exponent: exponent.parse().ok()? })
}

/// An amount in minor units as a reader writes it; euros with their sign, others with letters.
#[must_use]
pub fn shown(say: &Say, amount: Amount, code: CurrencyCode) -> String {
    let minor = amount.minor();
    if code == CurrencyCode::EUR {
        return say.money(&i64::try_from(minor).unwrap_or(i64::MAX));
    }
    let Some(Currency { letters, exponent }) = currency(code.number()) else {
        return format!("{minor} ({})", code.number());
    };
    let decimal = match say.language() {
        Language::English => '.',
        Language::Slovene => ',',
    };
    let unit = 10_u64.pow(u32::from(exponent));
    let (whole, part) = (minor / unit, minor % unit);
    match usize::from(exponent) {
        0 => format!("{whole}\u{a0}{letters}"),
        digits => format!("{whole}{decimal}{part:0digits$}\u{a0}{letters}"),
    }
}

/// Number, letters.
const COUNTRIES: &str = "004AF 248AX 008AL 012DZ 016AS 020AD 024AO 660AI 010AQ 028AG 032AR 051AM \
    533AW 036AU 040AT 031AZ 044BS 048BH 050BD 052BB 112BY 056BE 084BZ 204BJ 060BM 064BT 068BO \
    535BQ 070BA 072BW 074BV 076BR 086IO 096BN 100BG 854BF 108BI 132CV 116KH 120CM 124CA 136KY \
    140CF 148TD 152CL 156CN 162CX 166CC 170CO 174KM 178CG 180CD 184CK 188CR 384CI 191HR 192CU \
    531CW 196CY 203CZ 208DK 262DJ 212DM 214DO 218EC 818EG 222SV 226GQ 232ER 233EE 748SZ 231ET \
    238FK 234FO 242FJ 246FI 250FR 254GF 258PF 260TF 266GA 270GM 268GE 276DE 288GH 292GI 300GR \
    304GL 308GD 312GP 316GU 320GT 831GG 324GN 624GW 328GY 332HT 334HM 336VA 340HN 344HK 348HU \
    352IS 356IN 360ID 364IR 368IQ 372IE 833IM 376IL 380IT 388JM 392JP 832JE 400JO 398KZ 404KE \
    296KI 408KP 410KR 414KW 417KG 418LA 428LV 422LB 426LS 430LR 434LY 438LI 440LT 442LU 446MO \
    450MG 454MW 458MY 462MV 466ML 470MT 584MH 474MQ 478MR 480MU 175YT 484MX 583FM 498MD 492MC \
    496MN 499ME 500MS 504MA 508MZ 104MM 516NA 520NR 524NP 528NL 540NC 554NZ 558NI 562NE 566NG \
    570NU 574NF 807MK 580MP 578NO 512OM 586PK 585PW 275PS 591PA 598PG 600PY 604PE 608PH 612PN \
    616PL 620PT 630PR 634QA 638RE 642RO 643RU 646RW 652BL 654SH 659KN 662LC 663MF 666PM 670VC \
    882WS 674SM 678ST 682SA 686SN 688RS 690SC 694SL 702SG 534SX 703SK 705SI 090SB 706SO 710ZA \
    239GS 728SS 724ES 144LK 729SD 740SR 744SJ 752SE 756CH 760SY 158TW 762TJ 834TZ 764TH 626TL \
    768TG 772TK 776TO 780TT 788TN 792TR 795TM 796TC 798TV 800UG 804UA 784AE 826GB 840US 581UM \
    858UY 860UZ 548VU 862VE 704VN 092VG 850VI 876WF 732EH 887YE 894ZM 716ZW";

/// Number, letters, digits behind the mark.
const CURRENCIES: &str = "784AED2 971AFN2 008ALL2 051AMD2 973AOA2 032ARS2 036AUD2 533AWG2 944AZN2 \
    977BAM2 052BBD2 050BDT2 975BGN2 048BHD3 108BIF0 060BMD2 096BND2 068BOB2 986BRL2 044BSD2 \
    064BTN2 072BWP2 933BYN2 084BZD2 124CAD2 976CDF2 756CHF2 152CLP0 156CNY2 170COP2 188CRC2 \
    192CUP2 132CVE2 203CZK2 262DJF0 208DKK2 214DOP2 012DZD2 818EGP2 232ERN2 230ETB2 978EUR2 \
    242FJD2 238FKP2 826GBP2 981GEL2 936GHS2 292GIP2 270GMD2 324GNF0 320GTQ2 328GYD2 344HKD2 \
    340HNL2 332HTG2 348HUF2 360IDR2 376ILS2 356INR2 368IQD3 364IRR2 352ISK0 388JMD2 400JOD3 \
    392JPY0 404KES2 417KGS2 116KHR2 174KMF0 408KPW2 410KRW0 414KWD3 136KYD2 398KZT2 418LAK2 \
    422LBP2 144LKR2 430LRD2 426LSL2 434LYD3 504MAD2 498MDL2 969MGA2 807MKD2 104MMK2 496MNT2 \
    446MOP2 929MRU2 480MUR2 462MVR2 454MWK2 484MXN2 458MYR2 943MZN2 516NAD2 566NGN2 558NIO2 \
    578NOK2 524NPR2 554NZD2 512OMR3 590PAB2 604PEN2 598PGK2 608PHP2 586PKR2 985PLN2 600PYG0 \
    634QAR2 946RON2 941RSD2 643RUB2 646RWF0 682SAR2 090SBD2 690SCR2 938SDG2 752SEK2 702SGD2 \
    654SHP2 925SLE2 706SOS2 968SRD2 728SSP2 930STN2 222SVC2 760SYP2 748SZL2 764THB2 972TJS2 \
    934TMT2 788TND3 776TOP2 949TRY2 780TTD2 901TWD2 834TZS2 980UAH2 800UGX0 840USD2 858UYU2 \
    860UZS2 928VES2 704VND0 548VUV0 882WST2 950XAF0 951XCD2 952XOF0 953XPF0 886YER2 710ZAR2 \
    967ZMW2 924ZWG2";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_country_of_the_standard_stands_once() {
        let rows: Vec<&str> = COUNTRIES.split_ascii_whitespace().collect();
        assert_eq!(rows.len(), 249);
        for part in [0..3, 3..5] {
            let parts: BTreeSet<&str> = rows.iter().map(|row| &row[part.clone()]).collect();
            assert_eq!(parts.len(), 249);
        }
        assert_eq!(country("705"), Some(*b"SI"));
        assert_eq!(country("191"), Some(*b"HR"));
        for wrong in ["", "7", "70", "999", "SI", "705S"] {
            assert_eq!(country(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn currencies_know_their_letters_and_minor_units() {
        let of = |number| currency(number).map(|found| (found.letters, found.exponent));
        assert_eq!(of(978), Some(("EUR", 2)));
        assert_eq!(of(392), Some(("JPY", 0)));
        assert_eq!(of(48), Some(("BHD", 3)));
        for none in [0, 955, 963, 964, 999, 1] {
            assert_eq!(of(none), None, "{none}");
        }
        let say = crate::page::texts::Texts::built_in().unwrap().say(Language::Slovene);
        let shown =
            |minor, code| shown(&say, Amount::from_minor(minor), CurrencyCode::new(code).unwrap());
        assert_eq!(shown(23_90, 978), "23,90\u{a0}€");
        assert_eq!(shown(1_005, 392), "1005\u{a0}JPY");
        assert_eq!(shown(1_005, 48), "1,005\u{a0}BHD");
        let rows = CURRENCIES.split_ascii_whitespace();
        let numbers: BTreeSet<&str> = rows.clone().map(|row| &row[..3]).collect();
        assert_eq!(numbers.len(), rows.clone().count());
        assert!(rows.clone().all(|row| row.len() == 7 && row[6..].parse::<u8>().is_ok()));
    }
}
