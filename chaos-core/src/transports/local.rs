//! This machine: commands as child processes, each in a process group of its own.

use std::{
    fmt,
    net::Ipv4Addr,
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, ChildStdin},
    sync::Mutex,
    time::{Instant, sleep_until, timeout},
};

use super::http;
use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    model::{Ask, Command, End, TargetInfo},
    transport::{Capabilities, Chunk, Reply, ReplyWriter, Request, Stream, Transport},
};

/// How long a stopped command has to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// How long output may still come after the command itself has ended, from what it left behind.
const AFTERMATH: Duration = Duration::from_millis(500);
/// As many bytes as a command's two pipes can hold when it ends: these are read, however late the reader is.
const LEFT_IN_PIPES: usize = 128 << 10;

/// Runs commands on this machine, without a shell unless the command is one.
///
/// Should this process be killed, a small reaper process ends the commands that are still running.
pub struct Local {
    clock: Arc<dyn Clock>,
    root: bool,
    reaper: Arc<Reaper>,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Local")
    }
}

impl Local {
    /// This machine, with stamps by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, root: rustix::process::geteuid().is_root(), reaper: Arc::default() }
    }
}

#[async_trait]
impl Transport for Local {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, true, self.root)
    }

    fn target(&self) -> TargetInfo {
        TargetInfo { name: "local".into(), kind: "local".into() }
    }

    async fn open(&self, request: &Request) -> Result<Reply> {
        match &request.ask {
            Ask::Run(command) => self.run(command, request).await,
            Ask::HttpGet { port, path } => http::get(connect(*port), *port, path, request, &self.clock),
        }
    }
}

impl Local {
    async fn run(&self, command: &Command, request: &Request) -> Result<Reply> {
        let mut argv: Vec<&str> = command.argv.iter().map(String::as_str).collect();
        if command.elevate && !self.root {
            argv.splice(0..0, ["sudo", "-n", "--"]);
        }
        let Some((program, args)) = argv.split_first() else {
            return Err(Error::new(ErrorKind::InvalidInput, "a command needs a program"));
        };
        let mut child = tokio::process::Command::new(program)
            .args(args)
            .stdin(if command.stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .current_dir("/")
            .env("LC_ALL", "C.UTF-8")
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| cannot_start(program, e))?;
        if let Some(mut stdin) = child.stdin.take() {
            let text = command.stdin.clone();
            // A command that does not read its input is no failure of ours.
            tokio::spawn(async move { stdin.write_all(text.as_bytes()).await });
        }
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            self.reaper.tell('+', group).await;
        }
        let (writer, reply) = Reply::pair(request.max_bytes);
        let running = Running { child, group, writer, clock: self.clock.clone(), reaper: self.reaper.clone() };
        tokio::spawn(running.drive(Instant::now().checked_add(request.within)));
        Ok(reply)
    }
}

async fn connect(port: u16) -> Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(http::unreachable)
}

fn cannot_start(program: &str, cause: std::io::Error) -> Error {
    let kind = match cause.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        std::io::ErrorKind::WouldBlock => ErrorKind::Busy,
        std::io::ErrorKind::ArgumentListTooLong | std::io::ErrorKind::InvalidInput => ErrorKind::InvalidInput,
        _ => ErrorKind::CommandFailed,
    };
    Error::new(kind, "cannot start the program").with("program", program.escape_debug()).because(cause)
}

/// A command between its start and its end.
struct Running {
    child: Child,
    group: Option<Pid>,
    writer: ReplyWriter,
    clock: Arc<dyn Clock>,
    reaper: Arc<Reaper>,
}

/// Why we end a command ourselves.
enum Cut {
    Stopped,
    Failed(Error),
}

impl Running {
    async fn drive(mut self, deadline: Option<Instant>) {
        let (mut out, mut err) = (self.child.stdout.take(), self.child.stderr.take());
        let mut cut = None;
        let mut status = None;
        // Until when output is still waited for, once the command has ended or was told to end.
        let mut last_call: Option<Instant> = None;
        let mut killed = false;
        let mut late = 0;
        // Whether the time for output was over once and nothing has been read since.
        let mut quiet = false;
        let (mut out_buffer, mut err_buffer) = (vec![0; 64 << 10], vec![0; 4 << 10]);
        while status.is_none() || out.is_some() || err.is_some() {
            let pushed = tokio::select! {
                biased;
                () = self.writer.stopped(), if cut.is_none() => {
                    cut = Some(Cut::Stopped);
                    Ok(())
                }
                () = until(deadline), if cut.is_none() => {
                    cut = Some(Cut::Failed(Error::new(ErrorKind::Deadline, "the command took longer than it was given")));
                    Ok(())
                }
                () = until(last_call), if last_call.is_some() && (cut.is_some() || late >= LEFT_IN_PIPES) => {
                    if status.is_some() || killed {
                        break;
                    }
                    self.signal(Signal::KILL);
                    killed = true;
                    last_call = Some(Instant::now() + GRACE);
                    continue;
                }
                n = read(&self.writer, &mut out, &mut out_buffer), if out.is_some() => {
                    quiet = false;
                    late += late_bytes(last_call, &n);
                    self.pass_on(&n, Stream::Stdout, &out_buffer, &mut out)
                }
                n = read(&self.writer, &mut err, &mut err_buffer), if err.is_some() => {
                    quiet = false;
                    late += late_bytes(last_call, &n);
                    self.pass_on(&n, Stream::Stderr, &err_buffer, &mut err)
                }
                ended = self.child.wait(), if status.is_none() => {
                    status = Some(ended);
                    last_call = Some(Instant::now() + AFTERMATH);
                    continue;
                }
                // After the reads: what a reader was too slow for still lies in the pipes. Room may have come after
                // the reads were tried, so they are tried once more: now there is room, which only we can take.
                () = aftermath(&self.writer, last_call), if last_call.is_some() && cut.is_none() => {
                    if quiet {
                        break;
                    }
                    quiet = true;
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            if let Err(e) = pushed
                && cut.is_none()
            {
                cut = Some(if e.kind() == ErrorKind::Stopped { Cut::Stopped } else { Cut::Failed(e) });
            }
            if cut.is_some() && last_call.is_none() {
                self.signal(Signal::TERM);
                last_call = Some(Instant::now() + GRACE);
            }
        }
        if cut.is_some() {
            // What ignored SIGTERM within the group goes now; a group that is gone is fine.
            self.signal(Signal::KILL);
        }
        if let Some(group) = self.group {
            self.reaper.tell('-', group).await;
        }
        let end = match (cut, status) {
            (Some(Cut::Stopped), _) => End::Stopped,
            (Some(Cut::Failed(why)), _) => End::Failed(why),
            (None, Some(Ok(status))) => ended(status),
            (None, Some(Err(e))) => {
                End::Failed(Error::new(ErrorKind::Internal, "cannot wait for the command").because(e))
            }
            (None, None) => End::Failed(Error::new(ErrorKind::Internal, "the command could not be ended")),
        };
        let at = self.clock.now();
        self.writer.finish(end, at);
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Passes what was read on; at the stream's end, forgets the pipe.
    fn pass_on<P>(
        &self,
        read: &std::io::Result<usize>,
        stream: Stream,
        buffer: &[u8],
        pipe: &mut Option<P>,
    ) -> Result<()> {
        match read {
            Ok(n) if *n > 0 => self.writer.push(Chunk { at: self.clock.now(), stream, bytes: buffer[..*n].to_vec() }),
            Ok(_) | Err(_) => {
                *pipe = None;
                Ok(())
            }
        }
    }
}

/// Returns when the time for output is over, which does not end while the reader has no room.
async fn aftermath(writer: &ReplyWriter, last_call: Option<Instant>) {
    until(last_call).await;
    writer.room().await;
}

/// How much of what was read came after the last call.
fn late_bytes(last_call: Option<Instant>, read: &std::io::Result<usize>) -> usize {
    if last_call.is_some_and(|at| at <= Instant::now()) { *read.as_ref().unwrap_or(&0) } else { 0 }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Reads once the reader has room: the pipe fills up and the command waits, and nothing is lost.
async fn read<P: AsyncRead + Unpin>(
    writer: &ReplyWriter,
    pipe: &mut Option<P>,
    buffer: &mut [u8],
) -> std::io::Result<usize> {
    writer.room().await;
    match pipe {
        Some(pipe) => pipe.read(buffer).await,
        None => Ok(0),
    }
}

fn ended(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, Some(signal)) => End::Signalled(signal),
        (None, None) => End::Failed(Error::new(ErrorKind::Internal, "the command ended without a status")),
    }
}

/// A shell that knows which process groups run for us, by lines on its standard input. When that input ends
/// because this process was killed, it ends what is left.
#[derive(Default)]
struct Reaper(Mutex<Option<ChildStdin>>);

const REAPER: &str = r#"trap '' HUP INT TERM
groups=' '
while read -r what group; do
  case $what in
    +) groups="$groups$group " ;;
    -) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
  esac
done
for group in $groups; do kill -TERM "-$group" 2>/dev/null; done
"#;

impl Reaper {
    async fn tell(&self, what: char, group: Pid) {
        let mut stdin = self.0.lock().await;
        if stdin.is_none() {
            // Without a reaper commands still end with their readers; only a SIGKILL of ours would leave some.
            *stdin = tokio::process::Command::new("sh")
                .args(["-c", REAPER])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .current_dir("/")
                .process_group(0)
                .spawn()
                .ok()
                .and_then(|mut child| child.stdin.take());
        }
        if let Some(pipe) = stdin.as_mut() {
            let line = format!("{what} {}\n", group.as_raw_nonzero());
            let _ = timeout(Duration::from_secs(1), pipe.write_all(line.as_bytes())).await;
        }
    }
}
