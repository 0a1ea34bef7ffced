//! What the target is and has, asked once with one script that any POSIX shell runs.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    error::{Error, ErrorKind, Result},
    model::{AgentName, Ask, Facts, Timestamp},
    transport::{Output, Request, Transport},
};

/// Prints `key=value` lines. What is missing prints nothing; nothing here fails as a whole.
pub(super) const SCRIPT: &str = r#"# Prints what this host is and has, as key=value lines.
echo "begin=$(date +%s.%N 2>/dev/null)"
echo "hostname=$(uname -n)"
echo "kernel=$(uname -r)"
if [ -r /etc/os-release ]; then sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/os=\1/p' /etc/os-release; fi
if [ -d /run/systemd/system ]; then echo systemd=1; fi
echo "uid=$(id -u)"
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then echo sudo=1; fi
echo "cpus=$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo)"
sed -n 's/^MemTotal: *\([0-9]*\) kB$/memory_kb=\1/p' /proc/meminfo 2>/dev/null
if [ -r /proc/uptime ]; then read -r up _ </proc/uptime; echo "uptime=$up"; fi
for tool in awk df du dmesg find getent ip journalctl lsof nginx ps ss stat sudo systemctl systemd-run tail tc timeout; do
  if command -v "$tool" >/dev/null 2>&1; then echo "tool=$tool"; fi
done
if [ -d /run/systemd/system ] && command -v journalctl >/dev/null 2>&1; then
  if [ -n "$(journalctl -n 1 -q --no-pager -o cat 2>/dev/null)" ]; then echo journald=1; fi
fi
if [ -r /dev/kmsg ] && dd if=/dev/kmsg of=/dev/null bs=8192 count=1 iflag=nonblock 2>/dev/null; then echo kmsg=1; fi
find /var/log -maxdepth 2 -type f -size +0 -mmin -1440 \
  \( -name '*.log' -o -name syslog -o -name messages -o -name secure -o -name cron \) 2>/dev/null |
  sort | head -n 24 | sed 's/^/log=/'
"#;

/// How long the answer may take.
const WITHIN: Duration = Duration::from_secs(20);

/// Asks the target. `sent` is when, by the coordinator's clock.
///
/// # Errors
/// When the target can't be reached or has no POSIX shell.
pub(super) async fn ask(transport: &dyn Transport, agent: AgentName, sent: Timestamp) -> Result<Facts> {
    let request = Request { agent, ask: Ask::run(["sh", "-c", SCRIPT]), within: WITHIN, max_bytes: 1 << 20 };
    let opened = tokio::time::timeout(WITHIN, transport.open(&request)).await;
    let reply = opened.map_err(|_| Error::new(ErrorKind::Deadline, "the target did not answer in time"))??;
    let output = reply.output(256 << 10).await;
    if !String::from_utf8_lossy(&output.stdout).contains("\nuid=") {
        output.text()?;
        return Err(Error::new(ErrorKind::Unsupported, "the target has no POSIX shell that answers"));
    }
    Ok(read(&output, sent))
}

fn read(output: &Output, sent: Timestamp) -> Facts {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (key, value) in text.lines().filter_map(|l| l.split_once('=')) {
        all.entry(key).or_default().push(value.trim());
    }
    let first = |key: &str| all.get(key).and_then(|v| v.first()).copied().unwrap_or("");
    let many = |key: &str| all.get(key).into_iter().flatten().map(|s| (*s).to_owned());
    let is = |key: &str| first(key) == "1";
    let mut facts = Facts {
        live: true,
        hostname: first("hostname").to_owned(),
        os: first("os").to_owned(),
        kernel: first("kernel").to_owned(),
        systemd: is("systemd"),
        journald: is("journald"),
        root: first("uid") == "0",
        sudo: is("sudo"),
        cpus: first("cpus").parse().unwrap_or(0),
        memory_bytes: first("memory_kb").parse::<u64>().unwrap_or(0).saturating_mul(1024),
        uptime_s: first("uptime").parse().unwrap_or(0.0),
        clock_ahead_s: clock_ahead(first("begin"), sent, output.at),
        tools: many("tool").collect(),
        log_files: many("log").collect(),
        ..Facts::default()
    };
    if is("kmsg") {
        facts.tools.insert("kmsg".into());
    }
    facts.limits = limits(&facts);
    facts
}

/// By how many seconds the target's clock is ahead, if by more than the question took.
fn clock_ahead(theirs: &str, sent: Timestamp, answered: Timestamp) -> f64 {
    // `date` without %N prints it, the letter or nothing.
    let Ok(theirs) = theirs.trim_end_matches(['N', '%', '.']).parse::<f64>() else { return 0.0 };
    let (sent, answered) = (sent.0 as f64 / 1e3, answered.0 as f64 / 1e3);
    let ahead = if theirs > answered + 1.0 {
        theirs - answered
    } else if theirs < sent - 1.0 {
        theirs - sent
    } else {
        0.0
    };
    (ahead * 1e3).round() / 1e3
}

/// What is missing and limits what we see, one sentence each.
fn limits(facts: &Facts) -> Vec<String> {
    let mut limits = Vec::new();
    let mut note = |missing: bool, sentence: &str| {
        if missing {
            limits.push(sentence.to_owned());
        }
    };
    note(
        facts.uptime_s == 0.0 && facts.memory_bytes == 0,
        "There is no /proc that can be read: no metric of the host and its processes, and no time in the kernel's log.",
    );
    note(!facts.systemd, "systemd is not the init process: units and their dependencies can't be asked.");
    note(facts.systemd && !facts.journald, "The journal is empty or not readable for this user.");
    note(
        !facts.journald && !facts.root && !facts.sudo && !facts.tools.contains("kmsg"),
        "The kernel's log is not readable for this user.",
    );
    note(
        !facts.journald && facts.log_files.is_empty(),
        "There is no journal, and no log file in /var/log changed today.",
    );
    note(
        !facts.root && !facts.sudo,
        "Not root and no passwordless sudo: other users' processes are seen only in part.",
    );
    note(!facts.tools.contains("awk"), "There is no awk: metrics can't be sampled.");
    if facts.clock_ahead_s != 0.0 {
        let (by, way) = (facts.clock_ahead_s.abs(), if facts.clock_ahead_s > 0.0 { "ahead of" } else { "behind" });
        limits.push(format!("The target's clock is {by:.0} s {way} ours."));
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_read_from_any_date() {
        let (sent, answered) = (Timestamp(1_000_000), Timestamp(1_001_000));
        for (begin, ahead) in [
            ("1000.123456789", 0.0),
            ("1100.250000000", 99.25),
            // What becomes of %N where it is not known; the first is BusyBox 1.37's.
            ("1100.%N", 99.0),
            ("1100.N", 99.0),
            ("1100.", 99.0),
            ("900", -100.0),
            ("", 0.0),
        ] {
            assert_eq!(clock_ahead(begin, sent, answered), ahead, "{begin}");
        }
    }
}
