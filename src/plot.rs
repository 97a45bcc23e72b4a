//! Drawing in SVG: shapes, texts, colours and axes. What a chart shows is up to its caller.

use std::fmt::{Display, Write};

/// Distinct with colour blindness too, on white and on black: Okabe and Ito's palette without black and yellow.
pub const COLOURS: [&str; 6] = ["#999999", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00"];

const STYLE: &str = "text{font:12px sans-serif;fill:#222}.n{font-size:10px}.l{stroke:#222}.g{stroke:#ccc}.b{fill:#8881}\
                     @media(prefers-color-scheme:dark){text{fill:#ddd}.l{stroke:#ddd}.g{stroke:#444}}";

/// A drawing, from the top left corner on, in pixels.
#[derive(Debug)]
pub struct Drawing {
    width: f64,
    body: String,
}

/// A point in a drawing: x, then y.
pub type Point = (f64, f64);

/// Which part of a text is at its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its start.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// How lines and texts look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A line of reference, or a text of normal size.
    Strong,
    /// A line of a grid, or a small text.
    Faint,
}

impl Drawing {
    /// An empty drawing.
    #[must_use]
    pub fn new(width: f64) -> Self {
        Self { width, body: String::new() }
    }

    /// Adds a text.
    pub fn text(&mut self, (x, y): Point, anchor: Anchor, weight: Weight, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor='middle'",
            Anchor::End => " text-anchor='end'",
        };
        let class = if weight == Weight::Faint { " class='n'" } else { "" };
        let text = escape(&text.to_string());
        self.add(format_args!("<text{class} x='{x:.1}' y='{y:.1}'{anchor}>{text}</text>"));
    }

    /// Adds a filled rectangle.
    pub fn bar(&mut self, (x, y): Point, width: f64, height: f64, colour: &str) {
        self.add(format_args!("<rect x='{x:.1}' y='{y:.1}' width='{width:.1}' height='{height:.1}' fill='{colour}'/>"));
    }

    /// Shades an area. What is added later is drawn over it.
    pub fn band(&mut self, (x, y): Point, width: f64, height: f64) {
        self.add(format_args!("<rect class='b' x='{x:.1}' y='{y:.1}' width='{width:.1}' height='{height:.1}'/>"));
    }

    /// Adds a straight line.
    pub fn line(&mut self, (x1, y1): Point, (x2, y2): Point, weight: Weight) {
        let class = if weight == Weight::Strong { "l" } else { "g" };
        self.add(format_args!("<line class='{class}' x1='{x1:.1}' y1='{y1:.1}' x2='{x2:.1}' y2='{y2:.1}'/>"));
    }

    /// Adds a coloured, dashed line with a text that appears when it is pointed at.
    pub fn mark(&mut self, (x1, y1): Point, (x2, y2): Point, colour: &str, title: &str) {
        let title = escape(title);
        self.add(format_args!(
            "<line x1='{x1:.1}' y1='{y1:.1}' x2='{x2:.1}' y2='{y2:.1}' stroke='{colour}' stroke-dasharray='4 3'>\
             <title>{title}</title></line>"
        ));
    }

    /// Adds a line through these points.
    pub fn curve(&mut self, points: impl IntoIterator<Item = Point>, colour: &str) {
        let points: Vec<String> = points.into_iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        self.add(format_args!("<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='1.5'/>"));
    }

    /// The text of the whole drawing.
    #[must_use]
    pub fn finish(self, height: f64) -> String {
        let Self { width, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\"><style>{STYLE}</style>\n\
             {body}</svg>\n"
        )
    }

    fn add(&mut self, element: impl Display) {
        // A String accepts everything.
        let _ = writeln!(self.body, "{element}");
    }
}

/// A text as it is written in HTML and SVG, attributes included.
#[must_use]
pub fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&#39;")
}

/// The distance of at most `most` round ticks up to `end`: 1, 2 or 5 times a power of ten.
#[must_use]
pub fn tick(end: f64, most: u32) -> f64 {
    let least = (end / f64::from(most.max(1))).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|tick| *tick >= least).unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (end, most, expected) in [(10.0, 5, 2.0), (9.0, 3, 5.0), (1.0, 1, 1.0), (0.3, 4, 0.1), (1e9, 5, 2e8)] {
            let tick = tick(end, most);
            assert!((tick / expected - 1.0).abs() < 1e-9, "{end}: {tick}");
        }
        assert!(tick(0.0, 4) > 0.0);
    }

    #[test]
    fn texts_are_escaped() {
        let mut drawing = Drawing::new(10.0);
        drawing.text((1.0, 2.0), Anchor::End, Weight::Faint, "<a & 'b'>");
        let svg = drawing.finish(5.0);
        assert!(svg.contains("<text class='n' x='1.0' y='2.0' text-anchor='end'>&lt;a &amp; &#39;b&#39;&gt;</text>"));
    }
}
