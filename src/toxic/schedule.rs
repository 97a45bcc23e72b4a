//! A point of a time window: toxics that act once, so long after they begin to.

use super::Moment;
use crate::plan::{Millis, Window};

/// When it is `after` that a toxic with this window began to act, if it still acts then.
pub(super) fn after(window: Window, after: Millis) -> Option<Moment> {
    Some(window.begins() + after.duration()).filter(|&at| at < window.ends())
}
