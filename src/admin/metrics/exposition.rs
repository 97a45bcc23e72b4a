//! The text format of Prometheus, version 0.0.4. Which metrics there are is decided elsewhere.
//!
//! Written by hand: the crate `prometheus-client` (0.24) writes `OpenMetrics`, where a counter's HELP and TYPE lack
//! `_total`, so that promtool rejects it ("no help text"), and it does not escape label values, which may be any
//! route's name.

use std::fmt::Display;

use crate::proxy::Histogram;

/// The media type of the text.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The names of labels and their values.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// The type of a family.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The metrics written so far.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// The samples of one name.
#[derive(Debug)]
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Exposition {
    /// Begins a family. Each name may begin once.
    pub(super) fn family(&mut self, kind: Kind, name: &'static str, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.0.extend(["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"]);
        Family { text: &mut self.0, name }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        self.line("", labels, value);
    }

    /// Buckets count all durations up to their bound.
    pub(super) fn histogram(&mut self, labels: Labels<'_>, histogram: &Histogram) {
        let mut total = 0;
        for (bound, count) in Histogram::BOUNDS.iter().zip(histogram.counts()) {
            total += count;
            self.line("_bucket", &[labels, &[("le", &bound.to_string())]].concat(), total);
        }
        self.line("_bucket", &[labels, &[("le", "+Inf")]].concat(), histogram.count());
        self.line("_sum", labels, histogram.sum().as_secs_f64());
        self.line("_count", labels, histogram.count());
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.text.extend([self.name, suffix, &labels, " ", &value.to_string(), "\n"]);
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_family_with_its_samples() {
        let mut text = Exposition::default();
        let mut family = text.family(Kind::Counter, "requests_total", "Requests so far.");
        family.sample(&[], 7);
        family.sample(&[("route", "a\"b\\c\nd"), ("direction", "upstream")], 0.5);
        let expected = "# HELP requests_total Requests so far.\n# TYPE requests_total counter\nrequests_total 7\n\
                        requests_total{route=\"a\\\"b\\\\c\\nd\",direction=\"upstream\"} 0.5\n";
        assert_eq!(String::from_utf8_lossy(&text.into_bytes()), expected);
    }
}
