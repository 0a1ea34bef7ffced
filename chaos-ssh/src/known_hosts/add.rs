//! Noting a new host's key, as `accept-new` does. Owns the writing: whole or not at all, beside others who write.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::Path,
    thread,
    time::Duration,
};

use chaos_core::error::{Error, ErrorKind, Result};

/// How long another process may take to note its key: tries, and the pause between them.
const LOCK_TRIES: u32 = 250;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The file of new keys, held against other processes of ours.
#[derive(Debug)]
pub(super) struct Notes<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Notes<'a> {
    /// Opens the file, created with its directory where they are missing, for the user alone.
    pub(super) fn open(path: &'a Path) -> Result<Self> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty() && !dir.exists()) {
            match DirBuilder::new().mode(0o700).create(dir) {
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(Error::storage("create the directory for known hosts", dir, e));
                }
                _ => {}
            }
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|e| failed(path, e))?;
        let notes = Self { path, file };
        notes.lock()?;
        Ok(notes)
    }

    /// Waits until no other process of ours writes. OpenSSH does not look for the lock; the single write is what
    /// keeps its lines and ours apart.
    fn lock(&self) -> Result<()> {
        for _ in 0..LOCK_TRIES {
            match self.file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                // A file system without locks.
                Err(TryLockError::Error(_)) => return Ok(()),
            }
        }
        Err(Error::new(ErrorKind::Busy, "another process holds the file of known hosts")
            .with("path", self.path.display()))
    }

    /// Appends `line`, which ends with a line feed; after an error the file is as it was.
    pub(super) fn append(&mut self, line: &str) -> Result<()> {
        let meta = self.file.metadata().map_err(|e| failed(self.path, e))?;
        let mut last = [b'\n'];
        if meta.is_file() && meta.len() > 0 {
            self.file.read_exact_at(&mut last, meta.len() - 1).map_err(|e| failed(self.path, e))?;
        }
        let text = if last == [b'\n'] { line.to_owned() } else { format!("\n{line}") };
        let written = self.file.write(text.as_bytes());
        let whole = match &written {
            Ok(n) if *n == text.len() => {
                if meta.is_file() {
                    self.file.sync_all()
                } else {
                    Ok(())
                }
            }
            Ok(_) => Err(std::io::Error::from(std::io::ErrorKind::StorageFull)),
            Err(_) => Ok(()),
        };
        match (written, whole) {
            (Ok(_), Ok(())) => Ok(()),
            (Err(e), _) => Err(failed(self.path, e)),
            (Ok(n), Err(e)) => {
                self.take_back(n as u64);
                Err(failed(self.path, e))
            }
        }
    }

    /// Takes the `len` bytes back that were written last, unless somebody has written behind them.
    fn take_back(&mut self, len: u64) {
        let end = self.file.stream_position().unwrap_or(0);
        if self.file.metadata().is_ok_and(|meta| meta.is_file() && meta.len() == end)
            && let Some(start) = end.checked_sub(len)
        {
            // Nothing more can be done where this fails: the error that led here is told.
            let _ = self.file.set_len(start);
        }
    }
}

fn failed(path: &Path, cause: std::io::Error) -> Error {
    Error::storage("note the new host's key", path, cause)
}
