//! What went wrong, for a person: one line that names the file and the offending part.

use std::fmt::Display;
use std::path::Path;

/// The only error of the host tools. Its text is one line; the program prints it and exits with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Shorthand used throughout the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that concerns no file.
    pub fn new(text: impl Display) -> Self {
        Self(text.to_string().replace('\n', " "))
    }

    /// An error in a file: `path: what`.
    pub fn file(path: &Path, what: impl Display) -> Self {
        Self::new(format!("{}: {what}", path.display()))
    }
}
