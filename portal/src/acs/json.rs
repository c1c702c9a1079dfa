//! A message's elements, read without losing what a map would hide: an element that comes twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::error_message::{ErrorCode, Fault};

/// The elements of one message, and the names of those that came more than once.
#[derive(Clone, Default)]
pub(super) struct Members {
    members: Map<String, Value>,
    twice: Vec<String>,
}

impl Members {
    /// Reads one JSON object and nothing behind it.
    ///
    /// # Errors
    /// 101 for anything else.
    pub(super) fn read(octets: &[u8]) -> Result<Members, Fault> {
        serde_json::from_slice(octets).map_err(|error| {
            // The reader's words may repeat what was sent, a card's number among it.
            let place = format!("line {} column {}", error.line(), error.column());
            Fault::new(ErrorCode::MessageInvalid, format!("not one JSON object: {place}"))
        })
    }

    /// An element, `null` being none.
    #[must_use]
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// An element that is a text.
    #[must_use]
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    /// Elements that came more than once.
    #[must_use]
    pub(super) fn twice(&self) -> &[String] {
        &self.twice
    }
}

// A message has a card's number: nothing of it is shown.
impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Members({} elements)", self.members.len())
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut read = Members::default();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if read.members.contains_key(&name) {
                        // Ours are short; a stranger's name is not repeated at any length.
                        read.twice.push(name.chars().take(NAME_CHARS_MAX).collect());
                    } else {
                        read.members.insert(name, value);
                    }
                }
                Ok(read)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// What is repeated of an element's name.
const NAME_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn what_comes_twice_is_noticed_and_the_first_counts() {
        let read = Members::read(br#"{"a": "1", "b": null, "a": "2"}"#).unwrap();
        assert_eq!(read.text("a"), Some("1"));
        assert_eq!(read.value("b"), None);
        assert_eq!(read.twice(), ["a"]);
    }

    #[test]
    fn a_fault_repeats_nothing_of_what_was_sent() {
        for wrong in ["", "[]", "4761730000000011", "{\"acctNumber\": 4761730000000011x}", "{} {}"]
        {
            let fault = Members::read(wrong.as_bytes()).unwrap_err();
            assert_eq!(fault.code, ErrorCode::MessageInvalid);
            assert!(!fault.detail.contains("47617"), "{}", fault.detail);
        }
        let shown = format!("{:?}", Members::read(b"{\"acctNumber\": \"4761\"}").unwrap());
        assert_eq!(shown, "Members(1 elements)");
    }
}
