//! Both sides act during the delay. The proxy must forward all of it after the delay.

use crate::failure::Outcome;
use crate::peer::Peer;
use crate::workers::Worker;

const MAX_BYTES: u64 = 256 * 1024;

pub fn before_the_delay_is_over(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let client = worker.route.connect()?;
    let upstream = worker.route.accept()?;
    if worker.rng.u8(..4) == 0 {
        upstream_resets(worker, client, upstream)
    } else {
        both_finish(worker, client, upstream)
    }
}

/// Both sides send everything and half-close before the delay ends.
fn both_finish(worker: &mut Worker, mut client: Peer, mut upstream: Peer) -> Outcome {
    worker.step("sending and half-closing in the delay");
    let up = client.send_some(worker.rng.u64(..MAX_BYTES))?;
    client.send_fin()?;
    let down = upstream.send_some(worker.rng.u64(..MAX_BYTES))?;
    upstream.send_fin()?;
    worker.step("reading after the delay");
    upstream.receive(up)?;
    upstream.expect_fin()?;
    client.receive(down)?;
    client.expect_fin()
}

fn upstream_resets(worker: &Worker, mut client: Peer, upstream: Peer) -> Outcome {
    worker.step("resetting as the upstream in the delay");
    upstream.reset()?;
    client.expect_reset()
}
