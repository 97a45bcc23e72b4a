//! The gate that each worker passes before each connection: it lets all of them work, rest, or go home.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the workers are to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    Work,
    /// The gate is closed at first, so that everyone starts together.
    #[default]
    Rest,
    GoHome,
}

/// One for all workers.
#[derive(Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    order: Order,
    resting: usize,
}

impl Gate {
    pub fn give(&self, order: Order) {
        self.state().order = order;
        self.changed.notify_all();
    }

    /// Waits while the order is to rest; then tells whether there is more to do.
    pub fn pass(&self) -> bool {
        let mut state = self.state();
        state.resting += 1;
        self.changed.notify_all();
        let resting = |state: &mut State| state.order == Order::Rest;
        let mut state = self.changed.wait_while(state, resting).unwrap_or_else(PoisonError::into_inner);
        state.resting -= 1;
        state.order == Order::Work
    }

    /// Waits for `time` to pass, or for the order to work to end.
    pub fn pass_time(&self, time: Duration) {
        let working = |state: &mut State| state.order == Order::Work;
        drop(self.changed.wait_timeout_while(self.state(), time, working));
    }

    /// Waits until so many workers rest, at most for `patience`, and tells whether they do.
    pub fn all_rest(&self, workers: usize, patience: Duration) -> bool {
        let some_work = |state: &mut State| state.resting < workers;
        let waited = self.changed.wait_timeout_while(self.state(), patience, some_work);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
