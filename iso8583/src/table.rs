//! The 128 data elements of ISO 8583:1987, and the three ways in which this switch writes them.
//!
//! There is one list of elements; a dialect only says how each class is encoded. Sources: ISO
//! 8583:1987, table 6, for classes and lengths; the packagers `iso87ascii` and `iso87binary` of
//! jPOS for encodings, and for the lengths where practice departs from the standard (DE 43
//! onwards).

use crate::spec::{Class, Encoding, FieldDef, Length, Mask, Prefix, Spec, Subfields};

/// ASCII fields, binary bitmaps, binary fields as raw octets: this switch's default.
pub static CEKR87: Spec = spec("cekr87", Dialect::Cekr87);

/// ASCII fields, bitmaps and binary fields as hexadecimal text.
pub static ISO87ASCII: Spec = spec("iso87ascii", Dialect::Iso87Ascii);

/// BCD numbers and lengths, binary bitmaps and fields, ASCII text.
pub static ISO87BINARY: Spec = spec("iso87binary", Dialect::Iso87Binary);

#[derive(Clone, Copy)]
enum Dialect {
    Cekr87,
    Iso87Ascii,
    Iso87Binary,
}

/// One data element, whatever the dialect.
#[derive(Clone, Copy)]
struct Element {
    name: &'static str,
    class: Class,
    shape: Shape,
    mask: Mask,
    subfields: Subfields,
}

/// Fixed length, or the longest value behind a prefix of two or three digits. Digits, characters,
/// or octets.
#[derive(Clone, Copy)]
enum Shape {
    Fixed(u16),
    Ll(u16),
    Lll(u16),
}

impl Element {
    const fn masked(mut self, mask: Mask) -> Element {
        self.mask = mask;
        self
    }

    const fn parts(mut self, subfields: Subfields) -> Element {
        self.subfields = subfields;
        self
    }

    const fn define(self, dialect: Dialect) -> FieldDef {
        let digits = match dialect {
            Dialect::Cekr87 | Dialect::Iso87Ascii => Encoding::Ascii,
            Dialect::Iso87Binary => Encoding::Bcd,
        };
        let length = match self.shape {
            Shape::Fixed(length) => Length::Fixed(length),
            Shape::Ll(max) => Length::Variable { max, prefix: Prefix::ll(digits) },
            Shape::Lll(max) => Length::Variable { max, prefix: Prefix::lll(digits) },
        };
        let (class, encoding) = match (self.class, self.shape, dialect) {
            (Class::B, _, Dialect::Cekr87 | Dialect::Iso87Binary) => (Class::B, Encoding::Binary),
            // DE 55 is there a text, which holds hexadecimal digits by custom only.
            (Class::B, Shape::Ll(_) | Shape::Lll(_), Dialect::Iso87Ascii) => {
                (Class::Ans, Encoding::Ascii)
            }
            (Class::B, Shape::Fixed(_), Dialect::Iso87Ascii) => (Class::B, Encoding::Hex),
            (class @ (Class::An | Class::Ans), _, _) => (class, Encoding::Ascii),
            // Track 3 stays text where everything else numeric is packed.
            (Class::Z, Shape::Lll(_), _) => (Class::Z, Encoding::Ascii),
            (class @ (Class::N | Class::Xn | Class::Z), _, _) => (class, digits),
        };
        FieldDef::new(class, encoding, length).masked(self.mask).with_subfields(self.subfields)
    }
}

const fn element(name: &'static str, class: Class, shape: Shape) -> Element {
    Element { name, class, shape, mask: Mask::Clear, subfields: Subfields::None }
}

const fn n(length: u16, name: &'static str) -> Element {
    element(name, Class::N, Shape::Fixed(length))
}

const fn n_ll(max: u16, name: &'static str) -> Element {
    element(name, Class::N, Shape::Ll(max))
}

const fn xn(length: u16, name: &'static str) -> Element {
    element(name, Class::Xn, Shape::Fixed(length))
}

const fn an(length: u16, name: &'static str) -> Element {
    element(name, Class::An, Shape::Fixed(length))
}

const fn ans(length: u16, name: &'static str) -> Element {
    element(name, Class::Ans, Shape::Fixed(length))
}

const fn ans_ll(max: u16, name: &'static str) -> Element {
    element(name, Class::Ans, Shape::Ll(max))
}

const fn ans_lll(max: u16, name: &'static str) -> Element {
    element(name, Class::Ans, Shape::Lll(max))
}

const fn b(octets: u16, name: &'static str) -> Element {
    element(name, Class::B, Shape::Fixed(octets))
}

#[expect(clippy::indexing_slicing, reason = "runs while compiling, where a fault stops the build")]
const fn spec(name: &'static str, dialect: Dialect) -> Spec {
    let mut fields = [FieldDef::ABSENT; 128];
    let mut names = [""; 128];
    let mut index = 0;
    while index < 128 {
        names[index] = ELEMENTS[index].name;
        // Element 1 announces the second bitmap; it has no value of its own.
        if index > 0 {
            fields[index] = ELEMENTS[index].define(dialect);
        }
        index += 1;
    }
    let (mti, bitmap) = match dialect {
        Dialect::Cekr87 => (Encoding::Ascii, Encoding::Binary),
        Dialect::Iso87Ascii => (Encoding::Ascii, Encoding::Hex),
        Dialect::Iso87Binary => (Encoding::Bcd, Encoding::Binary),
    };
    Spec::new(name, mti, bitmap, fields, names)
}

const ELEMENTS: [Element; 128] = [
    b(8, "Secondary bitmap"),
    n_ll(19, "Primary account number").masked(Mask::Pan),
    n(6, "Processing code"),
    n(12, "Amount, transaction"),
    n(12, "Amount, settlement"),
    n(12, "Amount, cardholder billing"),
    n(10, "Transmission date and time"),
    n(8, "Amount, cardholder billing fee"),
    n(8, "Conversion rate, settlement"),
    n(8, "Conversion rate, cardholder billing"),
    n(6, "System trace audit number"),
    n(6, "Time, local transaction"),
    n(4, "Date, local transaction"),
    n(4, "Date, expiration"),
    n(4, "Date, settlement"),
    n(4, "Date, conversion"),
    n(4, "Date, capture"),
    n(4, "Merchant type"),
    n(3, "Country code, acquiring institution"),
    n(3, "Country code, primary account number"),
    n(3, "Country code, forwarding institution"),
    n(3, "Point of service entry mode"),
    n(3, "Card sequence number"),
    n(3, "Network international identifier"),
    n(2, "Point of service condition code"),
    n(2, "Point of service PIN capture code"),
    n(1, "Authorization identification response length"),
    xn(9, "Amount, transaction fee"),
    xn(9, "Amount, settlement fee"),
    xn(9, "Amount, transaction processing fee"),
    xn(9, "Amount, settlement processing fee"),
    n_ll(11, "Acquiring institution identification code"),
    n_ll(11, "Forwarding institution identification code"),
    ans_ll(28, "Primary account number, extended").masked(Mask::Pan),
    element("Track 2 data", Class::Z, Shape::Ll(37)).masked(Mask::Track),
    element("Track 3 data", Class::Z, Shape::Lll(104)).masked(Mask::Wipe),
    an(12, "Retrieval reference number"),
    an(6, "Authorization identification response"),
    an(2, "Response code"),
    an(3, "Service restriction code"),
    ans(8, "Card acceptor terminal identification"),
    ans(15, "Card acceptor identification code"),
    ans(40, "Card acceptor name and location"),
    ans_ll(25, "Additional response data"),
    ans_ll(76, "Track 1 data").masked(Mask::Wipe),
    ans_lll(999, "Additional data, ISO"),
    ans_lll(999, "Additional data, national"),
    ans_lll(999, "Additional data, private").parts(Subfields::Tagged),
    an(3, "Currency code, transaction"),
    an(3, "Currency code, settlement"),
    an(3, "Currency code, cardholder billing"),
    b(8, "Personal identification number data").masked(Mask::Wipe),
    n(16, "Security related control information"),
    ans_lll(120, "Additional amounts").parts(Subfields::Amounts),
    element("Integrated circuit card data", Class::B, Shape::Lll(999)).parts(Subfields::Chip),
    ans_lll(999, "Reserved, ISO"),
    ans_lll(999, "Reserved, national"),
    ans_lll(999, "Reserved, national"),
    ans_lll(999, "Reserved, national"),
    ans_lll(999, "Reserved, private"),
    ans_lll(999, "Reserved, private"),
    ans_lll(999, "Reserved, private"),
    ans_lll(999, "Reserved, private"),
    b(8, "Message authentication code"),
    b(1, "Extended bitmap indicator"),
    n(1, "Settlement code"),
    n(2, "Extended payment code"),
    n(3, "Country code, receiving institution"),
    n(3, "Country code, settlement institution"),
    n(3, "Network management information code"),
    n(4, "Message number"),
    n(4, "Message number, last"),
    n(6, "Date, action"),
    n(10, "Credits, number"),
    n(10, "Credits, reversal number"),
    n(10, "Debits, number"),
    n(10, "Debits, reversal number"),
    n(10, "Transfers, number"),
    n(10, "Transfers, reversal number"),
    n(10, "Inquiries, number"),
    n(10, "Authorizations, number"),
    n(12, "Credits, processing fee amount"),
    n(12, "Credits, transaction fee amount"),
    n(12, "Debits, processing fee amount"),
    n(12, "Debits, transaction fee amount"),
    n(16, "Credits, amount"),
    n(16, "Credits, reversal amount"),
    n(16, "Debits, amount"),
    n(16, "Debits, reversal amount"),
    n(42, "Original data elements").parts(Subfields::Original),
    an(1, "File update code"),
    an(2, "File security code"),
    an(6, "Response indicator"),
    an(7, "Service indicator"),
    an(42, "Replacement amounts").parts(Subfields::Replacements),
    b(16, "Message security code"),
    xn(17, "Amount, net settlement"),
    ans(25, "Payee"),
    n_ll(11, "Settlement institution identification code"),
    n_ll(11, "Receiving institution identification code"),
    ans_ll(17, "File name"),
    ans_ll(28, "Account identification 1"),
    ans_ll(28, "Account identification 2"),
    ans_lll(100, "Transaction description"),
    ans_lll(999, "Reserved for ISO use"),
    ans_lll(999, "Reserved for ISO use"),
    ans_lll(999, "Reserved for ISO use"),
    ans_lll(999, "Reserved for ISO use"),
    ans_lll(999, "Reserved for ISO use"),
    ans_lll(999, "Reserved for ISO use"),
    ans_lll(999, "Reserved for ISO use"),
    ans_lll(999, "Reserved for national use"),
    ans_lll(999, "Reserved for national use"),
    ans_lll(999, "Reserved for national use"),
    ans_lll(999, "Reserved for national use"),
    ans_lll(999, "Reserved for national use"),
    ans_lll(999, "Reserved for national use"),
    ans_lll(999, "Reserved for national use"),
    ans_lll(999, "Reserved for national use"),
    ans_lll(999, "Reserved for private use"),
    ans_lll(999, "Reserved for private use"),
    ans_lll(999, "Reserved for private use"),
    ans_lll(999, "Reserved for private use"),
    ans_lll(999, "Reserved for private use"),
    ans_lll(999, "Reserved for private use"),
    ans_lll(999, "Reserved for private use"),
    ans_lll(999, "Reserved for private use"),
    b(8, "Message authentication code"),
];
