//! Incidents made by hand, as realistic as a report needs them.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    error::{Error, ErrorKind},
    model::*,
};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp(Timestamp::parse("2026-11-24T10:00:00Z").unwrap().0 + second * 1000)
}

pub(super) fn evidence_id(n: u32) -> Id<Evidence> {
    serde_json::from_value(n.into()).unwrap()
}

fn id<T>(n: u32) -> Id<T> {
    serde_json::from_value(n.into()).unwrap()
}

fn cite(evidence: u32, rows: Range<u32>) -> Citation {
    Citation { evidence: evidence_id(evidence), rows }
}

/// A ripple that looks like a measurement and is the same each time.
fn ripple(i: usize, size: f64) -> f64 {
    ((i * 7919 % 97) as f64 / 97.0 - 0.5) * size
}

fn attributes(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

pub(super) fn metric(name: &str, unit: &str, attrs: &[(&str, &str)], n: usize, f: impl Fn(usize) -> f64) -> Evidence {
    let series = Series {
        name: name.into(),
        unit: unit.into(),
        attributes: attributes(attrs),
        at: (0..n as i64).map(|i| at(i).0).collect(),
        values: (0..n).map(f).collect(),
    };
    Evidence { source: "/proc".into(), body: Body::Metric(series), gaps: Vec::new() }
}

fn logs(source: &str, lines: &[(i64, Option<Level>, &str, u32, &str)]) -> Evidence {
    let lines: Vec<LogLine> = lines
        .iter()
        .map(|(t, level, unit, pid, text)| LogLine {
            at: at(*t),
            level: *level,
            unit: Some((*unit).into()),
            pid: Some(*pid),
            text: (*text).into(),
            pattern: 0,
        })
        .collect();
    let total = lines.len() as u64 + 1200;
    let body = Logs { lines, patterns: Vec::new(), total_lines: total, total_bytes: total * 90 };
    Evidence { source: source.into(), body: Body::Logs(body), gaps: Vec::new() }
}

fn finding(
    name: &str,
    attrs: &[(&str, &str)],
    change: Change,
    values: (f64, f64),
    summary: &str,
    on: Citation,
) -> Finding {
    let signal = Signal::Metric {
        name: name.into(),
        attributes: attributes(attrs),
        change,
        before: Some(values.0),
        after: values.1,
    };
    let mut f = Finding::new(signal, summary, [on]);
    f.agent = AgentName::new("MetricsAgent");
    f.onset = Some(at(63));
    f.score = 0.9;
    f
}

fn log_finding(summary: &str, template: &str, level: Level, count: u64, on: Citation) -> Finding {
    let signal = Signal::Log {
        pattern: "p1".into(),
        template: template.into(),
        example: template.into(),
        level: Some(level),
        change: LogChange::New,
        count,
    };
    let mut f = Finding::new(signal, summary, [on]);
    f.agent = AgentName::new("LogAgent");
    f.score = 0.8;
    f.onset = Some(at(66));
    f
}

fn hypothesis(verdict: Verdict, title: &str, p: f64, basis: Vec<Basis>, against: &[&str]) -> Hypothesis {
    let against = against.iter().map(|s| (*s).to_owned()).collect();
    Hypothesis { verdict, title: title.into(), posterior: Confidence::new(p), basis, against }
}

fn fault(name: &str) -> Verdict {
    Verdict::Fault(FaultId(name.into()))
}

fn answer(agent: &str, argv: &[&str], second: i64, stdout: &str) -> Answer {
    Answer {
        agent: AgentName::new(agent),
        ask: Ask::run(argv.to_vec()),
        at: at(second),
        end: End::Exited(0),
        stdout: stdout.into(),
        stderr: String::new(),
    }
}

fn facts() -> Facts {
    Facts {
        live: true,
        hostname: "web1".into(),
        os: "Debian GNU/Linux 12 (bookworm)".into(),
        kernel: "6.1.0-18-amd64".into(),
        systemd: true,
        journald: true,
        cpus: 4,
        memory_bytes: 8 << 30,
        uptime_s: 86_400.0,
        ..Facts::default()
    }
}

/// An incident without findings: a minute of baseline, two of observation.
pub(super) fn quiet() -> Incident {
    let evidence = [
        metric("system.cpu.utilization", "1", &[], 180, |i| 0.12 + ripple(i, 0.06)),
        metric("system.memory.utilization", "1", &[], 180, |i| 0.41 + ripple(i, 0.01)),
        logs("journald", &[(12, Some(Level::Info), "cron", 411, "session opened for user root")]),
    ];
    Incident {
        schema_version: SCHEMA_VERSION,
        id: IncidentId::parse("inc-20261124-007").unwrap(),
        status: Status::Completed,
        reason: None,
        target: TargetInfo { name: "ssh://ops@web1".into(), kind: "ssh".into() },
        options: RunOptions::default(),
        span: at(-3)..at(196),
        observation: Some(Observation {
            facts: facts(),
            baseline: Some(at(0)..at(60)),
            observed: at(60)..at(180),
            evidence: evidence.into_iter().collect(),
        }),
        findings: Ledger::default(),
        answers: Ledger::default(),
        diagnosis: None,
        plans: Vec::new(),
        risks: Vec::new(),
        injection: None,
        errors: Vec::new(),
    }
}

fn diagnosis(verdict: Verdict, title: &str, p: f64, culprit: Option<Culprit>, all: Vec<Hypothesis>) -> Diagnosis {
    Diagnosis {
        culprit,
        hypotheses: all.into_iter().collect(),
        steps: vec![
            InvestigationStep {
                what: "prior".into(),
                note: "how often each fault happens".into(),
                posterior: vec![("healthy".into(), 0.5), ("unknown".into(), 0.1)],
            },
            InvestigationStep {
                what: "cpu-high".into(),
                note: "all CPUs are busy".into(),
                posterior: vec![("cpu_spike".into(), p.min(0.81)), ("memory_leak".into(), 0.06)],
            },
        ],
        ..Diagnosis::new(verdict, title, Confidence::new(p))
    }
}

pub(super) fn healthy() -> Incident {
    let all = vec![hypothesis(Verdict::Healthy, "Nothing is wrong", 0.97, vec![], &[])];
    Incident { diagnosis: Some(diagnosis(Verdict::Healthy, "Nothing is wrong", 0.97, None, all)), ..quiet() }
}

fn stop_plan() -> (FixPlan, RiskAssessment) {
    let check = |title: &str, expect| Check {
        title: title.into(),
        argv: ["ps", "-o", "comm=", "-p", "4242"].map(String::from).to_vec(),
        expect,
        within_s: 10,
    };
    let action = Action {
        id: "stop-process".into(),
        title: "Stop the runaway process".into(),
        target: "process 4242 (report-gen)".into(),
        argv: ["kill", "-TERM", "4242"].map(String::from).to_vec(),
        shell: None,
        rationale: "It alone takes 91 % of all CPUs; without it the host is back at 12 %".into(),
        cites: vec![id(0)],
        confidence: Confidence::new(0.9),
        preconditions: vec![check("pid 4242 is still report-gen", Expect::Prints("report-gen".into()))],
        idempotent: true,
        timeout_s: 15,
        on_failure: OnFailure::Abort,
        reversibility: Reversibility::Partial,
        backup: vec![],
        rollback: vec![["systemctl", "start", "report-gen.service"].map(String::from).to_vec()],
        verify: vec![check("the process is gone", Expect::Failure)],
        depends_on: vec![],
        downtime: "the report job ends; nothing else".into(),
    };
    let plan = FixPlan {
        summary: "Stop report-gen (pid 4242) with SIGTERM".into(),
        actions: vec![action],
        alternatives: vec![
            "Lower its priority with renice: keeps the job, and does not free the CPUs for equals".into(),
        ],
        ..FixPlan::default()
    }
    .sealed();
    let categories: std::collections::BTreeSet<_> = [RiskCategory::Downtime, RiskCategory::DataLoss].into();
    let risk = RiskAssessment {
        plan_sha256: plan.plan_sha256.clone(),
        level: RiskLevel::Medium,
        verdict: RiskVerdict::NeedsApproval,
        categories: categories.clone(),
        actions: vec![ActionRisk {
            action: "stop-process".into(),
            level: RiskLevel::Medium,
            verdict: RiskVerdict::NeedsApproval,
            categories,
            rules: vec![RuleHit {
                rule: "kill-process".into(),
                words: vec!["kill".into(), "-TERM".into()],
                why: "ends a process, what it has not written is lost".into(),
            }],
            unresolved: vec![],
            simulated: vec![Simulation {
                argv: ["kill", "-0", "4242"].map(String::from).to_vec(),
                passed: true,
                shows: "the process exists and may be signalled".into(),
                answer: id(2),
            }],
            not_simulated: vec!["the process's own handling of SIGTERM: it can't be tried without sending it".into()],
            connections: Some(3),
        }],
        blast_radius: vec!["No unit requires report-gen.service".into()],
        rehearsed: Some(Rehearsed {
            steps: vec![RehearsedStep {
                action: "stop-process".into(),
                argv: ["kill", "-TERM", "4242"].map(String::from).to_vec(),
                passed: true,
                ended: "exit code 0".into(),
                output: String::new(),
            }],
            changes: vec![FileChange {
                kind: FileChangeKind::Modified,
                path: "/etc/report-gen.conf".into(),
                detail: "12 to 13 bytes".into(),
                diff: Some("-workers = 8\n+workers = 2\n```\n".into()),
            }],
            would_run: vec![["kill", "-TERM", "4242"].map(String::from).to_vec()],
            limits: vec!["/mnt/nfs (nfs4) is empty in the sandbox".into()],
            ..Rehearsed::default()
        }),
    };
    (plan, risk)
}

/// A process takes all CPUs; we injected it.
pub(super) fn cpu() -> Incident {
    let mut incident = quiet();
    let step = |i: usize, low: f64, high: f64| if i < 63 { low } else { high };
    let pid = [("process.command", "report-gen"), ("process.pid", "4242")];
    let other = [("process.command", "postgres"), ("process.pid", "811")];
    let mut evidence = vec![
        metric("system.cpu.utilization", "1", &[], 180, |i| {
            if (120..128).contains(&i) { f64::NAN } else { step(i, 0.12, 0.985) + ripple(i, 0.02) }
        }),
        metric("process.cpu.utilization", "1", &pid, 180, |i| if i < 62 { f64::NAN } else { 0.91 + ripple(i, 0.03) }),
        metric("process.cpu.utilization", "1", &other, 180, |i| 0.05 + ripple(i, 0.02)),
        metric("system.cpu.load_average.1m", "{thread}", &[], 180, |i| {
            step(i, 0.6, 0.6 + (i.saturating_sub(63)) as f64 * 0.06)
        }),
        metric("system.linux.pressure", "1", &[("resource", "cpu"), ("kind", "some")], 180, |i| {
            step(i, 0.01, 0.62) + ripple(i, 0.02)
        }),
        logs(
            "journald",
            &[
                (40, Some(Level::Info), "cron", 411, "session opened for user root"),
                (
                    66,
                    Some(Level::Warning),
                    "nginx",
                    702,
                    "upstream timed out (110: Connection timed out) while reading",
                ),
                (
                    71,
                    Some(Level::Warning),
                    "nginx",
                    702,
                    "upstream timed out (110: Connection timed out) while reading",
                ),
                (98, Some(Level::Error), "app", 955, "health check took 4.8 s\n  at probe (/srv/app/health.js:12)"),
            ],
        ),
    ];
    evidence[0]
        .gaps
        .push(Gap { span: at(120)..at(128), why: Error::new(ErrorKind::Unreachable, "the target did not answer") });
    incident.observation.as_mut().unwrap().evidence = evidence.into_iter().collect();
    let cpu = finding(
        "system.cpu.utilization",
        &[],
        Change::LevelUp,
        (0.12, 0.985),
        "CPU utilization rose from 12 % to 98 %",
        cite(0, 63..180),
    );
    let mut process = finding(
        "process.cpu.utilization",
        &pid,
        Change::LevelUp,
        (0.0, 0.91),
        "report-gen (pid 4242) takes 91 % of all CPUs",
        cite(1, 63..180),
    );
    process.entity = Entity::new(EntityKind::Process, "report-gen").with("pid", "4242");
    process.score = 0.97;
    let pressure = finding(
        "system.linux.pressure",
        &[("resource", "cpu"), ("kind", "some")],
        Change::LevelUp,
        (0.01, 0.62),
        "tasks waited for a CPU 62 % of the time",
        cite(4, 64..180),
    );
    let load = finding(
        "system.cpu.load_average.1m",
        &[],
        Change::TrendUp,
        (0.6, 7.6),
        "load average grew from 0.6 to 7.6 on 4 CPUs",
        cite(3, 63..180),
    );
    let log = log_finding(
        "nginx: upstream timed out, new since the onset",
        "upstream timed out (110: Connection timed out) while reading",
        Level::Warning,
        37,
        cite(5, 1..4),
    );
    incident.findings = [cpu, process, pressure, load, log].into_iter().collect();
    incident.answers = [
        answer(
            "Investigator",
            &["ps", "-o", "pid,ppid,pcpu,comm", "-p", "4242"],
            181,
            "  PID  PPID %CPU COMMAND\n 4242     1  364 report-gen\n",
        ),
        answer(
            "Investigator",
            &["systemctl", "show", "report-gen.service"],
            182,
            "Id=report-gen.service\nCPUQuotaPerSecUSec=infinity\nMemoryMax=2147483648\n",
        ),
        answer("TesterAgent", &["kill", "-0", "4242"], 188, ""),
    ]
    .into_iter()
    .collect();
    let basis = vec![
        Basis::Finding(id(0)),
        Basis::Finding(id(1)),
        Basis::Finding(id(2)),
        Basis::Finding(id(4)),
        Basis::Answer(id(0)),
    ];
    let all = vec![
        hypothesis(fault("cpu_spike"), "Runaway process saturates the CPU", 0.96, basis, &[]),
        hypothesis(
            fault("memory_leak"),
            "A process leaks memory",
            0.02,
            vec![Basis::Finding(id(2))],
            &["memory utilization stayed at 41 %", "no swapping"],
        ),
        hypothesis(fault("io_stall"), "Storage is slow", 0.01, vec![], &["pressure of kind io stayed at 0 %"]),
        hypothesis(Verdict::Unknown, "Something else", 0.008, vec![], &[]),
        hypothesis(Verdict::Healthy, "Nothing is wrong", 0.001, vec![], &["CPU utilization is far from usual"]),
        hypothesis(fault("disk_space"), "A filesystem is full", 0.001, vec![], &[]),
    ];
    let culprit = Culprit {
        entity: Entity::new(EntityKind::Process, "report-gen")
            .with("pid", "4242")
            .with("unit", "report-gen.service")
            .with("owner", "batch"),
        summary: "report-gen (pid 4242, unit report-gen.service) takes 91 % of all CPUs".into(),
        basis: vec![Basis::Finding(id(1)), Basis::Answer(id(1))],
    };
    let mut d = diagnosis(fault("cpu_spike"), "Runaway process saturates the CPU", 0.96, Some(culprit), all);
    d.limits = vec!["without root, other users' command lines were cut".into()];
    incident.diagnosis = Some(d);
    let (plan, risk) = stop_plan();
    incident.plans = vec![plan];
    incident.risks = vec![risk];
    incident.injection = Some(Injection {
        scenario: "cpu_spike".into(),
        args: "--cores 4 --duration 300".into(),
        causes: FaultId("cpu_spike".into()),
        started: Some(at(61)),
        fires_at: Some(at(361)),
        reverted: Some(at(192)),
        recovery: Recovery::Proven,
    });
    incident
}

/// Memory fills up; the diagnosis says so, while we had filled the disk: a wrong verdict and an unproven revert.
pub(super) fn memory_wrong() -> Incident {
    let mut incident = cpu();
    let pid = [("process.command", "java"), ("process.pid", "1377")];
    let evidence = [
        metric("system.memory.utilization", "1", &[], 180, |i| {
            0.41 + (i.saturating_sub(60)) as f64 * 0.0045 + ripple(i, 0.004)
        }),
        metric("process.memory.usage", "By", &pid, 180, |i| 6.0e8 + (i.saturating_sub(60)) as f64 * 3.6e7),
        metric(
            "system.filesystem.utilization",
            "1",
            &[("system.device", "sda1"), ("system.filesystem.mountpoint", "/var")],
            180,
            |i| if i < 61 { 0.52 } else { 0.93 },
        ),
        metric(
            "system.network.io",
            "By/s",
            &[("network.interface.name", "eth0"), ("network.io.direction", "receive")],
            180,
            |i| 2.4e6 + ripple(i, 9e5),
        ),
    ];
    incident.observation.as_mut().unwrap().evidence = evidence.into_iter().collect();
    incident.observation.as_mut().unwrap().facts.limits = vec!["journald can't be read without root".into()];
    incident.findings = [
        finding(
            "system.memory.utilization",
            &[],
            Change::TrendUp,
            (0.41, 0.95),
            "memory utilization grows by 0.5 % a second",
            cite(0, 60..180),
        ),
        finding(
            "process.memory.usage",
            &pid,
            Change::TrendUp,
            (6.0e8, 4.9e9),
            "java (pid 1377) grows by 34 MiB/s",
            cite(1, 60..180),
        ),
        finding(
            "system.filesystem.utilization",
            &[("system.device", "sda1"), ("system.filesystem.mountpoint", "/var")],
            Change::LevelUp,
            (0.52, 0.93),
            "/var went from 52 % to 93 % full",
            cite(2, 61..180),
        ),
    ]
    .into_iter()
    .collect();
    incident.answers = Ledger::default();
    let all = vec![
        hypothesis(
            fault("memory_leak"),
            "A process leaks memory",
            0.62,
            vec![Basis::Finding(id(0)), Basis::Finding(id(1))],
            &[],
        ),
        hypothesis(
            fault("disk_space"),
            "A filesystem is full",
            0.35,
            vec![Basis::Finding(id(2))],
            &["/var has 7 % left"],
        ),
    ];
    incident.diagnosis = Some(diagnosis(fault("memory_leak"), "A process leaks memory", 0.62, None, all));
    incident.plans = vec![
        FixPlan {
            summary: "Ask the owner of java to restart it".into(),
            next_questions: vec!["Does the heap have a limit (-Xmx)?".into()],
            ..FixPlan::default()
        }
        .sealed(),
    ];
    incident.risks = Vec::new();
    incident.injection = Some(Injection {
        scenario: "disk_fill".into(),
        args: String::new(),
        causes: FaultId("disk_space".into()),
        reverted: None,
        recovery: Recovery::Unknown("the target did not answer after the revert".into()),
        ..incident.injection.unwrap()
    });
    incident.errors = vec!["LogAgent: permission denied (path: /var/log/syslog)".into()];
    incident
}

pub(super) fn unknown() -> Incident {
    let mut incident = cpu();
    let all = vec![hypothesis(Verdict::Unknown, "Something else", 0.7, vec![Basis::Finding(id(2))], &[])];
    incident.diagnosis = Some(diagnosis(Verdict::Unknown, "Cause unknown", 0.7, None, all));
    incident.plans = vec![FixPlan {
        summary: "No action: the cause is not known".into(),
        next_questions: vec!["What changed on web1 shortly before 10:01 UTC?".into()],
        ..FixPlan::default()
    }];
    incident.risks = Vec::new();
    incident.injection = None;
    incident
}

pub(super) fn stopped() -> Incident {
    Incident { status: Status::Stopped, reason: Some("stopped by the operator".into()), injection: None, ..quiet() }
}

pub(super) fn failed() -> Incident {
    Incident {
        status: Status::Failed,
        reason: Some("no evidence: the target did not answer".into()),
        observation: None,
        errors: vec!["MetricsAgent: cannot reach the target (host: web1): connection refused".into()],
        ..quiet()
    }
}

/// As much as a busy host gives: 60 series of 600 samples and 10,000 log lines.
pub(super) fn large() -> Incident {
    let mut incident = cpu();
    let mut evidence: Vec<Evidence> = (0..60)
        .map(|n| {
            let name = format!("system.metric{}.utilization", n / 5);
            let which = n.to_string();
            metric(&name, "1", &[("system.device", &which)], 600, |i| 0.3 + ripple(i * (n + 1), 0.4))
        })
        .collect();
    let line = (70, Some(Level::Error), "app", 1, "request failed after 3 attempts: connection reset by peer");
    evidence.push(logs("journald", &vec![line; 10_000]));
    let seen = incident.observation.as_mut().unwrap();
    seen.evidence = evidence.into_iter().collect();
    seen.observed = at(60)..at(600);
    incident.findings = (0..60)
        .map(|n| {
            let name = format!("system.metric{}.utilization", n / 5);
            finding(&name, &[], Change::LevelUp, (0.1, 0.4), "it rose", cite(n, 60..600))
        })
        .chain([log_finding("requests fail", "request failed", Level::Error, 10_000, cite(60, 0..10_000))])
        .collect();
    incident
}
