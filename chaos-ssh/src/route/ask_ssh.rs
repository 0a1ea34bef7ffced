//! Reads the configuration by asking `ssh -G`, which prints what holds for a host without connecting to it.
//!
//! `ssh` itself may run commands then (`Match exec`), as it would for its user; we only see to it that they end.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use chaos_core::error::{Error, ErrorKind, Result};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

use super::{ConfigFile, Question, settings::Settings};

/// More than any configuration prints.
const MAX_OUTPUT: u64 = 1 << 20;
/// How long to wait for the rest of stderr once `ssh` has ended: what `Match exec` left running may hold it open.
const STDERR_GRACE: Duration = Duration::from_millis(200);

/// An OpenSSH client.
#[derive(Debug)]
pub(super) struct Ssh {
    program: OsString,
}

impl Ssh {
    /// The `ssh` in `PATH`. Another program by that name, such as Dropbear's, is not asked: it would not know `-G`, and
    /// connect.
    pub(super) async fn in_path() -> Result<Option<Self>> {
        match Self::is_openssh("ssh".as_ref()).await {
            Ok(true) => Ok(Some(Self { program: "ssh".into() })),
            Ok(false) => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::storage("run the ssh client", "ssh".as_ref(), e)),
        }
    }

    /// The client at `program`.
    pub(super) async fn at(program: &Path) -> Result<Self> {
        match Self::is_openssh(program.as_os_str()).await {
            Ok(true) => Ok(Self { program: program.into() }),
            Ok(false) => Err(Error::new(ErrorKind::InvalidInput, "this program is not an OpenSSH client")
                .with("path", program.display())),
            Err(e) => Err(Error::storage("run the ssh client", program, e)),
        }
    }

    async fn is_openssh(program: &OsStr) -> io::Result<bool> {
        let answer = run(program, &["-V".into()]).await?;
        Ok(answer.status.success() && answer.stderr.starts_with(b"OpenSSH"))
    }

    /// What holds for the host that is asked for.
    pub(super) async fn settings(&self, question: &Question, config: &ConfigFile) -> Result<Settings> {
        let destination = &question.destination;
        let answer = run(&self.program, &arguments(question, config))
            .await
            .map_err(|e| Error::storage("run the ssh client", self.program.as_ref(), e))?;
        if !answer.status.success() {
            let said = complaint(&answer.stderr, answer.status);
            return Err(Error::new(ErrorKind::InvalidInput, format!("ssh can't use its configuration: {said}"))
                .with("host", destination));
        }
        read(&answer.stdout).map_err(|what| {
            Error::new(ErrorKind::InvalidInput, what)
                .with("host", destination)
                .with("see", format!("ssh -G {}", destination.host))
        })
    }
}

fn arguments(question: &Question, config: &ConfigFile) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-G".into()];
    let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
    match config {
        ConfigFile::Default => {}
        ConfigFile::Only(file) => option("-F", file.into()),
        ConfigFile::None => option("-F", "none".into()),
    }
    if let Some(port) = question.destination.port {
        option("-p", port.to_string().into());
    }
    if let Some(user) = &question.destination.user {
        option("-l", user.into());
    }
    if let Some(jump) = &question.jump {
        option("-J", jump.into());
    }
    if question.keys_given {
        option("-o", "IdentityFile=none".into());
    }
    arguments.extend(["--".into(), (&question.destination.host).into()]);
    arguments
}

/// One keyword a line, in lower case, and its value without quotes.
fn read(output: &[u8]) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for line in output.split(|&b| b == b'\n') {
        let line = std::str::from_utf8(line).map_err(|_| "the ssh configuration is not UTF-8".to_owned())?;
        let Some((keyword, value)) = line.split_once(' ') else { continue };
        let words = match keyword {
            "userknownhostsfile" | "globalknownhostsfile" => split_files(value),
            _ => vec![value.to_owned()],
        };
        settings.take(keyword, &words).map_err(|what| format!("cannot use {keyword}: {what}"))?;
    }
    Ok(settings)
}

/// `ssh -G` puts one blank between files, and none marks a blank within a name. Where a new name would neither be
/// absolute nor begin with `~`, it is taken for the rest of the one before.
fn split_files(value: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for part in value.split(' ') {
        match files.last_mut() {
            Some(last) if !part.starts_with(['/', '~']) => {
                last.push(' ');
                last.push_str(part);
            }
            _ => files.push(part.to_owned()),
        }
    }
    files
}

/// What `ssh` said of the configuration, on one line and without control characters.
fn complaint(stderr: &[u8], status: ExitStatus) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("Pseudo-terminal") && !line.contains(": terminating, "))
        .collect();
    if lines.is_empty() {
        return format!("it ended with {status} and said nothing");
    }
    lines.join("; ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect()
}

struct Answer {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Runs `program` in a process group of its own, all of which ends when this future is dropped.
async fn run(program: &OsStr, arguments: &[OsString]) -> io::Result<Answer> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = Group::of(&child);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut stderr = Vec::new();
    let (status, stdout) = {
        let reading = read_into(err, &mut stderr);
        let ended = async {
            let mut stdout = Vec::new();
            read_into(out, &mut stdout).await?;
            Ok::<_, io::Error>((child.wait().await?, stdout))
        };
        tokio::pin!(reading, ended);
        tokio::select! {
            ended = &mut ended => {
                let ended = ended?;
                group.ended();
                // Whatever came until now is kept.
                let _ = tokio::time::timeout(STDERR_GRACE, reading).await;
                ended
            }
            read = &mut reading => {
                read?;
                let ended = ended.await?;
                group.ended();
                ended
            }
        }
    };
    Ok(Answer { status, stdout, stderr })
}

async fn read_into(from: Option<impl AsyncRead + Unpin>, to: &mut Vec<u8>) -> io::Result<()> {
    if let Some(from) = from {
        let read = from.take(MAX_OUTPUT).read_to_end(to).await?;
        if read as u64 == MAX_OUTPUT {
            return Err(io::Error::other("more output than any configuration makes"));
        }
    }
    Ok(())
}

/// A process group that is killed when this is dropped before it ended: `ssh` alone would leave its commands behind.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    /// Its leader was waited for, so that the number may belong to somebody else from now on.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may just have ended by itself.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}
