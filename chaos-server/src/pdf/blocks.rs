//! Markdown as the template's data: a tree of blocks and of runs of text. Characters that no font has are replaced by
//! their numbers here, where everybody can see them.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::{Value, json};

/// Deepest nesting that is told.
const DEEPEST: usize = 32;

/// The name under which the template finds a chart.
pub(super) fn chart(index: usize) -> String {
    format!("chart-{index}.svg")
}

/// The data. `charts` are the names that the Markdown has.
pub(super) fn document(markdown: &str, charts: &[&str], title: &str, covered: &dyn Fn(char) -> bool) -> Value {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut tree = Tree { charts, covered, stack: vec![Node { kind: json!({ "t": "document" }), inside: Vec::new() }] };
    for event in Parser::new_ext(markdown, options) {
        tree.take(event);
    }
    while tree.stack.len() > 1 {
        tree.close();
    }
    let blocks = tree.stack.pop().map(|root| root.inside).unwrap_or_default();
    json!({ "title": tree.shown(title), "blocks": blocks })
}

struct Node {
    kind: Value,
    inside: Vec<Value>,
}

struct Tree<'a> {
    charts: &'a [&'a str],
    covered: &'a dyn Fn(char) -> bool,
    stack: Vec<Node>,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => {
                let kind = self.kind(&tag);
                self.stack.push(Node { kind, inside: Vec::new() });
            }
            Event::End(TagEnd::Image) => {
                // An image that is no chart of ours is told by its words.
                if self.stack.last().is_some_and(|node| node.kind.get("src").is_some_and(Value::is_null)) {
                    let words = self.stack.pop().map(|node| node.inside).unwrap_or_default();
                    self.add_all(words);
                } else {
                    self.close();
                }
            }
            Event::End(_) => self.close(),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                let text = self.shown(&text);
                self.add(json!({ "t": "text", "s": text }));
            }
            Event::Code(text) => {
                let text = self.shown(&text);
                self.add(json!({ "t": "code", "s": text }));
            }
            Event::SoftBreak => self.add(json!({ "t": "text", "s": " " })),
            Event::HardBreak => self.add(json!({ "t": "break" })),
            Event::Rule => self.add(json!({ "t": "rule" })),
            _ => {}
        }
    }

    fn kind(&self, tag: &Tag<'_>) -> Value {
        match tag {
            Tag::Heading { level, .. } => json!({ "t": "heading", "level": *level as u8 }),
            Tag::BlockQuote(_) => json!({ "t": "quote" }),
            Tag::CodeBlock(_) => json!({ "t": "pre" }),
            Tag::List(start) => json!({ "t": "list", "ordered": start.is_some() }),
            Tag::Item => json!({ "t": "item" }),
            Tag::Table(columns) => json!({ "t": "table", "columns": columns.len() }),
            Tag::TableHead => json!({ "t": "head" }),
            Tag::TableRow => json!({ "t": "row" }),
            Tag::TableCell => json!({ "t": "cell" }),
            Tag::Emphasis => json!({ "t": "emph" }),
            Tag::Strong => json!({ "t": "strong" }),
            Tag::Strikethrough => json!({ "t": "strike" }),
            Tag::Image { dest_url, .. } => {
                let at = self.charts.iter().position(|name| **name == **dest_url);
                json!({ "t": "image", "src": at.map(chart) })
            }
            Tag::Link { .. } => json!({ "t": "span" }),
            _ => json!({ "t": "para" }),
        }
    }

    fn close(&mut self) {
        if self.stack.len() < 2 {
            return;
        }
        let Some(Node { mut kind, inside }) = self.stack.pop() else { return };
        if self.stack.len() > DEEPEST {
            return self.add_all(inside);
        }
        if kind["t"] == "pre" {
            let text: String = inside.iter().filter_map(|run| run["s"].as_str()).collect();
            kind["s"] = json!(text.trim_end_matches('\n'));
        } else {
            kind["c"] = Value::Array(inside);
        }
        self.add(kind);
    }

    fn add(&mut self, value: Value) {
        if let Some(node) = self.stack.last_mut() {
            node.inside.push(value);
        }
    }

    fn add_all(&mut self, values: Vec<Value>) {
        values.into_iter().for_each(|value| self.add(value));
    }

    /// The text as the fonts can show it.
    fn shown(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if c.is_ascii() || (self.covered)(c) {
                out.push(c);
            } else {
                out.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_data_and_what_no_font_has_its_number() {
        let markdown =
            "# A 中\n\n- x `y`\n\n|h|\n|-|\n|c|\n\n```\na\nb\n```\n\n![w](a.svg) ![z](http://x)\n\n<b>raw</b>\n";
        let made = document(markdown, &["a.svg"], "t", &|c| c < '\u{3000}');
        let text = made.to_string();
        for part in [
            r#"{"c":[{"s":"A ⟨U+4E2D⟩","t":"text"}],"level":1,"t":"heading"}"#,
            r#"{"s":"a\nb","t":"pre"}"#,
            r#""src":"chart-0.svg""#,
            r#"{"s":"z","t":"text"}"#,
            r#""s":"<b>""#,
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let deep = format!("{}x", "> ".repeat(500));
        assert!(document(&deep, &[], "t", &|_| true).to_string().contains("\"x\""));
    }
}
