use super::{
    super::fixture::{CUT, case, case_with_errors, context, log, metric},
    Investigator,
};
use crate::{
    agent::{Agent, Case},
    model::{Basis, Change, Diagnosis, Entity, EntityKind, Finding, Level, LogChange, Signal},
};

const PS: &str = "ps -ww -o pid=,ppid=,user:32=,etimes=,rss=,args=";

/// The text of a script of the catalogue's.
fn script(name: &str) -> &'static str {
    crate::catalogue::SCRIPTS.iter().find(|(known, _)| *known == name).unwrap().1
}

async fn diagnose(case: &Case) -> Diagnosis {
    Investigator::default().run(&context(), case).await.unwrap()
}

fn hog() -> Vec<Finding> {
    vec![
        metric("system.cpu.utilization", "", Change::Saturated, 0.99),
        metric("system.cpu.utilization", "cpu.mode=user", Change::LevelUp, 0.95),
        metric("process.cpu.utilization", "process.command=worker process.pid=812", Change::LevelUp, 0.5),
        metric("process.cpu.utilization", "process.command=worker process.pid=813", Change::LevelUp, 0.49),
        metric("system.linux.pressure", "resource=cpu kind=some", Change::LevelUp, 0.6),
    ]
}

fn leak() -> Vec<Finding> {
    vec![
        metric("process.memory.usage", "process.command=app process.pid=900", Change::TrendUp, 6e8),
        metric("system.memory.utilization", "", Change::TrendUp, 0.6),
    ]
}

fn full() -> Vec<Finding> {
    vec![
        metric("system.filesystem.utilization", "system.filesystem.mountpoint=/", Change::LevelUp, 0.95),
        metric("system.filesystem.usage", "system.filesystem.mountpoint=/", Change::LevelUp, 9e9),
        metric("system.disk.io", "disk.io.direction=write", Change::Spike, 2e8),
    ]
}

const PROCESS: &[(&str, &str, i32)] = &[
    (PS, "  812     1 app        42  10240 /opt/worker --n 2\n  813     1 app        42  10240 /opt/worker --n 2\n", 0),
    ("ps -ww -eo", "  812     1 app  jobs.service  42 worker\n", 0),
    ("cat /proc/812/cgroup", "0::/system.slice/jobs.service\n", 0),
    ("systemctl show -p FragmentPath jobs.service", "FragmentPath=/etc/systemd/system/jobs.service\n", 0),
];

#[tokio::test]
async fn nothing_abnormal_is_healthy_and_nothing_is_asked() {
    for findings in [Vec::new(), vec![Finding { score: 0.4, ..hog().remove(0) }]] {
        let d = diagnose(&case(findings, &[("", "would answer anything", 0)])).await;
        assert_eq!(d.verdict.id(), "healthy");
        assert!(d.confidence.get() >= 0.9, "{}", d.confidence);
        assert!(d.hypotheses.iter().all(|(_, h)| h.basis.iter().all(|b| !matches!(b, Basis::Answer(_)))));
    }
}

#[tokio::test]
async fn without_any_metric_nobody_says_that_a_host_is_well() {
    let mut blind = case(Vec::new(), &[]);
    std::sync::Arc::get_mut(&mut blind.seen).unwrap().evidence = Default::default();
    let d = diagnose(&blind).await;
    assert_eq!(d.verdict.id(), "unknown");
    assert!(d.title.contains("too little to say") && d.confidence.get() < 0.5, "{} {}", d.title, d.confidence);
    assert!(d.limits.iter().any(|l| l.contains("no metric could be read")), "{:?}", d.limits);
}

#[tokio::test]
async fn a_group_of_busy_processes_is_named_with_its_unit_and_cores() {
    let d = diagnose(&case(hog(), PROCESS)).await;
    assert_eq!(d.verdict.id(), "cpu_saturation");
    assert!(d.confidence.get() >= 0.85, "{}", d.confidence);
    let culprit = d.culprit.unwrap();
    assert_eq!(culprit.entity.attributes["pids"], "812,813");
    assert_eq!(
        culprit.summary,
        "worker (pid 812, user app, unit jobs.service, running for 42 s): 2 processes, 1.98 cores"
    );
    assert!(culprit.basis.iter().any(|b| matches!(b, Basis::Answer(_))));
}

#[tokio::test]
async fn a_growing_process_is_a_leak_even_when_it_burns_some_cpu() {
    for extra in
        [vec![], vec![metric("process.cpu.utilization", "process.command=app process.pid=900", Change::LevelUp, 0.3)]]
    {
        for keep in [1, 2] {
            let mut findings = leak();
            findings.truncate(keep);
            findings.extend(extra.clone());
            let d = diagnose(&case(findings, &[("cat /proc/900/status", "RssAnon:\t 590000 kB\n", 0)])).await;
            assert_eq!(d.verdict.id(), "memory_leak", "{:#?}", d.steps);
            assert!(d.confidence.get() >= 0.8, "{} {:#?}", d.confidence, d.steps);
            assert_eq!(d.culprit.unwrap().entity.attributes["pid"], "900");
        }
    }
}

#[tokio::test]
async fn a_full_file_system_is_traced_to_the_file_that_fills_it() {
    let mut findings = full();
    findings.push(log("write failed: No space left on device", Level::Error));
    let answers = &[
        ("find / -xdev", "9000000 1764000000.0 app /var/log/app/debug.log\0", 0),
        ("df -kP /", "/dev/vda1 10000 9700 300 97% /\n", 0),
    ];
    let d = diagnose(&case(findings, answers)).await;
    assert_eq!(d.verdict.id(), "disk_space");
    let culprit = d.culprit.unwrap();
    assert_eq!((culprit.entity.kind, culprit.entity.name.as_str()), (EntityKind::File, "/var/log/app/debug.log"));
    assert!(culprit.summary.contains("8.6 GiB"), "{}", culprit.summary);
}

#[tokio::test]
async fn what_a_search_found_before_its_time_was_up_counts_and_what_it_did_not_find_does_not() {
    let df = ("df -kP /", "/dev/vda1 10000 9700 300 97% /\n", 0);
    let found = "9000000 1764000000.0 app /var/log/app/debug.log\0";
    let torn = format!("{found}99000000 1764000000.0 app /var/lo");
    let d = diagnose(&case(full(), &[("find / -xdev", &torn, CUT), df])).await;
    let culprit = d.culprit.unwrap();
    assert_eq!(culprit.entity.name, "/var/log/app/debug.log", "not half a path");
    assert!(d.limits.iter().any(|l| l.contains("what it had found by then counts")), "{:?}", d.limits);

    for nothing in ["", "990000 1764000000.0 app /var/lo"] {
        let d = diagnose(&case(full(), &[("find / -xdev", nothing, CUT), df])).await;
        assert_eq!(d.verdict.id(), "disk_space");
        assert_eq!(d.culprit.unwrap().entity.kind, EntityKind::Filesystem);
        assert!(d.limits.iter().any(|l| l.contains("nothing is concluded from it")), "{:?}", d.limits);
    }
}

#[tokio::test]
async fn a_target_that_leaves_two_questions_unanswered_is_not_asked_a_third() {
    let asked = |d: &Diagnosis| d.limits.iter().filter(|l| l.contains("nothing is concluded from it")).count();
    let d = diagnose(&case(full(), &[("", "", CUT)])).await;
    assert_eq!(asked(&d), 2, "{:?}", d.limits);
    assert!(d.limits.iter().any(|l| l.contains("nothing else was asked")), "{:?}", d.limits);
    // One that is only slow to answer is.
    let d =
        diagnose(&case(full(), &[("find / -xdev", "", CUT), ("du -xk", "900000\t/var/log\n", 0), ("", "", CUT)])).await;
    assert!(asked(&d) >= 2, "{:?}", d.limits);
}

#[tokio::test]
async fn load_within_capacity_gets_no_wrong_name() {
    let findings = vec![
        metric("system.cpu.utilization", "", Change::LevelUp, 0.5),
        metric("system.cpu.utilization", "cpu.mode=user", Change::LevelUp, 0.45),
        metric("process.cpu.utilization", "process.command=tar process.pid=70", Change::LevelUp, 0.45),
        metric("system.disk.io", "disk.io.direction=read", Change::LevelUp, 1e8),
    ];
    let d = diagnose(&case(findings, &[])).await;
    assert!(matches!(d.verdict.id(), "healthy" | "unknown") || d.confidence.get() < 0.8, "{:#?}", d.steps);
}

#[tokio::test]
async fn scary_log_lines_alone_are_unknown() {
    for many in [1, 4] {
        let findings = (0..many).map(|n| log(&format!("PANIC: invariant {n} violated"), Level::Critical)).collect();
        let d = diagnose(&case(findings, &[])).await;
        assert_eq!(d.verdict.id(), "unknown", "{:#?}", d.steps);
    }
}

#[tokio::test]
async fn two_faults_at_once_are_both_visible() {
    let mut findings = hog();
    findings.extend(full());
    let both = [
        PROCESS,
        &[
            ("find / -xdev", "9000000 1764000000.0 app /srv/export/all.csv\0", 0),
            ("find / -mount", "", 0),
            ("find /var/log", "", 0),
            ("find -L /proc", "0 - /proc\n", 0),
            ("df -kP /", "/dev/vda1 10000 9700 300 97% /\n", 0),
        ],
    ]
    .concat();
    let d = diagnose(&case(findings, &both)).await;
    let of = |id: &str| d.hypotheses.iter().find(|(_, h)| h.verdict.id() == id).unwrap().1.posterior.get();
    assert!(of("cpu_saturation") > 0.2 && of("disk_space") > 0.2, "{:#?}", d.steps);
    assert!(d.limits.iter().any(|l| l.contains("likely there too")), "{:?}", d.limits);
}

#[tokio::test]
async fn posteriors_sum_to_one_and_runs_are_identical() {
    let case = case(hog(), PROCESS);
    let (a, b) = (diagnose(&case).await, diagnose(&case).await);
    let sum: f64 = a.hypotheses.iter().map(|(_, h)| h.posterior.get()).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    let text = |d: &Diagnosis| serde_json::to_string(&d.steps).unwrap();
    assert_eq!(text(&a), text(&b));
}

#[tokio::test]
async fn a_target_that_answers_nothing_is_diagnosed_from_the_findings_and_that_is_said() {
    let d = diagnose(&case(hog(), &[])).await;
    assert_eq!(d.verdict.id(), "cpu_saturation");
    assert!(d.limits.iter().any(|l| l.contains("was not recorded")), "{:?}", d.limits);
}

#[tokio::test]
async fn delay_by_traffic_control_and_a_stopped_service_are_told_apart() {
    let slow = vec![
        metric("system.network.tcp.retransmits", "", Change::LevelUp, 20.0),
        log("upstream timed out (110: Connection timed out)", Level::Error),
    ];
    let d =
        diagnose(&case(slow, &[("tc -s qdisc", "qdisc netem 8001: dev eth0 root refcnt 2 delay 200ms\n", 0)])).await;
    assert_eq!(d.verdict.id(), "network_latency", "{:#?}", d.steps);
    assert_eq!(d.culprit.unwrap().entity.name, "eth0");

    let down = vec![
        log("Stopped nginx.service - A web server.", Level::Info),
        log("connect() failed (111: Connection refused)", Level::Error),
    ];
    let d =
        diagnose(&case(down, &[("systemctl show -p ActiveState nginx.service", "ActiveState=inactive\n", 0)])).await;
    assert_eq!(d.verdict.id(), "service_down", "{:#?}", d.steps);
    assert_eq!(d.culprit.unwrap().entity.name, "nginx.service");
}

#[tokio::test]
async fn exhausted_connections_name_the_client_that_holds_them() {
    let findings = vec![
        metric("system.network.connection.count", "network.connection.state=established", Change::LevelUp, 120.0),
        log("FATAL:  sorry, too many clients already", Level::Critical),
    ];
    let lines = "127.0.0.1:5432 77 api\n".repeat(40) + "/run/postgresql/.s.PGSQL.5432 8 psql\n";
    let asked = format!("sh -c {}", script("db_clients"));
    let d = diagnose(&case(findings, &[(asked.as_str(), lines.as_str(), 0)])).await;
    assert_eq!(d.verdict.id(), "db_connections_exhausted", "{:#?}", d.steps);
    let culprit = d.culprit.unwrap();
    assert_eq!(culprit.summary, "api (pid 77): 40 connections");
}

#[tokio::test]
async fn who_keeps_beginning_the_clients_is_named_with_them() {
    let findings = || {
        vec![
            metric("system.network.connection.count", "network.connection.state=established", Change::LevelUp, 120.0),
            log("FATAL:  sorry, too many clients already", Level::Critical),
        ]
    };
    let asked = format!("sh -c {}", script("db_clients"));
    let lines: String = (10..40).map(|pid| format!("/run/postgresql/.s.PGSQL.5432 {pid} psql\n")).collect();
    let clients = |parents: [u32; 2]| {
        format!("10 {} app 9 900 psql -d shop\n11 {} app 8 900 psql -d shop\n", parents[0], parents[1])
    };
    let parent = ("ps -ww -o comm:20=,ppid=,args= -p 7", "import-all                1 /bin/bash /srv/import-all\n", 0);
    for (parents, said) in [([7, 7], Some("import-all")), ([7, 8], None)] {
        let of = clients(parents);
        let d = diagnose(&case(findings(), &[(&asked, &lines, 0), (PS, &of, 0), parent])).await;
        assert_eq!(d.verdict.id(), "db_connections_exhausted", "{:#?}", d.steps);
        let culprit = d.culprit.unwrap();
        assert_eq!(culprit.entity.attributes.get("spawner_command").map(String::as_str), said, "{culprit:#?}");
        assert_eq!(culprit.summary.contains("begun by import-all"), said.is_some(), "{}", culprit.summary);
    }
}

/// A log line that this unit wrote.
fn wrote(unit: &str, text: &str) -> Finding {
    Finding { entity: Entity::new(EntityKind::Log, unit), ..log(text, Level::Error) }
}

#[tokio::test]
async fn who_has_the_port_is_found_although_no_log_names_it() {
    let rivals = format!("sh -c {}", script("port_rivals"));
    let waiting = ("systemctl list-units", "shop.service loaded activating auto-restart Shop\n", 0);
    let rival = (rivals.as_str(), "8081 812 2 31 perl\n9000 640 0 700 node\n", 0);
    let unit = ("cat /proc/812/cgroup", "0::/system.slice/preview.service\n", 0);
    let failed = || log("shop.service: Failed with result 'exit-code'.", Level::Warning);
    let silent = wrote("shop.service", "OSError: [Errno 98] Address already in use");
    let d = diagnose(&case(vec![silent, failed()], &[waiting, rival, unit])).await;
    assert_eq!(d.verdict.id(), "port_taken", "{:#?}", d.steps);
    let culprit = d.culprit.unwrap().entity;
    assert_eq!((culprit.kind, culprit.name.as_str()), (EntityKind::Process, "perl"));
    for (key, value) in [("port", "8081"), ("unit", "preview.service"), ("waiting", "shop.service")] {
        assert_eq!(culprit.attributes[key], value, "{culprit:#?}");
    }
    // Where the log names it, nobody is asked for more than who has it.
    let named = wrote("shop.service", "bind() to 0.0.0.0:8081 failed (98: Address already in use)");
    let holder = ("ss -Hltnp sport = :8081", "LISTEN 0 5 0.0.0.0:8081 0.0.0.0:* users:((\"perl\",pid=812,fd=3))\n", 0);
    let d = diagnose(&case(vec![named, failed()], &[waiting, unit, holder, ("sh -c", "9000 640 0 7 node\n", 0)])).await;
    let culprit = d.culprit.unwrap().entity;
    assert_eq!((culprit.name.as_str(), culprit.attributes["port"].as_str()), ("perl", "8081"), "{culprit:#?}");
}

#[tokio::test]
async fn who_has_a_wrong_secret_is_named_and_not_rules_for_access_that_refuse_nobody() {
    let rules = (
        "find /etc /var/lib/postgresql",
        "- - /etc\x001764000000.1 postgres /etc/postgresql/15/main/pg_ident.conf\0",
        0,
    );
    let named = async |said: &str| {
        let d = diagnose(&case(vec![wrote("billing.service", said)], &[rules])).await;
        assert_eq!(d.verdict.id(), "db_auth_refused", "{:#?}", d.steps);
        d.culprit.unwrap().entity.name
    };
    assert_eq!(named("FATAL:  password authentication failed for user \"billing\"").await, "billing.service");
    assert_eq!(
        named("FATAL:  no pg_hba.conf entry for host \"10.0.0.5\", user \"billing\", database \"shop\"").await,
        "/etc/postgresql/15/main/pg_ident.conf"
    );
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_told_from_a_host_that_does_not() {
    let asked = format!("sh -c {}", script("neighbours"));
    let said = |neighbour: &'static str| {
        let findings = vec![log("photo not sent: [Errno 113] No route to host", Level::Error)];
        case(findings, &[(&asked, neighbour, 0), ("sh -c", "", 0), ("grep -cE", "1\n", 0)])
    };
    let d = diagnose(&said("gateway 10.9.0.99 eth1 10.77.0.0/24\n")).await;
    assert_eq!(d.verdict.id(), "route_missing", "{:#?}", d.steps);
    let culprit = d.culprit.unwrap().entity;
    assert_eq!((culprit.name.as_str(), culprit.attributes["gateway"].as_str()), ("eth1", "10.9.0.99"), "{culprit:#?}");
    let d = diagnose(&said("host 10.9.0.99 eth1 -\n")).await;
    assert_ne!(d.verdict.id(), "route_missing", "{:#?}", d.steps);
}

#[tokio::test]
async fn what_a_program_says_of_its_own_configuration_is_read_from_its_errors() {
    let findings = |unit: &str| {
        let failed = log(&format!("{unit}: Failed with result 'exit-code'."), Level::Warning);
        vec![failed, wrote("nginx.service", "connect() failed (111: Connection refused)")]
    };
    let refused = "nginx: [emerg] unknown directive \"lisen\" in /etc/nginx/conf.d/shop.conf:12\n";
    let status = ("systemctl show -p ActiveState", "ActiveState=failed\n", 0);
    let asked =
        |d: &Diagnosis| d.steps.iter().filter(|s| s.what == "nginx_test").map(|s| s.note.clone()).collect::<Vec<_>>();
    let d = diagnose(&case_with_errors(findings("nginx.service"), &[status], ("nginx -t", refused, 1))).await;
    assert_eq!(asked(&d), ["nginx refuses its configuration"], "{:#?}", d.steps);
    assert_eq!(d.verdict.id(), "config_invalid", "{:#?}", d.steps);
    assert_eq!(d.culprit.unwrap().entity.attributes["path"], "/etc/nginx/conf.d/shop.conf");
    let well = "nginx: configuration file /etc/nginx/nginx.conf test is successful\n";
    let d = diagnose(&case_with_errors(findings("nginx.service"), &[status], ("nginx -t", well, 0))).await;
    assert_eq!(asked(&d), ["it is not so that nginx refuses its configuration"], "{:#?}", d.steps);
    // Nobody asks nginx for another's.
    let d = diagnose(&case_with_errors(findings("shop.service"), &[status], ("nginx -t", refused, 1))).await;
    assert!(asked(&d).is_empty(), "{:#?}", d.steps);
}

#[tokio::test]
async fn the_way_to_a_file_is_looked_at_that_a_log_of_no_unit_tells_of() {
    let text = "*116 \"/var/www/html/index.html\" is forbidden (13: Permission denied), client: 10.0.0.9";
    let mut denied = log(text, Level::Error);
    denied.entity = Entity::new(EntityKind::Log, "/var/log/nginx/error.log");
    let way = |html: &str| format!("f: /var/www/html/index.html\ndrwxr-xr-x root root /\n{html} root root html\n");
    for (html, posterior) in [("d---------", 0.5..1.0), ("drwxr-xr-x", 0.0..0.3)] {
        let said = way(html);
        let answers = [("namei -l -- /var/www/html/index.html", said.as_str(), 0)];
        let d = diagnose(&case(vec![denied.clone()], &answers)).await;
        let named = d.hypotheses.iter().find(|(_, h)| h.verdict.id() == "permission_missing").unwrap().1;
        assert!(posterior.contains(&named.posterior.get()), "{html}: {:#?}", d.steps);
        if html == "d---------" {
            let culprit = d.culprit.unwrap().entity;
            assert_eq!((culprit.kind, culprit.name.as_str()), (EntityKind::File, "/var/www/html/index.html"));
        }
    }
}

#[tokio::test]
async fn hostile_names_stay_data() {
    let findings = vec![metric("system.cpu.utilization", "", Change::Saturated, 0.99), {
        let mut f = metric("process.cpu.utilization", "process.command=x process.pid=1;id", Change::LevelUp, 0.9);
        f.entity.name = "$(reboot)\n\u{1b}[2J; rm -rf /".into();
        f
    }];
    let d = diagnose(&case(findings, &[("", "0\n", 0)])).await;
    if let Some(culprit) = d.culprit {
        assert!(!culprit.summary.chars().any(char::is_control), "{:?}", culprit.summary);
    }
}

fn log_of(text: &str, became: LogChange, number: u64) -> Finding {
    let mut finding = log(text, Level::Info);
    if let Signal::Log { change, count, .. } = &mut finding.signal {
        (*change, *count) = (became, number);
    }
    finding
}

#[tokio::test]
async fn more_work_that_is_done_well_is_no_trouble_and_is_named() {
    let rise = |name: &str, attributes: &str, after: f64| Finding {
        score: 0.6,
        ..metric(name, attributes, Change::LevelUp, after)
    };
    let served = Finding {
        score: 0.35,
        ..log_of(r#"10.0.0.7 - - [24/Nov/2026:18:20:01 +0000] "GET /shop HTTP/1.1" 200 51"#, LogChange::Burst, 800)
    };
    let load = vec![
        rise("system.cpu.utilization", "", 0.7),
        rise("process.cpu.utilization", "process.command=app process.pid=900", 0.3),
        rise("system.network.connection.count", "", 400.0),
        rise("system.linux.pressure", "resource=cpu", 0.4),
    ];
    let with = diagnose(&case(load.iter().cloned().chain([served]).collect(), &[])).await;
    assert_eq!(with.verdict.id(), "healthy", "{:#?}", with.steps);
    assert!(with.confidence.get() >= 0.8 && with.title.contains("asked of it"), "{} {}", with.confidence, with.title);
    // The same with requests that fail is trouble.
    let failed =
        Finding { score: 0.75, ..log_of("upstream: 502 Bad Gateway, connection refused", LogChange::Severe, 80) };
    let without = diagnose(&case(load.into_iter().chain([failed]).collect(), &[])).await;
    assert_ne!(without.verdict.id(), "healthy", "{:#?}", without.steps);
    assert!(without.hypotheses.iter().all(|(_, h)| h.verdict.id() != "busier"));
}
