//! What a command prints, where that can be told from its text: it may be what the next one runs.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    argv::{Argv, Grammar},
    constants::SOME,
    walk::{Feed, Walk},
};

impl Walk<'_> {
    /// What a command prints, as far as it can be told.
    pub(super) fn said(&mut self, argv: &Argv, grammar: &Grammar, stdin: &Feed) -> Feed {
        let line = |text: String| Feed::Text(text + "\n");
        let options = |known: &[&str]| argv.flags.iter().all(|f| f.group || known.contains(&f.name.as_str()));
        match (argv.program.as_str(), stdin) {
            ("echo", _) if options(&["-n", "-e", "-E"]) => line(argv.operands.join(" ")),
            ("printf", _) if argv.operands.len() == 1 && !argv.operands[0].contains('%') => {
                Feed::Text(argv.operands[0].replace("\\n", "\n"))
            }
            ("printf", _) if argv.operands.len() > 1 && matches!(argv.operands[0].as_str(), "%s" | "%s\\n" | "%b") => {
                line(argv.operands[1..].join(" "))
            }
            ("cat" | "tee" | "head" | "tail" | "sort" | "uniq", Feed::Text(text)) if argv.operands.is_empty() => {
                Feed::Text(text.clone())
            }
            ("tee", Feed::Text(text)) => Feed::Text(text.clone()),
            ("rev", Feed::Text(text)) => line(text.trim_end().chars().rev().collect()),
            ("base64", Feed::Text(text))
                if argv.operands.is_empty() && argv.has(&["-d".into(), "--decode".into(), "-D".into()]) =>
            {
                let bytes = STANDARD.decode(text.split_whitespace().collect::<String>());
                match bytes.ok().and_then(|b| String::from_utf8(b).ok()) {
                    Some(text) => {
                        self.decoded = true;
                        Feed::Text(text)
                    }
                    None => Feed::Unknown { sent: false },
                }
            }
            ("pwd", _) => line(".".into()),
            ("mktemp", _) if options(&["-d", "-q", "--directory"]) => line(format!("/tmp/{SOME}")),
            ("whoami" | "hostname" | "date" | "nproc" | "uname" | "id" | "wc" | "logname" | "arch", _) => {
                line(SOME.to_string())
            }
            (":" | "true" | "false" | "test" | "[" | "sleep" | "wait", _) => Feed::Text(String::new()),
            _ => Feed::Unknown { sent: grammar.fetches || stdin.is_sent() },
        }
    }
}
