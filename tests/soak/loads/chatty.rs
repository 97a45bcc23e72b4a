//! Small messages to and fro.

use super::close_in_order;
use crate::crew::Worker;
use crate::wrong::Outcome;

const MESSAGE: u64 = 64;

pub fn round_trips(worker: &mut Worker) -> Outcome {
    worker.step("meeting");
    let (mut client, mut upstream) = worker.lane.meet()?;
    worker.step("talking");
    for _ in 0..worker.rng.u32(..2000) {
        client.tell(&mut upstream, MESSAGE)?;
        upstream.tell(&mut client, MESSAGE)?;
    }
    worker.step("closing");
    let (first, second) = worker.either_first(client, upstream);
    close_in_order(first, second)
}
