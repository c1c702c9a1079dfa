//! What a contactless reader asks of a card (TTQ, tag 9F66) and the card's answer (CTQ, tag 9F6C).
//!
//! Source: EMV Contactless Book C-3 (kernel 3), Annex A.

use super::bits;

bits! {
    /// Terminal transaction qualifiers (tag 9F66; EMV Contactless Book C-3, Annex A).
    Ttq, 4 octets:
    1:8 MAGSTRIPE_MODE_SUPPORTED "Mag-stripe mode supported";
    1:6 EMV_MODE_SUPPORTED "EMV mode supported";
    1:5 CONTACT_CHIP_SUPPORTED "EMV contact chip supported";
    1:4 OFFLINE_ONLY "Offline-only reader";
    1:3 ONLINE_PIN_SUPPORTED "Online PIN supported";
    1:2 SIGNATURE_SUPPORTED "Signature supported";
    1:1 ODA_FOR_ONLINE_SUPPORTED "Offline data authentication for online authorizations supported";
    2:8 ONLINE_CRYPTOGRAM_REQUIRED "Online cryptogram required";
    2:7 CVM_REQUIRED "CVM required";
    2:6 CONTACT_OFFLINE_PIN_SUPPORTED "(Contact chip) offline PIN supported";
    3:8 ISSUER_UPDATE_SUPPORTED "Issuer update processing supported";
    3:7 CONSUMER_DEVICE_CVM_SUPPORTED "Consumer device CVM supported";
}

bits! {
    /// Card transaction qualifiers (tag 9F6C; EMV Contactless Book C-3, Annex A).
    Ctq, 2 octets:
    1:8 ONLINE_PIN_REQUIRED "Online PIN required";
    1:7 SIGNATURE_REQUIRED "Signature required";
    1:6 ONLINE_IF_ODA_FAILS
        "Go online if offline data authentication fails and reader is online capable";
    1:5 SWITCH_IF_ODA_FAILS
        "Switch interface if offline data authentication fails and reader supports contact chip";
    1:4 ONLINE_IF_EXPIRED "Go online if application expired";
    1:3 SWITCH_FOR_CASH "Switch interface for cash transactions";
    1:2 SWITCH_FOR_CASHBACK "Switch interface for cashback transactions";
    2:8 CONSUMER_DEVICE_CVM_PERFORMED "Consumer device CVM performed";
    2:7 ISSUER_UPDATE_SUPPORTED "Card supports issuer update processing at the POS";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_reader_is_read() {
        let ttq = Ttq::from_octets([0x36, 0xC0, 0x40, 0x00]);
        assert!(ttq.has(Ttq::EMV_MODE_SUPPORTED.with(Ttq::ONLINE_CRYPTOGRAM_REQUIRED)));
        assert!(ttq.has(Ttq::CVM_REQUIRED) && !ttq.has(Ttq::MAGSTRIPE_MODE_SUPPORTED));
    }
}
