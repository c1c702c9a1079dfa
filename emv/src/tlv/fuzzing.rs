//! What must hold for arbitrary octets as chip data: the body of the fuzz target `tlv`, which tests
//! run as well.

use core::fmt::{self, Write};

use super::{OBJECTS_MAX, Writer, check, dol, objects, tags, value_of};

/// Arbitrary octets as a list of objects, and as a list of what a chip wants to know.
///
/// What is read is written again as the same; what the dictionary hides is not shown.
///
/// # Panics
///
/// Where reading, writing or showing break one of these promises.
pub fn tlv(data: &[u8]) {
    let mut room = [0; 255];
    if let Ok(len) = dol::fill(data, &mut room, |_| Some((&[0xA5; 3], dol::Format::Numeric))) {
        assert!(len <= room.len(), "what was filled has its place");
    }
    let Ok(count) = check(data) else { return };
    assert!(count <= OBJECTS_MAX, "a tree has its bound");
    let mut again = [0; 1024];
    let mut writer = Writer::new(&mut again);
    let mut is_whole = true;
    for object in objects(data).map_while(Result::ok) {
        show(object.tag, object.value);
        is_whole &= writer.put(object.tag, object.value).is_ok();
    }
    if is_whole {
        let read = objects(writer.written()).map_while(Result::ok);
        let same = objects(data).map_while(Result::ok).map(|object| (object.tag, object.value));
        assert!(read.map(|object| (object.tag, object.value)).eq(same), "read as it was written");
    }
    if let Some(Ok(first)) = objects(data).next() {
        assert_eq!(value_of(data, first.tag), Some(first.value), "the first is found");
    }
}

/// Shows a value in every way there is.
fn show(tag: u32, value: &[u8]) {
    let mut shown = Counted::default();
    let written = write!(shown, "{}", tags::shown(tag, value));
    assert!(written.is_ok() && shown.characters == 2 * value.len(), "two digits an octet");
    let hidden = tags::find(tag).is_some_and(|row| row.sensitivity == tags::Sensitivity::Hidden);
    assert!(!hidden || shown.stars == shown.characters, "a secret is stars");
    assert!(!hidden || tags::text(tag, value).is_none(), "a secret is no text");
    tags::explain(tag, value, &mut |words| {
        let _ = write!(Counted::default(), "{words}");
    });
    assert!(!tags::name(tag).is_empty(), "everything has a name");
}

/// Counts what is written to it.
#[derive(Default)]
struct Counted {
    characters: usize,
    stars: usize,
}

impl Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.characters += text.chars().count();
        self.stars += text.matches('*').count();
        Ok(())
    }
}
