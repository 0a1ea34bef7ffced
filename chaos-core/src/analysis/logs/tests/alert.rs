use super::*;
use crate::analysis::logs::mask::mask;

fn weight(message: &str) -> Weight {
    let mut shape = String::new();
    mask(message, &mut shape);
    weigh(words(message), &shape, message, &shape)
}

#[test]
fn lines_of_a_dump_are_no_alerts() {
    for (line, want) in [
        ("machine state register: 0x00002000", true),
        ("problem state (0=sup,1=usr).......0", true),
        ("size of the second cache.........0 (7)", true),
        ("lr:00004ed0 cr:28244842 xer:20000002", true),
        ("err=ENOSPC path=/var", false),
        ("code=500 path=/x", false),
        ("connection refused: 10.0.0.1", false),
        ("disk not found: 17", false),
        ("segment missing: /data/17", false),
        ("owner of the lease: /srv/17", false),
        ("kernel terminated for reason 1001", false),
        ("waiting for the disk...", false),
    ] {
        let mut shape = String::new();
        mask(line, &mut shape);
        assert_eq!(is_dump(&shape, line), want, "{line}: {shape}");
    }
}

#[test]
fn a_message_is_weighed_by_what_it_says() {
    for (message, want) in [
        ("EXT3-fs error (device sda1): bad entry in directory 12", Weight::Alarm),
        ("scsi0 (0:0): rejecting I/O to offline device", Weight::Alarm),
        ("CPU3: Temperature above threshold, cpu clock throttled", Weight::Alarm),
        ("nfs: server files not responding, still trying", Weight::Trouble),
        ("cannot connect to host db: Connection refused (111)", Weight::Trouble),
        ("could not write block 7 of the archive", Weight::Complaint),
        ("mount of /data FAILED on node 7", Weight::Complaint),
        ("worker 3: SocketException: broken", Weight::Complaint),
        ("installed libfoo-error-dev 1.46", Weight::Plain),
        ("synchronized to 10.0.0.1, stratum 3", Weight::Plain),
        ("mount of /data failed, slept 15 seconds, retrying", Weight::Plain),
        ("to=<ann@example.com>, stat=Deferred: Connection timed out", Weight::Plain),
        ("mounted with ordered data mode, errors=remount-ro", Weight::Plain),
        ("(root) CMD (/usr/local/bin/collect || echo error)", Weight::Plain),
        ("scan finished: 12 files, 0 errors", Weight::Plain),
        ("loading /home/ann/job failed: Permission denied", Weight::Asked),
        ("File does not exist: /srv/site/favicon.ico", Weight::Asked),
        ("authentication failure; logname= uid=0 rhost=10.0.0.9", Weight::Login),
        ("1 memory error detected and corrected on rank 0", Weight::Nothing),
    ] {
        assert_eq!(weight(message), want, "{message}");
    }
}

#[test]
fn what_was_not_mended_still_counts() {
    for message in [
        "memory error on rank 0 could not be corrected",
        "memory error on rank 0 not corrected",
        "panic recovered: index failed a check",
        "settings must be corrected: two errors",
    ] {
        assert!(weight(message) >= Weight::Complaint, "{message}");
    }
}

#[test]
fn a_permission_that_the_system_itself_lacks_is_no_mere_request() {
    for message in [
        "cannot open /var/lib/db/main: Permission denied",
        "failed to start: open config.yml: No such file or directory",
        "could not bind to port 80: Permission denied, exiting",
    ] {
        assert!(weight(message) >= Weight::Complaint, "{message}");
    }
}

#[test]
fn what_was_asked_wrongly_alerts_when_it_is_odd() {
    let ranks = Ranks::default();
    for level in [None, Some(Level::Error), Some(Level::Critical)] {
        assert!(!asks(Weight::Asked, level, false, ranks), "{level:?}");
        assert!(asks(Weight::Asked, level, true, ranks), "{level:?}");
        assert!(!asks(Weight::Login, level, true, ranks), "{level:?}");
    }
    assert!(asks(Weight::Asked, Some(Level::Emergency), false, ranks));
    assert!(!asks(Weight::Asked, Some(Level::Warning), true, ranks));
}

#[test]
fn a_level_below_error_needs_an_alarm() {
    for weight in [Weight::Plain, Weight::Complaint, Weight::Trouble] {
        assert!(!asks(weight, Some(Level::Warning), true, Ranks::default()), "{weight:?}");
    }
    assert!(asks(Weight::Alarm, Some(Level::Info), false, Ranks::default()));
}

#[test]
fn where_nearly_all_failures_are_called_fatal_an_error_needs_words() {
    let mut ranks = Ranks::default();
    ranks.count(Some(Level::Error), 12);
    ranks.count(Some(Level::Critical), 20);
    assert!(asks(Weight::Plain, Some(Level::Error), false, ranks));
    ranks.count(Some(Level::Alert), 4);
    assert!(!asks(Weight::Plain, Some(Level::Error), false, ranks));
    assert!(asks(Weight::Complaint, Some(Level::Error), false, ranks));
    assert!(asks(Weight::Plain, Some(Level::Critical), false, ranks));
}
