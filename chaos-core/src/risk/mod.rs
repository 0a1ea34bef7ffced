//! Static risk: what a command risks by its words alone, whatever anybody claims about it. Rules are data in
//! `rules.toml`, checked against their own examples when they are read. It fails closed: a program that no rule
//! knows needs approval, and so does whatever can't be resolved to literal words.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use serde::Deserialize;

use crate::{
    error::{Error, ErrorKind, Result},
    model::{Action, Ask, RiskCategory, RiskLevel, RiskVerdict, RuleHit},
    readonly::AllowList,
};

/// One rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    id: String,
    prefix: Vec<Vec<String>>,
    #[serde(default)]
    any: Vec<String>,
    #[serde(default)]
    under: Vec<String>,
    verdict: RiskVerdict,
    level: RiskLevel,
    categories: BTreeSet<RiskCategory>,
    why: String,
    #[serde(rename = "match")]
    matches: Vec<String>,
    not_match: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<Rule>,
}

/// What a command risks.
#[derive(Debug, Clone, PartialEq)]
pub struct StaticRisk {
    /// How bad.
    pub level: RiskLevel,
    /// Whether it may run.
    pub verdict: RiskVerdict,
    /// What could be hit.
    pub categories: BTreeSet<RiskCategory>,
    /// Ids of the rules that fired, with the words and the reason.
    pub rules: BTreeMap<String, (Vec<String>, String)>,
    /// What could not be resolved.
    pub unresolved: Vec<String>,
}

impl StaticRisk {
    fn none() -> Self {
        Self {
            level: RiskLevel::None,
            verdict: RiskVerdict::Safe,
            categories: BTreeSet::new(),
            rules: BTreeMap::new(),
            unresolved: Vec::new(),
        }
    }

    fn raise(&mut self, level: RiskLevel, verdict: RiskVerdict) {
        self.level = self.level.max(level);
        self.verdict = self.verdict.max(verdict);
    }

    fn unresolved(mut self, what: String) -> Self {
        self.raise(RiskLevel::Medium, RiskVerdict::NeedsApproval);
        self.unresolved.push(what);
        self
    }

    /// The rules that fired, for a model.
    #[must_use]
    pub fn hits(&self) -> Vec<RuleHit> {
        let hit = |(rule, (words, why)): (&String, &(Vec<String>, String))| RuleHit {
            rule: rule.clone(),
            words: words.clone(),
            why: why.clone(),
        };
        self.rules.iter().map(hit).collect()
    }

    fn and(mut self, other: Self) -> Self {
        self.raise(other.level, other.verdict);
        self.categories.extend(other.categories);
        self.rules.extend(other.rules);
        self.unresolved.extend(other.unresolved);
        self
    }
}

/// Rules, checked.
#[derive(Debug, Clone)]
pub struct RiskRules(Vec<Rule>);

impl RiskRules {
    /// The embedded rules.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static RULES: OnceLock<RiskRules> = OnceLock::new();
        RULES.get_or_init(|| Self::parse(include_str!("rules.toml")).expect("a test reads the embedded rules"))
    }

    /// Reads rules and checks each against its own examples.
    ///
    /// # Errors
    /// `InvalidInput` with the rule and the reason.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text)
            .map_err(|e| Error::new(ErrorKind::InvalidInput, "not a file of risk rules").because(e))?;
        for rule in &file.rules {
            let no = |why: String| Err(Error::new(ErrorKind::InvalidInput, why).with("rule", &rule.id));
            if rule.prefix.is_empty() || rule.matches.is_empty() || rule.not_match.is_empty() {
                return no("give a prefix, and examples in match and in not_match".into());
            }
            let fires = |line: &&String| rule.fires(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).is_some();
            if let Some(line) = rule.matches.iter().find(|l| !fires(l)) {
                return no(format!("it does not match its own example `{line}`"));
            }
            if let Some(line) = rule.not_match.iter().find(fires) {
                return no(format!("it matches its own counter-example `{line}`"));
            }
        }
        Ok(Self(file.rules))
    }

    /// What an action risks. A shell line is never safe.
    #[must_use]
    pub fn assess(&self, action: &Action) -> StaticRisk {
        let command = if action.argv.is_empty() && action.shell.is_some() {
            StaticRisk::none()
        } else {
            self.command(&action.argv)
        };
        match &action.shell {
            None => command,
            Some(line) => command.and(self.shell(line)),
        }
    }

    /// What a command risks.
    #[must_use]
    pub fn command(&self, argv: &[String]) -> StaticRisk {
        self.within(argv, 0)
    }

    fn within(&self, argv: &[String], depth: usize) -> StaticRisk {
        let mut risk = StaticRisk::none();
        let (inner, elevated) = unwrapped(argv);
        let Some(first) = inner.first().filter(|p| !p.is_empty()) else {
            return risk.unresolved("there is no command".into());
        };
        // The same program by its path is the same program; unless it lies where anybody could have put it.
        let program = first.rsplit('/').next().unwrap_or(first).to_owned();
        let known_place = !first.contains('/')
            || ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"].iter().any(|p| *first == format!("{p}{program}"));
        let mut words = inner.to_vec();
        words[0].clone_from(&program);
        if let Some(text) = script_of(&words) {
            let inside = if depth < 4 { self.shell(text) } else { StaticRisk::none() };
            return risk.unresolved(format!("what `{program}` runs is not resolved word by word")).and(inside);
        }
        for rule in &self.0 {
            if let Some(hit) = rule.fires(&words) {
                risk.raise(rule.level, rule.verdict);
                risk.categories.extend(rule.categories.iter().copied());
                risk.rules.insert(rule.id.clone(), (hit, rule.why.clone()));
            }
        }
        let reads = known_place && AllowList::default().check(&Ask::run(words.clone())).is_ok();
        if reads {
            risk = StaticRisk::none();
            risk.rules.insert("read-only".into(), (words, "it is on the read-only allow-list".into()));
        } else if !known_place || risk.rules.is_empty() {
            risk = risk.unresolved(format!("no rule knows what `{}` does", first.escape_debug()));
        }
        if elevated && !reads {
            risk.categories.insert(RiskCategory::Privilege);
        }
        risk
    }

    /// A shell line, cut roughly into commands: what is found in it counts, what is not found proves nothing.
    fn shell(&self, line: &str) -> StaticRisk {
        let mut risk = StaticRisk::none().unresolved("a shell line is not resolved word by word".into());
        for part in line.split(['\n', ';', '&', '|', '(', ')', '`', '{', '}']) {
            let words: Vec<String> =
                part.split_whitespace().map(|w| w.trim_matches(['"', '\'', '$', '\\']).to_owned()).collect();
            if !words.is_empty() {
                let found = self.within(&words, 4);
                if !found.rules.is_empty() {
                    risk = risk.and(found);
                }
            }
            if part.contains('>') {
                risk.raise(RiskLevel::High, RiskVerdict::NeedsApproval);
                risk.categories.insert(RiskCategory::DataLoss);
            }
        }
        risk
    }
}

impl Rule {
    /// The words that trigger the rule, if it fires.
    fn fires(&self, words: &[String]) -> Option<Vec<String>> {
        let (program, rest) = words.split_first()?;
        if !self.prefix[0].contains(program) {
            return None;
        }
        let mut hit = vec![program.clone()];
        // Verbs are the words that are not options: `systemctl --no-block stop x` stops x.
        let mut verbs = rest.iter().filter(|w| !w.starts_with('-'));
        for alternatives in &self.prefix[1..] {
            let word = verbs.next()?;
            if !alternatives.contains(word) {
                return None;
            }
            hit.push(word.clone());
        }
        let end = rest.iter().position(|w| w == "--").unwrap_or(rest.len());
        if !self.any.is_empty() {
            let word = rest[..end].iter().find(|w| self.any.iter().any(|o| has_option(w, o)))?;
            hit.push(word.clone());
        }
        if !self.under.is_empty() {
            let options = |i: usize, w: &str| i < end && w.starts_with('-');
            let word = rest.iter().enumerate().find(|(i, w)| !options(*i, w) && self.is_under(w)).map(|(_, w)| w)?;
            hit.push(word.clone());
        }
        Some(hit)
    }

    /// Whether a path lies in one of the rule's places, or can't be told: `..`, a wildcard, a variable, the root.
    fn is_under(&self, path: &str) -> bool {
        let vague = path.contains(['*', '?', '$', '~', '[']) || path.split('/').any(|p| p == "..");
        let plain: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
        let path = if path.starts_with('/') { format!("/{}", plain.join("/")) } else { path.to_owned() };
        vague || path == "/" || self.under.iter().any(|u| path == *u || path.starts_with(&format!("{u}/")))
    }
}

/// Whether `word` is the option: itself, `--option=value`, or a letter among joined short ones.
fn has_option(word: &str, option: &str) -> bool {
    let joined = option.len() == 2
        && option.starts_with('-')
        && !option.as_bytes()[1].is_ascii_digit()
        && word.starts_with('-')
        && !word.starts_with("--")
        && word[1..].contains(&option[1..]);
    word == option || joined || (option.starts_with("--") && word.starts_with(&format!("{option}=")))
}

/// The text that an interpreter would run, when this is one.
fn script_of(words: &[String]) -> Option<&str> {
    const INTERPRETERS: [&str; 20] = [
        "sh", "bash", "dash", "zsh", "ksh", "ash", "busybox", "python", "python3", "perl", "ruby", "node", "php",
        "awk", "eval", "source", "xargs", "parallel", "ssh", "su",
    ];
    let (program, rest) = words.split_first()?;
    INTERPRETERS.contains(&program.as_str()).then(|| rest.last().map_or("", String::as_str))
}

/// The command inside `sudo`, `env`, `nice`, `timeout` and the like, and whether it runs as somebody else.
fn unwrapped(argv: &[String]) -> (&[String], bool) {
    let (mut argv, mut elevated) = (argv, false);
    while let Some((first, rest)) = argv.split_first() {
        let with_value: &[&str] = match first.rsplit('/').next().unwrap_or(first) {
            "sudo" | "doas" => &["-u", "-g", "-h", "-p", "-C", "-r", "-t", "-U", "-D"],
            "nice" => &["-n"],
            "ionice" => &["-c", "-n"],
            "timeout" => &["-s", "-k"],
            "env" => &["-u", "-C", "-S"],
            "nohup" | "setsid" | "stdbuf" | "time" | "command" | "exec" => &[],
            _ => break,
        };
        elevated |= matches!(first.rsplit('/').next(), Some("sudo" | "doas"));
        let mut at = 0;
        while let Some(word) = rest.get(at) {
            if with_value.contains(&word.as_str()) {
                at += 2;
            } else if word.starts_with('-') || (first.ends_with("env") || first.ends_with("sudo")) && word.contains('=')
            {
                at += 1;
            } else {
                break;
            }
        }
        if first.ends_with("timeout") {
            at += 1; // the duration
        }
        argv = rest.get(at..).unwrap_or_default();
        // `ionice -c 3 -p 812` changes a process and runs nothing.
        if argv.is_empty() && first.ends_with("nice") {
            break;
        }
    }
    (argv, elevated)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(line: &str) -> StaticRisk {
        RiskRules::builtin().command(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn verdicts_by_argv() {
        use RiskVerdict::{Dangerous, NeedsApproval, Safe};
        for (line, verdict) in [
            ("cat /proc/loadavg", Safe),
            ("kill -0 812", Safe),
            ("sudo -n systemctl status nginx", Safe),
            ("kill -TERM 812", NeedsApproval),
            ("systemctl restart nginx.service", NeedsApproval),
            ("rm -- /tmp/x", NeedsApproval),
            ("frobnicate --now", NeedsApproval),
            ("/tmp/cat /etc/hosts", NeedsApproval),
            ("sh -c id", NeedsApproval),
            ("", NeedsApproval),
            ("rm -rf /", Dangerous),
            ("sudo rm -fr /var/lib/x", Dangerous),
            ("sudo -u root env A=b nice -n 5 timeout 5 nohup /bin/rm -rf x", Dangerous),
            ("sh -c rm\u{20}-rf\u{20}/", NeedsApproval),
            ("systemctl --no-block reboot", Dangerous),
            ("dd if=/dev/zero of=/dev/sda", Dangerous),
            ("kill -9 -1", Dangerous),
        ] {
            assert_eq!(judge(line).verdict, verdict, "{line}");
        }
    }

    #[test]
    fn what_a_shell_runs_is_looked_into_and_never_safe() {
        let rules = RiskRules::builtin();
        let sh = |text: &str| rules.command(&["bash".to_owned(), "-c".to_owned(), text.to_owned()]).verdict;
        assert_eq!(sh("true"), RiskVerdict::NeedsApproval);
        assert_eq!(sh("true; sudo rm -rf /"), RiskVerdict::Dangerous);
        assert_eq!(sh("echo $(rm -rf /)"), RiskVerdict::Dangerous);
    }

    #[test]
    fn a_program_that_no_rule_knows_is_said() {
        assert!(!judge("frobnicate --now").unresolved.is_empty());
        assert!(judge("kill -TERM 812").unresolved.is_empty());
    }

    #[test]
    fn a_rule_that_fails_its_own_example_is_refused() {
        let text = "[[rules]]\nid = 'x'\nprefix = [['a']]\nverdict = 'safe'\nlevel = 'none'\ncategories = []\nwhy = ''\nmatch = ['b']\nnot_match = ['c']\n";
        assert!(RiskRules::parse(text).unwrap_err().to_string().contains("its own example"));
    }

    proptest! {
        #[test]
        fn no_words_panic_and_unknown_programs_are_never_safe(words in prop::collection::vec("\\PC{0,12}", 0..6)) {
            let risk = RiskRules::builtin().command(&words);
            prop_assert!(risk.verdict > RiskVerdict::Safe || risk.rules.contains_key("read-only"));
        }
    }
}
