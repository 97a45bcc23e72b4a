//! Clients that leave during the delay. One that has sent nothing or resets frees everything at once, and the upstream sees
//! how it left. What one has sent before it closes would be delivered when the delay ends, which no worker waits for.

use crate::failure::Outcome;
use crate::workers::Worker;

const MAX_BYTES: u64 = 64 * 1024;

pub fn during_the_delay(worker: &mut Worker) -> Outcome {
    worker.pause_briefly();
    worker.step("connecting");
    let mut client = worker.route.connect()?;
    let mut upstream = worker.route.accept()?;
    let half_closes = worker.rng.bool();
    if worker.rng.bool() {
        if half_closes {
            client.send_fin()?;
        }
        worker.step("closing in the delay");
        drop(client);
        return upstream.expect_fin();
    }
    client.send_some(worker.rng.u64(..MAX_BYTES))?;
    if half_closes {
        client.send_fin()?;
    }
    worker.step("resetting in the delay");
    client.reset()?;
    upstream.expect_reset()
}
