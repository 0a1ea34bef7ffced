//! What a plan never touches, whatever the catalogue and the target say. A remedy that would is not proposed; a
//! person is asked instead.

use std::collections::BTreeMap;

use crate::catalogue::placeholder::is_plain_path;

/// Programs that keep the host, or our way to it, or services of every kind alive.
const PROTECTED: &[&str] = &[
    "systemd",
    "init",
    "sshd",
    "ssh",
    "dropbear",
    "login",
    "agetty",
    "getty",
    "dbus-daemon",
    "dbus-broker",
    "containerd",
    "containerd-shim",
    "containerd-shim-runc-v2",
    "conmon",
    "dockerd",
    "docker-init",
    "kubelet",
    "supervisord",
    "runsvdir",
    "runsv",
    "s6-svscan",
    "s6-supervise",
    "monit",
    "crond",
    "cron",
    "atd",
    "sudo",
    "su",
    "NetworkManager",
    "dhclient",
    "udevd",
    "polkitd",
    "auditd",
    "rsyslogd",
    "tmux",
    "screen",
    "tmux: server",
];

/// Programs that are somebody's session, unless they were given a script to run.
const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ksh", "fish"];

/// Units that keep the host, or our way to it, alive; others that only hold sessions.
const PROTECTED_UNITS: &[&str] = &[
    "ssh",
    "sshd",
    "dropbear",
    "dbus",
    "dbus-broker",
    "cron",
    "crond",
    "atd",
    "containerd",
    "docker",
    "kubelet",
    "NetworkManager",
    "networking",
    "polkit",
    "udev",
    "rsyslog",
    "auditd",
    "getty",
    "user",
    "init",
    "emergency",
    "rescue",
    "display-manager",
    "gdm",
    "lightdm",
    "sddm",
    "serial-getty",
    "console-getty",
    "session",
    "wpa_supplicant",
];

/// Where growing data lies that may be removed once a person agrees.
const TEMPORARY: &[&str] = &["/tmp/", "/var/tmp/", "/var/log/", "/var/cache/", "/var/crash/", "/var/spool/tmp/"];

/// Files in those places that are not to be removed or emptied: sockets of services, records of logins, the journal.
const KEPT: &[&str] = &["/wtmp", "/btmp", "/lastlog", "/utmp", "/journal/", "/audit/", "/systemd-private-"];

/// Why this process must not be touched, if it must not.
pub(super) fn process(attributes: &BTreeMap<String, String>, name: &str) -> Option<String> {
    let program = attributes.get("args").and_then(|a| a.split_whitespace().next()).unwrap_or("");
    let base = program.rsplit('/').next().unwrap_or("").trim_start_matches('-').trim_end_matches(':');
    for name in [name, attributes.get("command").map_or("", String::as_str), base] {
        if PROTECTED.contains(&name) || name.starts_with("systemd-") {
            return Some(format!("{name} keeps the host or our way to it alive"));
        }
    }
    let runs_script = || {
        attributes
            .get("args")
            .is_some_and(|a| a.split_whitespace().skip(1).any(|word| !word.starts_with('-') || word == "-c"))
    };
    if [name, base].iter().any(|n| SHELLS.contains(n)) && !runs_script() {
        return Some("it may be somebody's session".into());
    }
    if program.starts_with('[') || attributes.get("ppid").is_some_and(|p| p == "2") {
        return Some("it is a kernel thread".into());
    }
    let pids = attributes.get("pids").or(attributes.get("pid")).map_or("", String::as_str);
    pids.split(',').any(|p| matches!(p.trim(), "0" | "1" | "2")).then(|| "it is the init process or the kernel".into())
}

/// Why this unit must not be touched, if it must not.
pub(super) fn unit(name: &str) -> Option<String> {
    let Some(stem) = name.strip_suffix(".service") else { return Some("it is not a service".into()) };
    let stem = stem.split('@').next().unwrap_or(stem);
    let kept = PROTECTED_UNITS.contains(&stem) || stem.starts_with("systemd-") || stem.starts_with("session-");
    kept.then(|| format!("{name} keeps the host or our way to it alive"))
}

/// Why this file must not be removed or emptied, if it must not.
pub(super) fn file(path: &str) -> Option<String> {
    if !is_plain_path(path) {
        return Some("its name is not a plain path".into());
    }
    let inside = |place: &str| path.strip_prefix(place).is_some_and(|rest| !rest.trim_matches('/').is_empty());
    let cache = path.starts_with("/home/") && path.contains("/.cache/");
    if !(TEMPORARY.iter().any(|t| inside(t)) || cache) {
        return Some("it lies where data may be needed; only places for temporary data are cleared".into());
    }
    KEPT.iter().any(|k| path.contains(k)).then(|| "the host itself keeps its records there".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_growing_data_may_be_removed() {
        for ok in [
            "/tmp/a",
            "/var/log/app/debug.log",
            "/var/tmp/-rf",
            "/var/cache/x/y",
            "/home/u/.cache/z",
            "/tmp/a;rm -rf b",
        ] {
            assert_eq!(file(ok), None, "{ok}");
        }
        for bad in [
            "/",
            "/etc/passwd",
            "/usr/lib/x",
            "/var/lib/postgresql/x",
            "/tmp/",
            "/tmp",
            "/var/log",
            "/tmp/../etc/passwd",
            "/home/u/x",
            "relative",
            "",
            "/var/log/wtmp",
            "/var/log/journal/x/system.journal",
            "/tmp/a\nb",
            "/boot/vmlinuz",
            "/root/x",
            "/tmp/./x",
        ] {
            assert!(file(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn what_keeps_the_host_alive_is_left_alone() {
        let with = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert!(process(&with(&[("pid", "1")]), "x").is_some());
        assert!(process(&with(&[("pid", "9"), ("ppid", "2")]), "kworker/0:1").is_some());
        assert!(process(&with(&[("pid", "9"), ("args", "sshd: root@pts/0")]), "x").is_some());
        assert!(process(&with(&[("pid", "9"), ("args", "/usr/bin/app -x")]), "app").is_none());
        assert!(process(&with(&[("pid", "9"), ("args", "-bash")]), "bash").is_some());
        assert!(process(&with(&[("pid", "9")]), "bash").is_some());
        assert!(process(&with(&[("pid", "9"), ("args", "/bin/bash /opt/job.sh 60")]), "bash").is_none());
        for bad in
            ["ssh.service", "user@1000.service", "systemd-journald.service", "session-3.scope", "getty@tty1.service"]
        {
            assert!(unit(bad).is_some(), "{bad}");
        }
        assert_eq!(unit("nginx.service"), None);
    }
}
