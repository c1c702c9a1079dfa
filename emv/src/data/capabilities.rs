//! What a terminal can do: tags 9F33 and 9F40.
//!
//! Source: EMV 4.3 Book 4, Annexes A2 and A3.

use super::bits;

bits! {
    /// Terminal capabilities (tag 9F33; EMV 4.3 Book 4, Annex A2).
    TerminalCapabilities, 3 octets:
    1:8 MANUAL_KEY_ENTRY "Manual key entry";
    1:7 MAGNETIC_STRIPE "Magnetic stripe";
    1:6 CHIP_WITH_CONTACTS "IC with contacts";
    2:8 OFFLINE_PLAIN_PIN "Plaintext PIN for ICC verification";
    2:7 ONLINE_PIN "Enciphered PIN for online verification";
    2:6 SIGNATURE "Signature (paper)";
    2:5 OFFLINE_ENCIPHERED_PIN "Enciphered PIN for offline verification";
    2:4 NO_CVM "No CVM required";
    3:8 SDA "SDA";
    3:7 DDA "DDA";
    3:6 CARD_CAPTURE "Card capture";
    3:4 CDA "CDA";
}

bits! {
    /// Additional terminal capabilities (tag 9F40; EMV 4.3 Book 4, Annex A3).
    AdditionalCapabilities, 5 octets:
    1:8 CASH "Cash";
    1:7 GOODS "Goods";
    1:6 SERVICES "Services";
    1:5 CASHBACK "Cashback";
    1:4 INQUIRY "Inquiry";
    1:3 TRANSFER "Transfer";
    1:2 PAYMENT "Payment";
    1:1 ADMINISTRATIVE "Administrative";
    2:8 CASH_DEPOSIT "Cash deposit";
    3:8 NUMERIC_KEYS "Numeric keys";
    3:7 LETTER_KEYS "Alphabetic and special character keys";
    3:6 COMMAND_KEYS "Command keys";
    3:5 FUNCTION_KEYS "Function keys";
    4:8 PRINT_ATTENDANT "Print, attendant";
    4:7 PRINT_CARDHOLDER "Print, cardholder";
    4:6 DISPLAY_ATTENDANT "Display, attendant";
    4:5 DISPLAY_CARDHOLDER "Display, cardholder";
    4:2 CODE_TABLE_10 "Code table 10";
    4:1 CODE_TABLE_9 "Code table 9";
    5:8 CODE_TABLE_8 "Code table 8";
    5:7 CODE_TABLE_7 "Code table 7";
    5:6 CODE_TABLE_6 "Code table 6";
    5:5 CODE_TABLE_5 "Code table 5";
    5:4 CODE_TABLE_4 "Code table 4";
    5:3 CODE_TABLE_3 "Code table 3";
    5:2 CODE_TABLE_2 "Code table 2";
    5:1 CODE_TABLE_1 "Code table 1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_attended_terminal_is_read() {
        let able = TerminalCapabilities::from_octets([0xE0, 0xB0, 0xC8]);
        assert!(able.has(TerminalCapabilities::OFFLINE_PLAIN_PIN));
        assert!(able.has(TerminalCapabilities::OFFLINE_ENCIPHERED_PIN));
        assert!(able.has(TerminalCapabilities::CDA) && !able.has(TerminalCapabilities::ONLINE_PIN));
    }
}
