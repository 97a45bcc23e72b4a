//! Macros for types whose values are words, texts or flags.

/// Declares an enum with one word per value: the type, what is reported for another text, and the word of each value.
macro_rules! words {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident($is_not:literal, $hint:literal) {
            $($(#[$about:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$about])* $variant,)+
        }

        impl $name {
            /// All values, in the order in which the documentation lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in configs and logs.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::value::Rejected;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|value| value.as_str() == text);
                found.copied().ok_or_else(|| $crate::value::Rejected::new(format!("`{text}` {}", $is_not), $hint))
            }
        }

        impl $crate::value::Written for $name {
            const KIND: $crate::value::Kind = $crate::value::Kind::Word(&[$($word),+]);

            fn read(scalar: $crate::value::Scalar) -> Result<Self, $crate::value::Rejected> {
                match scalar {
                    $crate::value::Scalar::Text(text) => text.parse(),
                    _ => Err(Self::KIND.mismatch()),
                }
            }

            fn write(&self) -> $crate::value::Scalar {
                $crate::value::Scalar::Text(self.as_str().to_owned())
            }
        }
    };
}

/// Implements [`Written`](super::Written) for a type with `FromStr` and `Display`.
macro_rules! text {
    ($($name:ty),+) => {
        $(impl $crate::value::Written for $name {
            const KIND: $crate::value::Kind = $crate::value::Kind::Text;

            fn read(scalar: $crate::value::Scalar) -> Result<Self, $crate::value::Rejected> {
                match scalar {
                    $crate::value::Scalar::Text(text) => text.parse(),
                    _ => Err(Self::KIND.mismatch()),
                }
            }

            fn write(&self) -> $crate::value::Scalar {
                $crate::value::Scalar::Text(self.to_string())
            }
        })+
    };
}

/// Implements [`Written`](super::Written) for an enum with two values, that for `false` first.
macro_rules! flag {
    ($name:ident: $if_false:ident, $if_true:ident) => {
        impl $crate::value::Written for $name {
            const KIND: $crate::value::Kind = $crate::value::Kind::Flag;

            fn read(scalar: $crate::value::Scalar) -> Result<Self, $crate::value::Rejected> {
                match scalar {
                    $crate::value::Scalar::Flag(false) => Ok(Self::$if_false),
                    $crate::value::Scalar::Flag(true) => Ok(Self::$if_true),
                    _ => Err(Self::KIND.mismatch()),
                }
            }

            fn write(&self) -> $crate::value::Scalar {
                $crate::value::Scalar::Flag(*self == Self::$if_true)
            }
        }
    };
}

pub(crate) use {flag, text, words};
