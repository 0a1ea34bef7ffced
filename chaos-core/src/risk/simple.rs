//! A simple command's own parts: assignments, words, redirects and process substitutions, from the tree to what `run`
//! gets.

use brush_parser::ast::{
    Assignment, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem as Item, CompoundList,
    IoFileRedirectKind as Kind, IoFileRedirectTarget as Target, IoRedirect, SimpleCommand,
};

use super::{
    constants::UNKNOWN,
    walk::{Feed, PROCESS, Walk},
};

impl Walk<'_> {
    pub(super) fn simple(&mut self, simple: &SimpleCommand, stdin: &Feed) -> Feed {
        self.processes.clear();
        let mut words = Vec::new();
        let mut stdin = stdin.clone();
        let prefix = simple.prefix.as_ref().map_or(&[][..], |p| &p.0);
        let suffix = simple.suffix.as_ref().map_or(&[][..], |s| &s.0);
        let alone = simple.word_or_name.is_none();
        let mut set = Vec::new();
        for item in prefix {
            match item {
                Item::AssignmentWord(assignment, _) => set.push(self.assignment(assignment)),
                other => self.item(other, &mut words, &mut stdin),
            }
        }
        words.extend(simple.word_or_name.iter().flat_map(|w| self.expand(&w.value)));
        for item in suffix {
            self.item(item, &mut words, &mut stdin);
        }
        for (name, value) in &set {
            self.look("=", &[format!("{name}={}", value.join(" "))]);
        }
        if alone || words.is_empty() {
            set.into_iter().for_each(|(name, value)| self.scope.set(&name, value));
            return if alone { Feed::nothing() } else { Feed::Unknown { sent: false } };
        }
        self.run(&words, &stdin)
    }

    fn item(&mut self, item: &Item, words: &mut Vec<String>, stdin: &mut Feed) {
        match item {
            Item::Word(word) => words.extend(self.expand(&word.value)),
            Item::AssignmentWord(assignment, word) => {
                // `export x=…` sets; `dd of=…` is a word like another. Both read the same here.
                match &assignment.value {
                    AssignmentValue::Scalar(_) => words.extend(self.expand(&word.value)),
                    AssignmentValue::Array(_) => {
                        let (name, value) = self.assignment(assignment);
                        self.scope.set(&name, value);
                    }
                }
            }
            Item::IoRedirect(redirect) => {
                if let Some(feed) = self.redirects(std::slice::from_ref(redirect)) {
                    *stdin = feed;
                }
            }
            Item::ProcessSubstitution(_, shell) => {
                let feed = self.process(&shell.list);
                self.processes.push(feed);
                words.push(PROCESS.into());
            }
        }
    }

    fn process(&mut self, list: &CompoundList) -> Feed {
        let (outer, processes) = (self.scope.clone(), std::mem::take(&mut self.processes));
        self.beside += 1;
        let said = self.list(list, &Feed::Inherited);
        self.beside -= 1;
        (self.scope, self.processes) = (outer, processes);
        said
    }

    fn assignment(&mut self, assignment: &Assignment) -> (String, Vec<String>) {
        let (name, element) = match &assignment.name {
            AssignmentName::VariableName(name) => (name.clone(), false),
            AssignmentName::ArrayElementName(name, index) => {
                self.substitutions_of(index);
                (name.clone(), true)
            }
        };
        let mut value: Vec<String> = match &assignment.value {
            AssignmentValue::Scalar(word) => vec![self.expand_whole(&word.value)],
            AssignmentValue::Array(words) => words.iter().flat_map(|(_, w)| self.expand(&w.value)).collect(),
        };
        if element {
            value = vec![UNKNOWN.to_string()];
        } else if assignment.append {
            let before = self.scope.get(&name);
            value = match (before.as_slice(), value.as_slice()) {
                ([a], [b]) if matches!(assignment.value, AssignmentValue::Scalar(_)) => vec![format!("{a}{b}")],
                _ => before.into_iter().chain(value).collect(),
            };
        }
        (name, value)
    }

    /// Judges what redirects write, and gives what they feed.
    pub(super) fn redirects(&mut self, redirects: &[IoRedirect]) -> Option<Feed> {
        let mut feed = None;
        for redirect in redirects {
            match redirect {
                IoRedirect::HereString(_, word) => {
                    feed = Some(Feed::Text(self.expand_whole(&word.value) + "\n"));
                }
                IoRedirect::HereDocument(_, doc) => {
                    let body = &doc.doc.value;
                    let text = if doc.requires_expansion { self.expand_body(body) } else { body.clone() };
                    feed = Some(Feed::Text(text));
                }
                IoRedirect::OutputAndError(word, append) => {
                    let path = self.expand_whole(&word.value);
                    self.look(if *append { ">>" } else { ">" }, &[path]);
                }
                IoRedirect::File(_, kind, target) => feed = self.file(kind, target).or(feed),
            }
        }
        feed
    }

    fn file(&mut self, kind: &Kind, target: &Target) -> Option<Feed> {
        let path = match target {
            Target::Fd(_) => return None,
            Target::ProcessSubstitution(_, shell) => {
                let said = self.process(&shell.list);
                return matches!(kind, Kind::Read).then_some(said);
            }
            Target::Filename(word) | Target::Duplicate(word) => self.expand_whole(&word.value),
        };
        let how = match kind {
            Kind::DuplicateInput => return None,
            Kind::DuplicateOutput if path.bytes().all(|b| b.is_ascii_digit() || b == b'-') => return None,
            Kind::Read => "<",
            Kind::Append => ">>",
            Kind::ReadAndWrite => "<>",
            Kind::Write | Kind::Clobber | Kind::DuplicateOutput => ">",
        };
        self.look(how, &[path]);
        matches!(kind, Kind::Read | Kind::ReadAndWrite).then_some(Feed::Unknown { sent: false })
    }
}
