//! What either side does before the delay is over is carried out after it: nothing of it may be lost.

use crate::crew::Worker;
use crate::peer::Peer;
use crate::wrong::Outcome;

const MOST: u64 = 256 * 1024;

pub fn before_the_delay_is_over(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let client = worker.lane.connect()?;
    let upstream = worker.lane.accept()?;
    if worker.rng.u8(..4) == 0 {
        upstream_resets(worker, client, upstream)
    } else {
        both_finish(worker, client, upstream)
    }
}

/// Both have said all before either is heard.
fn both_finish(worker: &mut Worker, mut client: Peer, mut upstream: Peer) -> Outcome {
    worker.step("sending and half-closing in the delay");
    let up = client.send_some(worker.rng.u64(..MOST))?;
    client.finish()?;
    let down = upstream.send_some(worker.rng.u64(..MOST))?;
    upstream.finish()?;
    worker.step("reading after the delay");
    upstream.receive(up)?;
    upstream.meet_fin()?;
    client.receive(down)?;
    client.meet_fin()
}

fn upstream_resets(worker: &Worker, mut client: Peer, upstream: Peer) -> Outcome {
    worker.step("resetting as the upstream in the delay");
    upstream.reset()?;
    client.meet_reset()
}
