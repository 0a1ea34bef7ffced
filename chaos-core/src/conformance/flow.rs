//! How a stream is ended, and how it flows when nobody reads.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::commands::{PATIENCE, ask, assert_exited, assert_same, numbers, open, read_lines, request, sh, whole};
use crate::{
    error::ErrorKind,
    model::End,
    transport::{Output, Transport},
};

/// Prints its own id and those of a child, a child in the background that ignores SIGTERM, and its child.
const FAMILY: &str = r#"
trap '' TERM
sh -c 'trap "" TERM; echo $$; sleep 300 & echo $!; wait' &
trap - TERM
sleep 300 &
echo $!
echo $$
wait
sleep 300
"#;
const FAMILY_SIZE: usize = 4;

/// Asks until none of the processes runs any more; one that nobody waits for (a zombie) has ended.
async fn assert_gone(transport: &dyn Transport, agent: &str, pids: &str) {
    let pids = pids.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(pids.split(' ').count(), FAMILY_SIZE, "{pids}");
    let script = format!(
        r#"for p in {pids}; do
  if kill -0 "$p" 2>/dev/null; then
    state=$(sed 's/.*) //' "/proc/$p/stat" 2>/dev/null | cut -c 1)
    case $state in Z|X|'') ;; *) echo "$p";; esac
  fi
done"#
    );
    let mut left = String::new();
    for _ in 0..50 {
        let output = ask(transport, agent, &script).await;
        assert_exited(&output, 0);
        left = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        if left.is_empty() {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("of {pids} these still run: {left}");
}

fn assert_stopped(output: &Output) {
    assert!(matches!(output.end, End::Stopped), "it ended as {:?}, want Stopped", output.end);
}

fn assert_deadline(output: &Output) {
    let is = matches!(&output.end, End::Failed(e) if e.kind() == ErrorKind::Deadline);
    assert!(is, "it ended as {:?}, want Failed of kind Deadline", output.end);
}

/// [`Reply::stop`](crate::transport::Reply::stop) ends the command, its children, and theirs, though they ignore
/// SIGTERM.
///
/// # Panics
/// When one is left.
pub async fn stop_ends_the_command_and_all_it_started(transport: Arc<dyn Transport>) {
    let mut reply = open(&*transport, &request("stop_all", sh(FAMILY))).await;
    let pids = read_lines(&mut reply, FAMILY_SIZE).await;
    reply.stop();
    assert_stopped(&whole(reply).await);
    assert_gone(&*transport, "stop_all", &pids).await;
}

/// So does dropping the reply.
///
/// # Panics
/// When one is left.
pub async fn dropping_the_reply_ends_the_command_and_all_it_started(transport: Arc<dyn Transport>) {
    let mut reply = open(&*transport, &request("drop_all", sh(FAMILY))).await;
    let pids = read_lines(&mut reply, FAMILY_SIZE).await;
    drop(reply);
    assert_gone(&*transport, "drop_all", &pids).await;
}

/// What was printed before the stop still comes, and what the command says as it ends; a second stop is harmless.
///
/// # Panics
/// When something is lost.
pub async fn stop_keeps_what_came_before(transport: Arc<dyn Transport>) {
    let script = "trap 'echo last; exit 0' TERM; seq 1 20000; echo ready >&2; while :; do sleep 0.05; done";
    let mut reply = open(&*transport, &request("stop_keeps", sh(script))).await;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ready = async {
        while err != b"ready\n" {
            let chunk = reply.next().await.expect("the command runs until it is stopped");
            match chunk.stream {
                crate::transport::Stream::Stdout => out.extend(chunk.bytes),
                crate::transport::Stream::Stderr => err.extend(chunk.bytes),
            }
        }
    };
    timeout(PATIENCE, ready).await.expect("it gets ready");
    reply.stop();
    reply.stop();
    let output = whole(reply).await;
    assert_stopped(&output);
    out.extend(output.stdout);
    let mut want = numbers(20_000);
    want.extend(b"last\n");
    assert_same("standard output", &out, &want);
}

/// `within` ends a command that waits for nothing; what came before stays.
///
/// # Panics
/// When it goes on, or what came before is lost.
pub async fn the_deadline_ends_a_silent_command(transport: Arc<dyn Transport>) {
    let mut request = request("deadline_silent", sh("echo before; echo said >&2; sleep 300"));
    request.within = Duration::from_secs(1);
    let started = Instant::now();
    let output = whole(open(&*transport, &request).await).await;
    assert_deadline(&output);
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"before\n"[..], &b"said\n"[..]));
    assert!(started.elapsed() < Duration::from_secs(15), "it took {:?}", started.elapsed());
}

/// `within` ends a command that prints without a pause and ignores SIGTERM.
///
/// # Panics
/// When it goes on.
pub async fn the_deadline_ends_a_command_that_never_pauses(transport: Arc<dyn Transport>) {
    let mut request = request("deadline_busy", sh("trap '' TERM; while :; do echo x; done"));
    request.within = Duration::from_millis(300);
    let started = Instant::now();
    let output = whole(open(&*transport, &request).await).await;
    assert_deadline(&output);
    assert!(output.stdout.starts_with(b"x\n"));
    assert!(started.elapsed() < Duration::from_secs(15), "it took {:?}", started.elapsed());
}

/// A stream that nobody reads, of a command that prints without end, holds up no other.
///
/// # Panics
/// When the other one stands still.
pub async fn an_unread_stream_holds_up_no_other(transport: Arc<dyn Transport>) {
    let unread = open(&*transport, &request("unread", sh("exec yes unread"))).await;
    sleep(Duration::from_millis(200)).await;
    let output = ask(&*transport, "unread", "seq 1 200000").await;
    assert_exited(&output, 0);
    assert_same("standard output", &output.stdout, &numbers(200_000));
    drop(unread);
}

/// A reader that is slower than the command loses nothing, or is told `OutputLimit`.
///
/// # Panics
/// When something is lost without a word.
pub async fn a_slow_reader_loses_nothing(transport: Arc<dyn Transport>) {
    let mut request = request("slow_reader", sh("seq 1 400000"));
    request.max_bytes = 96 << 10;
    let mut reply = open(&*transport, &request).await;
    let mut got = Vec::new();
    let read = async {
        while let Some(chunk) = reply.next().await {
            got.extend(chunk.bytes);
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE * 2, read).await.expect("the stream ends");
    assert_complete_or_limited(&got, &numbers(400_000), reply.end().expect("it has ended").0);
}

/// A command that ended long ago, more of whose output waits than may wait unread, keeps it for its reader.
///
/// # Panics
/// When something is lost without a word.
pub async fn a_command_that_ended_waits_for_its_reader(transport: Arc<dyn Transport>) {
    let mut request = request("late_reader", sh("seq 1 20000; seq 1 9000 >&2"));
    request.max_bytes = 16 << 10;
    let reply = open(&*transport, &request).await;
    sleep(Duration::from_millis(1500)).await;
    let output = whole(reply).await;
    assert_complete_or_limited(&output.stdout, &numbers(20_000), &output.end);
    assert_complete_or_limited(&output.stderr, &numbers(9_000), &output.end);
}

fn assert_complete_or_limited(got: &[u8], want: &[u8], end: &End) {
    match end {
        End::Exited(0) => assert_same("the stream", got, want),
        End::Failed(e) if e.kind() == ErrorKind::OutputLimit => {
            assert!(want.starts_with(got), "what came before the limit is not what was printed");
        }
        end => panic!("it ended as {end:?}"),
    }
}

/// Of a command that prints without end, no more than about `max_bytes` waits; a stop lets that much come.
///
/// # Panics
/// When memory grows with what the command prints.
pub async fn what_waits_unread_is_bounded(transport: Arc<dyn Transport>) {
    const MAX: usize = 256 << 10;
    let mut request = request("bounded", sh("exec yes 0123456789012345678901234567890123456789"));
    request.max_bytes = MAX;
    let reply = open(&*transport, &request).await;
    sleep(Duration::from_secs(1)).await;
    reply.stop();
    let output = whole(reply).await;
    let ok = match &output.end {
        End::Stopped => true,
        End::Failed(e) => e.kind() == ErrorKind::OutputLimit,
        _ => false,
    };
    assert!(ok, "it ended as {:?}", output.end);
    // What waits in pipes and in a connection's own window comes on top.
    assert!(output.stdout.len() < 16 * MAX, "{} bytes waited, {MAX} may", output.stdout.len());
    assert!(!output.stdout.is_empty());
}
