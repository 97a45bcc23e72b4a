//! Clients that leave during the delay: at once everything is free again, and the upstream is told how they left.

use crate::crew::Worker;
use crate::wrong::Outcome;

const MOST: u64 = 64 * 1024;

pub fn during_the_delay(worker: &mut Worker) -> Outcome {
    worker.breathe();
    worker.step("connecting");
    let mut client = worker.lane.connect()?;
    let mut upstream = worker.lane.accept()?;
    if worker.rng.bool() {
        client.send_some(worker.rng.u64(..MOST))?;
    }
    if worker.rng.bool() {
        client.finish()?;
    }
    if worker.rng.bool() {
        worker.step("closing in the delay");
        drop(client);
        upstream.meet_fin()
    } else {
        worker.step("resetting in the delay");
        client.reset()?;
        upstream.meet_reset()
    }
}
