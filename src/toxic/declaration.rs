//! What a toxic declares of itself, once: its type's name, its attributes, and what it does in a sentence. The struct,
//! the config check, the serialised form, the documents, the schema and the tests of all toxics follow from it. What it
//! does to a stream is its [`Behaviour`].

use super::behaviour::{Behaviour, Misfit};
use crate::value::{Kind, Scalar, Unit, Written};

/// A type of toxic, as it declares itself.
#[derive(Debug)]
pub struct ToxicType {
    /// Its name in configs and logs.
    pub name: &'static str,
    /// What bytes can expect of it.
    pub treatment: Treatment,
    /// What decides how it treats a byte.
    pub basis: Basis,
    /// Its attributes, in the order in which the documentation lists them.
    pub attributes: &'static [Attribute],
    pub(super) about: &'static str,
}

/// What bytes can expect of a toxic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Each one leaves unchanged and in order, perhaps later.
    Keeps,
    /// Each one leaves in order, perhaps changed.
    Changes,
    /// Some are discarded, or the connection ends.
    Ends,
}

/// What decides how a toxic treats a byte, apart from the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Its offset in the stream.
    Offset,
    /// Also when it comes.
    Arrival,
    /// Also how many come with it.
    Load,
}

/// An attribute of a type of toxic.
#[derive(Debug)]
pub struct Attribute {
    /// Its key in configs.
    pub name: &'static str,
    /// What its values look like.
    pub kind: Kind,
    /// Whether it can be left out.
    pub presence: Presence,
    pub(super) about: &'static str,
}

/// Whether an attribute can be left out.
#[derive(Clone, Copy, Debug)]
pub enum Presence {
    /// It can't; this is a value that it may have.
    Required(fn() -> Scalar),
    /// It then has this value.
    Optional(fn() -> Scalar),
}

impl ToxicType {
    /// What it does, in Markdown.
    #[must_use]
    pub fn about(&self) -> &'static str {
        self.about.trim_ascii()
    }
}

impl Attribute {
    /// What it means, in Markdown.
    #[must_use]
    pub fn about(&self) -> &'static str {
        self.about.trim_ascii()
    }

    /// What to write where it is missing: `the delay in ms, such as 100`.
    #[must_use]
    pub fn advice(&self) -> String {
        let (Presence::Required(example) | Presence::Optional(example)) = self.presence;
        let about = self.about().split(['.', ';']).next().unwrap_or_default();
        let unit = match self.kind.unit() {
            Unit::None => String::new(),
            unit => format!(" in {}", unit.explained()),
        };
        format!("{}{unit}, such as {}", about[..1].to_lowercase() + &about[1..], example())
    }
}

/// Where the values of a toxic's attributes come from, and where problems with them are reported.
pub trait Source {
    /// The value of an attribute, or `default` if it was left out. `None` after a problem was reported.
    fn value<T: Written>(&mut self, attribute: &'static Attribute, default: Option<T>) -> Option<T>;

    /// Reports a value that is valid alone, but not beside the others.
    fn reject(&mut self, misfit: Misfit);
}

/// What [`declare!`] makes of a declaration.
pub(super) trait Declared: Behaviour + Sized {
    /// The declaration as data.
    const TYPE: &'static ToxicType;

    /// Reads the attributes.
    fn read(source: &mut impl Source) -> Option<Self>;

    /// The values of the attributes, in the order of the declaration.
    fn write(&self) -> Vec<Scalar>;
}

/// The toxic, unless some of its attributes don't fit each other.
pub(super) fn fitting<T: Behaviour>(toxic: T, source: &mut impl Source) -> Option<T> {
    let misfits = toxic.misfits();
    if misfits.is_empty() {
        return Some(toxic);
    }
    for misfit in misfits {
        source.reject(misfit);
    }
    None
}

/// Declares a type of toxic: its struct with the name of the type, a [`Treatment`] and a [`Basis`], and in braces its
/// attributes, each with its type and either a default or an example. Doc comments go into the documents and the schema.
macro_rules! declare {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident($type_name:literal, $treatment:ident, $basis:ident) {
            $(
                $(#[doc = $field_about:literal])+
                $visibility:vis $field:ident: $type:ty $(= $default:expr)? $(, such as $example:expr)?;
            )*
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(clippy::struct_field_names, reason = "the attributes have the names that configs have for them")]
        pub struct $name {
            $($(#[doc = $field_about])+ $visibility $field: $type,)*
        }

        impl $crate::toxic::declaration::Declared for $name {
            const TYPE: &'static $crate::toxic::declaration::ToxicType = &$crate::toxic::declaration::ToxicType {
                name: $type_name,
                treatment: $crate::toxic::declaration::Treatment::$treatment,
                basis: $crate::toxic::declaration::Basis::$basis,
                attributes: &[$($crate::toxic::declaration::Attribute {
                    name: stringify!($field),
                    kind: <$type as $crate::value::Written>::KIND,
                    presence: declare!(@presence $type $(= $default)? $(, such as $example)?),
                    about: concat!($($field_about),+),
                }),*],
                about: concat!($($about),+),
            };

            #[allow(unused_mut, unused_variables, reason = "a toxic without attributes reads none")]
            fn read(source: &mut impl $crate::toxic::declaration::Source) -> Option<Self> {
                let mut attributes = Self::TYPE.attributes.iter();
                $(let $field = source.value::<$type>(attributes.next()?, declare!(@default $type $(= $default)?));)*
                $crate::toxic::declaration::fitting(Self { $($field: $field?),* }, source)
            }

            fn write(&self) -> Vec<$crate::value::Scalar> {
                vec![$($crate::value::Written::write(&self.$field)),*]
            }
        }
    };
    (@presence $type:ty = $default:expr) => {
        $crate::toxic::declaration::Presence::Optional(|| <$type as $crate::value::Written>::write(&$default))
    };
    (@presence $type:ty, such as $example:expr) => {
        $crate::toxic::declaration::Presence::Required(|| <$type as $crate::value::Written>::write(&$example))
    };
    (@default $type:ty = $default:expr) => {
        Some::<$type>($default)
    };
    (@default $type:ty) => {
        None::<$type>
    };
}

pub(super) use declare;
