//! The log agent: follows every log source of a target over the whole window, and finds what is abnormal in them.
//! Owns which sources there are and how their streams become evidence; how lines become patterns is `analysis::logs`.

mod sources;

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use self::sources::Source;
use super::count::thousands;
use crate::{
    agent::{Agent, AgentContext},
    analysis::logs::{LogMiner, detect},
    error::{Error, ErrorKind, Result},
    host::ReadOnlyHost,
    model::{
        Ask, Body, End, EventType, Evidence, Facts, Finding, Gap, Level, LogChange, Logs, Observation, Signal,
        Timestamp,
    },
    transport::{Reply, Stream},
};

/// How long before the deadline the agent gives up on streams that do not end, to hand over what it has.
const SPARE: Duration = Duration::from_secs(2);
/// Bytes of standard error that are kept to say why a command failed.
const MAX_STDERR: usize = 4096;
/// How often a source is followed anew: a target that is away more often is not there.
const MAX_AWAY: usize = 19;

/// Collects logs and finds what is abnormal in them. One struct for both roles; register it for each.
#[derive(Debug, Clone)]
pub struct LogAgent {
    files: Vec<String>,
    history: Duration,
}

impl Default for LogAgent {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl LogAgent {
    /// Reads the log files that the target is known to have and these besides, by absolute paths.
    #[must_use]
    pub fn new(files: Vec<String>) -> Self {
        Self { files, history: Duration::from_secs(15 * 60) }
    }

    /// How far back the journal is read; 15 minutes unless set.
    #[must_use]
    pub fn history(mut self, history: Duration) -> Self {
        self.history = history;
        self
    }
}

#[async_trait]
impl Agent<ReadOnlyHost, Vec<Evidence>> for LogAgent {
    async fn run(&self, cx: &AgentContext, host: &ReadOnlyHost) -> Result<Vec<Evidence>> {
        let (sources, refused) = sources::of(host, &self.files, self.history).await;
        for why in refused {
            cx.emit(EventType::Error, why);
        }
        let until = cx.deadline().checked_sub(SPARE).unwrap_or(cx.deadline());
        let mut tasks = JoinSet::new();
        let mut opened = Vec::new();
        for (i, source) in sources.iter().enumerate() {
            let (tell, told) = oneshot::channel();
            opened.push(told);
            let (host, source, history) = (host.clone(), source.clone(), self.history);
            tasks.spawn(async move { (i, Follower::new(source, history).run(&host, until, tell).await) });
        }
        for (source, told) in sources.iter().zip(opened) {
            match told.await {
                Ok(None) => cx.emit(EventType::Evidence, format!("following {}", source.name)),
                Ok(Some(why)) => cx.emit(EventType::Error, format!("{}: {why}", source.name)),
                Err(_) => {}
            }
        }
        let mut done = BTreeMap::new();
        while let Some(joined) = tasks.join_next().await {
            if let Ok((i, followed)) = joined {
                done.insert(i, followed);
            }
        }
        // In the sources' order, whichever stream ended first.
        let followed = sources
            .into_iter()
            .enumerate()
            .map(|(i, source)| done.remove(&i).unwrap_or_else(|| Followed::broken(source)));
        Ok(close(cx, followed.collect()))
    }
}

#[async_trait]
impl Agent<Observation, Vec<Finding>> for LogAgent {
    async fn run(&self, _: &AgentContext, seen: &Observation) -> Result<Vec<Finding>> {
        let mut found = Vec::new();
        for (id, source, logs) in seen.logs() {
            // Who could not speak was not silent, and not late.
            let blind = seen.evidence.get(id).is_some_and(|e| e.gaps.iter().any(|g| g.span.end > seen.observed.start));
            let findings = detect(logs, source, id, seen.baseline.as_ref(), &seen.observed);
            found.extend(findings.into_iter().filter(|f| {
                !(blind && matches!(f.signal, Signal::Log { change: LogChange::Silence | LogChange::OffBeat, .. }))
            }));
        }
        Ok(found)
    }
}

/// A source from its first to its last chunk.
struct Followed {
    source: String,
    logs: Logs,
    /// Whether it was opened; what did not open was already said.
    opened: bool,
    first: Option<Timestamp>,
    end: Option<Timestamp>,
    /// From when until when it said nothing although it was asked, where it was asked again; and why.
    away: Vec<Gap>,
    failed: Option<Error>,
    hint: Option<String>,
}

impl Followed {
    fn broken(source: Source) -> Self {
        let why = Error::new(ErrorKind::AgentFailed, "reading the log panicked");
        Self { opened: true, failed: Some(why), ..Self::unopened(source.name) }
    }

    fn unopened(source: String) -> Self {
        Self {
            source,
            logs: Logs::default(),
            opened: false,
            first: None,
            end: None,
            away: Vec::new(),
            failed: None,
            hint: None,
        }
    }
}

struct Follower {
    source: Source,
    history: Duration,
    miner: Option<LogMiner>,
    stderr: Vec<u8>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// When the stream that is being read was first heard of.
    heard: Option<Timestamp>,
}

impl Follower {
    fn new(source: Source, history: Duration) -> Self {
        Self { source, history, miner: None, stderr: Vec::new(), first: None, last: None, heard: None }
    }

    async fn run(mut self, host: &ReadOnlyHost, until: Instant, tell: oneshot::Sender<Option<String>>) -> Followed {
        let mut reply = match host.follow(Ask::Run(self.source.command.clone())).await {
            Ok(reply) => reply,
            Err(why) => {
                // A receiver that is gone is an agent that was given up.
                let _ = tell.send(Some(why.to_string()));
                return Followed { failed: Some(why), ..Followed::unopened(self.source.name) };
            }
        };
        let _ = tell.send(None);
        let mut failed = self.read(&mut reply, host.facts(), until).await;
        if failed.is_some()
            && let Some(command) = self.source.plainer(&self.stderr)
            && let Ok(again) = host.follow(Ask::Run(command.clone())).await
        {
            self.stderr.clear();
            (self.source.command, reply) = (command, again);
            failed = self.read(&mut reply, host.facts(), until).await;
        }
        let mut end = reply.end().map(|(_, at)| at).or(self.last);
        let mut away = Vec::new();
        while away.len() < MAX_AWAY
            && let Some(why) = failed.take_if(|why| why.kind() == ErrorKind::Unreachable)
        {
            // The target was away. What was read stays; from here on there is what is new.
            let resumed = self.source.resumed().map(|command| host.follow(Ask::Run(command)));
            let back = match resumed {
                Some(opening) => timeout_at(until, opening).await.ok().and_then(Result::ok),
                None => None,
            };
            let Some(mut reply) = back else {
                failed = Some(why);
                break;
            };
            if let Some(miner) = &mut self.miner {
                miner.cut();
            }
            self.heard = None;
            failed = self.read(&mut reply, host.facts(), until).await;
            let from = end.unwrap_or_default();
            end = reply.end().map(|(_, at)| at).or(self.last);
            away.push(Gap { span: from..self.heard.or(end).unwrap_or(from).max(from), why });
        }
        let hint = String::from_utf8_lossy(&self.stderr).lines().find(|l| l.starts_with("Hint:")).map(str::to_owned);
        let logs = self.miner.map(LogMiner::finish).unwrap_or_default();
        Followed { source: self.source.name, logs, opened: true, first: self.first, end, away, failed, hint }
    }

    /// Reads to the end; gives why it ended before its time, if it did.
    async fn read(&mut self, reply: &mut Reply, facts: &Facts, until: Instant) -> Option<Error> {
        loop {
            let Ok(next) = timeout_at(until, reply.next()).await else {
                return Some(Error::new(ErrorKind::Deadline, "the stream did not end with the window"));
            };
            let Some(chunk) = next else { break };
            self.first.get_or_insert(chunk.at);
            self.heard.get_or_insert(chunk.at);
            self.last = Some(chunk.at);
            match chunk.stream {
                Stream::Stdout => {
                    let miner = self.miner.get_or_insert_with(|| self.source.miner(facts, chunk.at, self.history));
                    miner.push(chunk.at, &chunk.bytes);
                }
                Stream::Stderr => {
                    let room = MAX_STDERR.saturating_sub(self.stderr.len());
                    self.stderr.extend(chunk.bytes.iter().take(room));
                }
            }
        }
        let failed = |how: String| {
            let stderr = String::from_utf8_lossy(&self.stderr);
            let said = stderr.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("it printed nothing");
            Error::new(ErrorKind::CommandFailed, format!("the command failed with {how}: {}", said.escape_debug()))
        };
        match reply.end().map(|(end, _)| end) {
            None | Some(End::Exited(0) | End::Stopped) => None,
            Some(End::Failed(why)) => Some(why.clone()),
            Some(End::Exited(code)) => Some(failed(format!("exit code {code}"))),
            Some(End::Signalled(signal)) => Some(failed(format!("signal {signal}"))),
        }
    }
}

/// Says how each source ended, and makes it evidence.
fn close(cx: &AgentContext, followed: Vec<Followed>) -> Vec<Evidence> {
    // A source that broke off says nothing until the window's end, which the others know.
    let start = followed.iter().filter_map(|f| f.first).min().unwrap_or_default();
    let end = followed.iter().filter_map(|f| f.end).max().unwrap_or_default();
    let mut evidence = Vec::new();
    for f in followed {
        if let Some(hint) = &f.hint {
            cx.emit(EventType::Note, format!("{}: {}", f.source, hint.escape_debug()));
        }
        for why in f.away.iter().map(|gap| &gap.why).chain(f.failed.as_ref().filter(|_| f.opened)) {
            cx.emit(EventType::Error, format!("{}: {why}", f.source));
        }
        if f.opened {
            cx.emit(EventType::Evidence, format!("{}: {}", f.source, summary(&f.logs)));
        }
        let from = f.end.filter(|_| f.opened).unwrap_or(start);
        let last = f.failed.map(|why| Gap { span: from..end.max(from), why });
        let gaps = f.away.into_iter().chain(last).collect();
        evidence.push(Evidence { source: f.source, body: Body::Logs(f.logs), gaps });
    }
    evidence
}

fn summary(logs: &Logs) -> String {
    let severe: u64 = logs.patterns.iter().filter(|p| p.level >= Some(Level::Error)).map(|p| p.count).sum();
    let count = |n: u64, what: &str| format!("{} {what}{}", thousands(n), if n == 1 { "" } else { "s" });
    let patterns = count(logs.patterns.len() as u64, "pattern");
    format!("{}, {patterns}, {} severe", count(logs.total_lines, "line"), thousands(severe))
}

#[cfg(test)]
mod tests;
