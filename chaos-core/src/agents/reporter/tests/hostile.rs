//! Whatever text stands in whatever field: a Markdown parser must find no HTML, no foreign link or image, and no
//! heading that is not ours.

use std::collections::BTreeSet;

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;

use super::{
    super::{render, terminal_summary},
    fixtures,
};
use crate::model::Incident;

pub(super) fn parser(markdown: &str) -> Parser<'_> {
    let gfm = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM
        | Options::ENABLE_MATH
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    Parser::new_ext(markdown, gfm)
}

const OUR_HEADINGS: [&str; 17] = [
    "Impact",
    "Root cause",
    "What else was considered",
    "How the conclusion was reached",
    "What could not be seen",
    "Timeline",
    "Evidence",
    "Charts",
    "Findings",
    "What the target answered",
    "Recommended fix",
    "Alternatives",
    "What to look at next",
    "Risk",
    "Rollback plan",
    "Lessons and action items",
    "Chaos experiment",
];

fn is_ours(heading: &str) -> bool {
    let numbered = |mark: char| heading.strip_prefix(mark).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    OUR_HEADINGS.contains(&heading)
        || ["What was looked at", "What stood out all the same"].contains(&heading)
        || numbered('F')
        || numbered('A')
        || ["Chart: ", "Step ", "inc-"].iter().any(|p| heading.starts_with(p))
}

/// GitHub's anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
    kept.replace(' ', "-")
}

pub(super) fn assert_inert(markdown: &str) {
    let mut heading: Option<String> = None;
    let (mut anchors, mut links) = (BTreeSet::new(), Vec::new());
    let (mut columns, mut cells) = (0, 0);
    let mut code = false;
    for event in parser(markdown) {
        match event {
            Event::Html(h) | Event::InlineHtml(h) => panic!("HTML {h:?} in\n{markdown}"),
            Event::InlineMath(m) | Event::DisplayMath(m) => panic!("math {m:?} in\n{markdown}"),
            Event::FootnoteReference(f) => panic!("footnote {f:?} in\n{markdown}"),
            Event::Start(Tag::Link { dest_url, .. }) => match dest_url.strip_prefix('#') {
                Some(anchor) => links.push(anchor.to_owned()),
                None => panic!("link to {dest_url} in\n{markdown}"),
            },
            Event::Start(Tag::Image { dest_url, .. }) => {
                assert!(dest_url.starts_with("artifacts/") && dest_url.ends_with(".svg"), "{dest_url}");
            }
            Event::Start(
                Tag::Strikethrough | Tag::BlockQuote(_) | Tag::MetadataBlock(_) | Tag::FootnoteDefinition(_),
            ) => {
                panic!("foreign block in\n{markdown}")
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let text = heading.take().unwrap();
                assert!(is_ours(&text), "heading {text:?} in\n{markdown}");
                anchors.insert(slug(&text));
            }
            Event::Start(Tag::Table(align)) => columns = align.len(),
            Event::Start(Tag::TableRow | Tag::TableHead) => cells = 0,
            Event::Start(Tag::TableCell) => cells += 1,
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => assert_eq!(cells, columns),
            Event::Start(Tag::CodeBlock(_)) => code = true,
            Event::End(TagEnd::CodeBlock) => code = false,
            Event::Text(t) => {
                if let Some(h) = &mut heading {
                    h.push_str(&t);
                }
                // GitHub links these wherever they stand as text.
                let live = ["://", "www.", "@"].iter().any(|m| t.contains(m));
                assert!(code || !live, "{t:?} in\n{markdown}");
            }
            Event::Code(t) => {
                if let Some(h) = &mut heading {
                    h.push_str(&t);
                }
            }
            _ => {}
        }
    }
    for link in links {
        assert!(anchors.contains(&link), "nothing at #{link} in\n{markdown}");
    }
    let hidden = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{200b}';
    assert!(!markdown.contains(hidden), "hidden characters in\n{markdown}");
}

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
