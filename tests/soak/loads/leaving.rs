//! Clients that leave during the delay: the proxy must free everything at once, and the upstream must see how they
//! left.

use crate::failure::Outcome;
use crate::workers::Worker;

const MAX_BYTES: u64 = 64 * 1024;

pub fn during_the_delay(worker: &mut Worker) -> Outcome {
    worker.pause_briefly();
    worker.step("connecting");
    let mut client = worker.route.connect()?;
    let mut upstream = worker.route.accept()?;
    if worker.rng.bool() {
        client.send_some(worker.rng.u64(..MAX_BYTES))?;
    }
    if worker.rng.bool() {
        client.send_fin()?;
    }
    if worker.rng.bool() {
        worker.step("closing in the delay");
        drop(client);
        upstream.expect_fin()
    } else {
        worker.step("resetting in the delay");
        client.reset()?;
        upstream.expect_reset()
    }
}
