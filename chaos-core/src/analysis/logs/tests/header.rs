use proptest::prelude::*;

use super::*;

fn read(line: &str) -> (String, Option<Level>, String, Option<u32>, String) {
    let reference = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
    let boot = Timestamp::parse("2026-11-24T08:00:00Z");
    let h = parse(line, &Frame { reference, boot });
    let at = h.at.map_or(String::new(), |t| t.to_string());
    (at, h.level, h.unit.unwrap_or_default().into(), h.pid, h.message.into())
}

fn check(line: &str, time: &str, level: Option<Level>, unit: &str, pid: Option<u32>, message: &str) {
    let at = if time.is_empty() { String::new() } else { format!("2026-11-24T{time}Z") };
    assert_eq!(read(line), (at, level, unit.into(), pid, message.into()), "{line}");
}

#[test]
fn journald_records_are_read() {
    check(
        r#"{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1795508130250000","MESSAGE":"oh \"no\"","PRIORITY":"3","_SYSTEMD_UNIT":"nginx.service","SYSLOG_IDENTIFIER":"nginx","_PID":"12"}"#,
        "08:15:30.250",
        Some(Level::Error),
        "nginx.service",
        Some(12),
        "oh \"no\"",
    );
    check(
        r#"{"__REALTIME_TIMESTAMP":"1795508130250000","MESSAGE":[111,104,255],"PRIORITY":"6","_TRANSPORT":"kernel"}"#,
        "08:15:30.250",
        Some(Level::Info),
        "kernel",
        None,
        "oh\u{fffd}",
    );
    let systemd = r#"{"MESSAGE":"x: Failed","PRIORITY":"4","SYSLOG_IDENTIFIER":"systemd","UNIT":"x.service","_SYSTEMD_UNIT":"init.scope"}"#;
    assert_eq!(read(systemd).2, "x.service");
    assert_eq!(read(r#"{"MESSAGE":["first","second"]}"#).4, "first");
    assert_eq!(read(r#"{"MESSAGE":null,"PRIORITY":"6"}"#).4, "");
}

#[test]
fn a_secret_that_journald_wrote_as_bytes_is_redacted() {
    let bytes: Vec<String> = b"\x07password=hunter2".iter().map(u8::to_string).collect();
    assert_eq!(read(&format!(r#"{{"MESSAGE":[{}]}}"#, bytes.join(","))).4, "\u{7}password=[redacted]");
}

#[test]
fn a_journald_record_that_is_cut_keeps_what_came_before() {
    let cut = r#"{"__REALTIME_TIMESTAMP":"1795508130250000","PRIORITY":"3","MESSAGE":"long…[cut, 9 bytes]"#;
    let (at, level, ..) = read(cut);
    assert_eq!((at.as_str(), level), ("2026-11-24T08:15:30.250Z", Some(Level::Error)));
}

#[test]
fn syslog_and_kernel_lines_are_read() {
    check(
        "<34>1 2026-11-24T08:15:30.25Z h su 77 ID47 [a b=\"]\"][c] \u{feff}denied",
        "08:15:30.250",
        Some(Level::Critical),
        "su",
        Some(77),
        "denied",
    );
    check(
        "<13>Nov 24 08:15:30 h cron[5]: (root) CMD",
        "08:15:30.000",
        Some(Level::Notice),
        "cron",
        Some(5),
        "(root) CMD",
    );
    check(
        "Nov 24 08:15:30 h sshd(pam_unix)[9]: failure; x=1",
        "08:15:30.000",
        None,
        "sshd(pam_unix)",
        Some(9),
        "failure; x=1",
    );
    check("Nov 24 08:15:30 h launchd[1] (a.b[28]): exited", "08:15:30.000", None, "launchd", Some(1), "exited");
    check("Nov 24 08:15:30 h kernel: [   12.345678] oom", "08:15:30.000", None, "kernel", None, "oom");
    check("2026-11-24T08:15:30.25+00:00 h sshd[5]: hi", "08:15:30.250", None, "sshd", Some(5), "hi");
    check(
        "3,339,5140900,-;Out of memory\\x3a x",
        "08:00:05.140",
        Some(Level::Error),
        "kernel",
        None,
        "Out of memory: x",
    );
    check("30,340,5140900,-;systemd[1]: Started.", "08:00:05.140", Some(Level::Info), "systemd", Some(1), "Started.");
    check("[    5.140900] eth0: up", "08:00:05.140", None, "kernel", None, "eth0: up");
}

#[test]
fn application_formats_are_read() {
    check(
        "2026/11/24 08:15:30 [error] 12#13: *7 connect() failed",
        "08:15:30.000",
        Some(Level::Error),
        "",
        Some(12),
        "*7 connect() failed",
    );
    check(
        "10.0.0.1 - - [24/Nov/2026:08:15:30 +0000] \"GET /a HTTP/1.1\" 502 157 \"-\" \"x\"",
        "08:15:30.000",
        Some(Level::Error),
        "",
        None,
        "\"GET /a HTTP/1.1\" 502 157 \"-\" \"x\"",
    );
    check(
        "2026-11-24 08:15:30.250 UTC [123] app@db ERROR:  no table",
        "08:15:30.250",
        Some(Level::Error),
        "",
        Some(123),
        "no table",
    );
    check("2026-11-24 08:15:30,250 - root - WARNING - low", "08:15:30.250", Some(Level::Warning), "", None, "low");
    check("2026-11-24 08:15:30,250 ERROR [main] c.Foo: bad", "08:15:30.250", Some(Level::Error), "c.Foo", None, "bad");
    check(
        "[Tue Nov 24 08:15:30.1 2026] [core:error] [pid 9] AH1 x",
        "08:15:30.100",
        Some(Level::Error),
        "",
        None,
        "[pid 9] AH1 x",
    );
    check("E1124 08:15:30.250000    9 a.go:3] gone", "08:15:30.250", Some(Level::Error), "", Some(9), "gone");
    check("CRITICAL:app.db:gone", "", Some(Level::Critical), "app.db", None, "gone");
    check(
        r#"{"time":"2026-11-24T08:15:30.25Z","level":"warn","msg":"slow","error":"eof"}"#,
        "08:15:30.250",
        Some(Level::Warning),
        "",
        None,
        "slow error=eof",
    );
    check(
        r#"{"ts":1795508130.25,"level":50,"message":"x","pid":4}"#,
        "08:15:30.250",
        Some(Level::Error),
        "",
        Some(4),
        "x",
    );
    check(
        r#"{"timestamp":"2026-11-24T08:15:30.25Z","level":"ERROR","fields":{"message":"oh no","n":5},"target":"a::b"}"#,
        "08:15:30.250",
        Some(Level::Error),
        "a::b",
        None,
        "oh no",
    );
    check("I20261124 08:15:30.250000    9 a.cc:3] done", "08:15:30.250", Some(Level::Info), "", Some(9), "done");
    check("Nov 24, 2026 8:15:30 AM o.a.App start", "08:15:30.000", None, "", None, "o.a.App start");
    check(
        "type=AVC msg=audit(1795508130.250:9): denied { read }",
        "08:15:30.250",
        None,
        "AVC",
        None,
        "denied { read }",
    );
    check("time=2026-11-24T08:15:30.25Z level=warn msg=slow", "08:15:30.250", Some(Level::Warning), "", None, "slow");
    check("level=error oops", "", Some(Level::Error), "", None, "level=error oops");
    check("app: error: no such file", "", Some(Level::Error), "", None, "app: error: no such file");
    check("there were no errors today", "", None, "", None, "there were no errors today");
}

proptest! {
    #[test]
    fn any_line_is_read_without_a_panic(line in "\\PC{0,60}", prefix in prop::sample::select(vec!["", "<", "{\"MESSAGE\":", "[", "[ 1.", "2026-11-24 08:15:30", "Nov 24 08:15:30 ", "<3>1 ", "6,1,2,-;", "E1124 08:15:30.", "1 - [24/Nov/2026:08:15:30 "])) {
        let _ = parse(&format!("{prefix}{line}"), &Frame { reference: Timestamp(0), boot: Some(Timestamp(i64::MAX)) });
    }
}
