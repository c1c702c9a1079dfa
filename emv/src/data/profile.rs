//! What a card can do (AIP, tag 82) and where it may be used (AUC, tag 9F07).
//!
//! Source: EMV 4.3 Book 3, Annexes C1 and C2.

use super::bits;

bits! {
    /// Application interchange profile (tag 82; EMV 4.3 Book 3, Annex C1).
    ///
    /// The bits that contactless kernels use differently from one another have no name here.
    Aip, 2 octets:
    1:7 SDA_SUPPORTED "SDA supported";
    1:6 DDA_SUPPORTED "DDA supported";
    1:5 CARDHOLDER_VERIFICATION_SUPPORTED "Cardholder verification is supported";
    1:4 TERMINAL_RISK_MANAGEMENT_WANTED "Terminal risk management is to be performed";
    1:3 ISSUER_AUTHENTICATION_SUPPORTED "Issuer authentication is supported";
    1:1 CDA_SUPPORTED "CDA supported";
}

bits! {
    /// Application usage control (tag 9F07; EMV 4.3 Book 3, Annex C2).
    Auc, 2 octets:
    1:8 DOMESTIC_CASH "Valid for domestic cash transactions";
    1:7 INTERNATIONAL_CASH "Valid for international cash transactions";
    1:6 DOMESTIC_GOODS "Valid for domestic goods";
    1:5 INTERNATIONAL_GOODS "Valid for international goods";
    1:4 DOMESTIC_SERVICES "Valid for domestic services";
    1:3 INTERNATIONAL_SERVICES "Valid for international services";
    1:2 AT_CASHPOINTS "Valid at ATMs";
    1:1 ELSEWHERE "Valid at terminals other than ATMs";
    2:8 DOMESTIC_CASHBACK "Domestic cashback allowed";
    2:7 INTERNATIONAL_CASHBACK "International cashback allowed";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_of_cards_in_circulation_are_read() {
        let aip = Aip::from_octets([0x5C, 0x00]);
        assert!(aip.has(Aip::SDA_SUPPORTED.with(Aip::ISSUER_AUTHENTICATION_SUPPORTED)));
        assert!(!aip.meets(Aip::DDA_SUPPORTED.with(Aip::CDA_SUPPORTED)));
        // FF00 is a card for everything but cash with a purchase.
        let auc = Auc::from_octets([0xFF, 0x00]);
        assert!(auc.has(Auc::AT_CASHPOINTS.with(Auc::ELSEWHERE)));
        assert!(!auc.meets(Auc::DOMESTIC_CASHBACK.with(Auc::INTERNATIONAL_CASHBACK)));
    }
}
