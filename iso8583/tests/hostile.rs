//! Damaged and arbitrary messages: every fault is named with its place, nothing panics, and what
//! is secret does not come out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test says so"
)]

use cekr_iso8583::{
    CEKR87, Class, Encoding, FieldDef, FieldSet, ISO87ASCII, ISO87BINARY, Length, Mti, ParseError,
    ParseErrorKind, Shapes, Show, Spec, View, WriteError, Writer, fuzzing,
};
use proptest::prelude::*;
use serde_json::Value;

const JPOS_MALFORMED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/vectors/iso8583/jpos_malformed.json"
));
const CEKR87_VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/iso8583/cekr87.json"));

fn cases(text: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(text).unwrap();
    document["cases"].as_array().unwrap().clone()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| u8::try_from(char::from(c).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn vectors() -> Vec<(&'static Spec, Vec<u8>)> {
    cases(CEKR87_VECTORS)
        .iter()
        .map(|case| {
            let spec = Spec::by_name(case["spec"].as_str().unwrap()).unwrap();
            (spec, unhex(case["message_hex"].as_str().unwrap()))
        })
        .collect()
}

#[test]
fn messages_that_the_independent_codec_refuses_are_refused_and_its_tolerance_is_not_shared() {
    let mut seen = 0;
    for case in cases(JPOS_MALFORMED) {
        let Some(spec) = Spec::by_name(case["dialect"].as_str().unwrap()) else { continue };
        let id = case["id"].as_str().unwrap();
        let message = unhex(case["raw_hex"].as_str().unwrap());
        let Err(damaged) = View::parse(spec, &message) else { panic!("{id} is accepted") };
        let name = case["case"].as_str().unwrap();
        let (_, mutation) = name.split_once("__").unwrap();
        let expected: &[(u8, ParseErrorKind)] = match mutation {
            "truncated_mid_mti" => &[(0, ParseErrorKind::Truncated)],
            "truncated_mid_bitmap" => &[(1, ParseErrorKind::Truncated)],
            "truncated_half" => &[(43, ParseErrorKind::Truncated), (32, ParseErrorKind::Truncated)],
            "truncated_last_byte" => {
                &[(49, ParseErrorKind::Truncated), (55, ParseErrorKind::Truncated)]
            }
            "trailing_byte" => &[(55, ParseErrorKind::Trailing), (49, ParseErrorKind::Trailing)],
            "bitmap_not_hex" => &[(1, ParseErrorKind::BadBitmap)],
            "pan_length_not_digits" | "pan_length_not_bcd" => &[(2, ParseErrorKind::BadLength)],
            "pan_length_99_over_max" => &[(2, ParseErrorKind::OverMax)],
            other => panic!("{id}: {other} is not known"),
        };
        let got = (damaged.error.field, damaged.error.kind);
        assert!(expected.contains(&got), "{id}: {}", damaged.error);
        seen += 1;
    }
    assert_eq!(seen, 16);
}

/// Octets on both sides of each boundary that a check knows, and lengths of one more and one less.
const TELLING: [u8; 16] =
    [0, 1, 0x0f, 0x10, 0x2f, b'0', b'1', b'9', b':', b'?', b'@', b'D', 0x99, 0x9a, 0xa0, 0xff];

#[test]
fn each_changed_octet_is_read_with_the_shape_of_the_message_as_without() {
    for (spec, message) in vectors() {
        let mut shapes = Shapes::default();
        for at in 0..message.len() {
            for octet in TELLING {
                fuzzing::read_alike(spec, &message, &mut shapes);
                let mut changed = message.clone();
                changed[at] = octet;
                fuzzing::read_alike(spec, &changed, &mut shapes);
            }
        }
    }
}

#[test]
fn one_more_bitmap_without_elements_is_another_shape() {
    let mut shapes = Shapes::default();
    let zeros = [0; 8];
    // DE 37 and 48, once with an empty second bitmap. Both are as long, and where the one has the
    // prefix of DE 48, the other has the same octets as text.
    let plain = [b"0800\0\0\0\0\x08\x01\0\0", &b"ABCDEFGHIJKL0160123456789abcdef"[..]].concat();
    let second = [b"0800\x80\0\0\0\x08\x01\0\0", &zeros[..], b"ABCD016HIJKL00801234567"].concat();
    assert_eq!(plain.len(), second.len());
    for message in [&plain, &second, &plain] {
        fuzzing::read_alike(&CEKR87, message, &mut shapes);
        assert!(View::parse(&CEKR87, message).is_ok());
    }
}

#[test]
fn a_transmission_time_that_its_number_cannot_hold_is_none_and_no_other() {
    for (digits, expected) in [
        (b"4294967295", Some(u32::MAX)),
        // Cut down to 32 bits, these would be 0 and 1122101500.
        (b"4294967296", None),
        (b"5417068796", None),
    ] {
        let message = one_field(7, digits);
        let view = View::parse(&CEKR87, &message).unwrap();
        assert_eq!(view.transmission_time().map(|time| time.number()), expected);
    }
}

#[test]
fn a_shape_is_of_one_spec_not_of_its_name() {
    let digits = FieldDef::new(Class::N, Encoding::Ascii, Length::Fixed(6));
    let text = FieldDef::new(Class::An, Encoding::Ascii, Length::Fixed(6));
    let [one, other] = [digits, text]
        .map(|def| Spec::new("same", Encoding::Ascii, Encoding::Binary, [def; 128], [""; 128]));
    let message = one_field(11, b"00012x");
    let mut shapes = Shapes::default();
    for spec in [&other, &one, &other] {
        fuzzing::read_alike(spec, &message, &mut shapes);
    }
}

/// MTI and bitmap of a message with one field of the primary bitmap.
fn one_field(de: u8, rest: &[u8]) -> Vec<u8> {
    let bitmap = 1u64 << (64 - de);
    [b"0200", &bitmap.to_be_bytes()[..], rest].concat()
}

fn error_of(spec: &Spec, message: &[u8]) -> (u8, u32, u32, u32, ParseErrorKind) {
    let Err(damaged) = View::parse(spec, message) else { panic!("accepted") };
    let ParseError { field, offset, need, have, kind } = damaged.error;
    (field, offset, need, have, kind)
}

#[test]
fn each_fault_names_field_place_need_and_have() {
    use ParseErrorKind::{
        BadBitmap, BadLength, NotDigits, NotHex, OverMax, Trailing, Truncated, UnknownField,
    };
    assert_eq!(error_of(&CEKR87, b""), (0, 0, 4, 0, Truncated));
    assert_eq!(error_of(&CEKR87, b"02x0"), (0, 2, 1, 1, NotDigits));
    assert_eq!(error_of(&ISO87BINARY, &[0x02, 0xa0]), (0, 1, 1, 1, NotDigits));
    assert_eq!(error_of(&CEKR87, b"0200\0\0"), (1, 4, 8, 2, Truncated));
    assert_eq!(error_of(&CEKR87, b"0200\x80\0\0\0\0\0\0\0\0"), (1, 12, 8, 1, Truncated));
    assert_eq!(error_of(&ISO87ASCII, b"0200000000x000000000"), (1, 10, 1, 1, BadBitmap));
    assert_eq!(error_of(&CEKR87, &one_field(4, b"00000")), (4, 12, 12, 5, Truncated));
    assert_eq!(error_of(&CEKR87, &one_field(2, b"1")), (2, 12, 2, 1, Truncated));
    assert_eq!(error_of(&CEKR87, &one_field(2, b"16123")), (2, 14, 16, 3, Truncated));
    assert_eq!(error_of(&CEKR87, &one_field(2, b"1:123")), (2, 13, 1, 1, BadLength));
    assert_eq!(error_of(&CEKR87, &one_field(48, b"0x1a")), (48, 13, 1, 1, BadLength));
    assert_eq!(error_of(&CEKR87, &one_field(2, b"20")), (2, 12, 20, 19, OverMax));
    assert_eq!(error_of(&CEKR87, &one_field(3, b"00a000")), (3, 14, 1, 1, NotDigits));
    assert_eq!(error_of(&CEKR87, &one_field(28, b"X00000000")), (28, 12, 1, 1, NotDigits));
    assert_eq!(error_of(&CEKR87, &one_field(35, b"05123a1")), (35, 17, 1, 1, NotDigits));
    assert_eq!(error_of(&CEKR87, &one_field(3, b"000000!!")), (3, 18, 0, 2, Trailing));
    assert_eq!(error_of(&CEKR87, b"0800\0\0\0\0\0\0\0\0!"), (1, 12, 0, 1, Trailing));
    let pin = b"02000000000000001000012345678X123456";
    assert_eq!(error_of(&ISO87ASCII, pin), (52, 29, 1, 1, NotHex));
    let long = vec![b'0'; 65_536];
    assert_eq!(error_of(&CEKR87, &long), (0, 0, 65_536, 65_535, OverMax));

    let names = [""; 128];
    let empty = Spec::new(
        "empty",
        cekr_iso8583::Encoding::Ascii,
        cekr_iso8583::Encoding::Binary,
        [cekr_iso8583::FieldDef::ABSENT; 128],
        names,
    );
    assert_eq!(error_of(&empty, &one_field(3, b"000000")), (3, 12, 0, 0, UnknownField));
}

#[test]
fn a_bad_digit_is_reported_before_the_faults_behind_it() {
    // DE 3 holds a letter, DE 4 is cut short: the letter comes first, and DE 3 is not handed out.
    let bitmap = (1u64 << 62 | 1 << 61 | 1 << 60).to_be_bytes();
    let message = [b"0200", &bitmap[..], b"0212", b"00x000", b"0000"].concat();
    let damaged = View::parse(&CEKR87, &message).unwrap_err();
    assert_eq!((damaged.error.field, damaged.error.offset), (3, 18));
    assert_eq!(damaged.read.present(), FieldSet::of(&[2]));
    assert_eq!(damaged.mti(), Mti::new(200));
}

#[test]
fn a_damaged_message_yields_the_fields_before_the_fault() {
    for (spec, message) in vectors() {
        let whole = View::parse(spec, &message).unwrap();
        for len in 0..message.len() {
            let damaged = View::parse(spec, &message[..len]).unwrap_err();
            let before = whole.present().below(damaged.error.field);
            assert_eq!(damaged.read.present(), before, "cut at {len}");
            for de in before {
                assert_eq!(damaged.read.wire(de), whole.wire(de));
            }
        }
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_has_a_defined_result() {
    for (spec, message) in vectors() {
        for len in 0..message.len() {
            fuzzing::view(spec, &message[..len]);
        }
        for bit in 0..message.len() * 8 {
            let mut flipped = message.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fuzzing::view(spec, &flipped);
            fuzzing::round_trip(spec, &flipped);
        }
    }
}

#[test]
fn framed_vectors_survive_every_flipped_bit() {
    for case in cases(CEKR87_VECTORS) {
        let framed = unhex(case["framed_hex"].as_str().unwrap());
        for bit in 0..framed.len() * 8 {
            let mut flipped = framed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fuzzing::frame(&flipped);
        }
    }
}

#[test]
fn an_empty_second_bitmap_is_read_and_never_written() {
    let message = b"0800\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let view = View::parse(&CEKR87, message).unwrap();
    assert!(view.present().is_empty());
    let mut out = [0; 64];
    assert_eq!(
        fuzzing::rewrite(&view, &mut out),
        Some(&message[..4].iter().chain(&[0; 8]).copied().collect::<Vec<_>>()[..])
    );
}

#[test]
fn each_mistake_of_a_writer_is_told_apart() {
    let mti = Mti::new(200).unwrap();
    let write = |spec: &Spec, de: u8, value: &[u8]| {
        let mut out = [0; 64];
        let mut writer = Writer::new(spec, mti, FieldSet::of(&[de]), &mut out)?;
        if spec.field(de).unwrap().class() == Class::B {
            writer.octets(de, value)?;
        } else {
            writer.text(de, value)?;
        }
        writer.finish()
    };
    assert_eq!(write(&CEKR87, 3, b"1234567"), Err(WriteError::TooLong { field: 3 }));
    assert_eq!(write(&CEKR87, 3, b"12x"), Err(WriteError::NotOfClass { field: 3 }));
    assert_eq!(write(&CEKR87, 28, b"D1"), Err(WriteError::NotOfClass { field: 28 }));
    assert_eq!(write(&CEKR87, 52, b"1234567"), Err(WriteError::TooShort { field: 52 }));
    assert_eq!(write(&CEKR87, 52, b"123456789"), Err(WriteError::TooLong { field: 52 }));
    assert_eq!(write(&CEKR87, 48, &[b'1'; 64]), Err(WriteError::NoRoom));
    assert_eq!(write(&CEKR87, 3, b"1"), Ok(18));

    let mut out = [0; 64];
    let mut writer = Writer::new(&CEKR87, mti, FieldSet::of(&[3, 11, 52]), &mut out).unwrap();
    assert_eq!(writer.number(11, 1), Err(WriteError::NotExpected { field: 11 }));
    assert_eq!(writer.number(3, 1_000_000), Err(WriteError::TooLong { field: 3 }));
    let mut writer = Writer::new(&CEKR87, mti, FieldSet::of(&[52]), &mut out).unwrap();
    assert_eq!(writer.text(52, b"00"), Err(WriteError::NotOfClass { field: 52 }));
    let writer = Writer::new(&CEKR87, mti, FieldSet::of(&[3]), &mut out).unwrap();
    assert_eq!(writer.finish(), Err(WriteError::Missing { field: 3 }));
    assert_eq!(
        Writer::new(&CEKR87, mti, FieldSet::EMPTY, &mut [0; 8]).err(),
        Some(WriteError::NoRoom)
    );
}

/// A small generator of values: the same seed gives the same value.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }

    fn text(&mut self, alphabet: &[u8], len: usize) -> Vec<u8> {
        (0..len).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }

    /// A value that the field takes as it is.
    fn value(&mut self, spec: &Spec, de: u8) -> Vec<u8> {
        const DIGITS: &[u8] = b"0123456789";
        let def = spec.field(de).unwrap();
        let len = match def.length() {
            Length::Absent => 0,
            Length::Fixed(length) => usize::from(length),
            Length::Variable { max, .. } => self.below(usize::from(max) + 1),
        };
        match def.class() {
            Class::N => self.text(DIGITS, len),
            Class::Z => self.text(b"0123456789=", len),
            Class::Xn => [self.text(b"CD", 1), self.text(DIGITS, len - 1)].concat(),
            Class::An | Class::Ans => self.text(b"AZaz09 *=\x00\xc4\xff", len),
            Class::B => (0..len).map(|_| u8::try_from(self.below(256)).unwrap()).collect(),
        }
    }
}

fn built_in_spec() -> impl Strategy<Value = &'static Spec> {
    prop::sample::select(Spec::built_in().to_vec())
}

proptest! {
    #[test]
    fn fields_that_are_written_are_read_with_their_values(
        spec in built_in_spec(),
        mti in 0u16..=9999,
        elements in prop::collection::btree_set(2u8..=128, 0..40),
        seed: u64,
    ) {
        let mut draw = Draw(seed);
        let fields: Vec<(u8, Vec<u8>)> =
            elements.iter().map(|de| (*de, draw.value(spec, *de))).collect();
        let set = FieldSet::of(&elements.iter().copied().collect::<Vec<_>>());
        let mti = Mti::new(mti).unwrap();
        let mut out = vec![0; 60_000];
        let mut writer = Writer::new(spec, mti, set, &mut out).unwrap();
        for (de, value) in &fields {
            if spec.field(*de).unwrap().class() == Class::B {
                writer.octets(*de, value).unwrap();
            } else {
                writer.text(*de, value).unwrap();
            }
        }
        let len = writer.finish().unwrap();
        let view = View::parse(spec, &out[..len]).map_err(|damaged| damaged.error).unwrap();
        prop_assert_eq!(view.mti(), mti);
        prop_assert_eq!(view.present(), set);
        for (de, value) in &fields {
            let mut scratch = [0; 2048];
            let field = view.field(*de).unwrap();
            let read = if field.def().class() == Class::B {
                field.octets(&mut scratch)
            } else {
                field.text(&mut scratch)
            };
            prop_assert_eq!(read.unwrap(), &value[..], "DE {}", de);
        }
        fuzzing::round_trip(spec, &out[..len]);

        // A reply that replaces some of the fields echoes the others octet for octet.
        let own: Vec<u8> = elements.iter().copied().filter(|de| de % 3 == 0).collect();
        let mut reply = vec![0; 60_000];
        let mut writer = Writer::reply(&view, mti, set, FieldSet::of(&own), &mut reply).unwrap();
        for (de, value) in fields.iter().filter(|(de, _)| own.contains(de)) {
            if spec.field(*de).unwrap().class() == Class::B {
                writer.octets(*de, value).unwrap();
            } else {
                writer.text(*de, value).unwrap();
            }
        }
        let reply_len = writer.finish().unwrap();
        prop_assert_eq!(&reply[..reply_len], &out[..len]);
    }

    #[test]
    fn arbitrary_octets_never_panic(data in prop::collection::vec(any::<u8>(), 0..400)) {
        fuzzing::any(&data);
        for spec in Spec::built_in() {
            fuzzing::view(spec, &data);
        }
    }

    #[test]
    fn arbitrary_octets_behind_a_sound_head_never_panic(
        spec in built_in_spec(),
        bitmap: u64,
        data in prop::collection::vec(prop_oneof![b'0'..=b'9', any::<u8>()], 0..400),
    ) {
        let set = FieldSet::from_bits(u128::from(bitmap & !1));
        let mut head = [0; 64];
        let mut writer_len = 0;
        if let Ok(writer) = Writer::new(spec, Mti::new(200).unwrap(), FieldSet::EMPTY, &mut head) {
            writer_len = writer.finish().unwrap();
        }
        // The announced fields, in place of none.
        let mut message = head[..writer_len].to_vec();
        let at = if spec == &ISO87BINARY { 2 } else { 4 };
        if spec == &ISO87ASCII {
            message.splice(at.., format!("{:016X}", (set.bits() as u64).reverse_bits()).into_bytes());
        } else {
            message.splice(at.., (set.bits() as u64).reverse_bits().to_be_bytes());
        }
        message.extend(data);
        fuzzing::view(spec, &message);
        fuzzing::round_trip(spec, &message);
        fuzzing::describe(&message);
    }

    #[test]
    fn messages_in_any_order_are_read_alike(
        steps in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..6, any::<u8>()),
            1..60,
        ),
    ) {
        let vectors = vectors();
        let mut shapes = Shapes::default();
        for (which, at, change, octet) in steps {
            let (spec, message) = which.get(&vectors);
            let mut changed = message.clone();
            let at = at.index(changed.len());
            match change {
                0 => changed[at] = octet,
                1 => changed[at] ^= 1 << (octet % 8),
                2 => changed.truncate(at),
                3 => changed.insert(at, octet),
                4 => drop(changed.remove(at)),
                _ => {}
            }
            fuzzing::read_alike(spec, &changed, &mut shapes);
        }
    }

    #[test]
    fn a_message_with_a_changed_octet_never_panics(at: prop::sample::Index, octet: u8, which: prop::sample::Index) {
        let vectors = vectors();
        let (spec, message) = which.get(&vectors);
        let mut changed = message.clone();
        let at = at.index(changed.len());
        changed[at] = octet;
        fuzzing::view(spec, &changed);
        fuzzing::round_trip(spec, &changed);
        fuzzing::describe(&changed);
    }
}

const PAN: &str = "4761731234569011";
const DISCRETIONARY: &str = "876543219";
const PIN_BLOCK: &str = "DEADBEEFCAFEF00D";
const CVV2: &str = "739";

/// A message with a secret in every place that may have one.
fn full_of_secrets(spec: &Spec) -> Vec<u8> {
    let track2 = format!("{PAN}=30122011{DISCRETIONARY}");
    let track1 = format!("B{PAN}^NOVAK/ANA^30122011{DISCRETIONARY}");
    let block = format!("{PIN_BLOCK}{PIN_BLOCK}");
    let private = format!("4202059203{CVV2}5232{block}5432{block}");
    let chip =
        unhex(&format!("5A08{PAN}5713{PAN}D30122011{DISCRETIONARY}000F9F2608A1B2C3D4E5F60708"));
    let free = format!("card {PAN} seen");
    let elements = [2, 34, 35, 36, 45, 46, 48, 52, 55, 60, 102, 120];
    let mut out = vec![0; 4096];
    let mut writer =
        Writer::new(spec, Mti::new(200).unwrap(), FieldSet::of(&elements), &mut out).unwrap();
    writer.text(2, PAN.as_bytes()).unwrap();
    writer.text(34, PAN.as_bytes()).unwrap();
    writer.text(35, track2.as_bytes()).unwrap();
    writer.text(36, track2.as_bytes()).unwrap();
    writer.text(45, track1.as_bytes()).unwrap();
    writer.text(46, free.as_bytes()).unwrap();
    writer.text(48, private.as_bytes()).unwrap();
    writer.octets(52, &unhex(PIN_BLOCK)).unwrap();
    writer.octets(55, &chip).unwrap();
    writer.text(60, format!("x4{PAN}4x").as_bytes()).unwrap();
    writer.text(102, PAN.as_bytes()).unwrap();
    writer.text(120, track2.as_bytes()).unwrap();
    let len = writer.finish().unwrap();
    out.truncate(len);
    out
}

#[test]
fn a_description_never_shows_a_secret_unless_asked() {
    for spec in Spec::built_in() {
        let message = full_of_secrets(spec);
        let view = View::parse(spec, &message).unwrap();
        let text = view.describe(Show::Masked).to_string();
        let json = view.describe(Show::Masked).json().to_string();
        let value: Value = serde_json::from_str(&json).unwrap();
        // Free text keeps a track's tail only where the field is no track: DE 120 shows it.
        let shown = value["fields"].as_object().unwrap();
        for (de, field) in shown {
            let field = field.to_string();
            assert!(!field.contains(PAN), "DE {de}: {field}");
            assert!(!field.contains(PIN_BLOCK), "DE {de}: {field}");
            assert!(de == "120" || !field.contains(DISCRETIONARY), "DE {de}: {field}");
        }
        assert_eq!(shown["2"]["value"], "476173******9011");
        assert_eq!(shown["48"]["fields"]["92"]["value"], "***");
        assert_eq!(shown["48"]["fields"]["42"]["value"], "05");
        assert_eq!(shown["55"]["fields"]["5A"]["value"], "****************");
        assert_eq!(shown["55"]["fields"]["9F26"]["value"], "A1B2C3D4E5F60708");
        assert!(!text.contains(PAN) && !text.contains(PIN_BLOCK));
        let open = view.describe(Show::Everything).json().to_string();
        assert!(open.contains(PAN) && open.contains(PIN_BLOCK));
        assert!(!format!("{view:?} {:?} {:?}", view.field(2), view.track2()).contains(PAN));
    }
}

#[test]
fn a_damaged_message_shows_no_secret_either() {
    for spec in Spec::built_in() {
        let message = full_of_secrets(spec);
        for len in 0..message.len() {
            let damaged = View::parse(spec, &message[..len]).unwrap_err();
            let text = damaged.describe(Show::Masked).to_string();
            assert!(!text.contains(PAN), "{text}");
            assert!(!text.contains(PIN_BLOCK), "{text}");
        }
    }
}

#[test]
fn a_redacted_message_reads_and_holds_no_secret() {
    for spec in Spec::built_in() {
        let message = full_of_secrets(spec);
        let view = View::parse(spec, &message).unwrap();
        let mut out = vec![0; message.len()];
        let redacted = View::parse(spec, view.redact(&mut out).unwrap()).unwrap();
        assert_eq!(redacted.bytes().len(), message.len());
        let pan = redacted.pan().unwrap().unwrap();
        assert_eq!(pan.masked().to_string(), "476173******9011");
        assert_ne!(pan.expose().to_string(), PAN);
        assert_eq!(redacted.track2().unwrap().unwrap().pan, Ok(pan), "both numbers stay equal");
        let open = redacted.describe(Show::Everything).to_string();
        assert!(!open.contains(PAN) && !open.contains(PIN_BLOCK), "{open}");
        assert_eq!(redacted.private().unwrap().value(*b"92"), Some(&b"999"[..]));
    }
}
