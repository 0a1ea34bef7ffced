//! Where a path leads, by its text alone: `..`, doubled slashes, wildcards and what is not known are followed as far
//! as that goes, and then the worst is said.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    argv::fits,
    constants::{SENT, UNKNOWN, is_vague, known},
};

/// A kind of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// `/`, all of it.
    Root,
    /// What the host is made of, or the data of services.
    System,
    /// A disk, or another device that holds or does something.
    Device,
    /// `/dev/null` and what else is written without a trace.
    Null,
    /// Somebody's whole home.
    Homes,
    /// Something in a home.
    Home,
    /// Logs and caches.
    Logs,
    /// All of a directory for what is temporary.
    Shared,
    /// Something in one.
    Scratch,
    /// The whole working directory.
    Here,
    /// A directory above it, or beside.
    Above,
    /// Something in the working directory.
    Own,
    /// A copy that is kept beside something.
    Backup,
    /// What should stay secret.
    Secret,
    /// Another machine.
    Remote,
    /// What can't be told.
    Unknown,
}

/// Which paths are what: each beneath one of these, or fitting it where it has a `*`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Places(BTreeMap<Place, Vec<String>>);

impl Places {
    pub(super) fn add(&mut self, more: Self) {
        for (place, paths) in more.0 {
            self.0.entry(place).or_default().extend(paths);
        }
    }

    /// All kinds of place that a word may name, after the working directory was changed to `at`. The change may have
    /// failed, so the word counts from where the script began too.
    pub(super) fn from(&self, at: &str, word: &str) -> Vec<Place> {
        let mut places = self.of(word);
        if at.is_empty() || word.starts_with(['/', '~']) || places.contains(&Place::Remote) {
            return places;
        }
        if is_vague(at) {
            places.push(Place::Unknown);
        } else {
            places.extend(self.of(&format!("{at}/{word}")));
        }
        places
    }

    /// All kinds of place that a word may name.
    pub(super) fn of(&self, word: &str) -> Vec<Place> {
        let plain = known(word);
        let mut places = Vec::new();
        if !plain.is_empty() || !is_vague(word) {
            self.literal(&plain, &mut places);
        }
        // What begins with something unknown may lie anywhere; were that empty, only what a host is made of counts.
        if word.starts_with([UNKNOWN, SENT]) {
            let path = normal(&plain).0;
            if !places.contains(&Place::Root) && !self.is_under(Place::System, &path) {
                places.clear();
            }
            places.push(Place::Unknown);
        }
        places
    }

    fn is_under(&self, place: Place, path: &str) -> bool {
        self.0.get(&place).is_some_and(|paths| paths.iter().any(|p| beneath(p, path)))
    }

    fn literal(&self, path: &str, places: &mut Vec<Place>) {
        if path.contains("://") || is_remote(path) {
            places.push(Place::Remote);
            return;
        }
        let windows = path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
        if windows {
            let deep = path.split(['/', '\\']).filter(|p| !p.is_empty()).count() > 2;
            let rest = path[2..].to_lowercase();
            let system = rest.contains("windows") || rest.contains("program files");
            places.push(if system || !deep { Place::System } else { Place::Home });
            return;
        }
        let (path, all) = normal(path);
        let under = |place: Place| self.is_under(place, &path);
        if under(Place::Secret) {
            places.push(Place::Secret);
        }
        if under(Place::Backup) {
            places.push(Place::Backup);
        }
        let place = match path.as_str() {
            "/" => Place::Root,
            "." => Place::Here,
            "~" => Place::Homes,
            _ if under(Place::Null) => Place::Null,
            p if self.0.get(&Place::Scratch).is_some_and(|s| s.iter().any(|s| s == p)) => Place::Shared,
            _ if under(Place::Scratch) => Place::Scratch,
            _ if under(Place::Device) => Place::Device,
            _ if under(Place::Logs) => Place::Logs,
            p if is_home(p) => Place::Homes,
            _ if under(Place::Home) => Place::Home,
            p if p.starts_with('/') => Place::System,
            p if p.starts_with("..") => Place::Above,
            _ => Place::Own,
        };
        places.push(place);
        // A wildcard in the first part of an absolute path reaches all directories that fit.
        let first = path.strip_prefix('/').and_then(|p| p.split('/').next()).unwrap_or_default();
        if first.contains(['*', '?', '[']) || all && place == Place::System && path.matches('/').count() == 1 {
            places.push(Place::Root);
        }
    }
}

/// A lexically resolved path, and whether it was all of a directory (`x/*`, `x/.`).
fn normal(path: &str) -> (String, bool) {
    let (base, rest) = match path.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => ("~", rest),
            _ => ("", path),
        },
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if matches!(parts.last(), Some(&"..") | None) && base.is_empty() => parts.push(".."),
            ".." if parts.is_empty() && base == "~" => return ("/home".into(), true),
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let is_all = |p: &&str| !p.is_empty() && p.chars().all(|c| matches!(c, '*' | '.' | '?' | '[' | '^' | '!' | ']'));
    let mut all = false;
    while parts.last().is_some_and(|p| *p != ".." && is_all(p)) {
        parts.pop();
        all = true;
    }
    let joined = parts.join("/");
    let path = match (base, joined.as_str()) {
        ("/", _) => format!("/{joined}"),
        ("~", "") => "~".into(),
        ("~", _) => format!("~/{joined}"),
        (_, "") => ".".into(),
        _ => joined,
    };
    (path, all)
}

fn beneath(pattern: &str, path: &str) -> bool {
    if pattern.contains('*') {
        return fits(pattern, path);
    }
    path.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_home(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts[..], ["", "home" | "Users"] | ["", "home" | "Users", _] | ["", "root"])
}

/// `host:path` and `user@host:path`, of scp and rsync.
fn is_remote(path: &str) -> bool {
    let Some((host, _)) = path.split_once(':') else { return false };
    host.len() > 1 && !host.contains('/') && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::{super::RiskRules, *};

    #[test]
    fn a_path_leads_where_it_leads() {
        let places = &RiskRules::builtin().0.file.places;
        for (path, place) in [
            ("/", Place::Root),
            ("/*", Place::Root),
            ("//", Place::Root),
            ("/./", Place::Root),
            ("/etc/..", Place::Root),
            ("/e*", Place::Root),
            ("/etc", Place::System),
            ("/usr/../etc/x", Place::System),
            ("/srv/data/*", Place::System),
            ("/tmp/x", Place::Scratch),
            ("/tmp/x/../y", Place::Scratch),
            ("/tmp", Place::Shared),
            ("/tmp/*", Place::Shared),
            ("/tmp/../etc", Place::System),
            ("~", Place::Homes),
            ("~/*", Place::Homes),
            ("/home/ann/", Place::Homes),
            ("/root", Place::Homes),
            ("~/x", Place::Home),
            ("/home/ann/x", Place::Home),
            (".", Place::Here),
            ("*", Place::Here),
            ("./*", Place::Here),
            ("..", Place::Above),
            ("../x", Place::Above),
            ("x/../..", Place::Above),
            ("build/x.o", Place::Own),
            ("/dev/sda1", Place::Device),
            ("/dev/null", Place::Null),
            ("/var/log/x", Place::Logs),
            ("/etc/shadow", Place::Secret),
            ("host:/x", Place::Remote),
            ("\u{F8F0}/*", Place::Root),
            ("\u{F8F0}", Place::Unknown),
            ("C:\\", Place::System),
        ] {
            assert!(places.of(path).contains(&place), "{path} {:?}", places.of(path));
        }
        assert_eq!(places.of("/tmp/build"), [Place::Scratch]);
    }
}
