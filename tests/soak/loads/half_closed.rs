//! One side closes and still gets all that the other has to say.

use crate::crew::Worker;
use crate::wrong::Outcome;

const MOST: u64 = 2 << 20;

pub fn by_either_side(worker: &mut Worker) -> Outcome {
    worker.step("meeting");
    let (client, upstream) = worker.lane.meet()?;
    let (mut first, mut second) = worker.either_first(client, upstream);
    worker.step("sending before the FIN");
    first.tell(&mut second, worker.rng.u64(..MOST))?;
    first.finish()?;
    second.meet_fin()?;
    worker.step("answering after the FIN");
    second.tell(&mut first, worker.rng.u64(..MOST))?;
    second.finish()?;
    first.meet_fin()
}
