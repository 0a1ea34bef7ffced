//! What a command prints, reads and ends with. Every question here has a name of its own as its agent, so that a
//! recording of the whole suite can be asked again.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use crate::{
    error::{ErrorKind, Result},
    model::{AgentName, Ask, Command, End},
    transport::{Output, Reply, Request, Stream, Transport},
};

/// What any answer here may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Enough for everything here that does not test the limit.
pub(super) const ROOMY: usize = 1 << 20;

pub(super) fn sh(script: &str) -> Ask {
    Ask::run(["sh", "-c", script])
}

pub(super) fn request(agent: &str, ask: Ask) -> Request {
    Request { agent: AgentName::new(agent), ask, within: PATIENCE * 2, max_bytes: ROOMY }
}

pub(super) async fn open(transport: &dyn Transport, request: &Request) -> Reply {
    try_open(transport, request).await.unwrap_or_else(|e| panic!("{} cannot be asked: {e}", request.ask))
}

async fn try_open(transport: &dyn Transport, request: &Request) -> Result<Reply> {
    timeout(PATIENCE, transport.open(request)).await.unwrap_or_else(|_| panic!("open did not return: {}", request.ask))
}

/// Reads to the end, which must come.
pub(super) async fn whole(reply: Reply) -> Output {
    timeout(PATIENCE, reply.output(1 << 30)).await.expect("the stream ends")
}

/// Puts a script and reads all that it prints.
pub(super) async fn ask(transport: &dyn Transport, agent: &str, script: &str) -> Output {
    whole(open(transport, &request(agent, sh(script))).await).await
}

/// Reads until standard output holds so many lines.
pub(super) async fn read_lines(reply: &mut Reply, lines: usize) -> String {
    let mut text = Vec::new();
    let enough = async {
        while text.iter().filter(|b| **b == b'\n').count() < lines {
            let chunk = reply.next().await.unwrap_or_else(|| panic!("the stream goes on, it ended: {:?}", reply.end()));
            assert_eq!(chunk.stream, Stream::Stdout, "{}", String::from_utf8_lossy(&chunk.bytes));
            text.extend_from_slice(&chunk.bytes);
        }
    };
    timeout(PATIENCE, enough).await.expect("the command prints");
    String::from_utf8(text).expect("ASCII")
}

pub(super) fn assert_exited(output: &Output, code: i32) {
    assert!(matches!(output.end, End::Exited(c) if c == code), "it ended as {:?}, want exit code {code}", output.end);
}

/// Numbers from 1 on, a line each, as `seq` prints them.
pub(super) fn numbers(to: u32) -> Vec<u8> {
    (1..=to).flat_map(|n| format!("{n}\n").into_bytes()).collect()
}

pub(super) fn assert_same(name: &str, got: &[u8], want: &[u8]) {
    let differ = got.iter().zip(want).position(|(a, b)| a != b);
    assert!(got == want, "{name}: {} bytes, want {}; they differ from byte {differ:?} on", got.len(), want.len());
}

/// Several megabytes on both streams at once arrive complete, each in its order.
///
/// # Panics
/// When they don't.
pub async fn output_is_complete_and_in_order(transport: Arc<dyn Transport>) {
    // All of it may wait: how fast it is read on a busy machine is no matter here.
    let script = sh("seq 1 300000 >&2 & seq 1 500000; wait");
    let request = Request { max_bytes: 16 << 20, ..request("output_is_complete", script) };
    let output = whole(open(&*transport, &request).await).await;
    assert_exited(&output, 0);
    assert_same("standard output", &output.stdout, &numbers(500_000));
    assert_same("standard error", &output.stderr, &numbers(300_000));
}

/// Every byte there is passes, NUL and invalid UTF-8 too, with no line end at the end.
///
/// # Panics
/// When one does not.
pub async fn bytes_are_passed_on_as_they_are(transport: Arc<dyn Transport>) {
    let all: Vec<u8> = (0..=255).collect();
    let escaped: String = all.iter().map(|b| format!("\\{b:03o}")).collect();
    let script = format!("printf '{escaped}'; printf '\\377\\000x' >&2");
    let output = ask(&*transport, "bytes", &script).await;
    assert_exited(&output, 0);
    assert_same("standard output", &output.stdout, &all);
    assert_same("standard error", &output.stderr, b"\xff\x00x");
}

/// A command that prints nothing has a stream without chunks, and an end.
///
/// # Panics
/// When something comes.
pub async fn no_output_is_no_chunk(transport: Arc<dyn Transport>) {
    let mut reply = open(&*transport, &request("no_output", Ask::run(["true"]))).await;
    let next = timeout(PATIENCE, reply.next()).await.expect("the stream ends");
    assert!(next.is_none(), "a chunk came: {next:?}");
    assert!(matches!(reply.end(), Some((End::Exited(0), _))), "it ended as {:?}", reply.end());
    assert!(reply.next().await.is_none(), "after the end there is nothing");
}

/// No shell looks at the arguments, nor at the program's name.
///
/// # Panics
/// When one is changed.
pub async fn arguments_arrive_as_they_are(transport: Arc<dyn Transport>) {
    let odd = [
        "",
        " two  blanks ",
        "$HOME `id` $(id)",
        "it's",
        "\"q\"",
        "back\\slash",
        "*",
        "~",
        "-n",
        "a\nb",
        "ö€😀",
        ";&|<>",
    ];
    let argv = ["printf", "<%s>"].into_iter().chain(odd);
    let output = whole(open(&*transport, &request("arguments", Ask::run(argv))).await).await;
    assert_exited(&output, 0);
    let want: String = odd.iter().map(|a| format!("<{a}>")).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), want);
}

/// Text of any length arrives on standard input, which then ends; a command need not read it.
///
/// # Panics
/// When it does not.
pub async fn stdin_arrives_and_ends(transport: Arc<dyn Transport>) {
    let text: String = (0..20_000).map(|n| format!("line {n} with 'quotes' and $dollars\n")).collect();
    let mut command = Command::new(["cat"]);
    command.stdin.clone_from(&text);
    let output = whole(open(&*transport, &request("stdin", Ask::Run(command))).await).await;
    assert_exited(&output, 0);
    assert_same("standard output", &output.stdout, text.as_bytes());
    let mut command = Command::new(["true"]);
    command.stdin = text;
    assert_exited(&whole(open(&*transport, &request("stdin_unread", Ask::Run(command))).await).await, 0);
    // Without a text it is empty, and nobody waits for it.
    let output = whole(open(&*transport, &request("stdin_empty", Ask::run(["cat"]))).await).await;
    assert_exited(&output, 0);
    assert!(output.stdout.is_empty());
}

/// An exit code is [`End::Exited`], a signal is [`End::Signalled`].
///
/// # Panics
/// When they are mixed up.
pub async fn exit_code_and_signal_are_told_apart(transport: Arc<dyn Transport>) {
    for code in [0, 1, 7, 255] {
        assert_exited(&ask(&*transport, "exit_code", &format!("exit {code}")).await, code);
    }
    for signal in [9, 15] {
        let output = ask(&*transport, "signal", &format!("echo before; kill -{signal} $$; sleep 60")).await;
        assert!(matches!(output.end, End::Signalled(s) if s == signal), "it ended as {:?}, want {signal}", output.end);
        assert_eq!(output.stdout, b"before\n");
    }
}

/// A program that does not exist is an error of kind `NotFound`, at once or as the stream's end.
///
/// # Panics
/// When it is anything else.
pub async fn an_unknown_program_is_not_found(transport: Arc<dyn Transport>) {
    for program in ["no-such-program-anywhere", "/no/such/program"] {
        let why = match try_open(&*transport, &request("unknown_program", Ask::run([program, "x"]))).await {
            Err(e) => e,
            Ok(reply) => match whole(reply).await.end {
                End::Failed(e) => e,
                end => panic!("{program} ended as {end:?}"),
            },
        };
        assert_eq!(why.kind(), ErrorKind::NotFound, "{program}: {why}");
    }
}

/// `open` returns before the command prints, and a line is there before the command ends.
///
/// # Panics
/// When either waits for the command's end.
pub async fn output_arrives_while_the_command_runs(transport: Arc<dyn Transport>) {
    let started = Instant::now();
    let mut reply = open(&*transport, &request("while_it_runs", sh("sleep 1; echo first; sleep 60"))).await;
    assert_eq!(read_lines(&mut reply, 1).await, "first\n");
    assert!(reply.end().is_none());
    assert!(started.elapsed() < PATIENCE, "it came after {:?}", started.elapsed());
    drop(reply);
}

/// A process that a command leaves behind with its output open does not keep the stream open.
///
/// # Panics
/// When the stream has not ended soon after the command.
pub async fn what_a_command_leaves_behind_does_not_hold_its_end(transport: Arc<dyn Transport>) {
    let output = ask(&*transport, "left_behind", "sleep 45 & echo $!").await;
    assert_exited(&output, 0);
    let pid = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(pid.parse::<u32>().is_ok(), "{pid:?}");
    ask(&*transport, "left_behind", &format!("kill {pid} 2>/dev/null; true")).await;
}

/// Fifty commands at the same time each get their own output and their own end.
///
/// # Panics
/// When they mix, or can't run at once.
pub async fn fifty_at_once_do_not_mix(transport: Arc<dyn Transport>) {
    let mut all = tokio::task::JoinSet::new();
    for n in 0..50 {
        let transport = transport.clone();
        all.spawn(async move {
            let script = format!("echo out {n}; sleep 0.3; echo err {n} >&2; exit {n}");
            (n, ask(&*transport, "fifty", &script).await)
        });
    }
    while let Some(done) = all.join_next().await {
        let (n, output) = done.expect("it answers");
        assert_exited(&output, n);
        assert_eq!(output.stdout, format!("out {n}\n").into_bytes());
        assert_eq!(output.stderr, format!("err {n}\n").into_bytes());
    }
}
