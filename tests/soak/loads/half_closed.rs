//! One side half-closes and still receives everything that the other sends.

use crate::failure::Outcome;
use crate::workers::Worker;

const MAX_BYTES: u64 = 2 << 20;

pub fn by_either_side(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (client, upstream) = worker.route.open_pair()?;
    let (mut first, mut second) = worker.in_random_order(client, upstream);
    worker.step("sending before the FIN");
    first.send_to(&mut second, worker.rng.u64(..MAX_BYTES))?;
    first.send_fin()?;
    second.expect_fin()?;
    worker.step("answering after the FIN");
    second.send_to(&mut first, worker.rng.u64(..MAX_BYTES))?;
    second.send_fin()?;
    first.expect_fin()
}
