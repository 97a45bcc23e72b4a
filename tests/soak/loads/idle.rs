//! Batches of connections that are idle for a while, and must still work afterwards.

use std::time::Duration;

use super::close_in_order;
use crate::failure::Outcome;
use crate::workers::Worker;

const BATCH: usize = 32;
const MESSAGE: u64 = 100;

pub fn batch(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let pairs = worker.route.open_pairs(BATCH)?;
    worker.step("being idle");
    let idle = Duration::from_millis(worker.rng.u64(1000..5000));
    worker.sleep(idle);
    for (mut client, mut upstream) in pairs {
        worker.step("exchanging messages after the idle time");
        client.send_to(&mut upstream, MESSAGE)?;
        upstream.send_to(&mut client, MESSAGE)?;
        worker.step("closing");
        let (first, second) = worker.in_random_order(client, upstream);
        close_in_order(first, second)?;
    }
    worker.count(BATCH as u64 - 1);
    Ok(())
}
