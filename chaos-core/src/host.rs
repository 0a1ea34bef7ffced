//! All that agents ever hold of a target: a handle that can ask and follow, read-only, and nothing else.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    model::{AgentName, Answer, Ask, Facts, Id, Ledger, Rehearsed},
    readonly::AllowList,
    rehearsal,
    transport::{Capabilities, Reply, Request, Stop, Transport},
};

/// Bytes of one answer that are kept.
const ANSWER_LIMIT: usize = 1 << 20;
/// Bytes of a followed stream that may wait unread.
const FOLLOW_BUFFER: usize = 1 << 20;
/// How often an attempt that may succeed a moment later is made.
const ATTEMPTS: u32 = 3;
/// How much longer than asked for a transport may take to end a stream at its deadline.
const BACKSTOP: Duration = Duration::from_secs(5);

/// A target as agents see it. Owned, cheap to clone, and there is no way from here to the [`Transport`].
#[derive(Clone)]
pub struct ReadOnlyHost(Arc<Shared>);

struct Shared {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    facts: Arc<Facts>,
    allow: Arc<AllowList>,
    agent: AgentName,
    deadline: Instant,
    window: Stop,
    answers: Arc<Mutex<Ledger<Answer>>>,
    opened: Stop,
}

impl fmt::Debug for ReadOnlyHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadOnlyHost({})", self.0.agent)
    }
}

impl ReadOnlyHost {
    #[allow(clippy::too_many_arguments)] // one private call site, in the pipeline
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        facts: Arc<Facts>,
        allow: Arc<AllowList>,
        agent: AgentName,
        deadline: Instant,
        window: Stop,
        answers: Arc<Mutex<Ledger<Answer>>>,
    ) -> Self {
        Self(Arc::new(Shared {
            transport,
            clock,
            facts,
            allow,
            agent,
            deadline,
            window,
            answers,
            opened: Stop::default(),
        }))
    }

    /// Is over once the first stream is open.
    pub(crate) fn opened(&self) -> Stop {
        self.0.opened.clone()
    }

    /// What the target is and has.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// What the way to it can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.0.transport.capabilities()
    }

    /// Whether [`ReadOnlyHost::ask`] would let this through.
    ///
    /// # Errors
    /// `Refused`, with the rule that says no.
    pub fn allows(&self, ask: &Ask) -> Result<()> {
        self.0.allow.check(ask)
    }

    /// Puts one question and waits for the whole answer, at most 1 MiB. It is kept under the returned id, which
    /// a hypothesis can cite, whether the command succeeded or not.
    ///
    /// # Errors
    /// `Refused` when it is not read-only, `NotRecorded` in a replay that does not hold it, `Deadline`, or why
    /// the target can't be reached.
    pub async fn ask(&self, ask: Ask, within: Duration) -> Result<(Id<Answer>, Answer)> {
        self.0.allow.check(&ask)?;
        self.put(ask, within).await
    }

    /// Rehearses commands in a sandbox on the target: the one thing that is let through although the commands are
    /// not read-only, because they can't reach the target from there.
    ///
    /// # Errors
    /// As [`ReadOnlyHost::ask`].
    pub async fn rehearse(&self, steps: &[rehearsal::Step]) -> Result<Rehearsed> {
        if let Some(why) = rehearsal::refuses(steps) {
            return Ok(Rehearsed { unable: Some(why), ..Rehearsed::default() });
        }
        let ask = rehearsal::ask(steps, self.capabilities().elevate);
        let (_, answer) = self.put(ask, rehearsal::within()).await?;
        Ok(rehearsal::read(steps, answer.stdout.as_bytes(), answer.stderr.as_bytes(), &answer.end))
    }

    async fn put(&self, ask: Ask, within: Duration) -> Result<(Id<Answer>, Answer)> {
        let within = within.min(self.0.deadline.saturating_duration_since(Instant::now()));
        let reply = self.open(&ask, within, ANSWER_LIMIT).await?;
        let output = tokio::time::timeout(within + BACKSTOP, reply.output(ANSWER_LIMIT)).await.map_err(|_| {
            Error::new(ErrorKind::Deadline, "the target's answer did not end in time").with("ask", &ask)
        })?;
        let answer = Answer {
            agent: self.0.agent.clone(),
            ask,
            at: output.at,
            end: output.end,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        let id = self.0.answers.lock().expect("no panic while held").push(answer.clone());
        Ok((id, answer))
    }

    /// Streams until the observation ends, which stops the command and lets what is left drain.
    ///
    /// # Errors
    /// As [`ReadOnlyHost::ask`]; `Stopped` when the observation ends before the stream is open.
    pub async fn follow(&self, ask: Ask) -> Result<Reply> {
        self.follow_within(ask, Duration::MAX).await
    }

    /// The same for what ends by itself, which may take `within`.
    ///
    /// # Errors
    /// As [`ReadOnlyHost::follow`].
    pub async fn follow_within(&self, ask: Ask, within: Duration) -> Result<Reply> {
        self.0.allow.check(&ask)?;
        let mut reply = tokio::select! {
            biased;
            reply = self.open(&ask, within, FOLLOW_BUFFER) => reply?,
            () = self.0.window.wait() => {
                return Err(Error::new(ErrorKind::Stopped, "the observation ended before the target answered"));
            }
        };
        self.0.opened.end();
        reply.window = Some(self.0.window.clone());
        Ok(reply)
    }

    /// Whether it is read-only is for the caller to have checked.
    async fn open(&self, ask: &Ask, within: Duration, max_bytes: usize) -> Result<Reply> {
        let request = Request { agent: self.0.agent.clone(), ask: ask.clone(), within, max_bytes };
        let left = self.0.deadline.saturating_duration_since(Instant::now());
        let mut attempt = 1;
        loop {
            let opened = tokio::time::timeout(left, self.0.transport.open(&request)).await.unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Deadline, "the target did not answer in time").with("ask", ask))
            });
            match opened {
                // Asking is read-only, so asking again is safe.
                Err(e) if e.is_retryable() && attempt < ATTEMPTS && Instant::now() < self.0.deadline => {
                    self.0.clock.wait(Duration::from_millis(200 << attempt)).await;
                    attempt += 1;
                }
                opened => return opened,
            }
        }
    }
}
