//! The declaration of a config key, which the config check, the documentation and the schema read.

use super::{Kind, Scalar, Unit};

/// A key of an object in a config.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name of the key.
    pub name: &'static str,
    /// The kind of its values.
    pub kind: Kind,
    /// Whether it can be left out.
    pub presence: Presence,
    about: &'static str,
}

/// Whether a key can be left out.
#[derive(Clone, Copy, Debug)]
pub enum Presence {
    /// It can't be left out. Has an example if its value is a scalar.
    Required(Option<fn() -> Scalar>),
    /// It can, and then has this default.
    Optional(fn() -> Scalar),
    /// It can, and this describes the default, in Markdown.
    Otherwise(&'static str),
}

impl Key {
    /// Declares a key. `about` describes it in a sentence or two of Markdown.
    #[must_use]
    pub const fn new(name: &'static str, about: &'static str, kind: Kind, presence: Presence) -> Self {
        Self { name, kind, presence, about }
    }

    /// The description of the key, in Markdown.
    #[must_use]
    pub fn about(&self) -> &'static str {
        self.about.trim_ascii()
    }

    /// The hint for a missing key: `the delay in ms, such as 100`.
    #[must_use]
    pub fn advice(&self) -> String {
        let mut letters = self.about().chars().take_while(|letter| !['.', ';'].contains(letter));
        let about: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
        let unit = match self.kind.unit() {
            Unit::None => String::new(),
            unit => format!(" in {}", unit.explained()),
        };
        let example = self.value().map(|example| format!(", such as {example}")).unwrap_or_default();
        format!("{about}{unit}{example}")
    }

    /// The default or the example, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<Scalar> {
        match self.presence {
            Presence::Required(example) => example.map(|example| example()),
            Presence::Optional(default) => Some(default()),
            Presence::Otherwise(_) => None,
        }
    }
}
