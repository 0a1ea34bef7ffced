//! Plugins that mean harm, or are broken: each becomes an event of type `error`, and the incident goes on.

use std::time::{Duration, Instant};

use chaos_core::error::ErrorKind;
use chaos_plugins::Limits;

use crate::{
    component::{Cite, Found, Guest, RESULT, words},
    support::{call, incident, live, load, load_with, of, quick},
};

const LOG: &str = r#"(import "chaos:plugin/host@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
const CONFIG: &str = r#"(import "chaos:plugin/host@0.1.0" "config" (func $config (param i32 i32 i32)))"#;
const RUN: &str = r#"(import "chaos:plugin/probe@0.1.0" "run-readonly-command" (func $run (param i32 i32 i32)))"#;

/// The call fails with this text, quickly; an incident with it goes through; and the host can be used afterwards.
async fn fails(guest: &Guest, why: &str) {
    let plugin = load_with(&guest.named("evil"), quick());
    let started = Instant::now();
    let error = call(&plugin).await.expect_err("it must fail");
    assert!(error.to_string().contains(why), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let ended = incident(&of([plugin, load(&Guest::finding(&[Found::default()]).named("good"))])).await;
    ended.assert_whole();
    let errors = ended.errors_of("evil");
    assert!(matches!(errors[..], [one] if one.contains(why)), "{errors:?}");
    assert_eq!(ended.findings_of("good").len(), 1, "the next plugin is not hurt");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_infinite_loop_is_ended() {
    fails(&Guest::doing("(loop $l (br $l))"), "longer than its limit of 300 ms").await;
}

#[tokio::test]
async fn a_loop_does_not_hold_the_reactor() {
    let plugin = load_with(&Guest::doing("(loop $l (br $l))").named("evil"), quick());
    let mut beats = 0;
    let error = tokio::select! {
        found = call(&plugin) => found.unwrap_err(),
        () = async { loop { tokio::time::sleep(Duration::from_millis(10)).await; beats += 1; } } => unreachable!(),
    };
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert!(beats >= 3, "others ran {beats} times meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_of_host_calls_is_ended() {
    let body = "(loop $l (call $config (i32.const 0) (i32.const 4) (i32.const 512)) (br $l))";
    fails(&Guest { imports: CONFIG, ..Guest::doing(body) }, "longer than its limit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_call_that_never_returns_is_ended() {
    // argv: ["ls"], which hangs on this target.
    let data = vec![(512, words(&[600, 2])), (600, b"ls".to_vec()), (RESULT, vec![0; 12])];
    let body = "(call $run (i32.const 512) (i32.const 1) (i32.const 700))";
    let guest =
        Guest { world: "probing-detector-plugin", imports: RUN, data, commands: "\"ls\"", ..Guest::doing(body) };
    let started = Instant::now();
    let ended = live(&of([load_with(&guest.named("evil"), quick())])).await;
    assert!(ended.errors_of("evil")[0].contains("longer than its limit"), "{:?}", ended.errors_of("evil"));
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(ended.incident.diagnosis.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_bomb_is_denied() {
    let grow = "(loop $l (drop (memory.grow (i32.const 16))) (br_if $l (i32.lt_u (memory.size) (i32.const 60000))))";
    let trap = "(if (i32.eq (memory.grow (i32.const 30000)) (i32.const -1)) (then unreachable))";
    fails(&Guest::doing(trap), "more memory than its limit of 16 MiB").await;
    fails(&Guest::doing(grow), "longer than its limit").await;
    let large = Guest { pages: 4000, ..Guest::default() };
    fails(&large, "more memory than its limit of 16 MiB").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_bomb_is_denied() {
    let body = "(if (i32.eq (table.grow $t (ref.null func) (i32.const 50000000)) (i32.const -1)) (then unreachable))";
    fails(&Guest { fields: "(table $t 1 funcref)", ..Guest::doing(body) }, "more table elements than its limit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_overflow_is_an_error() {
    fails(&Guest::doing("(drop (call $main (local.get $seen)))"), "stack overflowed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_an_error() {
    fails(&Guest::doing("unreachable"), "panicked").await;
    fails(&Guest::doing("(drop (i32.div_u (i32.const 1) (i32.const 0)))"), "divide by zero").await;
    fails(&Guest::doing("(i32.store (i32.const -8) (i32.const 1))"), "out of bounds").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_output_than_allowed_is_refused_before_it_is_copied() {
    // A thousand findings in records that are no findings.
    let data = vec![(RESULT, words(&[0, 0, 500])), (0, vec![0; 8])];
    let many = Guest {
        data,
        pages: 4,
        body: format!("(i32.store (i32.const {}) (i32.const 1000)) (i32.const {RESULT})", RESULT + 8),
        ..Guest::default()
    };
    let error = call(&load_with(&many.named("evil"), quick())).await.unwrap_err();
    assert!(["output", "trapped", "returned"].iter().any(|w| error.to_string().contains(w)), "{error}");
    // One finding with a summary of 12 MB.
    let mut one = Guest::finding(&[Found::default()]);
    one.pages = 250;
    one.data[1].1[80..84].copy_from_slice(&(12u32 << 20).to_le_bytes());
    fails(&one, "more output than its limit of 1024 KiB").await;
    // 100 findings that share one text of 800 KB: 80 MB of ours, from 1 MB of theirs.
    let found: Vec<Found<'_>> = (0..100).map(|_| Found::default()).collect();
    let mut shared = Guest::finding(&found);
    shared.pages = 30;
    for record in shared.data[1].1.chunks_mut(120) {
        // Where the memory is untouched: zeros are text.
        record[76..80].copy_from_slice(&(1u32 << 20).to_le_bytes());
        record[80..84].copy_from_slice(&(800u32 << 10).to_le_bytes());
    }
    fails(&shared, "more output than its limit of 1024 KiB").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_of_log_lines_is_left_out_and_counted() {
    let body = "(local $n i32) (loop $l (call $log (i32.const 1) (i32.const 0) (i32.const 100000))
        (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $l (i32.lt_u (local.get $n) (i32.const 2000))))";
    let limits = Limits { log_lines: 5, time_ms: 20_000, ..quick() };
    let ended = incident(&of([load_with(&Guest { imports: LOG, ..Guest::doing(body) }.named("chatty"), limits)])).await;
    ended.assert_whole();
    let said: Vec<&str> =
        ended.events.iter().filter(|e| e.agent.as_str() == "chatty").map(|e| e.content.as_str()).collect();
    assert_eq!(said.len(), 7, "its version, five lines, and how many more: {said:?}");
    assert!(said.iter().all(|s| s.len() < 3000), "lines are cut");
    assert!(said[6].starts_with("1995 more lines"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_does_not_exist_cannot_be_cited() {
    let lies: [&[Cite]; 5] = [
        &[Cite::Rows(99, 0, 1)],
        &[Cite::Rows(0, 0, u32::MAX)],
        &[Cite::Rows(0, 1, 1)],
        &[Cite::Rows(0, 0, 1), Cite::Rows(u32::MAX, 5, 6)],
        &[],
    ];
    let truth: &[Cite] = &[Cite::Rows(0, 0, 1)];
    let found: Vec<Found<'_>> =
        lies.iter().copied().chain([truth]).map(|cites| Found { cites, ..Found::default() }).collect();
    let ended = incident(&of([load(&Guest::finding(&found).named("liar"))])).await;
    ended.assert_whole();
    assert_eq!(ended.findings_of("liar").len(), 1, "only what is true is taken");
    let errors = ended.errors_of("liar");
    assert!(errors.len() == 5 && errors.iter().all(|e| e.contains("without existing evidence")), "{errors:?}");
    // An answer that it did not ask for.
    let found = [Found { cites: &[Cite::Answer(0)], ..Found::default() }];
    let ended = incident(&of([load(&Guest::finding(&found).named("liar"))])).await;
    assert!(ended.errors_of("liar")[0].contains("answer 0, which it did not ask"), "{:?}", ended.errors_of("liar"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_is_refused_as_a_whole() {
    for (found, why) in [
        (Found { score: f64::NAN, ..Found::default() }, "score"),
        (Found { score: 1e9, ..Found::default() }, "score"),
        (Found { summary: b" ", ..Found::default() }, "empty summary"),
        (Found { summary: b"\xff\xfe", ..Found::default() }, "utf-8"),
        (Found { signal: "No Such\u{1b}", ..Found::default() }, "signal's name"),
    ] {
        let error = call(&load(&Guest::finding(&[found]).named("evil"))).await.unwrap_err();
        assert!(error.to_string().to_lowercase().contains(why), "{error}");
    }
    // Results that point nowhere, a variant's case that there is not.
    for result in [[0, u32::MAX, 5], [0, 8, 0x1000_0000], [7, 0, 0]] {
        let guest = Guest { data: vec![(RESULT, words(&result))], ..Guest::default() };
        fails(&guest, "plugin").await;
    }
    let pointer = Guest { body: "(i32.const -1)".into(), ..Guest::default() };
    fails(&pointer, "plugin").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_and_control_characters_are_text_in_the_report() {
    let evil = "\u{1b}[31m<script>alert(1)</script> [x](http://evil.example) | `b` @everyone \u{202e}\r\n# Heading";
    let found = [Found { summary: evil.as_bytes(), score: 1.0, ..Found::default() }];
    let ended = incident(&of([load(&Guest::finding(&found).named("evil"))])).await;
    ended.assert_whole();
    assert_eq!(ended.findings_of("evil").len(), 1);
    let report = &ended.report.markdown;
    assert!(report.contains("alert(1)"), "it is shown");
    // What is left when what is escaped, and what is code, is taken out.
    let live = report.replace("\\<", "").replace("`[x](http://evil.example)`", "").replace("`@everyone`", "");
    assert!(!live.contains("<script") && !live.contains("evil.example") && !live.contains("@everyone"), "{report}");
    assert!(!report.contains(['\u{1b}', '\u{202e}', '\r']), "nothing hidden gets through");
    assert!(!report.lines().any(|l| l.starts_with("# Heading")), "no line is begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_its_own_is_told_on_one_line() {
    let text = b"no\x1b[2J luck\n## really";
    let data = vec![(RESULT, words(&[1, 600, text.len() as u32])), (600, text.to_vec())];
    let error = call(&load(&Guest { data, ..Guest::default() }.named("sorry"))).await.unwrap_err().to_string();
    assert!(error.contains("the plugin failed: no\\u{1b}[2J luck\\n## really"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_plugins_run_at_once() {
    let guest = Guest::finding(&[Found::default()]);
    let plugins: Vec<_> = (0..100).map(|n| load(&guest.named(&format!("one-of-many-{n}")))).collect();
    let all = plugins.iter().cloned().map(|p| tokio::spawn(async move { call(&p).await }));
    for found in all {
        assert_eq!(found.await.unwrap().unwrap().len(), 1);
    }
    let ended = incident(&of(plugins)).await;
    ended.assert_whole();
    assert!((0..100).all(|n| ended.findings_of(&format!("one-of-many-{n}")).len() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_between_calls() {
    // The second call of one instance would trap; there is none.
    let body = "(if (i32.load (i32.const 256)) (then unreachable)) (i32.store (i32.const 256) (i32.const 1))";
    let plugin = load(&Guest::doing(body).named("forgetful"));
    for _ in 0..40 {
        call(&plugin).await.unwrap();
    }
}
