//! The points of a connection that its triggers have reached, shared by its two directions: the one that watches for a
//! point announces it, and the other one lets its toxics act from then on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Moment;
use super::route_toxic::RouteToxic;

/// The announced points.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// The number of announcements, which is read for each chunk.
    announcements: AtomicU64,
    latest: Mutex<Vec<Latest>>,
}

/// The last announced point of a toxic.
#[derive(Debug)]
struct Latest {
    toxic: Arc<RouteToxic>,
    times: u64,
    at: Moment,
}

impl Reached {
    /// Announces that the bytes before the next point of `toxic` are forwarded. Must be called before the bytes after
    /// it are: the other direction looks after each read, so it knows of the point before it has the answer to them.
    pub(super) fn announce(&self, toxic: &Arc<RouteToxic>, at: Moment) {
        let mut latest = self.lock();
        match latest.iter_mut().find(|latest| latest.toxic.is_same_addition(toxic)) {
            Some(latest) => (latest.times, latest.at) = (latest.times + 1, at),
            None => latest.push(Latest { toxic: Arc::clone(toxic), times: 1, at }),
        }
        self.announcements.fetch_add(1, Ordering::Release);
    }

    /// The number of announcements of all toxics.
    pub(super) fn announcements(&self) -> u64 {
        self.announcements.load(Ordering::Acquire)
    }

    /// How many points of a toxic were announced, and when the last one was.
    pub(super) fn of(&self, toxic: &RouteToxic) -> Option<(u64, Moment)> {
        let latest = self.lock();
        latest.iter().find(|latest| latest.toxic.is_same_addition(toxic)).map(|latest| (latest.times, latest.at))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Latest>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
