//! What a terminal found (TVR, tag 95) and what it has done (TSI, tag 9B).
//!
//! Source: EMV 4.3 Book 3, Annexes C5 and C6.

use super::bits;

bits! {
    /// Terminal verification results (tag 95; EMV 4.3 Book 3, Annex C5).
    ///
    /// Action codes of issuer and acquirer have the same places, and are of this type too.
    Tvr, 5 octets:
    1:8 OFFLINE_DATA_AUTHENTICATION_NOT_PERFORMED "Offline data authentication was not performed";
    1:7 SDA_FAILED "SDA failed";
    1:6 ICC_DATA_MISSING "ICC data missing";
    1:5 CARD_ON_EXCEPTION_FILE "Card appears on terminal exception file";
    1:4 DDA_FAILED "DDA failed";
    1:3 CDA_FAILED "CDA failed";
    1:2 SDA_SELECTED "SDA selected";
    2:8 DIFFERENT_VERSIONS "ICC and terminal have different application versions";
    2:7 EXPIRED_APPLICATION "Expired application";
    2:6 NOT_YET_EFFECTIVE "Application not yet effective";
    2:5 SERVICE_NOT_ALLOWED "Requested service not allowed for card product";
    2:4 NEW_CARD "New card";
    3:8 CARDHOLDER_VERIFICATION_FAILED "Cardholder verification was not successful";
    3:7 UNRECOGNISED_CVM "Unrecognised CVM";
    3:6 PIN_TRY_LIMIT_EXCEEDED "PIN Try Limit exceeded";
    3:5 PIN_PAD_MISSING "PIN entry required and PIN pad not present or not working";
    3:4 PIN_NOT_ENTERED "PIN entry required, PIN pad present, but PIN was not entered";
    3:3 ONLINE_PIN_ENTERED "Online PIN entered";
    4:8 TRANSACTION_EXCEEDS_FLOOR_LIMIT "Transaction exceeds floor limit";
    4:7 LOWER_LIMIT_EXCEEDED "Lower consecutive offline limit exceeded";
    4:6 UPPER_LIMIT_EXCEEDED "Upper consecutive offline limit exceeded";
    4:5 RANDOMLY_SELECTED "Transaction selected randomly for online processing";
    4:4 MERCHANT_FORCED_ONLINE "Merchant forced transaction online";
    5:8 DEFAULT_TDOL_USED "Default TDOL used";
    5:7 ISSUER_AUTHENTICATION_FAILED "Issuer authentication failed";
    5:6 SCRIPT_FAILED_BEFORE_FINAL "Script processing failed before final GENERATE AC";
    5:5 SCRIPT_FAILED_AFTER_FINAL "Script processing failed after final GENERATE AC";
}

bits! {
    /// Transaction status information (tag 9B; EMV 4.3 Book 3, Annex C6).
    Tsi, 2 octets:
    1:8 OFFLINE_DATA_AUTHENTICATION_PERFORMED "Offline data authentication was performed";
    1:7 CARDHOLDER_VERIFICATION_PERFORMED "Cardholder verification was performed";
    1:6 CARD_RISK_MANAGEMENT_PERFORMED "Card risk management was performed";
    1:5 ISSUER_AUTHENTICATION_PERFORMED "Issuer authentication was performed";
    1:4 TERMINAL_RISK_MANAGEMENT_PERFORMED "Terminal risk management was performed";
    1:3 SCRIPT_PROCESSING_PERFORMED "Script processing was performed";
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use super::*;

    #[test]
    fn results_as_terminals_print_them_are_read() {
        // Receipts of cashpoints usually show this: online only, PIN to the issuer.
        let tvr = Tvr::from_octets([0x80, 0x80, 0x04, 0x80, 0x00]);
        assert_eq!(
            format!("{tvr:?}"),
            "Tvr(8080048000: Offline data authentication was not performed, ICC and terminal have \
             different application versions, Online PIN entered, Transaction exceeds floor limit)"
        );
        let tsi = Tsi::from_octets([0xE8, 0x00]);
        assert!(tsi.has(Tsi::OFFLINE_DATA_AUTHENTICATION_PERFORMED));
        assert!(tsi.has(Tsi::TERMINAL_RISK_MANAGEMENT_PERFORMED));
        assert!(!tsi.has(Tsi::ISSUER_AUTHENTICATION_PERFORMED));
        assert_eq!(format!("{:?}", Tsi::default()), "Tsi(0000)");
    }
}
