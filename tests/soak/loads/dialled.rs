//! Upstreams that can't be reached: clients that do not wait to hear of it, and clients that do.

use crate::failure::Outcome;
use crate::peer::Peer;
use crate::workers::Worker;

const MOST: u64 = 64 * 1024;

/// A reset ends a dial that would never end by itself. Nobody sees it but the log, where it must be told closed.
pub fn reset_in_the_dial(worker: &mut Worker) -> Outcome {
    let client = dialling(worker)?;
    worker.step("resetting in the dial");
    client.reset()?;
    worker.pause_briefly();
    Ok(())
}

/// A FIN does not end a dial, as what was sent before it may still be delivered: the timeout does.
pub fn closed_in_the_dial(worker: &mut Worker) -> Outcome {
    let client = dialling(worker)?;
    worker.step("closing in the dial");
    drop(client);
    worker.pause_briefly();
    Ok(())
}

/// Whoever waits is told by a RST.
pub fn in_vain(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    if let Some(mut client) = worker.route.connect_to_be_reset()? {
        worker.step("being dialled in vain");
        client.expect_reset()?;
    }
    worker.pause_briefly();
    Ok(())
}

fn dialling(worker: &mut Worker) -> Outcome<Peer> {
    worker.step("connecting");
    let mut client = worker.route.connect()?;
    client.send_some(worker.rng.u64(..MOST))?;
    if worker.rng.bool() {
        client.send_fin()?;
    }
    Ok(client)
}
