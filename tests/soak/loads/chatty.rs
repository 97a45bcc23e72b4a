//! Round trips of small messages.

use super::close_in_order;
use crate::failure::Outcome;
use crate::workers::Worker;

const MESSAGE: u64 = 64;

pub fn round_trips(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let (mut client, mut upstream) = worker.route.open_pair()?;
    worker.step("exchanging messages");
    for _ in 0..worker.rng.u32(..2000) {
        client.send_to(&mut upstream, MESSAGE)?;
        upstream.send_to(&mut client, MESSAGE)?;
    }
    worker.step("closing");
    let (first, second) = worker.in_random_order(client, upstream);
    close_in_order(first, second)
}
