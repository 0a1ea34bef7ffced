//! The files that an Include names, as glob(3) finds them.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use glob::{MatchOptions, Pattern};

/// Whether a part of a path is a pattern.
const MAGIC: [char; 3] = ['*', '?', '['];

/// What in a pattern the library understands in another way than glob(3) does.
pub(super) const NOT_HERE: [&str; 3] = ["\\", "**", "[^"];

/// The files that fit `pattern`, an absolute path, in the order of their bytes. A leading dot is only found by a dot.
///
/// # Errors
/// When a directory can't be read, or a part is no pattern.
pub(super) fn find(pattern: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for dir in &found {
            if part.contains(MAGIC) {
                next.extend(fitting(dir, part)?);
            } else {
                next.push(dir.join(part));
            }
        }
        found = next;
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    Ok(found)
}

fn fitting(dir: &Path, part: &str) -> io::Result<Vec<PathBuf>> {
    let pattern = Pattern::new(part).map_err(|e| io::Error::other(format!("{part} is no pattern: {}", e.msg)))?;
    let options =
        MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", dir.display()))),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        // A name that is not UTF-8 can't be meant by a pattern that is.
        if entry.file_name().to_str().is_some_and(|name| pattern.matches_with(name, options)) {
            found.push(entry.path());
        }
    }
    Ok(found)
}
