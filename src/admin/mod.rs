//! The admin server: the API that changes live routes and reports on them, built on `http`. It changes routes through
//! the supervisor only.
//!
//! `access` decides which requests may use it, and `error_response` is the form of every error.

mod access;
mod error_response;

pub use access::{Access, Denied};
pub use error_response::error_response;
