//! Samples of the figures over time, for plots. Their number is bounded: when there are too many, every second one is
//! discarded, and the next ones are taken half as often.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::proxy::{Activity, Supervisor};
use crate::threads;

/// 250 KB, and more points than a plot has pixels.
const MAX_SAMPLES: usize = 3600;

/// The interval of the first samples, up to 6 minutes. Many runs of tests take some seconds.
const FIRST_INTERVAL: Duration = Duration::from_millis(100);

/// What all routes together have done by some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Since the start of the run.
    pub at: Duration,
    /// The number of bytes sent to upstreams.
    pub bytes_up: u64,
    /// The number of bytes sent to clients.
    pub bytes_down: u64,
    /// The number of live connections.
    pub open: u64,
    /// The number of connections dropped or delayed, and of acts of toxics.
    pub faults: u64,
    /// The number of writes that toxics have delayed.
    pub delays: u64,
    /// The sum of the delays until their bytes were due.
    pub delay_asked: Duration,
    /// The sum of the delays until they were written.
    pub delay_measured: Duration,
}

/// Samples in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeSeries {
    interval: Duration,
    samples: Vec<Sample>,
}

/// Takes samples on a thread of its own.
#[derive(Debug)]
pub struct Sampler {
    stop: Sender<()>,
    series: Receiver<TimeSeries>,
}

impl Sampler {
    /// Takes samples of `supervisor` from now on; `started` is the time that they count from.
    ///
    /// # Errors
    /// No thread is available.
    pub fn start(supervisor: Arc<Supervisor>, started: Instant) -> io::Result<Self> {
        let ((stop, stopped), (done, series)) = (bounded(1), bounded(1));
        threads::spawn("sampler", move || {
            // The receiver is gone only if the run needs no report any more.
            let _ = done.send(take_samples(&supervisor, started, &stopped));
        })?;
        Ok(Self { stop, series })
    }

    /// Takes a last sample and returns all of them.
    pub fn finish(self) -> TimeSeries {
        // If the thread has ended, so has the channel, and there are no samples.
        let _ = self.stop.send(());
        self.series.recv().unwrap_or_default()
    }
}

fn take_samples(supervisor: &Supervisor, started: Instant, stopped: &Receiver<()>) -> TimeSeries {
    let mut series = TimeSeries::default();
    loop {
        series.push(sample(supervisor.activity(), started.elapsed()));
        if stopped.recv_timeout(series.interval) != Err(RecvTimeoutError::Timeout) {
            series.push(sample(supervisor.activity(), started.elapsed()));
            return series;
        }
    }
}

fn sample(activity: Activity, at: Duration) -> Sample {
    let Activity { open, bytes_up, bytes_down, faults, delays, delay_asked, delay_measured } = activity;
    Sample { at, bytes_up, bytes_down, open: open as u64, faults, delays, delay_asked, delay_measured }
}

impl Default for TimeSeries {
    fn default() -> Self {
        Self { interval: FIRST_INTERVAL, samples: Vec::new() }
    }
}

impl TimeSeries {
    /// The samples.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    fn push(&mut self, sample: Sample) {
        if self.samples.len() == MAX_SAMPLES {
            let mut place = 0_usize;
            self.samples.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.interval *= 2;
        }
        self.samples.push(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_fewer_samples_of_all_of_its_time() {
        let (mut series, mut at) = (TimeSeries::default(), Duration::ZERO);
        let day = Duration::from_secs(86_400);
        while at <= day {
            series.push(Sample { at, ..Sample::default() });
            at += series.interval;
        }
        assert!((MAX_SAMPLES / 2..=MAX_SAMPLES).contains(&series.samples().len()));
        assert_eq!(series.samples()[0].at, Duration::ZERO);
        for pair in series.samples().windows(2) {
            assert!(pair[0].at < pair[1].at && pair[1].at <= pair[0].at + series.interval, "{pair:?}");
        }
    }
}
