//! That a report is inert: no HTML, no foreign link or image, no heading that is not ours, in the eyes of a Markdown
//! parser. The fuzz targets judge by it too.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

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
                let domain = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric());
                let live = t.contains("://") || t.contains('@') || t.split("www.").skip(1).any(domain);
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
