//! The walk through a script in the order in which it would run: every simple command is reached through lists,
//! branches, loops, functions and substitutions, with what is known of variables there and of what is piped into it.
//! What a command does is told in `run`.

use std::{collections::BTreeSet, sync::Arc};

use brush_parser::ast::{
    AndOr, AndOrList, Command, CompoundCommand, CompoundList, ExtendedTestExpr, FunctionBody, Pipeline, Program,
    SeparatorOperator,
};

use super::{
    RiskRules,
    constants::{SENT, Scope, UNKNOWN, is_vague},
    parse,
    rules::Book,
    verdict::{StaticRisk, found},
};

/// Scripts within scripts, and calls within calls.
const DEEPEST: usize = 12;
/// Commands that are looked at, each as often as it is reached.
const MOST_COMMANDS: usize = 20_000;
/// Values of a loop that are gone through one by one.
const MOST_VALUES: usize = 12;
/// Words of the shell that stand before a command.
const KEYWORDS: [&str; 10] = ["if", "then", "else", "elif", "while", "until", "do", "!", "time", "{"];
/// The file that a process substitution is for the command that gets it.
pub(super) const PROCESS: &str = "/dev/fd/63";

/// What goes into a command, or comes out of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Feed {
    /// What the script itself gets.
    Inherited,
    Text(String),
    /// What is not known, and whether another machine sent it.
    Unknown {
        sent: bool,
    },
}

impl Feed {
    pub(super) fn is_sent(&self) -> bool {
        match self {
            Self::Unknown { sent } => *sent,
            Self::Text(text) => text.contains(SENT),
            Self::Inherited => false,
        }
    }

    fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Text(a), Self::Text(b)) => Self::Text(a + &b),
            (a, b) => Self::Unknown { sent: a.is_sent() || b.is_sent() },
        }
    }

    pub(super) fn nothing() -> Self {
        Self::Text(String::new())
    }
}

/// A walk, with what it has found so far.
pub(super) struct Walk<'r> {
    pub(super) book: &'r Book,
    pub(super) risk: StaticRisk,
    pub(super) scope: Scope,
    /// Functions that are being called.
    calls: Vec<String>,
    called: BTreeSet<String>,
    /// How many of the commands around this one do not wait for each other.
    pub(super) beside: usize,
    depth: usize,
    left: usize,
    /// What comes out of the process substitutions of the command at hand.
    pub(super) processes: Vec<Feed>,
    /// Whether something was decoded before.
    pub(super) decoded: bool,
}

impl<'r> Walk<'r> {
    pub(super) fn new(rules: &'r RiskRules) -> Self {
        Self {
            book: &rules.0,
            risk: StaticRisk::none(),
            scope: Scope::default(),
            calls: Vec::new(),
            called: BTreeSet::new(),
            beside: 0,
            depth: 0,
            left: MOST_COMMANDS,
            processes: Vec::new(),
            decoded: false,
        }
    }

    /// Walks a script; what it prints as far as that is known.
    pub(super) fn script(&mut self, text: &str) -> Feed {
        if self.depth >= DEEPEST {
            self.risk.unresolved("commands are nested too deep to be analysed");
            return Feed::Unknown { sent: false };
        }
        match parse::parse(text) {
            Ok(program) => {
                self.depth += 1;
                let said = self.program(&program);
                self.depth -= 1;
                said
            }
            Err(why) => {
                self.risk.unresolved(why);
                self.roughly(text);
                Feed::Unknown { sent: false }
            }
        }
    }

    /// A script in a shell of its own, whose variables end with it.
    pub(super) fn inner_script(&mut self, text: &str, positional: Option<Vec<String>>) -> Feed {
        let outer = self.scope.clone();
        self.scope.positional = positional;
        let said = self.script(text);
        self.scope = outer;
        said
    }

    /// What a command substitution becomes.
    pub(super) fn substitute(&mut self, script: &str) -> String {
        let processes = std::mem::take(&mut self.processes);
        let positional = self.scope.positional.clone();
        let said = self.inner_script(script, positional);
        self.processes = processes;
        match said {
            Feed::Text(text) => text.trim_end_matches('\n').to_owned(),
            Feed::Unknown { sent: true } => SENT.to_string(),
            Feed::Unknown { sent: false } | Feed::Inherited => UNKNOWN.to_string(),
        }
    }

    fn program(&mut self, program: &Program) -> Feed {
        let mut said = Feed::nothing();
        for list in &program.complete_commands {
            said = said.then(self.list(list, &Feed::Inherited));
        }
        if self.depth == 1 {
            // A function that nobody called here may be called by a trap, or by who reads this file.
            let idle: Vec<(String, Arc<FunctionBody>)> = self.scope.functions.clone().into_iter().collect();
            for (name, body) in idle {
                if !self.called.contains(&name) {
                    self.scope.positional = None;
                    self.body(&name, &body, &Feed::Inherited);
                }
            }
        }
        said
    }

    pub(super) fn list(&mut self, list: &CompoundList, stdin: &Feed) -> Feed {
        let mut said = Feed::nothing();
        for item in &list.0 {
            if matches!(item.1, SeparatorOperator::Async) {
                let outer = self.scope.clone();
                self.beside += 1;
                self.and_or(&item.0, stdin);
                self.beside -= 1;
                self.scope = outer;
                said = said.then(Feed::Unknown { sent: false });
            } else {
                said = said.then(self.and_or(&item.0, stdin));
            }
        }
        said
    }

    fn and_or(&mut self, list: &AndOrList, stdin: &Feed) -> Feed {
        let mut said = self.pipeline(&list.first, stdin);
        if list.additional.is_empty() {
            return said;
        }
        let first = self.scope.clone();
        for next in &list.additional {
            let before = self.scope.clone();
            match next {
                AndOr::And(pipeline) => said = said.then(self.pipeline(pipeline, stdin)),
                AndOr::Or(pipeline) => {
                    said = Feed::Unknown { sent: said.is_sent() };
                    self.pipeline(pipeline, stdin);
                    self.scope.meet(before);
                }
            }
        }
        self.scope.meet(first);
        said
    }

    fn pipeline(&mut self, pipeline: &Pipeline, stdin: &Feed) -> Feed {
        if let [only] = pipeline.seq.as_slice() {
            return self.command(only, stdin);
        }
        let mut feed = stdin.clone();
        self.beside += 1;
        for command in &pipeline.seq {
            let outer = self.scope.clone();
            feed = self.command(command, &feed);
            self.scope = outer;
        }
        self.beside -= 1;
        feed
    }

    fn command(&mut self, command: &Command, stdin: &Feed) -> Feed {
        let Some(left) = self.left.checked_sub(1) else {
            self.risk.unresolved("more commands would run than are looked at");
            return Feed::Unknown { sent: false };
        };
        self.left = left;
        match command {
            Command::Simple(simple) => self.simple(simple, stdin),
            Command::Compound(compound, redirects) => {
                let list = redirects.as_ref().map_or(&[][..], |r| &r.0);
                let stdin = self.redirects(list).unwrap_or_else(|| stdin.clone());
                self.compound(compound, &stdin)
            }
            Command::Function(function) => {
                let name = function.fname.value.clone();
                self.scope.functions.insert(name, Arc::new(function.body.clone()));
                Feed::nothing()
            }
            Command::ExtendedTest(test, redirects) => {
                self.redirects(redirects.as_ref().map_or(&[][..], |r| &r.0));
                self.test(&test.expr);
                Feed::nothing()
            }
        }
    }

    fn compound(&mut self, compound: &CompoundCommand, stdin: &Feed) -> Feed {
        match compound {
            CompoundCommand::Arithmetic(a) => {
                self.substitutions_of(&a.expr.value);
                Feed::nothing()
            }
            CompoundCommand::ArithmeticForClause(f) => {
                for part in [&f.initializer, &f.condition, &f.updater].into_iter().flatten() {
                    self.substitutions_of(&part.value);
                }
                self.repeated(|walk| walk.list(&f.body.list, stdin))
            }
            CompoundCommand::BraceGroup(group) => self.list(&group.list, stdin),
            CompoundCommand::Subshell(shell) => {
                let outer = self.scope.clone();
                let said = self.list(&shell.list, stdin);
                self.scope = outer;
                said
            }
            CompoundCommand::ForClause(f) => {
                let values: Vec<String> = match &f.values {
                    Some(words) => words.iter().flat_map(|w| self.expand(&w.value)).collect(),
                    None => self.scope.positional.clone().unwrap_or_else(|| vec![UNKNOWN.to_string()]),
                };
                if values.len() > MOST_VALUES {
                    self.scope.forget(&f.variable_name);
                    return self.repeated(|walk| walk.list(&f.body.list, stdin));
                }
                for value in values {
                    self.scope.set(&f.variable_name, vec![value]);
                    self.repeated(|walk| walk.list(&f.body.list, stdin));
                }
                Feed::Unknown { sent: false }
            }
            CompoundCommand::CaseClause(case) => {
                self.expand(&case.value.value);
                let ways = case.cases.iter().filter_map(|c| c.cmd.as_ref());
                self.ways(ways, stdin)
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition, stdin);
                let elses = clause.elses.as_deref().unwrap_or_default();
                for condition in elses.iter().filter_map(|e| e.condition.as_ref()) {
                    self.list(condition, stdin);
                }
                self.ways(std::iter::once(&clause.then).chain(elses.iter().map(|e| &e.body)), stdin)
            }
            CompoundCommand::WhileClause(w) | CompoundCommand::UntilClause(w) => self.repeated(|walk| {
                walk.list(&w.0, stdin);
                walk.list(&w.1.list, stdin)
            }),
            CompoundCommand::Coprocess(c) => {
                self.beside += 1;
                let said = self.command(&c.body, stdin);
                self.beside -= 1;
                said
            }
        }
    }

    /// Walks each of the ways that a script may take; none of them may be taken too.
    fn ways<'l>(&mut self, ways: impl Iterator<Item = &'l CompoundList>, stdin: &Feed) -> Feed {
        let before = self.scope.clone();
        let mut after = before.clone();
        for way in ways {
            self.scope = before.clone();
            self.list(way, stdin);
            after.meet(std::mem::take(&mut self.scope));
        }
        self.scope = after;
        Feed::Unknown { sent: false }
    }

    /// Walks what may run any number of times: once more where the first time changed what is known.
    fn repeated(&mut self, mut body: impl FnMut(&mut Self) -> Feed) -> Feed {
        let before = self.scope.clone();
        body(self);
        self.scope.meet(before.clone());
        if !self.scope.knows_as(&before) {
            body(self);
        }
        Feed::Unknown { sent: false }
    }

    fn test(&mut self, expr: &ExtendedTestExpr) {
        match expr {
            ExtendedTestExpr::And(a, b) | ExtendedTestExpr::Or(a, b) => {
                self.test(a);
                self.test(b);
            }
            ExtendedTestExpr::Not(a) | ExtendedTestExpr::Parenthesized(a) => self.test(a),
            ExtendedTestExpr::UnaryTest(_, word) => drop(self.expand_whole(&word.value)),
            ExtendedTestExpr::BinaryTest(_, a, b) => {
                self.expand_whole(&a.value);
                self.expand_whole(&b.value);
            }
        }
    }

    /// Calls a function of the script, if it has one of this name.
    pub(super) fn call(&mut self, name: &str, args: &[String], stdin: &Feed) -> Option<Feed> {
        let body = self.scope.functions.get(name)?.clone();
        let outer = self.scope.positional.replace(args.to_vec());
        let said = self.body(name, &body, stdin);
        self.scope.positional = outer;
        Some(said)
    }

    fn body(&mut self, name: &str, body: &FunctionBody, stdin: &Feed) -> Feed {
        self.called.insert(name.to_owned());
        if self.calls.iter().any(|c| c == name) {
            if self.beside > 0 {
                self.risk.hit(&found::FORK_BOMB, vec![name.to_owned()]);
            } else {
                self.risk.unresolved(format!("`{name}` calls itself"));
            }
            return Feed::Unknown { sent: false };
        }
        if self.calls.len() >= DEEPEST {
            self.risk.unresolved("functions call each other too deep to be analysed");
            return Feed::Unknown { sent: false };
        }
        self.calls.push(name.to_owned());
        let stdin = self.redirects(body.1.as_ref().map_or(&[][..], |r| &r.0)).unwrap_or_else(|| stdin.clone());
        let said = self.compound(&body.0, &stdin);
        self.calls.pop();
        said
    }

    /// A text that is no script, word by word: what is found in it counts, what is not found proves nothing.
    fn roughly(&mut self, text: &str) {
        let lines: Vec<&str> = text.lines().take(MOST_COMMANDS / 4).collect();
        let parts = lines.iter().flat_map(|l| l.split([';', '&', '|', '(', ')', '`', '{', '}', '"', '\'']));
        for part in lines.iter().copied().chain(parts) {
            let clean = |w: &str| w.trim_matches(['"', '\'', '$', '\\', '(', ')']).to_owned();
            let is_keyword = |w: &String| KEYWORDS.contains(&w.as_str()) || w.is_empty();
            let words: Vec<String> = part.split_whitespace().map(clean).skip_while(is_keyword).collect();
            let Some(left) = self.left.checked_sub(1) else { return };
            self.left = left;
            if words.first().is_some_and(|w| !w.is_empty() && !is_vague(w)) {
                let before = std::mem::replace(&mut self.risk, StaticRisk::none());
                self.run(&words, &Feed::Inherited);
                let mut here = std::mem::replace(&mut self.risk, before);
                here.unresolved.clear();
                self.risk.absorb(here);
            }
        }
    }
}
