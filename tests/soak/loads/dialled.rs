//! Unreachable upstreams: clients that leave during the dial, and clients that wait for its failure.

use crate::failure::Outcome;
use crate::peer::Peer;
use crate::workers::Worker;

const MAX_BYTES: u64 = 64 * 1024;

/// A reset ends a dial that would never time out. Only the log shows it: the connection must be logged as closed.
pub fn reset_in_the_dial(worker: &mut Worker) -> Outcome {
    let client = dialling(worker)?;
    worker.step("resetting in the dial");
    client.reset()?;
    worker.pause_briefly();
    Ok(())
}

/// A FIN does not end a dial, because the data before it may still be delivered. The timeout does.
pub fn closed_in_the_dial(worker: &mut Worker) -> Outcome {
    let client = dialling(worker)?;
    worker.step("closing in the dial");
    drop(client);
    worker.pause_briefly();
    Ok(())
}

/// A client that waits receives a RST.
pub fn fails(worker: &mut Worker) -> Outcome {
    worker.step("connecting");
    if let Some(mut client) = worker.route.connect_to_be_reset()? {
        worker.step("waiting for the dial to fail");
        client.expect_reset()?;
    }
    worker.pause_briefly();
    Ok(())
}

fn dialling(worker: &mut Worker) -> Outcome<Peer> {
    worker.step("connecting");
    let mut client = worker.route.connect()?;
    client.send_some(worker.rng.u64(..MAX_BYTES))?;
    if worker.rng.bool() {
        client.send_fin()?;
    }
    Ok(client)
}
