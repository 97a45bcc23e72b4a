//! The chart: for the first figure of each scenario, each target relative to chaos-proxy. A bar that ends to the right of the line at 1 is better
//! than chaos-proxy, whether the figure is better high or low.

use std::collections::HashSet;
use std::fmt::Write;

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

/// Distinct with colour blindness too, on white and on black: Okabe and Ito's palette without black and yellow.
const COLOURS: [&str; 6] = ["#999999", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00"];

const STYLE: &str = "text{font:12px sans-serif;fill:#222}.n{font-size:10px}.l{stroke:#222}.g{stroke:#ccc}\
                     @media(prefers-color-scheme:dark){text{fill:#ddd}.l{stroke:#ddd}.g{stroke:#444}}";

pub fn svg(results: &Results) -> String {
    let others: Vec<usize> = (0..results.targets.len()).filter(|index| *index != OURS).collect();
    let (mut groups, mut y) = (String::new(), TOP);
    for row in first_figures(&results.rows) {
        let bars: Vec<(usize, f64)> = others.iter().filter_map(|it| Some((*it, score(row, *it)?))).collect();
        if !bars.is_empty() {
            groups += &group(row, &bars, y);
            y += bars.len() as f64 * BAR + GAP;
        }
    }
    let width = LABEL_WIDTH + MAX_RATIO * UNIT_WIDTH + 50.0;
    let head =
        format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\"><style>{STYLE}</style>\n");
    head + &legend(results, &others) + &axis(y) + &groups + "</svg>\n"
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

fn group(row: &Row, bars: &[(usize, f64)], top: f64) -> String {
    let (end, middle) = (LABEL_WIDTH - 8.0, top + bars.len() as f64 * BAR / 2.0 + 4.0);
    let title = Scenario::named(row.scenario).map_or(row.scenario, |scenario| scenario.title);
    let title = format!("<text x='{end}' y='{middle}' text-anchor='end'>{title}</text>\n");
    let tops = (0..).map(|number| top + f64::from(number) * BAR);
    let bars: Vec<String> = bars.iter().zip(tops).map(|((target, times), top)| bar(*target, *times, top)).collect();
    title + &bars.concat()
}

fn bar(target: usize, times: f64, top: f64) -> String {
    let width = times.min(MAX_RATIO) * UNIT_WIDTH;
    let (height, after, base) = (BAR - 2.0, LABEL_WIDTH + width + 4.0, top + BAR - 3.0);
    let colour = colour(target);
    format!(
        "<rect x='{LABEL_WIDTH}' y='{top}' width='{width:.1}' height='{height}' fill='{colour}'/>\
         <text class='n' x='{after:.1}' y='{base}'>{times:.2}</text>\n"
    )
}

fn legend(results: &Results, others: &[usize]) -> String {
    let mut text = String::from("<text x='8' y='18'>Relative to chaos-proxy = 1; longer is better</text>\n");
    for (number, target) in others.iter().enumerate() {
        let x = 8.0 + number as f64 * 120.0;
        let (colour, name) = (colour(*target), escape(&results.targets[*target]));
        let _ = writeln!(
            text,
            "<rect x='{x}' y='28' width='12' height='12' fill='{colour}'/><text x='{}' y='38'>{name}</text>",
            x + 16.0
        );
    }
    text
}

/// The line at 1, which is chaos-proxy, and fainter lines at every half.
fn axis(bottom: f64) -> String {
    let mut text = String::new();
    for half in 0..=6 {
        let times = f64::from(half) / 2.0;
        let x = LABEL_WIDTH + times * UNIT_WIDTH;
        let class = if half == 2 { "l" } else { "g" };
        let _ = writeln!(
            text,
            "<line class='{class}' x1='{x}' x2='{x}' y1='{TOP}' y2='{bottom}'/>\
             <text x='{x}' y='{}' text-anchor='middle'>{times}</text>",
            TOP - 6.0
        );
    }
    text
}

fn colour(target: usize) -> &'static str {
    COLOURS[target % COLOURS.len()]
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
