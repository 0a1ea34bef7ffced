//! Reading files that decide on trust: one that is there and can't be read is an error, never an empty file.

use std::{
    fs::File,
    io::{ErrorKind as IoKind, Read as _},
    path::Path,
};

use chaos_core::error::{Error, ErrorKind, Result};

/// More than this is no file of keys; in bytes.
const MAX_LEN: u64 = 64 << 20;

/// What is in the file; `None` when there is none.
pub(super) fn contents(path: &Path) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == IoKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::storage("read the file of host keys", path, e)),
    };
    let mut data = Vec::new();
    file.take(MAX_LEN + 1).read_to_end(&mut data).map_err(|e| Error::storage("read the file of host keys", path, e))?;
    if data.len() as u64 > MAX_LEN {
        return Err(Error::new(ErrorKind::Storage, "the file of host keys is too large")
            .with("path", path.display())
            .with("limit", MAX_LEN));
    }
    Ok(Some(data))
}
