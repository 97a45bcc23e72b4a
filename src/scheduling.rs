//! Whether a thread preempts the one that it is woken by (sched(7)). A thread that moves messages need not: the client or
//! server that has sent one goes on with its other sockets first, and wakes fewer threads for more work. A thread that
//! keeps a delay must.

use std::cell::Cell;

/// How the kernel schedules a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It preempts other threads when it wakes (`SCHED_OTHER`).
    Normal,
    /// It waits for its turn (`SCHED_BATCH`).
    Batch,
}

thread_local! {
    static CURRENT: Cell<Policy> = const { Cell::new(Policy::Normal) };
}

/// Sets the policy of this thread. Where the system refuses or has no such policy, nothing changes.
pub fn set(policy: Policy) {
    // A thread serves one connection after the other, most of them on the same path: that takes no system call.
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

    /// What the crate calls a nice value of 0. It sets that together with the policy, so that a process with any other nice
    /// value, which its user has asked for, is left alone.
    static USUAL: LazyLock<Option<ThreadPriority>> = LazyLock::new(|| {
        let is_usual = rustix::process::getpriority_process(None) == Ok(0);
        let values = (0..=99).filter_map(|value| ThreadPriorityValue::try_from(value).ok());
        let usual = values.map(ThreadPriority::Crossplatform).find(|priority| priority.to_posix(BATCH) == Ok(0));
        usual.filter(|_| is_usual)
    });

    if let Some(usual) = *USUAL {
        let policy = if policy == Policy::Batch { BATCH } else { NORMAL };
        // A policy is an optimisation: without it, the thread works all the same.
        let _ = set_thread_priority_and_policy(thread_native_id(), usual, policy);
    }
}

#[cfg(not(target_os = "linux"))]
fn apply(_: Policy) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};

    use super::*;

    /// As the process that runs the tests may have another nice value, or may not be allowed to change its policy, the
    /// policy is what was asked for or what it was.
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
