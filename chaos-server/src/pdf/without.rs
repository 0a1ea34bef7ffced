//! `report.pdf`. Not part of this build.

use chaos_core::error::{Error, ErrorKind, Result};

/// Whether reports can be typeset.
pub(crate) const AVAILABLE: bool = false;

/// The report as PDF.
///
/// # Errors
/// `Unsupported`: not in this build.
pub(crate) fn render(_: &str, _: &[(String, Vec<u8>)], _: &str) -> Result<Vec<u8>> {
    let message = "this server was built without PDF; ask for format=html and print it";
    Err(Error::new(ErrorKind::Unsupported, message))
}
