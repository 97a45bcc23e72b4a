//! Connections that are left alone for a while, many at a time, and must work as before.

use std::time::Duration;

use super::close_in_order;
use crate::crew::Worker;
use crate::wrong::Outcome;

const BATCH: usize = 32;
const MESSAGE: u64 = 100;

pub fn batch(worker: &mut Worker) -> Outcome {
    worker.step("meeting");
    let pairs = worker.lane.meet_many(BATCH)?;
    worker.step("being idle");
    let idle = Duration::from_millis(worker.rng.u64(1000..5000));
    worker.pass_time(idle);
    for (mut client, mut upstream) in pairs {
        worker.step("talking again");
        client.tell(&mut upstream, MESSAGE)?;
        upstream.tell(&mut client, MESSAGE)?;
        worker.step("closing");
        let (first, second) = worker.either_first(client, upstream);
        close_in_order(first, second)?;
    }
    worker.count(BATCH as u64 - 1);
    Ok(())
}
