//! One side closes and still gets all that the other has to say.

use crate::failure::Outcome;
use crate::workers::Worker;

const MOST: u64 = 2 << 20;

pub fn by_either_side(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (client, upstream) = worker.route.open_pair()?;
    let (mut first, mut second) = worker.in_random_order(client, upstream);
    worker.step("sending before the FIN");
    first.send_to(&mut second, worker.rng.u64(..MOST))?;
    first.send_fin()?;
    second.expect_fin()?;
    worker.step("answering after the FIN");
    second.send_to(&mut first, worker.rng.u64(..MOST))?;
    second.send_fin()?;
    first.expect_fin()
}
