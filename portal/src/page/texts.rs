//! What is said, in Slovene and English: files of Fluent with the same names in both languages.
//!
//! The words of receipts and response codes are the issuer's
//! ([`cekr_issuer::reason`]); everything else that a reader of a page sees stands in
//! `texts/sl/` and `texts/en/`, a file for each folder of the code.

use std::fmt;
use std::sync::Arc;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::money;

/// The languages that there are.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Language {
    /// `en`.
    English,
    /// `sl`, the programme's own.
    #[default]
    Slovene,
}

impl Language {
    /// Every language, as the page offers them.
    pub const ALL: [Self; 2] = [Self::Slovene, Self::English];

    /// The language of a tag such as `sl-SI` or `en;q=0.8`.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Self> {
        let code = tag.split(['-', '_', ';']).next()?.trim();
        Self::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(code))
    }

    /// The tag for `lang=` and files.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Slovene => "sl",
        }
    }

    /// Its own name for itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Slovene => "Slovenščina",
        }
    }
}

/// All texts. Cheap to clone.
#[derive(Clone)]
pub struct Texts {
    slovene: Arc<FluentBundle<FluentResource>>,
    english: Arc<FluentBundle<FluentResource>>,
}

/// The texts cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("texts/{language}: {message}")]
pub struct TextsError {
    language: &'static str,
    message: String,
}

impl Texts {
    /// The texts that are built in.
    ///
    /// # Errors
    /// [`TextsError`], which a test finds before anybody else.
    pub fn built_in() -> Result<Texts, TextsError> {
        Ok(Texts {
            slovene: Arc::new(bundle(Language::Slovene, SLOVENE)?),
            english: Arc::new(bundle(Language::English, ENGLISH)?),
        })
    }

    /// The texts in `language`.
    #[must_use]
    pub fn say(&self, language: Language) -> Say {
        let bundle = match language {
            Language::English => &self.english,
            Language::Slovene => &self.slovene,
        };
        Say { language, bundle: bundle.clone() }
    }
}

/// The texts in one language. Cheap to clone.
#[derive(Clone)]
pub struct Say {
    language: Language,
    bundle: Arc<FluentBundle<FluentResource>>,
}

impl Say {
    /// The language.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.language
    }

    /// A text without places to fill.
    #[must_use]
    pub fn text(&self, key: &str) -> String {
        self.filled(key, &FluentArgs::new())
    }

    /// A text that need not be there.
    #[must_use]
    pub fn maybe(&self, key: &str) -> Option<String> {
        self.bundle.has_message(key).then(|| self.text(key))
    }

    /// A text with one place.
    #[must_use]
    pub fn with<'a>(&self, key: &str, name: &'a str, value: impl Into<FluentValue<'a>>) -> String {
        let mut places = FluentArgs::new();
        places.set(name, value);
        self.filled(key, &places)
    }

    /// A text with several places.
    #[must_use]
    pub fn filled(&self, key: &str, places: &FluentArgs<'_>) -> String {
        let Some(pattern) = self.bundle.get_message(key).and_then(|message| message.value()) else {
            tracing::error!(key, language = self.language.code(), "a text is missing");
            return key.to_owned();
        };
        let mut faults = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(places), &mut faults);
        if !faults.is_empty() {
            tracing::error!(key, ?faults, "a text could not be filled");
        }
        text.into_owned()
    }

    /// An amount of cents.
    #[must_use]
    pub fn money(&self, cents: &i64) -> String {
        money::show(*cents, self.language)
    }
}

impl fmt::Debug for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Say").field("language", &self.language).finish_non_exhaustive()
    }
}

fn bundle(language: Language, files: &[&str]) -> Result<FluentBundle<FluentResource>, TextsError> {
    let failed = |message| TextsError { language: language.code(), message };
    let tag: LanguageIdentifier =
        language.code().parse().map_err(|fault| failed(format!("{fault:?}")))?;
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // Everything is written in one direction; marks around each place would only be seen by tests.
    bundle.set_use_isolating(false);
    for file in files {
        let resource = FluentResource::try_new((*file).to_owned())
            .map_err(|(_, faults)| failed(format!("{faults:?}")))?;
        bundle.add_resource(resource).map_err(|faults| failed(format!("{faults:?}")))?;
    }
    Ok(bundle)
}

macro_rules! texts {
    ($language:literal) => {
        &[
            include_str!(concat!("../../texts/", $language, "/acs.ftl")),
            include_str!(concat!("../../texts/", $language, "/page.ftl")),
            include_str!(concat!("../../texts/", $language, "/identity.ftl")),
            include_str!(concat!("../../texts/", $language, "/card.ftl")),
            include_str!(concat!("../../texts/", $language, "/desk.ftl")),
            include_str!(concat!("../../texts/", $language, "/kranj.ftl")),
            include_str!(concat!("../../texts/", $language, "/loads.ftl")),
            include_str!(concat!("../../texts/", $language, "/statements.ftl")),
            include_str!(concat!("../../texts/", $language, "/webhooks.ftl")),
            include_str!(concat!("../../texts/", $language, "/confirm.ftl")),
        ]
    };
}

const SLOVENE: &[&str] = texts!("sl");
const ENGLISH: &[&str] = texts!("en");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use std::collections::BTreeSet;

    use super::*;

    fn keys(files: &'static [&'static str]) -> BTreeSet<&'static str> {
        let begins = |line: &&str| line.starts_with(|first: char| first.is_ascii_lowercase());
        let lines = files.iter().flat_map(|file| file.lines());
        lines.filter(begins).filter_map(|line| Some(line.split_once(" =")?.0)).collect()
    }

    #[test]
    fn both_languages_have_every_text() {
        Texts::built_in().unwrap();
        assert_eq!(keys(SLOVENE), keys(ENGLISH));
    }

    #[test]
    fn a_language_is_known_by_its_tag() {
        assert_eq!(Language::parse("sl-SI"), Some(Language::Slovene));
        assert_eq!(Language::parse("EN;q=0.8"), Some(Language::English));
        assert_eq!(Language::parse("de"), None);
    }
}
