//! `configs/openapi.json`: as a document, and as a description of what the server answers.
#![allow(clippy::unwrap_used)]

mod document;
mod schemathesis;
