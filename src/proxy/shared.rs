//! What the listeners of a run share.

use std::convert::Infallible;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::places::Places;
use super::roster::Roster;
use crate::stop::Stop;
use crate::threads::Crew;

#[derive(Debug)]
pub struct Shared {
    pub roster: Arc<Roster>,
    /// For those who are accepted without a place, when the drain closes the ports.
    pub standing_room: Places,
    pub crew: Arc<Crew>,
    pub stop: Arc<Stop>,
    /// Cloned for each connection: the channel disconnects when the last of them and the last listener are gone.
    pub alive: Sender<Infallible>,
}
