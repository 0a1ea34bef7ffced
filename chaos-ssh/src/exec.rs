//! One command, from the server's permission to run it until nothing of it is left. Its output is drained at once
//! whatever its reader does, as one channel that is not read would hold up all others: what the reader is too slow for
//! waits here, up to a limit.

use std::{collections::VecDeque, future, sync::Arc, time::Duration};

use chaos_core::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    model::{Command, End},
    transport::{Chunk, Reply, ReplyWriter, Request, Stream},
};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client::Msg};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    connection::Connection,
    control::{Group, Order},
    nonce::nonce,
    shell::{self, Launch, Preamble},
    slots::Slot,
};

/// How long a stopped command has to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// How long the stream may be silent after the command has ended, before what it left behind is not waited for.
const AFTERMATH: Duration = Duration::from_millis(500);
/// As many bytes as may be on their way when a command ends; more comes from what it left behind.
const ON_THE_WAY: usize = 4 << 20;
/// And how long they may be on their way.
const LONGEST_AFTERMATH: Duration = Duration::from_secs(10);
/// How much may wait beyond the reader's limit: as much as a channel's window would hold, if it could be held back.
const BACKLOG: usize = 2 << 20;
/// A command that runs longer is ended by the target itself when the connection is gone; one that may run for longer
/// than [`FOLLOWER`] from its start on. Watching costs the target two forks, which short commands should not.
const WATCHED_AFTER: Duration = Duration::from_millis(500);
const FOLLOWER: Duration = Duration::from_secs(60);
/// How long a command may wait for its turn and its shell, even if it is given less time to run. Its own time begins
/// when it starts, as that of a local command does.
const TURN: Duration = Duration::from_secs(30);
/// How often a server may close a session before it answers the request to run something. dropbear 2020.79 to 2024.85
/// does so when a process of another session ends just then.
const OVERLOOKED: usize = 10;
/// How long a server may take to close a channel that we closed.
const CLOSING: Duration = Duration::from_secs(5);

/// What to run.
pub(crate) struct Job {
    pub launch: Launch,
    pub stdin: Vec<u8>,
    pub nonce: String,
    pub program: String,
    pub by_sudo: bool,
}

impl Job {
    /// # Errors
    /// `InvalidInput` when it is no command.
    pub(crate) fn new(connection: &Connection, command: &Command, stdin: Vec<u8>) -> Result<Self> {
        let nonce = nonce();
        let style = connection.facts().style;
        let launch = shell::launch(command, style, &nonce)?;
        let program = command.argv.first().cloned().unwrap_or_default();
        Ok(Self { launch, stdin, nonce, program, by_sudo: command.elevate && !style.root })
    }
}

/// Why a command did not start.
pub(crate) enum NotStarted {
    /// The server did not come to run it: another connection may be tried.
    Unsent(Error),
    /// It may have run.
    Sent(Error),
}

/// Runs a command; returns when it has started.
///
/// # Errors
/// `Busy` when no session was free in time, `NotFound`, `Denied`, `Deadline`, `Unreachable`.
pub(crate) async fn run(
    connection: Arc<Connection>,
    job: Job,
    request: &Request,
    clock: Arc<dyn Clock>,
) -> Result<Reply, NotStarted> {
    let job = Arc::new(job);
    let turn = Instant::now().checked_add(request.within.max(TURN));
    for left in (0..OVERLOOKED).rev() {
        match attempt(connection.clone(), job.clone(), request, turn, clock.clone()).await {
            Err(NotStarted::Unsent(e)) if left > 0 && e.kind() == ErrorKind::Unreachable && !connection.is_closed() => {
            }
            done => return done,
        }
    }
    Err(NotStarted::Unsent(connection.lost()))
}

async fn attempt(
    connection: Arc<Connection>,
    job: Arc<Job>,
    request: &Request,
    turn: Option<Instant>,
    clock: Arc<dyn Clock>,
) -> Result<Reply, NotStarted> {
    let (writer, reply) = Reply::pair(request.max_bytes);
    let (within, max_bytes) = (request.within, request.max_bytes);
    let (started, wait) = oneshot::channel();
    // In a task of its own: who gives up waiting must not leave a session open.
    tokio::spawn(async move {
        let opened = tokio::select! {
            biased;
            opened = connection.session() => opened,
            () = writer.stopped() => Err(Error::new(ErrorKind::Stopped, "stopped before a session was free")),
            () = until(turn) => Err(connection.busy()),
        };
        match opened {
            Ok((channel, slot)) => {
                let running = Running::start(connection, &job, channel, slot, writer, clock, max_bytes, started);
                running.drive(turn, within).await;
            }
            Err(e) => drop(started.send(Err(NotStarted::Unsent(e)))),
        }
    });
    match wait.await {
        Ok(Ok(())) => Ok(reply),
        Ok(Err(e)) => Err(e),
        Err(_) => {
            Err(NotStarted::Sent(Error::new(ErrorKind::Internal, "a command's task ended before the command started")))
        }
    }
}

/// Why we end a command ourselves.
enum Cut {
    Stopped,
    Failed(Error),
}

/// A command between its start and its end.
struct Running {
    connection: Arc<Connection>,
    read: ChannelReadHalf,
    write: Arc<ChannelWriteHalf<Msg>>,
    feeding: JoinHandle<()>,
    slot: Slot,
    writer: ReplyWriter,
    clock: Arc<dyn Clock>,
    /// Who waits for the start.
    started: Option<oneshot::Sender<Result<(), NotStarted>>>,
    program: String,
    by_sudo: bool,
    /// Whether the server took the request to run it.
    answered: bool,
    out: Preamble,
    err: Preamble,
    group: Option<Group>,
    watched: bool,
    backlog: VecDeque<Chunk>,
    waiting: usize,
    max_waiting: usize,
    printed: usize,
    /// The beginning of standard error, where sudo says why not.
    complaint: Vec<u8>,
    status: Option<End>,
    cut: Option<Cut>,
}

impl Running {
    #[allow(clippy::too_many_arguments)]
    fn start(
        connection: Arc<Connection>,
        job: &Arc<Job>,
        channel: Channel<Msg>,
        slot: Slot,
        writer: ReplyWriter,
        clock: Arc<dyn Clock>,
        max_bytes: usize,
        started: oneshot::Sender<Result<(), NotStarted>>,
    ) -> Self {
        let (read, write) = channel.split();
        let write = Arc::new(write);
        let feeding = tokio::spawn(feed(write.clone(), job.clone()));
        Self {
            connection,
            read,
            write,
            feeding,
            slot,
            writer,
            clock,
            started: Some(started),
            program: job.program.clone(),
            by_sudo: job.by_sudo,
            answered: false,
            out: Preamble::new(&job.nonce),
            err: Preamble::new(&job.nonce),
            group: None,
            watched: false,
            backlog: VecDeque::new(),
            waiting: 0,
            max_waiting: (max_bytes / 2).saturating_add(BACKLOG),
            printed: 0,
            complaint: Vec::new(),
            status: None,
            cut: None,
        }
    }

    async fn drive(mut self, turn: Option<Instant>, within: Duration) {
        let mut deadline = turn;
        let mut watch_at = None;
        // Until when output is waited for, once the command has ended or was told to end.
        let mut last_call: Option<Instant> = None;
        // When the command ended by itself, and how much it had printed by then.
        let mut ended: Option<(Instant, usize)> = None;
        let (mut told, mut killed) = (false, false);
        let mut closed = false;
        while !closed {
            let msg = tokio::select! {
                biased;
                () = self.writer.stopped(), if self.cut.is_none() => {
                    self.cut = Some(Cut::Stopped);
                    None
                }
                () = until(deadline), if self.cut.is_none() && self.status.is_none() => {
                    let why = if self.group.is_some() {
                        "the command took longer than it was given"
                    } else {
                        "the login shell did not start the command in time; its start-up files may wait for input"
                    };
                    self.cut = Some(Cut::Failed(Error::new(ErrorKind::Deadline, why)));
                    None
                }
                () = until(last_call), if last_call.is_some() => {
                    if self.status.is_some() || killed {
                        break;
                    }
                    self.signal(Order::Kill);
                    killed = true;
                    last_call = Some(Instant::now() + GRACE);
                    continue;
                }
                () = until(watch_at), if watch_at.is_some() && !self.watched && self.status.is_none() => {
                    self.watched = true;
                    self.order(Order::Watch);
                    continue;
                }
                () = self.writer.room(), if !self.backlog.is_empty() => {
                    self.pass_on();
                    continue;
                }
                msg = self.read.wait() => Some(msg),
            };
            let had_started = self.group.is_some();
            match msg {
                Some(Some(msg)) => closed = self.take(msg),
                Some(None) => closed = true,
                None => {}
            }
            if !had_started && self.group.is_some() {
                deadline = Instant::now().checked_add(within);
                let after = if within > FOLLOWER { Duration::ZERO } else { WATCHED_AFTER };
                watch_at = Some(Instant::now() + after);
            }
            let now = Instant::now();
            if self.cut.is_some() {
                if self.status.is_none() && !told {
                    self.signal(Order::Terminate);
                    last_call = Some(now + GRACE);
                }
                told = true;
                last_call = last_call.or(Some(now + AFTERMATH));
            } else if self.status.is_some() {
                let (at, before) = *ended.get_or_insert((now, self.printed));
                let over = self.printed - before > ON_THE_WAY;
                last_call = Some(if over { now } else { (now + AFTERMATH).min(at + LONGEST_AFTERMATH) });
            }
        }
        self.finish().await;
    }

    /// Takes a message; whether it was the last.
    fn take(&mut self, msg: ChannelMsg) -> bool {
        self.answered |= !matches!(msg, ChannelMsg::WindowAdjusted { .. } | ChannelMsg::Eof | ChannelMsg::Close);
        match msg {
            ChannelMsg::Data { data } => {
                if self.out.passed() {
                    self.keep(Stream::Stdout, data.into());
                } else if let Some((line, rest)) = self.out.take(&data) {
                    self.has_started(&line);
                    self.keep(Stream::Stdout, rest);
                }
            }
            ChannelMsg::ExtendedData { data, ext: 1 } => {
                if self.err.passed() {
                    self.keep(Stream::Stderr, data.into());
                } else if let Some((_, rest)) = self.err.take(&data) {
                    self.keep(Stream::Stderr, rest);
                }
            }
            ChannelMsg::ExitStatus { exit_status } => {
                self.status = Some(End::Exited(i32::try_from(exit_status).unwrap_or(i32::MAX)));
            }
            ChannelMsg::ExitSignal { signal_name, .. } => self.status = Some(End::Signalled(number(&signal_name))),
            ChannelMsg::Failure => {
                let why = "the server did not run the command";
                self.not_started(Error::new(ErrorKind::Denied, why));
                return true;
            }
            ChannelMsg::Close => return true,
            _ => {}
        }
        false
    }

    /// The line with the nonce came: `PID WORD`.
    fn has_started(&mut self, line: &str) {
        let (pid, word) = line.split_once(' ').unwrap_or((line, ""));
        if word == "ok" {
            // Group 1 and below are never ours, whatever the target says.
            self.group = pid.parse().ok().filter(|pid| *pid > 1).map(|pid| Group { pid, by_sudo: self.by_sudo });
        }
        let program = self.program.escape_debug().to_string();
        let failed = match word {
            "ok" if self.group.is_some() => None,
            "missing" => Some(Error::new(ErrorKind::NotFound, "the target has no such program")),
            "denied" => Some(Error::new(ErrorKind::Denied, "this is no program that the user may run")),
            "nosudo" => Some(Error::new(
                ErrorKind::Denied,
                "this needs root, and the target has no sudo: install it, or connect as root",
            )),
            _ => Some(Error::new(ErrorKind::Internal, "the target's shell garbled its first line")),
        };
        match (failed, self.started.take()) {
            (None, Some(started)) => drop(started.send(Ok(()))),
            (Some(e), Some(started)) => drop(started.send(Err(NotStarted::Sent(e.with("program", program))))),
            (_, None) => {}
        }
    }

    fn not_started(&mut self, e: Error) {
        if let Some(started) = self.started.take() {
            let e = e.with("program", self.program.escape_debug());
            let overlooked = !self.answered && e.kind() == ErrorKind::Unreachable && !self.connection.is_closed();
            let _ = started.send(Err(if overlooked { NotStarted::Unsent(e) } else { NotStarted::Sent(e) }));
        }
    }

    /// Keeps output for the reader.
    fn keep(&mut self, stream: Stream, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        self.printed += bytes.len();
        if self.by_sudo && stream == Stream::Stderr && self.complaint.len() < 1 << 10 {
            self.complaint.extend_from_slice(&bytes);
        }
        if self.waiting.saturating_add(bytes.len()) > self.max_waiting {
            if self.cut.is_none() {
                let why =
                    Error::new(ErrorKind::OutputLimit, "more output than the limit allows, faster than it is read");
                self.cut = Some(Cut::Failed(why));
            }
            // A stream has no holes: after what is dropped nothing comes.
            self.max_waiting = 0;
            return;
        }
        self.waiting += bytes.len();
        self.backlog.push_back(Chunk { at: self.clock.now(), stream, bytes });
        // At once where the reader has room, which is nearly always.
        while !self.backlog.is_empty() && has_room(&self.writer) {
            self.pass_on();
        }
    }

    /// Gives the reader one piece; there is room.
    fn pass_on(&mut self) {
        if let Some(chunk) = self.backlog.pop_front() {
            self.waiting -= chunk.bytes.len();
            if let Err(e) = self.writer.push(chunk)
                && self.cut.is_none()
            {
                self.cut = Some(if e.kind() == ErrorKind::Stopped { Cut::Stopped } else { Cut::Failed(e) });
            }
        }
    }

    fn order(&self, order: Order) -> bool {
        self.group.is_some_and(|group| self.connection.control().order(order, group))
    }

    /// Ends the command's process group: by the control shell, which reaches what runs as root and every server's
    /// commands; without it by the protocol's own request.
    fn signal(&self, order: Order) {
        if self.order(order) {
            return;
        }
        let signal = if order == Order::Kill { Sig::KILL } else { Sig::TERM };
        let write = self.write.clone();
        tokio::spawn(async move { write.signal(signal).await });
    }

    async fn finish(mut self) {
        if self.cut.is_some() {
            // What ignored SIGTERM within the group goes now; a group that is gone is fine.
            self.signal(Order::Kill);
        }
        if self.watched {
            self.order(Order::Forget);
        }
        self.feeding.abort();
        let end = self.end();
        if self.started.is_some() {
            let why = self.why_not_started(&end);
            self.not_started(why);
        }
        let Self { connection, read, write, slot, writer, clock, mut backlog, .. } = self;
        tokio::spawn(close(connection, read, write, slot));
        // The command is gone, and the rest waits for its reader without a limit in time.
        while let Some(chunk) = backlog.pop_front() {
            writer.room().await;
            if writer.push(chunk).is_err() {
                break;
            }
        }
        writer.finish(end, clock.now());
    }

    fn end(&mut self) -> End {
        match (self.cut.take(), self.status.take()) {
            (Some(Cut::Stopped), _) => End::Stopped,
            (Some(Cut::Failed(why)), _) => End::Failed(why),
            (None, Some(End::Exited(1))) if self.by_sudo && self.printed == self.complaint.len() => {
                sudo_says(&self.complaint).map_or(End::Exited(1), End::Failed)
            }
            (None, Some(status)) => status,
            (None, None) => End::Failed(self.connection.lost()),
        }
    }

    fn why_not_started(&self, end: &End) -> Error {
        let said =
            self.out.said().or_else(|| self.err.said()).map_or(String::new(), |said| format!("; it said: {said}"));
        match end {
            End::Failed(why) => why.clone(),
            End::Stopped => Error::new(ErrorKind::Stopped, "stopped before the command started"),
            End::Exited(code) => Error::new(
                ErrorKind::CommandFailed,
                format!("the login shell ended with exit code {code} before the command started{said}"),
            ),
            End::Signalled(signal) => Error::new(
                ErrorKind::CommandFailed,
                format!("signal {signal} ended the login shell before the command started{said}"),
            ),
        }
    }
}

/// Sends the request and standard input. Nothing here may hold up the draining.
async fn feed(write: Arc<ChannelWriteHalf<Msg>>, job: Arc<Job>) {
    if write.exec(true, job.launch.exec.as_str()).await.is_err() {
        return;
    }
    let whole = [job.launch.preface.as_bytes(), &job.stdin].concat();
    drop(job);
    // A command that does not read its input is no failure of ours.
    if write.data_bytes(whole).await.is_ok() {
        let _ = write.eof().await;
    }
}

/// Closes the channel, and gives the session back when the server has done so too.
async fn close(connection: Arc<Connection>, mut read: ChannelReadHalf, write: Arc<ChannelWriteHalf<Msg>>, slot: Slot) {
    let closing = async {
        // Of a channel that the server closed nothing comes any more, and this is ignored.
        let _ = write.close().await;
        while let Some(msg) = read.wait().await {
            if matches!(msg, ChannelMsg::Close) {
                break;
            }
        }
    };
    let _ = timeout(CLOSING, closing).await;
    drop(slot);
    drop(connection);
}

/// Whether the reader has room right now.
fn has_room(writer: &ReplyWriter) -> bool {
    let mut room = std::pin::pin!(writer.room());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    Future::poll(room.as_mut(), &mut context).is_ready()
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}

/// Why sudo ran nothing, when it is sudo who says so.
fn sudo_says(stderr: &[u8]) -> Option<Error> {
    const NO: &[&str] = &[
        "a password is required",
        "a terminal is required",
        "you must have a tty",
        "is not in the sudoers",
        "is not allowed to",
        "may not run sudo",
        "no new privileges",
        "must be owned by uid 0",
    ];
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().map(str::trim).rfind(|line| line.starts_with("sudo: ") || line.contains("sudo"))?;
    if line.starts_with("sudo: ") && line.ends_with(": command not found") {
        return Some(Error::new(ErrorKind::NotFound, "the target has no such program").with("sudo", shown(line)));
    }
    let message = "this needs root, and sudo does not allow it without a password: allow it in sudoers (NOPASSWD), or \
                   connect as root";
    NO.iter().any(|no| line.contains(no)).then(|| Error::new(ErrorKind::Denied, message).with("sudo", shown(line)))
}

fn shown(line: &str) -> String {
    crate::hops::printable(line, 200)
}

/// A signal's number on Linux; 0 for one that SSH has no name for.
fn number(signal: &Sig) -> i32 {
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(name) if name == "USR2" => 12,
        Sig::Custom(_) => 0,
    }
}
