//! The points from which toxics act: those of this stream are searched for by the intake, and those of the other
//! direction are announced by its chain.

use super::Chain;
use crate::toxic::Moment;
use crate::toxic::intake::Found;
use crate::toxic::link::Point;

impl Chain {
    /// Call when the sender has paused: no byte waits for a trigger any longer.
    pub fn pause(&mut self, now: Moment) {
        if !self.intake.is_idle() {
            let found = self.intake.pause();
            self.add_points(found, now);
            while let Some(span) = self.intake.take_any(now) {
                self.feed(0, span);
            }
        }
    }

    pub(super) fn take_decided(&mut self, now: Moment) {
        while let Some(span) = self.intake.take_decided(now) {
            self.feed(0, span);
        }
    }

    /// Adds points of this stream to the links of their toxics, or plans their announcement.
    pub(super) fn add_points(&mut self, found: Vec<Found>, now: Moment) {
        let other = self.direction().opposite();
        for Found { toxic, offset } in found {
            if toxic.covers(other) {
                self.output.announce_at(&toxic, offset);
            }
            if let Some(link) = self.links.iter_mut().find(|link| link.has_toxic(&toxic)) {
                link.add_point(Point { offset, at: now });
            }
        }
    }

    /// Lets toxics act from byte `offset` on whose points the other direction has announced.
    pub(super) fn notice(&mut self, offset: u64) {
        let Some(reached) = &self.reached else { return };
        let announcements = reached.announcements();
        if std::mem::replace(&mut self.noticed, announcements) != announcements {
            self.links.iter_mut().for_each(|link| link.notice(reached, offset));
        }
    }

    /// Announces the points that come before the next byte of the output.
    pub fn announce(&mut self, now: Moment) {
        for toxic in self.output.take_announcements() {
            // Without a toxic that has a trigger, nothing looks for points.
            self.reached.iter().for_each(|reached| reached.announce(&toxic, now));
        }
    }

    /// A toxic acts once nothing before its point is left in front of it, even if no byte follows.
    pub(super) fn reach_points(&mut self) {
        let mut passed = self.intake.first_offset().unwrap_or(self.buffer.end());
        for link in &mut self.links {
            link.reach(passed, &self.stages);
            passed = passed.min(link.passed(passed));
        }
    }
}
