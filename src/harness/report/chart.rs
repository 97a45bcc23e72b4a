//! The plots of the report: throughput, open connections, faults and delays over time, with the steps of the scenario.

use std::time::Duration;

use serde_json::Value;

use super::json::read_millis;
use super::series::read_samples;
use crate::harness::sampler::Sample;
use crate::plot::{Anchor, COLOURS, Drawing, Point, Weight, tick};
use crate::units::bytes;

/// In pixels.
const WIDTH: f64 = 860.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const PANEL: f64 = 140.0;
const GAP: f64 = 56.0;
const TOP: f64 = 30.0;

/// The smallest distance of two marks, so that a curve remains visible between them, and that of two labels beside them.
const MARK_GAP: f64 = 6.0;
const LABEL_GAP: f64 = 48.0;

/// The width of a character of a small text, at most.
const CHARACTER: f64 = 6.5;

const BLUE: &str = COLOURS[1];
const ORANGE: &str = COLOURS[2];
const GREEN: &str = COLOURS[3];
const PINK: &str = COLOURS[4];
const RED: &str = COLOURS[5];

/// A plot of one or two values over time.
struct Panel {
    title: &'static str,
    curves: Vec<Curve>,
    /// How to write a value of the axis.
    label: fn(f64) -> String,
}

struct Curve {
    name: &'static str,
    colour: &'static str,
    /// Times in seconds, and values.
    points: Vec<Point>,
}

/// A step of the scenario.
struct Step {
    /// When it was done, in seconds from the start of the run.
    seconds: f64,
    /// When it was due.
    at: String,
    /// What it did.
    what: String,
}

/// All plots in one drawing, from the JSON of a report. `None` if there are too few samples to plot.
pub(super) fn svg(report: &Value) -> Option<String> {
    let (samples, steps) = (read_samples(report), read_steps(report));
    let end = samples.last().filter(|_| samples.len() > 1)?.at.as_secs_f64().max(0.001);
    let mut drawing = Drawing::new(WIDTH);
    let mut top = TOP;
    for panel in panels(&samples) {
        let frame = Frame { top, end, most: panel.most() };
        frame.draw_bands(&mut drawing, &steps);
        frame.draw(&mut drawing, &panel);
        frame.draw_marks(&mut drawing, &steps);
        top += PANEL + GAP;
    }
    Some(drawing.finish(top - 10.0))
}

fn read_steps(report: &Value) -> Vec<Step> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let step = |it: &Value| {
        Some(Step { seconds: read_millis(&it["inRunMs"])?.as_secs_f64(), at: text(&it["at"]), what: text(&it["step"]) })
    };
    report["scenario"].as_array().into_iter().flatten().filter_map(step).collect()
}

/// Delays are plotted if toxics have added any.
fn panels(samples: &[Sample]) -> Vec<Panel> {
    let up = curve("to the upstreams", BLUE, rates(samples, |sample| sample.bytes_up));
    let down = curve("to the clients", ORANGE, rates(samples, |sample| sample.bytes_down));
    let open = samples.iter().map(|sample| (sample.at.as_secs_f64(), number(sample.open))).collect();
    let mut panels = vec![
        Panel { title: "Throughput", curves: vec![up, down], label: |value| format!("{}/s", bytes(whole(value))) },
        Panel { title: "Open connections", curves: vec![curve("open", GREEN, open)], label: plain },
        Panel {
            title: "Faults",
            curves: vec![curve(
                "drops, delays and acts of toxics, per second",
                RED,
                rates(samples, |sample| sample.faults),
            )],
            label: plain,
        },
    ];
    if samples.last().is_some_and(|last| last.delays > 0) {
        let asked = curve("asked", PINK, means(samples, |sample| sample.delay_asked));
        let measured = curve("measured", BLUE, means(samples, |sample| sample.delay_measured));
        let label = |value: f64| format!("{} ms", plain(value));
        panels.push(Panel { title: "Added delay", curves: vec![asked, measured], label });
    }
    panels
}

fn curve(name: &'static str, colour: &'static str, points: Vec<Point>) -> Curve {
    Curve { name, colour, points }
}

/// How much a count grows per second: a level line from each sample to the next.
fn rates(samples: &[Sample], count: impl Fn(&Sample) -> u64) -> Vec<Point> {
    let rate = |pair: &[Sample]| {
        let (from, to) = (pair[0].at.as_secs_f64(), pair[1].at.as_secs_f64());
        // A connection that ends while the counts are added up may be missing in the later sample.
        let more = number(count(&pair[1]).saturating_sub(count(&pair[0])));
        let rate = more / (to - from).max(0.001);
        [(from, rate), (to, rate)]
    };
    samples.windows(2).flat_map(rate).collect()
}

/// The mean delay of the writes between two samples, in milliseconds, where there were any.
fn means(samples: &[Sample], sum: impl Fn(&Sample) -> Duration) -> Vec<Point> {
    let mean = |pair: &[Sample]| {
        let writes = pair[1].delays.saturating_sub(pair[0].delays);
        let more = sum(&pair[1]).saturating_sub(sum(&pair[0])).as_secs_f64() * 1e3;
        (writes > 0).then(|| (pair[1].at.as_secs_f64(), more / number(writes)))
    };
    samples.windows(2).filter_map(mean).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "values are not negative")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn plain(value: f64) -> String {
    // Sums of ticks have more decimals than the tick.
    format!("{}", (value * 1e3).round() / 1e3)
}

impl Panel {
    fn most(&self) -> f64 {
        let values = self.curves.iter().flat_map(|curve| &curve.points).map(|(_, value)| *value);
        values.fold(0.0, f64::max)
    }
}

/// The place of a panel, and the ends of its axes.
struct Frame {
    top: f64,
    end: f64,
    most: f64,
}

impl Frame {
    fn point(&self, (seconds, value): Point) -> Point {
        let x = LEFT + seconds.min(self.end) / self.end * (WIDTH - LEFT - RIGHT);
        (x, self.top + PANEL * (1.0 - value / self.highest()))
    }

    /// The end of the value axis: the first tick that is not below any value.
    fn highest(&self) -> f64 {
        let tick = self.tick();
        (self.most.max(1.0) / tick).ceil() * tick
    }

    /// At least 1: half a connection or half a byte would be no value.
    fn tick(&self) -> f64 {
        tick(self.most, 4).max(1.0)
    }

    fn draw(&self, drawing: &mut Drawing, panel: &Panel) {
        drawing.text((LEFT, self.top - 10.0), Anchor::Start, Weight::Strong, panel.title);
        self.draw_axes(drawing, panel.label);
        for (curve, x) in panel.curves.iter().zip([260.0, 420.0]) {
            drawing.bar((x, self.top - 19.0), 10.0, 10.0, curve.colour);
            drawing.text((x + 16.0, self.top - 10.0), Anchor::Start, Weight::Strong, curve.name);
            drawing.curve(curve.points.iter().map(|point| self.point(*point)), curve.colour);
        }
    }

    fn draw_axes(&self, drawing: &mut Drawing, label: fn(f64) -> String) {
        for value in steps(self.tick(), self.highest()) {
            let at = self.point((0.0, value));
            let weight = if value == 0.0 { Weight::Strong } else { Weight::Faint };
            drawing.line(at, (WIDTH - RIGHT, at.1), weight);
            drawing.text((LEFT - 6.0, at.1 + 4.0), Anchor::End, Weight::Faint, label(value));
        }
        let (unit, name) = time_unit(self.end);
        for value in steps(tick(self.end / unit, 10), self.end / unit) {
            let (x, y) = self.point((value * unit, 0.0));
            drawing.text((x, y + 14.0), Anchor::Middle, Weight::Faint, format_args!("{} {name}", plain(value)));
        }
    }

    /// A band from every second step of the scenario to the next one, or to the end.
    fn draw_bands(&self, drawing: &mut Drawing, steps: &[Step]) {
        for (place, step) in steps.iter().enumerate().step_by(2) {
            let end = steps.get(place + 1).map_or(self.end, |next| next.seconds);
            let ((from, _), (to, _)) = (self.point((step.seconds, 0.0)), self.point((end, 0.0)));
            if to - from >= 1.0 {
                drawing.band((from, self.top), to - from, PANEL);
            }
        }
    }

    /// A line where each step of the scenario was done. Steps that are too close to the one before have no label, or no
    /// line either: a scenario that repeats has thousands of them.
    fn draw_marks(&self, drawing: &mut Drawing, steps: &[Step]) {
        let (mut marked, mut labelled) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for step in steps {
            let (x, _) = self.point((step.seconds, 0.0));
            if x - marked >= MARK_GAP {
                self.mark(drawing, x, step);
                marked = x;
            }
            if x - labelled >= LABEL_GAP && has_room(x, &step.at) {
                drawing.text((x + 3.0, self.top + 9.0), Anchor::Start, Weight::Faint, &step.at);
                labelled = x;
            }
        }
    }

    fn mark(&self, drawing: &mut Drawing, x: f64, step: &Step) {
        let title = format!("{} {}", step.at, step.what);
        drawing.mark((x, self.top), (x, self.top + PANEL), PINK, &title);
    }
}

/// Whether the label of a mark ends inside the drawing.
fn has_room(x: f64, label: &str) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a label has few characters")]
    let width = label.len() as f64 * CHARACTER;
    x + 3.0 + width <= WIDTH
}

/// The unit for the labels of a time axis that ends after this number of seconds: its length in seconds, and its name.
fn time_unit(end: f64) -> (f64, &'static str) {
    match end {
        ..1.0 => (0.001, "ms"),
        1.0..300.0 => (1.0, "s"),
        300.0..10_800.0 => (60.0, "min"),
        _ => (3600.0, "h"),
    }
}

/// Multiples of `tick` from 0 to `end`.
fn steps(tick: f64, end: f64) -> impl Iterator<Item = f64> {
    // A hundredth of a tick is less than any rounding error, and less than a pixel.
    (0_u32..).map(move |step| f64::from(step) * tick).take_while(move |value| *value <= end + tick / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_growth_between_two_samples() {
        let sample = |seconds, bytes_up| Sample { at: Duration::from_secs(seconds), bytes_up, ..Sample::default() };
        let samples = [sample(0, 0), sample(1, 500), sample(3, 500), sample(5, 100)];
        let rates = rates(&samples, |sample| sample.bytes_up);
        assert_eq!(rates, [(0.0, 500.0), (1.0, 500.0), (1.0, 0.0), (3.0, 0.0), (3.0, 0.0), (5.0, 0.0)]);
    }

    #[test]
    fn the_axis_ends_at_the_first_tick_above_all_values() {
        for (most, highest) in [(0.0, 1.0), (3.0, 3.0), (9.0, 10.0), (270.0, 300.0)] {
            let frame = Frame { top: 0.0, end: 10.0, most };
            assert!((frame.highest() - highest).abs() < 1e-9, "{most}: {}", frame.highest());
            assert_eq!(frame.point((0.0, 0.0)), (LEFT, PANEL));
        }
    }

    fn drawn_marks(steps: &[Step]) -> String {
        let mut drawing = Drawing::new(WIDTH);
        Frame { top: 0.0, end: 10.0, most: 1.0 }.draw_marks(&mut drawing, steps);
        drawing.finish(PANEL)
    }

    fn step(in_run: Duration) -> Step {
        Step { seconds: in_run.as_secs_f64(), at: "5s".to_owned(), what: "cut \"db\"".to_owned() }
    }

    #[test]
    fn a_step_is_marked_where_it_was_done_in_the_run() {
        let svg = drawn_marks(&[step(Duration::from_secs(5))]);
        assert!(svg.contains("x1='460.0'") && svg.contains("<title>5s cut &quot;db&quot;</title>"), "{svg}");
    }

    /// 760 pixels of 10 s.
    #[test]
    fn many_steps_have_few_marks_and_fewer_labels() {
        let steps: Vec<_> = (0..10_000).map(|number| step(Duration::from_millis(number))).collect();
        let svg = drawn_marks(&steps);
        assert!((100..=127).contains(&svg.matches("<line").count()), "{svg}");
        assert!((12..=16).contains(&svg.matches("<text").count()), "{svg}");
    }

    #[test]
    fn the_labels_of_the_time_axis_are_short_and_differ() {
        for (end, last) in [(0.005, "5 ms"), (0.2, "200 ms"), (12.0, "12 s"), (3600.0, "60 min"), (259_200.0, "70 h")] {
            let mut drawing = Drawing::new(WIDTH);
            Frame { top: 0.0, end, most: 0.0 }.draw_axes(&mut drawing, plain);
            let svg = drawing.finish(PANEL);
            let mut labels: Vec<&str> = svg.split("</text>").filter_map(|part| part.rsplit('>').next()).collect();
            let count = labels.len();
            assert!(count < 16 && labels.contains(&last), "{end}: {labels:?}");
            labels.sort_unstable();
            labels.dedup();
            assert_eq!(labels.len(), count);
        }
    }
}
