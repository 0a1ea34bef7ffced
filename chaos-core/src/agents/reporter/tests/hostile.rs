//! Whatever text stands in whatever field: a Markdown parser must find no HTML, no foreign link or image, and no
//! heading that is not ours.

use proptest::prelude::*;
use serde_json::Value;

use super::{
    super::{render, terminal_summary},
    fixtures,
    inert::assert_inert,
};
use crate::model::Incident;

/// Paths to every text that can be replaced: those whose change still gives an incident.
fn free_texts(incident: &Incident) -> Vec<String> {
    fn walk(value: &Value, path: &str, out: &mut Vec<String>) {
        match value {
            Value::String(_) => out.push(path.to_owned()),
            Value::Array(all) => all.iter().enumerate().for_each(|(i, v)| walk(v, &format!("{path}/{i}"), out)),
            Value::Object(all) => {
                all.iter()
                    .for_each(|(k, v)| walk(v, &format!("{path}/{}", k.replace('~', "~0").replace('/', "~1")), out));
            }
            _ => {}
        }
    }
    let mut json = serde_json::to_value(incident).unwrap();
    let mut paths = Vec::new();
    walk(&json, "", &mut paths);
    paths.retain(|p| {
        let old = std::mem::replace(json.pointer_mut(p).unwrap(), Value::String("x<y".into()));
        let fits = serde_json::from_value::<Incident>(json.clone()).is_ok();
        *json.pointer_mut(p).unwrap() = old;
        fits
    });
    paths
}

/// Attribute names are data too: those of an application's metrics come from its endpoint.
fn rename_attributes(value: &mut Value, name: &str) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|v| rename_attributes(v, name)),
        Value::Object(all) => {
            for (key, v) in all.iter_mut() {
                if let (true, Value::Object(inside)) = (key == "attributes", &mut *v) {
                    inside.insert(name.to_owned(), Value::String(name.to_owned()));
                }
                rename_attributes(v, name);
            }
        }
        _ => {}
    }
}

fn poisoned(incident: &Incident, paths: &[String], text: impl Fn(usize) -> String) -> Incident {
    let mut json = serde_json::to_value(incident).unwrap();
    for (i, path) in paths.iter().enumerate() {
        *json.pointer_mut(path).unwrap() = Value::String(text(i));
    }
    rename_attributes(&mut json, &text(0));
    serde_json::from_value(json).unwrap()
}

fn cases() -> Vec<(Incident, Vec<String>)> {
    let small = |mut i: Incident| {
        i.observation.as_mut().unwrap().baseline = None;
        i
    };
    let all = [
        fixtures::cpu(),
        fixtures::memory_wrong(),
        fixtures::unknown(),
        fixtures::failed(),
        small(fixtures::healthy()),
    ];
    all.into_iter().map(|i| (free_texts(&i), i)).map(|(p, i)| (i, p)).collect()
}

const ATTACKS: [&str; 34] = [
    "<script>alert(1)</script>",
    "<!-- ",
    "-->",
    "<img src=x onerror=alert(1)>",
    "</details><h1>x</h1>",
    "&lt;b&gt;",
    "[x](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "[x]: http://evil.example",
    "[^1]",
    "[^1]: note",
    "http://evil.example/",
    "www.evil.example",
    "root@evil.example",
    "@everyone",
    "# Root cause",
    "\n# Root cause\n",
    "Title\n===",
    "Title\n---",
    "---",
    "***",
    "> quote",
    "- item",
    "1. one",
    "1) one",
    "```\n# x\n```",
    "`````",
    "a|b|c\n|---|",
    "\\",
    "\\|",
    "$a$ $$b$$ $`c`$",
    "~~x~~ **y** __z__",
    "\u{1b}[31m\u{7}\u{202e}\u{200b}\r\n\t\u{0}",
    "    code\n\n\n",
];

#[test]
fn known_attacks_stay_text_in_every_field() {
    for (incident, paths) in cases() {
        assert!(paths.len() > if incident.findings.is_empty() { 2 } else { 40 }, "{}", paths.len());
        for attack in ATTACKS {
            let bad = poisoned(&incident, &paths, |_| attack.to_owned());
            assert_inert(&render(&bad).markdown);
        }
        for shift in 0..ATTACKS.len() {
            let bad = poisoned(&incident, &paths, |i| {
                format!("{}{}", ATTACKS[(i + shift) % ATTACKS.len()], ATTACKS[(i * 7 + shift) % ATTACKS.len()])
            });
            let report = render(&bad);
            assert_inert(&report.markdown);
            assert!(!report.slack.contains(['<', '>']), "{}", report.slack);
            assert!(report.slack.lines().count() <= 12);
            let shown = terminal_summary(&bad);
            assert!(!shown.contains(|c: char| c.is_control() && c != '\n') && shown.lines().count() <= 10, "{shown:?}");
            for chart in &report.charts {
                assert!(!chart.svg.contains("<script") && !chart.svg.contains("<img"));
            }
        }
    }
}

#[test]
fn empty_texts_leave_a_report_that_parses() {
    for (incident, paths) in cases() {
        assert_inert(&render(&poisoned(&incident, &paths, |_| String::new())).markdown);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn no_text_ever_becomes_markup(
        parts in prop::collection::vec(prop_oneof![
            prop::sample::select(ATTACKS.to_vec()).prop_map(str::to_owned),
            "[-`|\\\\<>&#*_~\\[\\]()!:=+.$@ \n\ta0]{0,12}",
            any::<String>(),
        ], 1..12),
    ) {
        thread_local!(static CASES: Vec<(Incident, Vec<String>)> = cases());
        CASES.with(|all| for (incident, paths) in all {
            let bad = poisoned(incident, paths, |i| format!("{}{}", parts[i % parts.len()], parts[i / 3 % parts.len()]));
            assert_inert(&render(&bad).markdown);
        });
    }
}
