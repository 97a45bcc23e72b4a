//! The scheduling policy of a thread, which decides whether it preempts others when it wakes up (sched(7)). A thread
//! that forwards messages need not: a client or server that has sent one can first serve its other sockets, so threads
//! wake up less often and handle more at a time. A thread that times a delay must preempt.

use std::cell::Cell;

/// How the kernel schedules a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Preempts other threads when it wakes up (`SCHED_OTHER`).
    Normal,
    /// Waits for its turn (`SCHED_BATCH`).
    Batch,
}

thread_local! {
    static CURRENT: Cell<Policy> = const { Cell::new(Policy::Normal) };
}

/// Sets the policy of the current thread. Has no effect if the system refuses or has no such policy.
pub fn set(policy: Policy) {
    // Threads are reused, and most connections need the same policy: no system call for those.
    if CURRENT.replace(policy) != policy {
        apply(policy);
    }
}

#[cfg(target_os = "linux")]
fn apply(policy: Policy) {
    use std::sync::LazyLock;

    use thread_priority::unix::{
        NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
    };
    use thread_priority::{ThreadPriority, ThreadPriorityValue};

    const BATCH: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    const NORMAL: ThreadSchedulePolicy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);

    /// The crate's value for a nice level of 0. The crate sets the level together with the policy, so a process with
    /// another level, which its user has chosen, is left alone.
    static USUAL: LazyLock<Option<ThreadPriority>> = LazyLock::new(|| {
        let is_usual = rustix::process::getpriority_process(None) == Ok(0);
        let values = (0..=99).filter_map(|value| ThreadPriorityValue::try_from(value).ok());
        let usual = values.map(ThreadPriority::Crossplatform).find(|priority| priority.to_posix(BATCH) == Ok(0));
        usual.filter(|_| is_usual)
    });

    if let Some(usual) = *USUAL {
        let policy = if policy == Policy::Batch { BATCH } else { NORMAL };
        // The policy is only an optimisation.
        let _ = set_thread_priority_and_policy(thread_native_id(), usual, policy);
    }
}

#[cfg(not(target_os = "linux"))]
fn apply(_: Policy) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};

    use super::*;

    /// The test process may have another nice level. Then the policy is not changed.
    #[test]
    fn the_policy_is_set_and_the_nice_value_is_kept() {
        let nice = || rustix::process::getpriority_process(None);
        let before = nice();
        for (policy, expected) in
            [(Policy::Batch, NormalThreadSchedulePolicy::Batch), (Policy::Normal, NormalThreadSchedulePolicy::Other)]
        {
            set(policy);
            if before == Ok(0) {
                assert_eq!(thread_schedule_policy(), Ok(ThreadSchedulePolicy::Normal(expected)));
            }
            assert_eq!(nice(), before);
        }
    }
}
