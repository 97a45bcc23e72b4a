//! The text of an explanation for a person, in lines of at most 100 columns.

use std::fmt::{self, Display, Formatter};

use super::act::{Act, Flip, Loss};
use super::rehearsal::{ACTS, SEGMENT, STREAM};
use super::{ConnectionOutcome, Explanation, Fate, Peers, RouteOutcome, ToxicOutcome};
use crate::columns::{cut, padded, printable, width};
use crate::plan::DropMode;
use crate::toxic::{Moment, NEVER};
use crate::value::{CloseMode, Direction, Scalar};

const COLUMNS: usize = 100;

/// The most columns for the name of a toxic or a route.
const NAME: usize = 32;

/// The columns in front of the name of a toxic: the number of the connection and the direction.
const BEFORE_NAME: usize = "12345  down  ".len();

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        self.routes.iter().try_for_each(|route| write!(f, "\n{route}"))?;
        let notes: Vec<String> = self.notes().collect();
        if notes.is_empty() { Ok(()) } else { write!(f, "\n{}", notes.concat()) }
    }
}

impl Explanation {
    /// What the lines above depend on.
    fn notes(&self) -> impl Iterator<Item = String> {
        let Peers { client, destination } = self.peers;
        let depends = self.routes.iter().any(|route| route.depends_on_client);
        let of_client = depends.then(|| format!("Clients connect from {client}; --client IP explains another one.\n"));
        let depends = self.routes.iter().any(|route| route.depends_on_destination);
        let of_destination = depends.then(|| match destination {
            Some(addr) => format!("Connections go to {addr}; --destination IP:PORT explains another one.\n"),
            None => {
                "Where connections go is unknown: --destination IP:PORT explains those to one destination.\n".to_owned()
            }
        });
        let of_segments = self.acts().any(Act::is_by_segment).then(|| {
            format!("Segments have {SEGMENT} bytes, counted from 0. An answer of the other side begins a new one.\n")
        });
        let of_scenario = (self.holds_until != NEVER).then(|| {
            format!("This holds until the first step of the scenario, {} after the start.\n", millis(self.holds_until))
        });
        [of_client, of_destination, of_segments, of_scenario].into_iter().flatten()
    }

    fn acts(&self) -> impl Iterator<Item = &Act> {
        self.routes.iter().flat_map(RouteOutcome::toxics).map(|toxic| &toxic.act)
    }
}

impl RouteOutcome {
    fn toxics(&self) -> impl Iterator<Item = &ToxicOutcome> {
        self.connections.iter().flat_map(|connection| match &connection.fate {
            Fate::Forwarded { toxics, .. } => &toxics[..],
            Fate::Dropped { .. } => &[],
        })
    }

    fn summary(&self) -> String {
        let is_dropped = |it: &&ConnectionOutcome| matches!(it.fate, Fate::Dropped { .. });
        match (self.connections.len(), self.connections.iter().filter(is_dropped).count()) {
            (0, _) => "disabled, refuses connections".to_owned(),
            (_, 0) => "none dropped".to_owned(),
            (all, dropped) => format!("{dropped} of {all} dropped"),
        }
    }

    /// The number of columns for the names of toxics.
    fn name_width(&self) -> usize {
        self.toxics().map(|toxic| width(&printable(toxic.name.as_str()))).max().unwrap_or_default().min(NAME)
    }
}

impl Display for RouteOutcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { listen, upstream, .. } = self;
        let name = cut(&printable(self.name.as_str()), NAME);
        writeln!(f, "{name}: {listen} -> {upstream}, {}", self.summary())?;
        let width = self.name_width();
        let mut lines = self.connections.iter().flat_map(|connection| connection.lines(width));
        lines.try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl ConnectionOutcome {
    /// A line, or one for each toxic.
    fn lines(&self, name_width: usize) -> Vec<String> {
        let number = self.number.to_string();
        match &self.fate {
            Fate::Dropped { mode } => vec![format!("{number:>5}  dropped, {}", drop_text(*mode))],
            Fate::Forwarded { latency_ms, toxics } => {
                let start = (*latency_ms > 0 || toxics.is_empty()).then(|| start_text(*latency_ms));
                let acts = toxics.iter().map(|toxic| toxic.text(name_width));
                let numbers = std::iter::once(&*number).chain(std::iter::repeat(""));
                numbers
                    .zip(start.into_iter().chain(acts))
                    .map(|(number, text)| format!("{number:>5}  {text}"))
                    .collect()
            }
        }
    }
}

fn drop_text(mode: DropMode) -> &'static str {
    match mode {
        DropMode::Close => "FIN",
        DropMode::Reset => "RST",
        DropMode::Hang => "hangs",
    }
}

fn start_text(latency_ms: u32) -> String {
    if latency_ms == 0 { "forwarded".to_owned() } else { format!("forwarded after {latency_ms} ms") }
}

impl ToxicOutcome {
    fn text(&self, name_width: usize) -> String {
        let direction = match self.stream {
            Direction::Upstream => "up",
            Direction::Downstream => "down",
        };
        let name = padded(&cut(&printable(self.name.as_str()), name_width), name_width);
        let window = self.window();
        let left = COLUMNS.saturating_sub(BEFORE_NAME + name_width + 2 + width(&window));
        format!("{direction:<4}  {name}  {window}{}", self.act.text(left))
    }

    fn window(&self) -> String {
        match (self.from, self.until) {
            _ if self.always_acts() => String::new(),
            (from, NEVER) => format!("from {}: ", millis(from)),
            (Moment::ZERO, until) => format!("until {}: ", millis(until)),
            (from, until) => format!("{} to {}: ", number(from), millis(until)),
        }
    }
}

impl Act {
    /// Whether segments differ in what it does to them.
    fn is_by_segment(&self) -> bool {
        match self {
            Self::Delay { segments } => segments.windows(2).any(|pair| pair[0] != pair[1]),
            Self::Lose { .. } => true,
            _ => false,
        }
    }

    /// The text with at most this number of columns.
    fn text(&self, columns: usize) -> String {
        match self {
            Self::Delay { segments } => delay_text(segments, columns),
            Self::Lose { segments } => {
                let loss = |Loss { segment, delay }: &Loss| format!("{segment} (+{})", millis(*delay));
                list("loses segment ", segments.iter().map(loss), "", columns)
            }
            Self::Flip { bytes } => {
                let flip = |Flip { offset, mask }: &Flip| format!("{offset} ^ {mask:#04x}");
                list("flips byte ", bytes.iter().map(flip), "", columns)
            }
            Self::Cut { sizes } => list("writes of ", sizes.iter().map(u64::to_string), " bytes", columns),
            Self::Pace { limit } => pace_text(limit),
            Self::EndAfter { bytes: 0, mode } => format!("ends at the first byte, {}", end_text(*mode)),
            Self::EndAfter { bytes, mode } => format!("ends after {bytes} bytes, {}", end_text(*mode)),
            Self::EndAt { at, mode } => format!("ends at {}, {}", millis(*at), end_text(*mode)),
            Self::Discard { ends: NEVER } => "discards everything".to_owned(),
            Self::Discard { ends } => format!("discards everything, ends at {}, FIN", millis(*ends)),
            Self::Hold { until: NEVER } => "holds everything forever".to_owned(),
            Self::Hold { until } => format!("holds everything until {}", millis(*until)),
            Self::DelayEnd { by } => format!("delays the end by {}", millis(*by)),
            Self::Wait { trigger } => cut(&format!("acts {trigger}"), columns),
        }
    }
}

fn end_text(mode: CloseMode) -> &'static str {
    match mode {
        CloseMode::Close => "FIN",
        CloseMode::Reset => "RST",
    }
}

/// Equal delays are one.
fn delay_text(segments: &[Moment], columns: usize) -> String {
    match segments {
        [first, rest @ ..] if rest.iter().all(|delay| delay == first) => {
            format!("delays everything by {}", millis(*first))
        }
        _ => list("delays segments by ", segments.iter().map(|delay| number(*delay)), " ms", columns),
    }
}

/// `128 KB/s`, and the other attributes that are given.
fn pace_text(limit: &[(&'static str, Scalar)]) -> String {
    let text = |(name, value): &(&'static str, Scalar)| match (*name, value) {
        ("rate", rate) => Some(format!("{rate} KB/s")),
        (_, Scalar::Whole(0) | Scalar::Flag(false)) => None,
        (name, Scalar::Flag(true)) => Some(name.to_owned()),
        (name, value) => Some(format!("{name} {value}")),
    };
    limit.iter().filter_map(text).collect::<Vec<_>>().join(", ")
}

/// As many of the items as fit, and whether there are more.
fn list(begin: &str, items: impl Iterator<Item = String>, unit: &str, columns: usize) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return format!("{begin}none of the first {} KiB", STREAM / 1024);
    }
    let mut text = begin.to_owned();
    for (index, item) in items.iter().enumerate() {
        let (comma, may_follow) = (if index == 0 { "" } else { ", " }, index + 1 < items.len() || items.len() == ACTS);
        let rest = if may_follow { ", …" } else { "" };
        if index > 0 && width(&[&*text, comma, item, rest, unit].concat()) > columns {
            return text + ", …" + unit;
        }
        text = text + comma + item;
    }
    text + if items.len() == ACTS { ", …" } else { "" } + unit
}

fn millis(moment: Moment) -> String {
    if moment == NEVER { "forever".to_owned() } else { format!("{} ms", number(moment)) }
}

/// In milliseconds, to a tenth.
fn number(moment: Moment) -> String {
    if moment == NEVER {
        return "forever".to_owned();
    }
    let tenths = (moment.as_micros() + 50) / 100;
    match tenths % 10 {
        0 => format!("{}", tenths / 10),
        tenth => format!("{}.{tenth}", tenths / 10),
    }
}
