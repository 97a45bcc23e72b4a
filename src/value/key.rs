//! A key of a config, as it is declared: the config check, the documents and the schema read the declaration.

use super::{Kind, Scalar, Unit};

/// A key of an object in a config.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its values look like.
    pub kind: Kind,
    /// Whether it can be left out.
    pub presence: Presence,
    about: &'static str,
}

/// Whether a key can be left out.
#[derive(Clone, Copy, Debug)]
pub enum Presence {
    /// It can't; if its value is a scalar, this may be one.
    Required(Option<fn() -> Scalar>),
    /// It then has this value.
    Optional(fn() -> Scalar),
    /// This then holds, in Markdown.
    Otherwise(&'static str),
}

impl Key {
    /// A key; `about` says in Markdown what it means, in a sentence or two.
    #[must_use]
    pub const fn new(name: &'static str, about: &'static str, kind: Kind, presence: Presence) -> Self {
        Self { name, kind, presence, about }
    }

    /// What it means, in Markdown.
    #[must_use]
    pub fn about(&self) -> &'static str {
        self.about.trim_ascii()
    }

    /// What to write where it is missing: `the delay in ms, such as 100`.
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

    /// Its default, or its example.
    #[must_use]
    pub fn value(&self) -> Option<Scalar> {
        match self.presence {
            Presence::Required(example) => example.map(|example| example()),
            Presence::Optional(default) => Some(default()),
            Presence::Otherwise(_) => None,
        }
    }
}
