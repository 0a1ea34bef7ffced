//! Code in another language than the one it is called from, as a text: shell is walked, SQL is cut into statements, and
//! of the rest it is looked for calls that are known, and for texts that are commands.

use super::{
    argv::{Argv, Grammar, cut},
    constants::{is_vague, known},
    sed, sql,
    verdict::{StaticRisk, found},
    walk::Walk,
};
use crate::model::RiskVerdict;

/// Texts within code that are looked at.
const MOST_TEXTS: usize = 50;

impl Walk<'_> {
    /// Judges code that `program` would run.
    pub(super) fn code(&mut self, language: &str, program: &str, text: &str, args: &[String]) {
        match language {
            "shell" => {
                // The first is what the shell calls itself.
                let positional = args.get(1..).unwrap_or_default().to_vec();
                self.inner_script(text, Some(positional));
            }
            "sql" => sql::statements(text).iter().for_each(|s| self.statement(s)),
            "sed" => {
                if !sed::only_edits(text) {
                    self.risk.unresolved(format!("what `sed` does by `{}` can't be told", cut(text)));
                }
            }
            _ => self.other(language, program, text),
        }
    }

    fn other(&mut self, language: &str, program: &str, text: &str) {
        let mut argv = Argv::read(&format!("<{language}>"), &[], &Grammar::default());
        argv.words = vec![text.trim_end().to_owned()];
        argv.operands = text.split_whitespace().map(str::to_owned).collect();
        let before = std::mem::replace(&mut self.risk, StaticRisk::none());
        self.fire(&argv);
        for inside in texts(text).into_iter().take(MOST_TEXTS) {
            let outer = std::mem::replace(&mut self.risk, StaticRisk::none());
            self.inner_script(&inside, None);
            let here = std::mem::replace(&mut self.risk, outer);
            // Most texts are no commands; one that is dangerous as a command is looked for.
            if here.verdict == RiskVerdict::Dangerous {
                self.risk.absorb(here);
            }
        }
        let fired = self.risk.verdict > RiskVerdict::Safe;
        let here = std::mem::replace(&mut self.risk, before);
        self.risk.absorb(here);
        if fired {
            return;
        }
        let harmless = self
            .book
            .file
            .harmless
            .get(language)
            .is_some_and(|names| !is_vague(text) && identifiers(text).iter().all(|i| names.iter().any(|n| n == i)));
        if harmless {
            self.risk.hit(&found::ONLY_COMPUTES, vec![program.to_owned(), cut(&known(text))]);
        } else {
            self.risk.unresolved(format!("what `{program}` does by `{}` can't be told", cut(&known(text))));
        }
    }
}

/// What stands in quotes.
fn texts(code: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut chars = code.chars();
    while let Some(open) = chars.by_ref().find(|c| matches!(c, '"' | '\'' | '`')) {
        let mut text = String::new();
        let mut escaped = false;
        for c in chars.by_ref() {
            match c {
                c if escaped => {
                    text.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                c if c == open => break,
                c => text.push(c),
            }
        }
        if text.contains(' ') || text.len() > 3 {
            all.push(text);
        }
    }
    all
}

/// The names that code uses outside of quotes.
fn identifiers(code: &str) -> Vec<&str> {
    let bytes = code.as_bytes();
    let mut names = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b if b.is_ascii_alphabetic() || b == b'_' || b == b'`' || b == b'$' => {
                let from = at;
                while at + 1 < bytes.len() && (bytes[at + 1].is_ascii_alphanumeric() || bytes[at + 1] == b'_') {
                    at += 1;
                }
                names.push(&code[from..=at]);
            }
            _ => {}
        }
        at += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_cut_into_texts_and_names() {
        assert_eq!(texts("f('rm -rf x', \"a\\\"b c\")"), ["rm -rf x", "a\"b c"]);
        assert_eq!(identifiers("print('x y', len(z1))"), ["print", "len", "z1"]);
        assert_eq!(identifiers("'é' `x` $y"), ["`x", "`", "$y"]);
    }
}
