//! The declaration of a toxic: the name of its type, its attributes, and a sentence about its effect. The struct, the
//! config check, the serialised form, the documentation, the schema and the property tests are derived from it. What a
//! toxic does to a stream is its [`Behaviour`].

use super::behaviour::{Behaviour, Misfit};
use crate::value::{Key, Scalar, Written};

/// The declaration of a type of toxic.
#[derive(Debug)]
pub struct ToxicType {
    /// Its name in configs and logs.
    pub name: &'static str,
    /// What it may do to bytes.
    pub treatment: Treatment,
    /// What its effect on a byte depends on.
    pub basis: Basis,
    /// Its attributes, in the order in which the documentation lists them.
    pub attributes: &'static [Key],
    pub(super) about: &'static str,
}

/// What a toxic may do to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Every byte passes unchanged and in order, but may be late.
    Keeps,
    /// Every byte passes in order, but may be changed.
    Changes,
    /// Bytes may be discarded, or the connection ended.
    Ends,
}

/// What the effect of a toxic on a byte depends on, apart from the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The byte's offset in the stream, and its segment.
    Offset,
    /// Its arrival time as well.
    Arrival,
    /// The number of bytes that arrive with it as well.
    Load,
}

impl ToxicType {
    /// The description of its effect, in Markdown.
    #[must_use]
    pub fn about(&self) -> &'static str {
        self.about.trim_ascii()
    }
}

/// Where the values of a toxic's attributes come from, and where problems with them are reported.
pub trait Source {
    /// Returns the value of an attribute, or its default if it was left out. `None` after a problem was reported.
    fn value<T: Written>(&mut self, attribute: &'static Key) -> Option<T>;

    /// Reports a value that is valid alone but conflicts with the others.
    fn reject(&mut self, misfit: Misfit);
}

/// Implemented by [`declare!`] for each type of toxic.
pub(super) trait Declared: Behaviour + Sized {
    /// The declaration as data.
    const TYPE: &'static ToxicType;

    /// Reads the attributes.
    fn read(source: &mut impl Source) -> Option<Self>;

    /// The values of the attributes, in the order of the declaration.
    fn write(&self) -> Vec<Scalar>;
}

/// Returns the toxic, or reports its conflicting attributes.
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

/// Declares a type of toxic: a struct with the name of the type, a [`Treatment`], a [`Basis`] and, in braces, its
/// attributes. Each attribute has a type and either a default or an example. The doc comments also go into the
/// documentation and the schema.
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
