//! The run state that all workers share: each of them checks it before every connection, and runs, pauses or stops.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the workers are to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunState {
    Running,
    /// The initial state, so that all workers start together.
    #[default]
    Paused,
    Stopped,
}

/// Sets the run state, and waits for its changes.
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

    /// Called by a worker before each connection. Blocks while the state is paused, then returns whether it is running.
    pub fn wait_while_paused(&self) -> bool {
        let mut shared = self.shared();
        shared.paused += 1;
        self.changed.notify_all();
        let is_paused = |shared: &mut Shared| shared.state == RunState::Paused;
        let mut shared = self.changed.wait_while(shared, is_paused).unwrap_or_else(PoisonError::into_inner);
        shared.paused -= 1;
        shared.state == RunState::Running
    }

    /// Waits for `time`, or until the state is no longer running.
    pub fn sleep(&self, time: Duration) {
        let is_running = |shared: &mut Shared| shared.state == RunState::Running;
        drop(self.changed.wait_timeout_while(self.shared(), time, is_running));
    }

    /// Waits until this number of workers is paused, for at most `timeout`. Returns whether they are.
    pub fn wait_until_paused(&self, workers: usize, timeout: Duration) -> bool {
        let some_running = |shared: &mut Shared| shared.paused < workers;
        let waited = self.changed.wait_timeout_while(self.shared(), timeout, some_running);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
