//! Upstreams that can't be reached: clients that do not wait to hear of it, and clients that do.

use crate::crew::Worker;
use crate::wrong::Outcome;

const MOST: u64 = 64 * 1024;

/// The dial never ends by itself. Nobody sees how this one ends but the log, where it must be told closed.
pub fn left_in_the_dial(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let mut client = worker.lane.connect()?;
    client.send_some(worker.rng.u64(..MOST))?;
    if worker.rng.bool() {
        client.finish()?;
    }
    worker.step("leaving in the dial");
    if worker.rng.bool() {
        client.reset()?;
    } else {
        drop(client);
    }
    worker.breathe();
    Ok(())
}

/// Whoever waits is told by a RST.
pub fn in_vain(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    let Some(mut client) = worker.lane.connect_to_be_reset()? else { return Ok(()) };
    worker.step("being dialled in vain");
    client.meet_reset()
}
