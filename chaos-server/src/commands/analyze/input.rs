//! A file, or standard input, as bytes: unpacked where it is gzip or Zstandard, whatever it is called, and with
//! progress on a terminal. Owns the words for what can't be read.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chaos_core::model::Timestamp;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    exit::{Exit, Failure},
    output,
};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;
/// What takes less is not worth a moving line.
const LONG: Duration = Duration::from_secs(1);

/// One input, opened.
pub(super) struct Input {
    /// As it is called in messages and results.
    pub(super) name: String,
    /// When it was last written, or opened where that is not known.
    pub(super) written: Timestamp,
    path: PathBuf,
    bytes: Box<dyn Read>,
}

impl Input {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// `NotFound` when it is not there, `Usage` when it is a directory, `Storage` when it can't be read.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let is_stdin = path == Path::new("-");
        let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
        let failed = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound => Failure::new(Exit::NotFound, format!("{name}: there is no such file")),
            io::ErrorKind::IsADirectory => Failure::usage(format!("{name} is a directory; name files")),
            _ => Failure::new(Exit::Storage, format!("{name} can't be read: {e}")),
        };
        let (raw, total, written): (Box<dyn Read>, Option<u64>, SystemTime) = if is_stdin {
            (Box::new(io::stdin()), None, SystemTime::now())
        } else {
            let file = File::open(path).map_err(failed)?;
            let about = file.metadata().map_err(failed)?;
            if about.is_dir() {
                return Err(failed(io::ErrorKind::IsADirectory.into()));
            }
            let size = about.is_file().then_some(about.len());
            (Box::new(file), size, about.modified().unwrap_or_else(|_| SystemTime::now()))
        };
        let bytes = unpacked(Watched::new(raw, total, &name)).map_err(failed)?;
        let millis = written.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        let written = Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        Ok(Self { name, written, path: path.to_owned(), bytes })
    }

    /// The file's own name without what says how it is packed; empty of standard input.
    pub(super) fn stem(&self) -> String {
        let name = self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        if name == "-" { String::new() } else { name.to_owned() }
    }

    /// Gives all of it in pieces.
    ///
    /// # Errors
    /// `Storage` when it can't be read to its end, and whatever `each` fails with.
    pub(super) fn read(mut self, mut each: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut piece = vec![0; PIECE];
        loop {
            match self.bytes.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(n) => each(&piece[..n])?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.broken(&e)),
            }
        }
    }

    /// All of it as text, up to `limit` bytes.
    ///
    /// # Errors
    /// As [`Self::read`]; `Usage` when it is more, or binary.
    pub(super) fn text(self, limit: usize) -> Result<String, Failure> {
        let name = self.name.clone();
        let mut all = Vec::new();
        self.read(|piece| {
            all.extend_from_slice(piece);
            match all.len() {
                n if n > limit => Err(Failure::usage(format!("{name} has more than {} MB", limit >> 20))),
                _ => Ok(()),
            }
        })?;
        let text = String::from_utf8(all).ok().filter(|t| !t.contains('\0'));
        text.ok_or_else(|| Failure::usage(format!("{name} is not text")))
    }

    fn broken(&self, e: &io::Error) -> Failure {
        match e.kind() {
            io::ErrorKind::UnexpectedEof => Failure::new(Exit::Storage, format!("{} is cut off", self.name)),
            _ => Failure::new(Exit::Storage, format!("{} can't be read: {e}", self.name)),
        }
    }
}

/// Unpacks by the first bytes (RFC 1952, RFC 8878); a file of several members is read to its end.
fn unpacked(mut raw: Watched) -> io::Result<Box<dyn Read>> {
    let mut first = Vec::new();
    raw.by_ref().take(4).read_to_end(&mut first)?;
    let is_gzip = first.starts_with(&[0x1f, 0x8b]);
    let is_zstd = first == [0x28, 0xb5, 0x2f, 0xfd];
    let whole: Box<dyn BufRead> = Box::new(BufReader::with_capacity(PIECE, io::Cursor::new(first).chain(raw)));
    Ok(match (is_gzip, is_zstd) {
        (true, _) => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        (_, true) => Box::new(zstd::stream::read::Decoder::with_buffer(whole)?),
        _ => whole,
    })
}

/// Bytes with a moving line on the terminal once they take long.
struct Watched {
    bytes: Box<dyn Read>,
    total: Option<u64>,
    read: u64,
    name: String,
    started: Instant,
    bar: Option<ProgressBar>,
    live: bool,
}

impl Watched {
    fn new(bytes: Box<dyn Read>, total: Option<u64>, name: &str) -> Self {
        let name = chaos_core::chart::visible(name);
        Self { bytes, total, read: 0, name, started: Instant::now(), bar: None, live: output::is_live() }
    }

    fn show(&mut self) {
        if self.bar.is_none() && self.started.elapsed() >= LONG {
            let bar = self.total.map_or_else(ProgressBar::no_length, ProgressBar::new);
            let template = match self.total {
                Some(_) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
                None => "{spinner} {msg} {bytes} ({bytes_per_sec})",
            };
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template(template).expect("a template of ours"));
            bar.set_message(self.name.clone());
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.read);
        }
    }
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.bytes.read(into)?;
        self.read += n as u64;
        if self.live {
            self.show();
        }
        Ok(n)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
