//! A directory of log and metric files in place of a host: what `--offline` reads. Only `cat` of a file in it is
//! answered; everything else is `Unsupported`, since nobody is there to ask.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;

use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    model::{Ask, End, Facts, TargetInfo},
    transport::{Capabilities, Chunk, Reply, ReplyWriter, Request, Stream, Transport},
};

/// Files as a target.
#[derive(Debug)]
pub struct Files {
    clock: Arc<dyn Clock>,
    roots: Vec<PathBuf>,
    logs: Vec<PathBuf>,
    metrics: Vec<PathBuf>,
}

impl Files {
    /// Takes the given files and all files below the given directories (two levels deep): `*.json`, `*.prom` and
    /// `*.csv` as metrics, all others as logs.
    ///
    /// # Errors
    /// `NotFound` or `Denied` when something can't be read, `InvalidInput` when there is no file at all.
    pub fn open(paths: &[PathBuf], clock: Arc<dyn Clock>) -> Result<Self> {
        let mut found = Vec::new();
        for path in paths {
            walk(path, 2, &mut found)?;
        }
        found.sort();
        found.dedup();
        let is_metric = |p: &PathBuf| matches!(p.extension().and_then(|e| e.to_str()), Some("json" | "prom" | "csv"));
        let (metrics, logs): (Vec<_>, Vec<_>) = found.into_iter().partition(is_metric);
        if metrics.is_empty() && logs.is_empty() {
            let shown: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
            return Err(Error::new(ErrorKind::InvalidInput, "there is no log and no metrics file to read")
                .with("path", shown.join(", ")));
        }
        Ok(Self { clock, roots: paths.to_vec(), logs, metrics })
    }

    /// What is known of such a target: which files there are.
    pub(crate) fn facts(&self) -> Facts {
        let names = |paths: &[PathBuf]| paths.iter().map(|p| p.to_string_lossy().into_owned()).collect();
        Facts {
            log_files: names(&self.logs),
            metric_files: names(&self.metrics),
            limits: vec!["The target is a directory of files: nothing could be asked.".into()],
            ..Facts::default()
        }
    }
}

fn walk(path: &Path, depth: u32, found: &mut Vec<PathBuf>) -> Result<()> {
    let meta = std::fs::metadata(path).map_err(|e| Error::storage("read", path, e))?;
    if meta.is_file() {
        found.push(path.to_owned());
    } else if meta.is_dir() && depth > 0 {
        for entry in std::fs::read_dir(path).map_err(|e| Error::storage("list", path, e))? {
            let entry = entry.map_err(|e| Error::storage("list", path, e))?;
            if !entry.file_name().to_string_lossy().starts_with('.') {
                walk(&entry.path(), depth - 1, found)?;
            }
        }
    }
    Ok(())
}

#[async_trait]
impl Transport for Files {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn target(&self) -> TargetInfo {
        let names: Vec<_> = self.roots.iter().map(|p| p.display().to_string()).collect();
        TargetInfo { name: names.join(", "), kind: "files".into() }
    }

    fn known_facts(&self) -> Option<Facts> {
        Some(self.facts())
    }

    async fn open(&self, request: &Request) -> Result<Reply> {
        let unsupported = || {
            Error::new(ErrorKind::Unsupported, "the target is a directory of files, nobody is there to ask")
                .with("ask", &request.ask)
        };
        let Ask::Run(command) = &request.ask else { return Err(unsupported()) };
        let [cat, path] = command.argv.as_slice() else { return Err(unsupported()) };
        let path = PathBuf::from(path);
        if cat != "cat" {
            return Err(unsupported());
        }
        if !self.logs.contains(&path) && !self.metrics.contains(&path) {
            return Err(Error::new(ErrorKind::NotFound, "not one of the target's files").with("path", path.display()));
        }
        let file = std::fs::File::open(&path).map_err(|e| Error::storage("read", &path, e))?;
        let (writer, reply) = Reply::pair(request.max_bytes);
        let clock = self.clock.clone();
        tokio::spawn(pump(file, path, writer, clock));
        Ok(reply)
    }
}

/// Reads on as the reader has room, so that a file of any size passes through a buffer of fixed size.
async fn pump(mut file: std::fs::File, path: PathBuf, writer: ReplyWriter, clock: Arc<dyn Clock>) {
    let end = loop {
        tokio::select! {
            () = writer.stopped() => break End::Stopped,
            () = writer.room() => {}
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; 128 << 10];
            let n = loop {
                match file.read(&mut bytes) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            bytes.truncate(*n.as_ref().unwrap_or(&0));
            (file, n.map(|_| bytes))
        });
        let (back, bytes) = match read.await {
            Ok(read) => read,
            Err(e) => break End::Failed(Error::new(ErrorKind::Internal, "reading panicked").because(e)),
        };
        file = back;
        match bytes {
            Ok(bytes) if bytes.is_empty() => break End::Exited(0),
            Ok(bytes) => {
                if let Err(e) = writer.push(Chunk { at: clock.now(), stream: Stream::Stdout, bytes }) {
                    break if e.kind() == ErrorKind::Stopped { End::Stopped } else { End::Failed(e) };
                }
            }
            Err(e) => break End::Failed(Error::storage("read", &path, e)),
        }
    };
    let at = clock.now();
    writer.finish(end, at);
}
