//! The list of all types of toxics. What each declares and does is in its own file.

use super::Stage;
use super::behaviour::{Behaviour, Coverage, Place};
use super::declaration::{Declared, Source, ToxicType};
use crate::value::{Millis, Scalar};

/// Defines the enum of all toxics and everything that depends on its variants.
macro_rules! effects {
    ($($module:ident::$name:ident,)+) => {
        $(pub use super::$module::$name;)+

        /// What a toxic does: its type, and the values of its attributes.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Effect {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)+
        }

        /// Every type of toxic, in the order in which the documentation lists them.
        pub const TYPES: &[&ToxicType] = &[$($name::TYPE),+];

        /// Their names.
        pub(super) const TYPE_NAMES: &[&str] = &[$($name::TYPE.name),+];

        impl Effect {
            /// Reads the attributes of a type. `None` if there is no such type, or after a problem was reported to the
            /// source.
            pub fn read(type_name: &str, source: &mut impl Source) -> Option<Self> {
                $(if type_name == $name::TYPE.name {
                    return $name::read(source).map(Self::$name);
                })+
                None
            }

            /// Its type.
            #[must_use]
            pub fn toxic_type(&self) -> &'static ToxicType {
                match self {
                    $(Self::$name(_) => $name::TYPE),+
                }
            }

            fn values(&self) -> Vec<Scalar> {
                match self {
                    $(Self::$name(toxic) => toxic.write()),+
                }
            }

            fn behaviour(&self) -> &dyn Behaviour {
                match self {
                    $(Self::$name(toxic) => toxic),+
                }
            }
        }
    };
}

effects! {
    latency::Latency,
    bandwidth::Bandwidth,
    packet_loss::PacketLoss,
    corrupt::Corrupt,
    slicer::Slicer,
    limit_data::LimitData,
    limit_time::LimitTime,
    timeout::TimeoutToxic,
    stall::Stall,
    slow_close::SlowClose,
    reset_peer::ResetPeer,
    noop::Noop,
}

impl Effect {
    /// The name of its type, as in configs and logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.toxic_type().name
    }

    /// The name and the value of each attribute.
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, Scalar)> {
        self.toxic_type().attributes.iter().map(|attribute| attribute.name).zip(self.values())
    }

    /// The attribute with the time after which it ends the connection, and its value. The time counts from when the
    /// toxic begins to act.
    #[must_use]
    pub fn due(&self) -> Option<(&'static str, Millis)> {
        self.behaviour().due()
    }

    pub(super) fn acts_in(&self, coverage: Coverage) -> bool {
        self.behaviour().acts_in(coverage)
    }

    pub(super) fn stage(&self, place: &Place<'_>) -> Box<dyn Stage> {
        self.behaviour().stage(place)
    }
}
