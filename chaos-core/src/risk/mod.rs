//! Static risk: what a command or a script risks by its text alone, whatever anybody claims about it. Every simple
//! command is reached, through substitutions, functions, wrappers and interpreters, and judged by rules in data. It
//! fails closed: what no rule knows, and what can't be resolved to words, needs approval.
//!
//! | file | subject |
//! |---|---|
//! | `parse` | text to syntax tree, with limits |
//! | `walk`, `simple` | the tree in its order, to simple commands and their redirects |
//! | `words`, `quotes`, `braces`, `constants` | words as a command gets them; what is known of variables |
//! | `run`, `unwrap`, `prints` | one command: builtins, wrappers, what it prints |
//! | `code`, `sql`, `sed` | code in other languages |
//! | `argv`, `places`, `rules` | options and operands; where a path leads; rules |
//! | `verdict` | what was found |

mod argv;
mod braces;
mod code;
mod constants;
mod parse;
mod places;
mod prints;
mod quotes;
mod rules;
mod run;
mod sed;
mod simple;
mod sql;
mod unwrap;
mod verdict;
mod walk;
mod words;

#[cfg(test)]
mod tests;

use std::{sync::OnceLock, thread};

use self::{
    constants::unmarked,
    rules::{Book, File},
    walk::{Feed, Walk},
};
pub use self::{parse::MOST_BYTES, verdict::StaticRisk};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{Action, RiskVerdict},
};

/// The embedded files of rules, by name.
const FILES: &[(&str, &str)] = &[
    ("files", include_str!("rules/files.toml")),
    ("text", include_str!("rules/text.toml")),
    ("system", include_str!("rules/system.toml")),
    ("git", include_str!("rules/git.toml")),
    ("packages", include_str!("rules/packages.toml")),
    ("containers", include_str!("rules/containers.toml")),
    ("cloud", include_str!("rules/cloud.toml")),
    ("data", include_str!("rules/data.toml")),
    ("network", include_str!("rules/network.toml")),
    ("code", include_str!("rules/code.toml")),
    ("windows", include_str!("rules/windows.toml")),
];

/// Rules.
#[derive(Debug, Clone)]
pub struct RiskRules(Book);

impl RiskRules {
    /// The embedded rules. A test checks them against their examples.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static RULES: OnceLock<RiskRules> = OnceLock::new();
        RULES.get_or_init(|| Self::read(FILES).expect("a test reads the embedded rules"))
    }

    /// Reads rules beside the embedded grammars, wrappers and places, and checks each against its own examples.
    ///
    /// # Errors
    /// `InvalidInput` with the rule and the reason.
    pub fn parse(text: &str) -> Result<Self> {
        let files: Vec<(&str, &str)> = FILES.iter().copied().chain([("rules", text)]).collect();
        let rules = Self::read(&files)?;
        rules.check()?;
        Ok(rules)
    }

    fn read(files: &[(&str, &str)]) -> Result<Self> {
        let mut all = File::default();
        for (name, text) in files {
            let file: File = toml::from_str(text).map_err(|e| {
                Error::new(ErrorKind::InvalidInput, "not a file of risk rules").with("file", *name).because(e)
            })?;
            all.places.add(file.places);
            all.programs.extend(file.programs);
            all.wrappers.extend(file.wrappers);
            for (language, names) in file.harmless {
                all.harmless.entry(language).or_default().extend(names);
            }
            all.rules.extend(file.rules);
        }
        Ok(Self(Book::new(all)))
    }

    /// Whether each rule fires for its examples, and for none of its counter-examples.
    fn check(&self) -> Result<()> {
        match self.flaws().into_iter().next() {
            None => Ok(()),
            Some((rule, why)) => Err(Error::new(ErrorKind::InvalidInput, why).with("rule", rule)),
        }
    }

    /// What is wrong with which rule, by its own examples.
    fn flaws(&self) -> Vec<(&str, String)> {
        let mut flaws = Vec::new();
        for rule in &self.0.file.rules {
            flaws.extend(rule.lacks().map(|why| (rule.id.as_str(), why.to_owned())));
            let fires = |line: &String| {
                let risk = self.script(line);
                risk.rules.contains_key(&rule.id) || risk.harmless.contains_key(&rule.id)
            };
            for line in rule.matches.iter().filter(|l| !fires(l)) {
                flaws.push((&rule.id, format!("it does not match its own example `{line}`")));
            }
            for line in rule.not_match.iter().filter(|l| fires(l)) {
                flaws.push((&rule.id, format!("it matches its own counter-example `{line}`")));
            }
        }
        flaws
    }

    /// What a script risks, or a command as it is typed.
    #[must_use]
    pub fn script(&self, text: &str) -> StaticRisk {
        let text = unmarked(text);
        if let Some(statements) = sql::whole(&text) {
            let mut walk = Walk::new(self);
            statements.iter().for_each(|s| walk.statement(s));
            return walk.risk;
        }
        self.on_a_deep_stack(|walk| {
            walk.script(&text);
        })
    }

    /// What a command risks as a step on a target that others depend on, by its words, which no shell sees.
    #[must_use]
    pub fn command(&self, argv: &[String]) -> StaticRisk {
        self.words(argv).on_a_target()
    }

    fn words(&self, argv: &[String]) -> StaticRisk {
        if let Some(word) = argv.iter().find(|w| w.contains('\0')) {
            let mut risk = StaticRisk::none();
            risk.unresolved(format!("there is a NUL in `{}`", word.escape_debug()));
            return risk;
        }
        let words: Vec<String> = argv.iter().map(|w| unmarked(w)).collect();
        self.on_a_deep_stack(|walk| {
            walk.run(&words, &Feed::Inherited);
        })
    }

    /// What an action of a plan risks, on a target that others depend on: only what reads is safe there, and a shell
    /// line never is.
    #[must_use]
    pub fn assess(&self, action: &Action) -> StaticRisk {
        let mut risk = match &action.shell {
            Some(line) => {
                let mut risk = self.script(line);
                risk.unresolved("a shell line is never taken for harmless");
                risk
            }
            None => StaticRisk::none(),
        };
        if action.shell.is_none() || !action.argv.is_empty() {
            risk.absorb(self.command(&action.argv));
        }
        risk.on_a_target()
    }

    /// The parser and the walk go down as deep as a script is nested.
    fn on_a_deep_stack(&self, work: impl FnOnce(&mut Walk<'_>) + Send) -> StaticRisk {
        let done = thread::scope(|scope| {
            let work = move || {
                let mut walk = Walk::new(self);
                work(&mut walk);
                walk.risk
            };
            let spawned =
                thread::Builder::new().name("assess".into()).stack_size(parse::STACK).spawn_scoped(scope, work);
            spawned.ok().and_then(|thread| thread.join().ok())
        });
        done.unwrap_or_else(|| {
            let mut risk = StaticRisk::none();
            risk.unresolved("it could not be analysed");
            debug_assert!(risk.verdict > RiskVerdict::Safe);
            risk
        })
    }
}
