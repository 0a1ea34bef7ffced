//! Which messages mean trouble by their words, whatever level they were logged at.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

/// How bad the words of a message are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Words {
    /// Nothing said.
    Plain,
    /// Something failed that fails now and then on a host that is well.
    Trouble,
    /// Something that does not happen on a host that is well.
    Alarm,
}

static ALARM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)kernel panic|\bpanic[:!] |panicked at|\bBUG: |\boops: |general protection fault|segfault|segmentation fault",
        r"|core dumped|invoked oom-killer|\boom[-_ ]kill|out of memory|cannot allocate memory|\bENOMEM\b|OutOfMemoryError",
        r"|no space left|\bENOSPC\b|disk quota exceeded|\bi/o error|input/output error|\bEIO\b",
        r"|read-only file ?system|remounting .*read-only|\bEROFS\b",
        r"|hung_task|blocked for more than \d+ seconds|soft lockup|hard lockup|rcu.*detected stall",
        r"|too many open files|\bEMFILE\b|\bENFILE\b|fork: |resource temporarily unavailable",
        r"|too many connections|too many clients|remaining connection slots|table full, dropping|possible SYN flooding",
        r"|no buffer space|hardware error|machine check|uncorrect|medium error|data corruption|checksum mismatch",
        r"|parity error|unrecover(?:ed|able) (?:read |write |read/write )?error|rejecting I/O|offline device|bad page state",
        r"|catastrophic error|temperature above threshold|\boverheat|thermal shutdown|\bNMI received|kernel paging request",
        r"|NULL pointer dereference|(?:ext[234]|xfs|btrfs|jfs|reiserfs)(?:[- ]fs)? (?:error|panic|internal error)",
        r"|start request repeated too quickly|link is down|carrier lost|no route to host|network is unreachable",
    ))
    .expect("a constant pattern")
});

static TROUBLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)connection refused|\bECONNREFUSED\b|connection reset|connection timed out|\btimed out\b|\btimeout (?:exceeded|while|waiting|expired)",
        r"|deadline exceeded|upstream prematurely|unreachable|main process exited|failed with result|watchdog|failed to start|unhealthy",
        r"|\bfatal\b|\bcrash|\babort(?:ed|ing)\b|traceback|unhandled exception|stack overflow|deadlock|not responding",
        r"|(?:exit|terminat|end)ed (?:abnormally|unexpectedly)|kernel (?:terminated|halted)|system halted",
        r"|temporary failure in name resolution|name or service not known|certificate has expired|link is not ready",
        // Exceptions as the architectures' manuals call them: x86, Power, ARM.
        r"|invalid opcode|divide error|double fault|(?:data|prefetch) abort\b",
        r"|(?:data|instruction) (?:storage|tlb error) interrupt",
    ))
    .expect("a constant pattern")
});

/// Words that make the others harmless: a count of none, a setting, a command that somebody runs, a part of the machine
/// that would tell of failures, an error that was corrected.
static HARMLESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)^(?:command line:|kernel command line)|\b(?:0|no|without) (?:errors?|timeouts?|failures?)\b|panic=",
        r"|(?:^|\s)\(\S+\) CMD \(|\bCOMMAND=|machine check (?:architecture|reporting|polling|support)",
        r"|watchdog(?: timer)? (?:enabled|started)|parity errors? (?:was |were )?(?:detected and )?corrected",
    ))
    .expect("a constant pattern")
});

/// A field that says of its own name that it is not so: `fatal=false`, `crashed_workers: 0`. In a template whose values
/// are left out, a field says nothing: its records do.
static DENIED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)["']?\b[\w.-]+["']?(?:"#,
        r#"=["']?(?:0+(?:\.0+)?(?:%|ms|s)?|<\*>|false|no|none|null|nil|never|off)(?:$|["',;)\]}\s])"#,
        // Behind a colon a sentence may follow.
        r#"|\s?:\s?["']?(?:0+(?:\.0+)?(?:%|ms|s)?|<\*>|false|null|none)(?:$|["',;)\]}]))"#,
    ))
    .expect("a constant pattern")
});

/// Judges a message.
#[must_use]
pub fn words(message: &str) -> Words {
    let found = said(message);
    if found == Words::Plain || HARMLESS.is_match(message) {
        return Words::Plain;
    }
    match DENIED.replace_all(message, " ") {
        Cow::Borrowed(_) => found,
        Cow::Owned(rest) => said(&rest),
    }
}

fn said(message: &str) -> Words {
    if ALARM.is_match(message) {
        Words::Alarm
    } else if TROUBLE.is_match(message) {
        Words::Trouble
    } else {
        Words::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_told_from_what_is_usual() {
        for (message, want) in [
            ("write /x: No space left on device", Words::Alarm),
            ("Out of memory: Killed process 12 (java)", Words::Alarm),
            ("EXT4-fs (sda1): Remounting filesystem read-only", Words::Alarm),
            ("task jbd2:12 blocked for more than 120 seconds.", Words::Alarm),
            ("FATAL: sorry, too many clients already", Words::Alarm),
            ("connect() failed (111: Connection refused)", Words::Trouble),
            ("Kernel command line: root=/dev/sda panic=-1 hung_task_panic=1", Words::Plain),
            ("Failed password for root from <*>", Words::Plain),
            ("backup done with 0 errors", Words::Plain),
            ("scsi0 (0:0): rejecting I/O to offline device", Words::Alarm),
            ("DIMM 3: parity error", Words::Alarm),
            ("DIMM 3: parity error corrected", Words::Plain),
            ("nfs: server files not responding, still trying", Words::Trouble),
            ("Intel machine check architecture supported.", Words::Plain),
            ("job 7 done: ok=1 fatal=false crashed_workers=0, \"abort\": null", Words::Plain),
            ("job <*> done: crashed_workers=<*>", Words::Plain),
            ("job 7 done: fatal=true crashed_workers=0", Words::Trouble),
            ("dial tcp 10.0.0.7:0: connection refused", Words::Trouble),
            ("(root) CMD (/opt/check || echo crashed)", Words::Plain),
        ] {
            assert_eq!(words(message), want, "{message}");
        }
    }
}
