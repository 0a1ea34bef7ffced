//! A Markdown document that grows block by block. What it is given is Markdown already: data has been escaped.

use std::fmt::Write;

/// The document so far.
#[derive(Default)]
pub(super) struct Doc(String);

impl Doc {
    pub(super) fn finish(self) -> String {
        format!("{}\n", self.0.trim_end())
    }

    pub(super) fn heading(&mut self, level: usize, text: &str) {
        let _ = writeln!(self.0, "{} {text}\n", "#".repeat(level));
    }

    pub(super) fn para(&mut self, text: &str) {
        if !text.is_empty() {
            let _ = writeln!(self.0, "{text}\n");
        }
    }

    /// A list; nothing for no items.
    pub(super) fn list(&mut self, items: &[String]) {
        for item in items {
            let _ = writeln!(self.0, "- {item}");
        }
        if !items.is_empty() {
            self.0.push('\n');
        }
    }

    /// A table; nothing for no rows.
    pub(super) fn table<const N: usize>(&mut self, head: [&str; N], rows: &[[String; N]]) {
        if rows.is_empty() {
            return;
        }
        let _ = writeln!(self.0, "| {} |\n|{}", head.join(" | "), " --- |".repeat(N));
        for row in rows {
            let _ = writeln!(self.0, "| {} |", row.join(" | "));
        }
        self.0.push('\n');
    }

    /// A block that ends with a line feed, such as a fence.
    pub(super) fn block(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }
}
