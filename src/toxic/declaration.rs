//! What a toxic declares of itself, once: its type's name, its attributes, and what it does in a sentence. The struct,
//! the config check, the serialised form, the documents, the schema and the tests of all toxics follow from it. What it
//! does to a stream is its [`Behaviour`].

use super::behaviour::{Behaviour, Misfit};
use crate::value::{Key, Scalar, Written};

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
    pub attributes: &'static [Key],
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
    /// Its offset in the stream, and the segment that it is in.
    Offset,
    /// Also when it comes.
    Arrival,
    /// Also how many come with it.
    Load,
}

impl ToxicType {
    /// What it does, in Markdown.
    #[must_use]
    pub fn about(&self) -> &'static str {
        self.about.trim_ascii()
    }
}

/// Where the values of a toxic's attributes come from, and where problems with them are reported.
pub trait Source {
    /// The value of an attribute, or its default if it was left out. `None` after a problem was reported.
    fn value<T: Written>(&mut self, attribute: &'static Key) -> Option<T>;

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
                attributes: &[$(declare!(
                    @key stringify!($field), concat!($($field_about),+), $type $(= $default)? $(, such as $example)?
                )),*],
                about: concat!($($about),+),
            };

            #[allow(unused_mut, unused_variables, reason = "a toxic without attributes reads none")]
            fn read(source: &mut impl $crate::toxic::declaration::Source) -> Option<Self> {
                let mut attributes = Self::TYPE.attributes.iter();
                $(let $field = source.value::<$type>(attributes.next()?);)*
                $crate::toxic::declaration::fitting(Self { $($field: $field?),* }, source)
            }

            fn write(&self) -> Vec<$crate::value::Scalar> {
                vec![$($crate::value::Written::write(&self.$field)),*]
            }
        }
    };
    (@key $name:expr, $about:expr, $type:ty = $default:expr) => {
        $crate::value::Key::new(
            $name,
            $about,
            <$type as $crate::value::Written>::KIND,
            $crate::value::Presence::Optional(|| <$type as $crate::value::Written>::write(&const { $default })),
        )
    };
    (@key $name:expr, $about:expr, $type:ty, such as $example:expr) => {
        $crate::value::Key::new(
            $name,
            $about,
            <$type as $crate::value::Written>::KIND,
            $crate::value::Presence::Required(Some(|| <$type as $crate::value::Written>::write(&const { $example }))),
        )
    };
}

pub(super) use declare;
