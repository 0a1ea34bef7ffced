//! What one command does: functions and builtins of the shell, programs that run another, programs that run code, and
//! for all the rest the rules.

use super::{
    argv::{Argv, Grammar, Runs, cut},
    constants::{SENT, SOME, UNKNOWN, is_vague, known, shown},
    sql,
    unwrap::{Inner, Unwrapped},
    verdict::{StaticRisk, found},
    walk::{Feed, PROCESS, Walk},
};
use crate::model::{RiskCategory, RiskLevel, RiskVerdict};

/// Where programs are that only the system's owner can put there.
const PROGRAMS: [&str; 9] = [
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/snap/bin",
    "/opt/homebrew/bin",
    "/usr/libexec",
];

impl Walk<'_> {
    /// Judges a command that gets `stdin`, and says what it prints as far as that is known.
    pub(super) fn run(&mut self, words: &[String], stdin: &Feed) -> Feed {
        let unknown = Feed::Unknown { sent: stdin.is_sent() };
        let Some((first, args)) = words.split_first() else {
            self.risk.unresolved("there is no command");
            return unknown;
        };
        if is_vague(first) || first.contains(SOME) || first.is_empty() {
            self.vague(first, args, stdin);
            return unknown;
        }
        if let Some(said) = self.call(first, args, stdin) {
            return said;
        }
        if let Some(said) = self.builtin(first, args, stdin) {
            return said;
        }
        let (name, trusted) = self.identify(first);
        if let Some(said) = self.unwrapped(&name, args, stdin) {
            return said;
        }
        let grammar = self.book.grammar(&name).cloned().unwrap_or_default();
        let mut argv = Argv::read(&name, args, &grammar);
        argv.at.clone_from(&self.scope.at);
        if let Some(runs) = &grammar.runs
            && self.code_of(&argv, runs, stdin)
        {
            return unknown;
        }
        self.judge(first, trusted, &argv);
        self.said(&argv, &grammar, stdin)
    }

    /// The program's name without its path, and whether it lies where not anybody could have put it.
    fn identify(&self, first: &str) -> (String, bool) {
        if !first.contains('/') {
            let base = first.rsplit('\\').next().unwrap_or(first);
            return (self.book.name(base).unwrap_or_else(|| base.to_owned()), true);
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in first.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                _ => parts.push(part),
            }
        }
        let name = parts.pop().unwrap_or(first);
        let trusted = first.starts_with('/') && PROGRAMS.contains(&format!("/{}", parts.join("/")).as_str());
        (self.book.name(name).unwrap_or_else(|| name.to_owned()), trusted)
    }

    /// A program whose name is not known: what it would be without the unknown part counts where that is worse.
    fn vague(&mut self, first: &str, args: &[String], stdin: &Feed) {
        if first.contains(SENT) {
            self.risk.hit(&found::DOWNLOAD, vec![shown(first)]);
        }
        let mut guesses = vec![known(first).replace(SOME, "")];
        // Nothing else is called with `-rf`.
        if args.iter().any(|a| a == "-rf" || a == "-fr") {
            guesses.push("rm".into());
        }
        for guess in guesses.into_iter().filter(|g| !g.is_empty()) {
            let mut words = vec![guess];
            words.extend_from_slice(args);
            let before = std::mem::replace(&mut self.risk, StaticRisk::none());
            self.run(&words, stdin);
            let here = std::mem::replace(&mut self.risk, before);
            if here.verdict > RiskVerdict::Safe {
                self.risk.absorb(here);
            }
        }
        self.risk.unresolved(format!("which program `{}` is can't be told", cut(&shown(first))));
    }

    /// What the shell does itself.
    fn builtin(&mut self, name: &str, args: &[String], stdin: &Feed) -> Option<Feed> {
        let operands: Vec<&String> = args.iter().filter(|a| !a.starts_with('-')).collect();
        match name {
            "eval" => {
                let text = args.join(" ");
                if self.is_readable("eval", &text) {
                    return Some(self.script(&text));
                }
                self.scope.forget_all();
            }
            "source" | "." => {
                let fed = self.processes.last().cloned();
                let file = operands.first().map_or("", |o| o.as_str());
                match fed.filter(|_| file == PROCESS).or_else(|| (file == "/dev/stdin").then(|| stdin.clone())) {
                    Some(feed) => self.fed("shell", name, &feed),
                    None => self.risk.unresolved(format!("what is in `{}` is not looked at", cut(&shown(file)))),
                }
                self.scope.forget_all();
            }
            "trap" => {
                if let Some(text) = operands.first().filter(|_| operands.len() > 1) {
                    self.inner_script(text, None);
                }
            }
            "alias" => {
                for value in operands.iter().filter_map(|o| o.split_once('=')).map(|(_, v)| v) {
                    self.inner_script(value, None);
                }
            }
            "set" if args.first().is_some_and(|a| a == "--") => self.scope.positional = Some(args[1..].to_vec()),
            "shift" => self.scope.positional = None,
            "cd" | "pushd" | "chdir" => self.scope.enter(operands.first().map_or("~", |o| o.as_str())),
            "popd" => self.scope.enter("-"),
            "read" | "mapfile" | "readarray" | "getopts" | "unset" | "let" => {
                if name == "unset" {
                    operands.iter().for_each(|o| self.look("=", &[format!("{o}=")]));
                }
                operands.iter().for_each(|o| self.scope.forget(o.split(['=', '[']).next().unwrap_or(o)));
            }
            "printf" if args.first().is_some_and(|a| a == "-v") => {
                args.get(1).into_iter().for_each(|name| self.scope.forget(name));
            }
            "export" | "declare" | "typeset" | "local" | "readonly" => {
                for (name, value) in operands.iter().filter_map(|o| o.split_once('=')) {
                    self.look("=", &[format!("{name}={value}")]);
                    self.scope.set(name, vec![value.to_owned()]);
                }
            }
            _ => return None,
        }
        Some(Feed::Text(String::new()))
    }

    /// Whether all of a text is known that is going to be run; if not, that is noted.
    fn is_readable(&mut self, program: &str, text: &str) -> bool {
        if text.contains(SENT) {
            self.risk.hit(&found::DOWNLOAD, vec![program.to_owned(), cut(&shown(text))]);
        }
        if self.decoded {
            self.risk.hit(&found::HIDDEN, vec![program.to_owned(), cut(&shown(text))]);
        }
        if is_vague(text) && known(text).trim().is_empty() {
            self.risk.unresolved(format!("what `{program}` runs is not known"));
            return false;
        }
        true
    }

    /// Runs what a wrapper is given, if this is one.
    fn unwrapped(&mut self, name: &str, args: &[String], stdin: &Feed) -> Option<Feed> {
        if name == "find" {
            return self.find(args, stdin);
        }
        let book = self.book;
        let (wrapper, parts) = book.wrappers(name).find_map(|w| Some((w, w.unwrap(args)?)))?;
        let Unwrapped { own, assignments, inner } = parts;
        for assignment in assignments {
            self.look("=", std::slice::from_ref(assignment));
        }
        if wrapper.also {
            let grammar = book.grammar(name).cloned().unwrap_or_default();
            let argv = Argv::read(name, own, &grammar);
            self.judge(name, true, &argv);
        }
        let before = std::mem::replace(&mut self.risk, StaticRisk::none());
        let said = match wrapper.inner {
            Inner::Words => self.run(inner, stdin),
            Inner::Script => {
                let text = inner.join(" ");
                let positional = self.scope.positional.clone();
                match self.is_readable(name, &text) {
                    true => self.inner_script(&text, positional),
                    false => Feed::Unknown { sent: false },
                }
            }
            Inner::Added => self.added(inner, stdin),
        };
        let mut here = std::mem::replace(&mut self.risk, before);
        if wrapper.elevates && here.verdict > RiskVerdict::Safe {
            here.categories.insert(RiskCategory::Privilege);
        }
        if wrapper.elsewhere {
            here = here.on_a_target();
            here.hosts(name);
        }
        if wrapper.inner == Inner::Added {
            self.each(here, name, inner);
        } else {
            self.risk.absorb(here);
        }
        Some(match said {
            Feed::Text(text) if name != "ssh" => Feed::Text(text),
            said => Feed::Unknown { sent: said.is_sent() || name == "ssh" },
        })
    }

    /// A command that is run with words of standard input.
    fn added(&mut self, inner: &[String], stdin: &Feed) -> Feed {
        let mut words = inner.to_vec();
        match stdin {
            Feed::Text(text) if !is_vague(text) => words.extend(text.split_whitespace().map(str::to_owned)),
            _ => words.push(UNKNOWN.to_string()),
        }
        self.run(&words, &Feed::Unknown { sent: false })
    }

    /// What a command does to everything that is found: it was not listed, so even ordinary work needs approval.
    fn each(&mut self, here: StaticRisk, name: &str, inner: &[String]) {
        if here.level > RiskLevel::None {
            let words = std::iter::once(name).chain(inner.iter().map(String::as_str)).map(|w| cut(&shown(w)));
            self.risk.hit(&found::ON_ALL_FOUND, words.collect());
        }
        self.risk.absorb(here);
    }

    /// `find`, with the commands that it runs for what it finds.
    fn find(&mut self, args: &[String], stdin: &Feed) -> Option<Feed> {
        let is_exec = |w: &String| matches!(w.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir");
        args.iter().position(is_exec)?;
        let begin = args.iter().find(|w| !w.starts_with(['-', '(', '!', '\\'])).map_or(".", String::as_str);
        let found = format!("{}/{SOME}", begin.trim_end_matches('/'));
        let (mut own, mut rest) = (Vec::new(), args);
        while let Some(at) = rest.iter().position(is_exec) {
            own.extend_from_slice(&rest[..at]);
            let inner = &rest[at + 1..];
            // Unquoted, the `;` is not even an argument: then the command ends with the line.
            let end = inner.iter().position(|w| w == ";" || w == "+" || w == "\\;").unwrap_or(inner.len());
            let words: Vec<String> = inner[..end].iter().map(|w| w.replace("{}", &found)).collect();
            let before = std::mem::replace(&mut self.risk, StaticRisk::none());
            self.run(&words, stdin);
            let here = std::mem::replace(&mut self.risk, before);
            self.each(here, "find", &inner[..end]);
            rest = inner.get(end + 1..).unwrap_or_default();
        }
        own.extend_from_slice(rest);
        let grammar = self.book.grammar("find").cloned().unwrap_or_default();
        let argv = Argv::read("find", &own, &grammar);
        self.judge("find", true, &argv);
        Some(Feed::Unknown { sent: false })
    }

    /// Judges code that is in the arguments or is fed; `false` when there is none.
    fn code_of(&mut self, argv: &Argv, runs: &Runs, stdin: &Feed) -> bool {
        let mut codes: Vec<String> =
            argv.flags.iter().filter(|f| runs.options.contains(&f.name)).filter_map(|f| f.value.clone()).collect();
        let takes_first = argv.has(&runs.flags) || (runs.operand && codes.is_empty());
        if codes.is_empty() && takes_first {
            codes.extend(argv.operands.first().cloned());
        }
        if codes.is_empty() && runs.operands && !argv.operands.is_empty() {
            codes.push(argv.operands.join(" "));
        }
        if !codes.is_empty() {
            for code in codes {
                if self.is_readable(&argv.program, &code) {
                    self.code(&runs.language, &argv.program, &code, argv.operands.get(1..).unwrap_or_default());
                }
            }
            // How it is told to run that may matter too: `perl -i`.
            if !runs.operands {
                self.fire(argv);
            }
            return !runs.operands;
        }
        if !runs.stdin {
            return false;
        }
        let file = argv.operands.first().map(String::as_str);
        let feed = match file {
            Some(PROCESS) => self.processes.last().cloned().unwrap_or(Feed::Unknown { sent: false }),
            None | Some("-" | "/dev/stdin") if runs.language != "socket" => stdin.clone(),
            Some(_) if argv.has(&["-s".to_owned()]) || runs.language == "sql" => stdin.clone(),
            // What a service is told through its own socket can be told apart from what goes to another machine.
            Some(_) if runs.language == "socket" && argv.operands.iter().any(|o| o.ends_with(".sock")) => stdin.clone(),
            _ => return false,
        };
        if feed == Feed::Inherited {
            return false;
        }
        self.fed(&runs.language, &argv.program, &feed);
        true
    }

    /// Code that comes through a pipe or a redirect.
    fn fed(&mut self, language: &str, program: &str, feed: &Feed) {
        match feed {
            Feed::Text(text) if self.is_readable(program, text) => self.code(language, program, text, &[]),
            Feed::Unknown { sent: true } => self.risk.hit(&found::DOWNLOAD, vec![program.to_owned()]),
            Feed::Unknown { sent: false } | Feed::Inherited => {
                self.risk.unresolved(format!("what is fed to `{program}` is not known"));
            }
            Feed::Text(_) => {}
        }
    }

    /// Looks whether rules fire, where nothing has to be known.
    pub(super) fn look(&mut self, program: &str, words: &[String]) {
        let mut argv = Argv::read(program, words, &Grammar::default());
        // A path or an assignment is no option, whatever it begins with.
        argv.flags.clear();
        argv.operands = words.to_vec();
        argv.at.clone_from(&self.scope.at);
        self.fire(&argv);
    }

    pub(super) fn fire(&mut self, argv: &Argv) -> bool {
        let book = self.book;
        let fired = book.fired(argv);
        for (finding, words) in &fired {
            self.risk.hit(finding, words.clone());
        }
        !fired.is_empty()
    }

    /// Judges a command by the rules; what none of them knows needs approval.
    pub(super) fn judge(&mut self, first: &str, trusted: bool, argv: &Argv) {
        let sql: Vec<String> = std::iter::once(first).chain(argv.words.iter().map(String::as_str)).map(known).collect();
        let statements = sql::statements(&sql.join(" "));
        if statements.iter().any(|s| sql::is_statement(s)) {
            statements.iter().for_each(|s| self.statement(s));
            return;
        }
        let helps = |f: &super::argv::Flag| f.name == "--help" && f.value.is_none();
        let asks_version = argv.words.len() == 1 && matches!(argv.words[0].as_str(), "--version" | "--help");
        let is_known = self.book.name(&argv.program).is_some();
        let runs_code = self.book.grammar(&argv.program).is_some_and(|g| g.runs.is_some());
        if trusted && is_known && (asks_version || !runs_code && argv.flags.iter().any(helps)) {
            self.risk.hit(&found::HELP, argv.line());
            return;
        }
        if !trusted {
            let before = std::mem::replace(&mut self.risk, StaticRisk::none());
            self.fire(argv);
            let here = std::mem::replace(&mut self.risk, before);
            if here.verdict > RiskVerdict::Safe {
                self.risk.absorb(here);
            }
            self.risk.unresolved(format!("anybody may have put `{}` there", cut(&shown(first))));
        } else if !self.fire(argv) {
            let line = cut(&argv.line().join(" "));
            self.risk.unresolved(format!("no rule knows what `{line}` does"));
        }
    }

    pub(super) fn statement(&mut self, words: &[String]) {
        let grammar = Grammar::default();
        let (first, rest) = words.split_first().map_or(("", &[][..]), |(f, r)| (f.as_str(), r));
        let mut argv = Argv::read("<sql>", words, &grammar);
        argv.flags.clear();
        argv.operands = words.to_vec();
        if !self.fire(&argv) {
            let line = cut(&format!("{first} {}", rest.join(" ")));
            self.risk.unresolved(format!("no rule knows what the statement `{line}` does"));
        }
    }
}
