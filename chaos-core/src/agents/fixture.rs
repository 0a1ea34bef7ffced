//! For tests of agents: a target that answers from a list, and findings in a line each.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    agent::{AgentContext, Case},
    clock::SystemClock,
    error::{Error, ErrorKind, Result},
    host::ReadOnlyHost,
    model::{
        AgentName, Ask, Body, Change, Citation, End, Entity, EntityKind, Evidence, Facts, Finding, Ledger, Level,
        LogChange, Logs, Observation, Series, Signal, TargetInfo, Timestamp,
    },
    transport::{Capabilities, Chunk, Reply, Request, Stop, Stream, Transport},
};

/// Instead of an exit code: the command ran out of time after this output.
pub(super) const CUT: i32 = -1;

/// Answers by the beginning of the command; what is not listed was not recorded. The second are given as errors.
pub(super) struct Scripted(Vec<(String, String, i32)>, Vec<(String, String, i32)>);

#[async_trait]
impl Transport for Scripted {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, false, true)
    }
    fn target(&self) -> TargetInfo {
        TargetInfo::default()
    }
    async fn open(&self, request: &Request) -> Result<Reply> {
        let Ask::Run(command) = &request.ask else { panic!("only commands") };
        let line = command.argv.join(" ");
        let with =
            |stream| move |(start, text, code): &(String, String, i32)| (start.clone(), text.clone(), *code, stream);
        let mut all = self.0.iter().map(with(Stream::Stdout)).chain(self.1.iter().map(with(Stream::Stderr)));
        let Some((_, text, code, stream)) = all.find(|(start, ..)| line.starts_with(start.as_str())) else {
            return Err(Error::new(ErrorKind::NotRecorded, "the recording does not hold this").with("ask", line));
        };
        let (writer, reply) = Reply::pair(request.max_bytes);
        let at = Timestamp(1);
        writer.push(Chunk { at, stream, bytes: text.into_bytes() })?;
        let end = match code {
            CUT => End::Failed(Error::new(ErrorKind::Deadline, "the command took longer than it was given")),
            code => End::Exited(code),
        };
        writer.finish(end, at);
        Ok(reply)
    }
}

pub(super) fn facts() -> Facts {
    Facts { live: true, cpus: 2, systemd: true, journald: true, root: true, sudo: false, ..Facts::default() }
}

pub(super) fn host(answers: &[(&str, &str, i32)]) -> ReadOnlyHost {
    host_with_errors(answers, &[])
}

fn host_with_errors(answers: &[(&str, &str, i32)], errors: &[(&str, &str, i32)]) -> ReadOnlyHost {
    let owned =
        |all: &[(&str, &str, i32)]| all.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), *c)).collect();
    ReadOnlyHost::new(
        Arc::new(Scripted(owned(answers), owned(errors))),
        Arc::new(SystemClock::default()),
        Arc::new(facts()),
        Arc::new(crate::catalogue::allow_list()),
        AgentName::new("test"),
        Instant::now() + Duration::from_secs(60),
        Stop::default(),
        Arc::default(),
    )
}

pub(super) fn context() -> AgentContext {
    AgentContext::detached("test", Instant::now() + Duration::from_secs(60))
}

/// A finding on a metric: name, attributes as `key=value` words, change, value after.
pub(super) fn metric(name: &str, attributes: &str, change: Change, after: f64) -> Finding {
    let attributes: std::collections::BTreeMap<String, String> =
        attributes.split(' ').filter_map(|w| w.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let of = |key: &str, kind| attributes.get(key).map(|v| Entity::new(kind, v));
    let entity = of("process.command", EntityKind::Process)
        .map(|e| match attributes.get("process.pid") {
            Some(pid) => e.with("pid", pid),
            None => e,
        })
        .or_else(|| of("system.filesystem.mountpoint", EntityKind::Filesystem))
        .or_else(|| of("network.interface.name", EntityKind::Interface))
        .unwrap_or_else(|| Entity::new(EntityKind::Host, ""));
    let signal = Signal::Metric { name: name.into(), attributes, change, before: Some(0.0), after };
    Finding { score: 0.9, entity, ..Finding::new(signal, format!("{name} changed"), []) }
}

pub(super) fn log(text: &str, level: Level) -> Finding {
    let signal = Signal::Log {
        pattern: text.into(),
        template: text.into(),
        example: text.into(),
        level: Some(level),
        change: LogChange::New,
        count: 5,
    };
    Finding { score: 0.8, ..Finding::new(signal, text, []) }
}

/// Evidence in which everything that our collectors gather could have been seen.
fn evidence() -> Ledger<Evidence> {
    let plain = [
        "system.cpu.load_average.1m",
        "system.memory.utilization",
        "system.memory.usage",
        "system.paging.operations",
        "system.memory.oom_kills",
        "system.disk.io",
        "system.filesystem.utilization",
        "system.filesystem.usage",
        "system.filesystem.inodes.utilization",
        "system.network.io",
        "system.network.tcp.retransmits",
        "system.network.connection.count",
        "system.process.count",
        "system.process.running",
        "system.process.blocked",
        "process.cpu.utilization",
        "process.memory.usage",
        "system.cpu.utilization",
    ];
    let with = [
        ("system.cpu.utilization", "cpu.mode", "user"),
        ("system.cpu.utilization", "cpu.mode", "iowait"),
        ("system.linux.pressure", "resource", "cpu"),
        ("system.linux.pressure", "resource", "memory"),
        ("system.linux.pressure", "resource", "io"),
        ("system.network.errors", "network.io.direction", "receive"),
    ];
    let series = plain.iter().map(|n| (*n, None)).chain(with.iter().map(|(n, k, v)| (*n, Some((*k, *v)))));
    let mut all: Vec<Evidence> = series
        .map(|(name, attribute)| Evidence {
            source: "/proc".into(),
            body: Body::Metric(Series {
                name: name.into(),
                attributes: attribute.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
                ..Series::default()
            }),
            gaps: Vec::new(),
        })
        .collect();
    all.push(Evidence { source: "journald".into(), body: Body::Logs(Logs::default()), gaps: Vec::new() });
    all.into_iter().collect()
}

pub(super) fn case(findings: Vec<Finding>, answers: &[(&str, &str, i32)]) -> Case {
    let findings = findings.into_iter().map(|mut f| {
        f.cites = vec![Citation { evidence: evidence().iter().next().unwrap().0, rows: 0..1 }];
        f
    });
    Case {
        seen: Arc::new(Observation {
            facts: facts(),
            baseline: None,
            observed: Timestamp(0)..Timestamp(1),
            evidence: evidence(),
        }),
        findings: Arc::new(findings.collect()),
        history: Arc::default(),
        host: host(answers),
    }
}

/// One of the answers is given on standard error.
pub(super) fn case_with_errors(
    findings: Vec<Finding>,
    answers: &[(&str, &str, i32)],
    error: (&str, &str, i32),
) -> Case {
    Case { host: host_with_errors(answers, &[error]), ..case(findings, answers) }
}
