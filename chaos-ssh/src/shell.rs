//! What is sent to a login shell. Quoting happens here and nowhere else.
//!
//! A server hands the text of an `exec` to the user's login shell, whichever that is. One that reads POSIX syntax gets
//! the command itself. Any other (fish, tcsh, …) gets a constant that all of them read the same, and which starts
//! `/bin/sh`; that reads the command as the first line of its standard input.
//!
//! Before the command starts, the shell prints a line with a nonce to both streams: everything before it is noise from
//! the shell's start-up files. The command then takes the shell's place: no process is added.

use chaos_core::{
    error::{Error, ErrorKind, Result},
    model::Command,
};
use memchr::memmem;

/// Read the same by every shell that knows single quotes: no newline, `!`, backslash or quote within.
const BOOTSTRAP: &str = r#"exec /bin/sh -c 'IFS= read -r l && eval "$l"'"#;
/// Login shells that read POSIX syntax. What is not among them gets [`BOOTSTRAP`].
const POSIX: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "ksh93", "mksh", "ash"];
/// Longer texts go by standard input: dropbear takes 9000 bytes, and a program's one argument is limited too.
const LONGEST_EXEC: usize = 8 << 10;
/// How much noise is kept, for a message.
const NOISE: usize = 4 << 10;

/// How the login shell of a target takes a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// As it is.
    Posix,
    /// Through `/bin/sh`.
    Other,
}

impl Dialect {
    /// By the login shell's path.
    pub(crate) fn of(shell: &str) -> Self {
        let name = shell.rsplit('/').next().unwrap_or(shell);
        if POSIX.contains(&name) { Self::Posix } else { Self::Other }
    }
}

/// What a session is started with.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The text of the `exec` request.
    pub exec: String,
    /// What goes before everything else on standard input.
    pub preface: String,
}

/// How a command becomes a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub dialect: Dialect,
    /// A session does not lead a process group of its own: the command gets one by setsid(1).
    pub setsid: bool,
    /// The user of the connection is root.
    pub root: bool,
}

/// The launch of `command`. Its first line on standard output is `NONCE PID WORD`, see [`Preamble`].
///
/// # Errors
/// `InvalidInput` when it is empty, or holds a NUL.
pub(crate) fn launch(command: &Command, style: Style, nonce: &str) -> Result<Launch> {
    let Some(program) = command.argv.first().filter(|p| !p.is_empty()) else {
        return Err(Error::new(ErrorKind::InvalidInput, "a command needs a program"));
    };
    if command.argv.iter().any(|word| word.contains('\0')) {
        return Err(Error::new(ErrorKind::InvalidInput, "an argument can't hold a NUL byte"));
    }
    if program.starts_with('-') {
        return Err(Error::new(ErrorKind::InvalidInput, "a program's name can't begin with -")
            .with("program", program.escape_debug()));
    }
    let sudo = command.elevate && !style.root;
    let check = if sudo { checked("sudo", "nosudo") } else { checked(program, "missing") };
    let setsid = if style.setsid { "setsid " } else { "" };
    let sudo = if sudo { "sudo -n -- " } else { "" };
    let argv: Vec<String> = command.argv.iter().map(|word| quote(word)).collect();
    let script = format!(
        "unset -f cd command exec printf 2>/dev/null; cd /; PATH=\"${{PATH:+$PATH:}}/usr/local/sbin:/usr/sbin:/sbin\"; LC_ALL=C.UTF-8; export PATH LC_ALL; {check}; \
         printf '\\n%s\\n' {nonce} >&2; printf '\\n%s %s %s\\n' {nonce} \"$$\" \"$_c\"; \
         [ \"$_c\" = ok ] || exit 127; exec {setsid}{sudo}{}",
        argv.join(" ")
    );
    Ok(if style.dialect == Dialect::Posix && script.len() <= LONGEST_EXEC {
        Launch { exec: script, preface: String::new() }
    } else {
        bootstrap(&script)
    })
}

/// Sets `_c` to `ok`, `denied`, or `missing_word`.
fn checked(program: &str, missing: &str) -> String {
    let p = quote(program);
    if program.contains('/') {
        format!("if [ ! -e {p} ]; then _c={missing}; elif [ -d {p} ] || [ ! -x {p} ]; then _c=denied; else _c=ok; fi")
    } else {
        format!("if command -v {p} >/dev/null 2>&1; then _c=ok; else _c={missing}; fi")
    }
}

/// Runs `script` by `/bin/sh`, whatever the login shell is.
pub(crate) fn bootstrap(script: &str) -> Launch {
    // One line: a line end within goes as a variable. It is what IFS has behind a blank and a tab in every shell that
    // has just started (POSIX 2.5.3); asking printf for it would be a fork.
    let quoted = quote(script).replace('\n', r#"'"$_n"'"#);
    let preface = format!("_n=${{IFS#??}}; _n=${{_n%\"${{_n#?}}\"}}; eval {quoted}\n");
    Launch { exec: BOOTSTRAP.into(), preface }
}

/// One word of a POSIX shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Takes the noise before the nonce's line out of a stream.
#[derive(Debug)]
pub(crate) struct Preamble {
    /// A line end and the nonce.
    mark: Vec<u8>,
    held: Vec<u8>,
    /// The beginning of the noise.
    noise: Vec<u8>,
    passed: bool,
}

impl Preamble {
    pub(crate) fn new(nonce: &str) -> Self {
        Self { mark: format!("\n{nonce}").into_bytes(), held: Vec::new(), noise: Vec::new(), passed: false }
    }

    /// Whether the nonce's line has passed.
    pub(crate) fn passed(&self) -> bool {
        self.passed
    }

    /// Takes bytes. Once the nonce's line is whole: what stands in it behind the nonce, and the bytes after it.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Option<(String, Vec<u8>)> {
        self.held.extend_from_slice(bytes);
        let room = NOISE - self.noise.len().min(NOISE);
        let Some(at) = memmem::find(&self.held, &self.mark) else {
            // All that can't be the beginning of the mark is noise.
            let noise = self.held.len().saturating_sub(self.mark.len());
            self.noise.extend_from_slice(&self.held[..noise.min(room)]);
            self.held.drain(..noise);
            return None;
        };
        let rest = at + self.mark.len();
        let end = rest + memchr::memchr(b'\n', &self.held[rest..])?;
        self.noise.extend_from_slice(&self.held[..at.min(room)]);
        let line = String::from_utf8_lossy(&self.held[rest..end]).trim().to_owned();
        let after = self.held.split_off(end + 1);
        self.held = Vec::new();
        self.passed = true;
        Some((line, after))
    }

    /// What came in place of the nonce, or before it: its first line with something in it, safe to show.
    pub(crate) fn said(&self) -> Option<String> {
        let all = [&self.noise[..], &self.held[..]].concat();
        let text = String::from_utf8_lossy(&all);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        Some(line.chars().take(200).collect::<String>().escape_debug().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_before_the_nonce_is_dropped_however_it_is_cut() {
        let all = b"Welcome!\nN0 fake\n\nN1 42 ok\nout\xff\nN1 again\n";
        for cut in 0..all.len() {
            let mut preamble = Preamble::new("N1");
            let mut got = Vec::new();
            let mut line = None;
            for part in [&all[..cut], &all[cut..]] {
                if preamble.passed() {
                    got.extend_from_slice(part);
                } else if let Some((l, rest)) = preamble.take(part) {
                    line = Some(l);
                    got.extend(rest);
                }
            }
            assert_eq!(line.as_deref(), Some("42 ok"), "cut at {cut}");
            assert_eq!(got, b"out\xff\nN1 again\n", "cut at {cut}");
            assert_eq!(preamble.said().as_deref(), Some("Welcome!"));
        }
    }

    #[test]
    fn noise_without_end_is_not_kept() {
        let mut preamble = Preamble::new("N1");
        for _ in 0..1000 {
            assert!(preamble.take(&[b'x'; 1000]).is_none());
        }
        assert!(preamble.noise.len() + preamble.held.len() < 2 * NOISE);
        assert!(preamble.take(b"\nN1 7 ok\n").is_some());
    }

    #[test]
    fn what_goes_through_any_shell_is_one_line_without_surprises() {
        let inner = BOOTSTRAP.trim_start_matches("exec /bin/sh -c '").trim_end_matches('\'');
        assert!(!inner.contains(['\'', '\\', '!', '\n', '`']), "{inner}");
        let launch = bootstrap("a\nb'c\n");
        assert_eq!(launch.preface.matches('\n').count(), 1, "{}", launch.preface);
    }

    #[test]
    fn what_is_no_command_is_refused() {
        let style = Style { dialect: Dialect::Posix, setsid: false, root: true };
        for argv in [&[][..], &[""], &["-x"], &["a", "b\0"]] {
            let e = launch(&Command::new(argv.iter().copied()), style, "N").unwrap_err();
            assert_eq!(e.kind(), ErrorKind::InvalidInput, "{argv:?}");
        }
    }
}
