//! The output formats: tables in Markdown, every reading in JSON, a chart in SVG.

mod json;
mod markdown;
mod svg;

pub use json::json;
pub use markdown::markdown;
pub use svg::svg;
