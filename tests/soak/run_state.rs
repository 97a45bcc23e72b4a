//! The gate that each worker passes before each connection: it lets all of them work, rest, or go home.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the workers are to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunState {
    Running,
    /// The gate is closed at first, so that everyone starts together.
    #[default]
    Paused,
    Stopped,
}

/// One for all workers.
#[derive(Default)]
pub struct RunControl {
    shared: Mutex<Shared>,
    changed: Condvar,
}

#[derive(Default)]
struct Shared {
    state: RunState,
    paused: usize,
}

impl RunControl {
    pub fn set(&self, state: RunState) {
        self.shared().state = state;
        self.changed.notify_all();
    }

    /// Waits while the order is to rest; then tells whether there is more to do.
    pub fn wait_while_paused(&self) -> bool {
        let mut shared = self.shared();
        shared.paused += 1;
        self.changed.notify_all();
        let is_paused = |shared: &mut Shared| shared.state == RunState::Paused;
        let mut shared = self.changed.wait_while(shared, is_paused).unwrap_or_else(PoisonError::into_inner);
        shared.paused -= 1;
        shared.state == RunState::Running
    }

    /// Waits for `time` to pass, or for the order to work to end.
    pub fn wait_for(&self, time: Duration) {
        let is_running = |shared: &mut Shared| shared.state == RunState::Running;
        drop(self.changed.wait_timeout_while(self.shared(), time, is_running));
    }

    /// Waits until so many workers rest, at most for `patience`, and tells whether they do.
    pub fn wait_until_paused(&self, workers: usize, timeout: Duration) -> bool {
        let some_running = |shared: &mut Shared| shared.paused < workers;
        let waited = self.changed.wait_timeout_while(self.shared(), timeout, some_running);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
