//! The chart: for the first figure of each scenario, each target relative to chaos-proxy. A bar that ends to the right
//! of the line at 1 is better than chaos-proxy, whether the figure is better high or low.

use std::collections::HashSet;

use chaos_proxy::plot::{Anchor, COLOURS, Drawing, Weight};

use crate::measure::Better;
use crate::results::{OURS, Results, Row};
use crate::scenario::Scenario;

/// In pixels.
const LABEL_WIDTH: f64 = 250.0;
const UNIT_WIDTH: f64 = 180.0;
const BAR: f64 = 12.0;
const GAP: f64 = 14.0;
const TOP: f64 = 64.0;

/// The end of the axis. Longer bars are cut there; their labels give the ratio.
const MAX_RATIO: f64 = 3.0;

/// The bars of a scenario.
struct Group<'r> {
    row: &'r Row,
    /// Each target, and how many times as good as chaos-proxy it is.
    bars: Vec<(usize, f64)>,
    top: f64,
}

pub fn svg(results: &Results) -> String {
    let others: Vec<usize> = (0..results.targets.len()).filter(|index| *index != OURS).collect();
    let (groups, bottom) = layout(results, &others);
    let mut chart = Drawing::new(LABEL_WIDTH + MAX_RATIO * UNIT_WIDTH + 50.0);
    draw_legend(&mut chart, results, &others);
    draw_axis(&mut chart, bottom);
    for group in &groups {
        group.draw(&mut chart);
    }
    chart.finish(bottom)
}

/// The groups from top to bottom, and where the last one ends.
fn layout<'r>(results: &'r Results, others: &[usize]) -> (Vec<Group<'r>>, f64) {
    let (mut groups, mut top) = (Vec::new(), TOP);
    for row in first_figures(&results.rows) {
        let bars: Vec<(usize, f64)> = others.iter().filter_map(|it| Some((*it, score(row, *it)?))).collect();
        let height = bars.len() as f64 * BAR + GAP;
        if !bars.is_empty() {
            groups.push(Group { row, bars, top });
            top += height;
        }
    }
    (groups, top)
}

/// The first row of each scenario. The tables have the others.
fn first_figures(rows: &[Row]) -> impl Iterator<Item = &Row> {
    let mut scenarios = HashSet::new();
    rows.iter().filter(move |row| scenarios.insert(row.scenario))
}

/// How many times as good as chaos-proxy.
fn score(row: &Row, target: usize) -> Option<f64> {
    match row.better {
        Better::Higher => row.ratio(target, OURS),
        Better::Lower => row.ratio(OURS, target),
    }
}

impl Group<'_> {
    fn draw(&self, chart: &mut Drawing) {
        let Self { row, bars, top } = self;
        let title = Scenario::named(row.scenario).map_or(row.scenario, |scenario| scenario.title);
        let middle = top + bars.len() as f64 * BAR / 2.0 + 4.0;
        chart.text((LABEL_WIDTH - 8.0, middle), Anchor::End, Weight::Strong, title);
        for (number, (target, times)) in bars.iter().enumerate() {
            draw_bar(chart, *target, *times, top + number as f64 * BAR);
        }
    }
}

fn draw_bar(chart: &mut Drawing, target: usize, times: f64, top: f64) {
    let width = times.min(MAX_RATIO) * UNIT_WIDTH;
    chart.bar((LABEL_WIDTH, top), width, BAR - 2.0, colour(target));
    let label = (LABEL_WIDTH + width + 4.0, top + BAR - 3.0);
    chart.text(label, Anchor::Start, Weight::Faint, format_args!("{times:.2}"));
}

fn draw_legend(chart: &mut Drawing, results: &Results, others: &[usize]) {
    let what = "Relative to chaos-proxy = 1; longer is better";
    chart.text((8.0, 18.0), Anchor::Start, Weight::Strong, what);
    for (number, target) in others.iter().enumerate() {
        let x = 8.0 + number as f64 * 120.0;
        chart.bar((x, 28.0), 12.0, 12.0, colour(*target));
        chart.text((x + 16.0, 38.0), Anchor::Start, Weight::Strong, &results.targets[*target]);
    }
}

/// The line at 1, which is chaos-proxy, and fainter lines at every half.
fn draw_axis(chart: &mut Drawing, bottom: f64) {
    for half in 0..=6 {
        let times = f64::from(half) / 2.0;
        let x = LABEL_WIDTH + times * UNIT_WIDTH;
        let weight = if half == 2 { Weight::Strong } else { Weight::Faint };
        chart.line((x, TOP), (x, bottom), weight);
        chart.text((x, TOP - 6.0), Anchor::Middle, Weight::Strong, times);
    }
}

fn colour(target: usize) -> &'static str {
    COLOURS[target % COLOURS.len()]
}
