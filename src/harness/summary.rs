//! The summary at the end of a run, for a person: a table on a terminal, and log lines elsewhere, so that a program that
//! reads the log meets nothing else.

use std::ffi::OsString;

use super::figures::{Figures, ranked};
use super::shell::command_line;
use crate::event::{Event, Outcome, RouteTotals, emit};
use crate::plan::{Count, Rank, Timing};
use crate::units::{bytes, duration};
use crate::value::RouteName;

/// What a run has done, in short.
#[derive(Clone, Debug)]
pub struct Summary {
    seed: u64,
    /// The command line that repeats the run.
    repeat: String,
    /// The routes that have accepted connections.
    routes: Vec<(RouteName, Figures)>,
}

impl Summary {
    pub(super) fn new(seed: u64, arguments: Vec<OsString>, routes: &[(RouteName, Figures)]) -> Self {
        let has_connections = |(_, figures): &&(RouteName, Figures)| figures.count(Count::Connections) > 0;
        let routes = routes.iter().filter(has_connections).cloned().collect();
        Self { seed, repeat: command_line(&with_seed(arguments, seed)), routes }
    }

    /// Whether no connection was accepted: then there is nothing to say, and nothing to repeat.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Logs the summary.
    pub fn log(&self) {
        for (route, figures) in &self.routes {
            emit(&Event::Outcome(Outcome::Totals(totals(route, figures))));
        }
        if !self.is_empty() {
            emit(&Event::Outcome(Outcome::Repeat(&self.repeat)));
        }
    }

    /// The summary as a table, with the line that repeats the run below it.
    #[must_use]
    pub fn table(&self) -> String {
        let head = ["route", "connections", "dropped", "faults", "up", "down", "dial p50", "dial p99"];
        let rows = self.routes.iter().map(|(route, figures)| row(route, figures));
        let rows: Vec<Vec<String>> = [head.map(str::to_owned).to_vec()].into_iter().chain(rows).collect();
        format!("\n{}\nseed {}, repeat this run with:\n  {}\n", aligned(&rows), self.seed, self.repeat)
    }
}

fn totals<'f>(route: &'f RouteName, figures: &'f Figures) -> RouteTotals<'f> {
    let dials = figures.times(Timing::Dial);
    RouteTotals {
        route,
        accepted: figures.count(Count::Connections),
        dropped: figures.count(Count::Dropped),
        faults: figures.count(Count::Faults),
        bytes_up: figures.count(Count::BytesUp),
        bytes_down: figures.count(Count::BytesDown),
        dials: dials.percentile(50).zip(dials.percentile(99)),
    }
}

fn row(route: &RouteName, figures: &Figures) -> Vec<String> {
    let counts = [Count::Connections, Count::Dropped, Count::Faults].map(|it| figures.count(it).to_string());
    let sizes = [Count::BytesUp, Count::BytesDown].map(|it| bytes(figures.count(it)));
    let dials =
        [Rank::P50, Rank::P99].map(|it| ranked(figures.times(Timing::Dial), it).map_or("-".to_owned(), duration));
    [route.to_string()].into_iter().chain(counts).chain(sizes).chain(dials).collect()
}

/// The first column aligned on the left, the others on the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let cell = |(column, text): (usize, &String)| match column {
        0 => format!("{text:<0$}", width(0)),
        _ => format!("  {text:>0$}", width(column)),
    };
    rows.iter().map(|row| row.iter().enumerate().map(cell).collect::<String>() + "\n").collect()
}

/// The arguments with the seed of the run, as the first one after the program. A seed among them is the same one.
fn with_seed(mut arguments: Vec<OsString>, seed: u64) -> Vec<OsString> {
    let flags = arguments.iter().map(|it| it.to_string_lossy()).take_while(|it| it != "--");
    let is_seed = |it: &str| it.trim_start_matches('-').split('=').next() == Some("seed") && it.starts_with('-');
    let has_seed = flags.into_iter().any(|it| is_seed(&it));
    if !has_seed {
        // In two words: scripts find the seed of a run by looking for `seed=` in the log.
        let at = 1.min(arguments.len());
        arguments.splice(at..at, ["--seed".into(), seed.to_string().into()]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated(arguments: &[&str]) -> String {
        command_line(&with_seed(arguments.iter().map(OsString::from).collect(), 7))
    }

    #[test]
    fn the_repeating_command_has_the_seed() {
        assert_eq!(repeated(&["proxy", "a file"]), "proxy --seed 7 'a file'");
        for seed in ["--seed=7", "-seed=7"] {
            assert_eq!(repeated(&["proxy", seed, "f"]), format!("proxy {seed} f"));
        }
        assert_eq!(repeated(&["proxy", "--seed", "7", "f"]), "proxy --seed 7 f");
        assert_eq!(repeated(&["proxy", "f", "--", "sh", "--seed", "1"]), "proxy --seed 7 f -- sh --seed 1");
        assert_eq!(repeated(&["proxy", "seed"]), "proxy --seed 7 seed");
    }

    #[test]
    fn the_table_is_aligned_and_names_the_seed() {
        let route: RouteName = "a".parse().expect("a name");
        let arguments = vec!["proxy".into(), "f".into()];
        let summary = Summary { routes: vec![(route, Figures::default())], ..Summary::new(7, arguments, &[]) };
        let expected = "
route  connections  dropped  faults   up  down  dial p50  dial p99
a                0        0       0  0 B   0 B         -         -

seed 7, repeat this run with:
  proxy --seed 7 f
";
        assert_eq!(summary.table(), expected);
        assert!(!summary.is_empty() && Summary::new(7, Vec::new(), &[]).is_empty());
    }
}
