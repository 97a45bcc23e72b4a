//! The results as somebody else wants them: a table to read, data to compute with, a picture.

mod json;
mod markdown;
mod svg;

pub use json::json;
pub use markdown::markdown;
pub use svg::svg;
