//! Standard output and error. Nothing here panics when nobody reads: a pipe that was closed ends the output
//! quietly, and whatever still has to be done is done.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use chaos_core::{chart::visible, error::Error};

use crate::exit::Failure;

/// Writes a result to standard output.
///
/// # Errors
/// `Storage` when it can't be written, other than because the reader went away.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).or_else(ended)
}

/// What it means that standard output takes no more.
///
/// # Errors
/// As [`print()`].
pub(crate) fn ended(e: io::Error) -> Result<(), Failure> {
    if e.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Failure::storage(&Error::storage("write", "standard output".as_ref(), e)))
}

/// As [`print()`], as pretty JSON.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).expect("plain data");
    print(&format!("{text}\n"))
}

/// Says one line on standard error; what is hidden in it is shown as escapes.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", visible(text));
}

/// Asks whether to go on, unless `yes`.
///
/// # Errors
/// `Usage` when a person says no, or nobody is there to ask.
pub(crate) fn confirm(yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::usage("nobody is here to confirm this; --yes does"));
    }
    let _ = write!(io::stderr(), "Go on? [y/N] ");
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::usage("not confirmed; nothing was done")),
    }
}

/// Whether a person looks at standard error.
pub(crate) fn is_live() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Whether colors are wanted on a terminal, see <https://no-color.org>.
pub(crate) fn is_colored() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}
