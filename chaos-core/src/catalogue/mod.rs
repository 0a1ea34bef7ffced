//! The fault catalogue: what faults look like, how to tell them apart, and what helps. Owns reading it; faults are
//! TOML files, those in `chaos-core/catalogue/` are embedded and users add their own. Nothing here knows a chaos
//! scenario: an entry says how a fault shows on any Linux host.

mod check;
mod entry;
pub(crate) mod matching;
pub(crate) mod placeholder;
pub(crate) mod reading;

use std::path::{Path, PathBuf};

pub use entry::{
    CheckTemplate, CulpritRule, Effect, Example, Expected, Fault, LogMatch, Measure, MetricMatch, Names, Pattern, Pick,
    Probability, Probe, Reading, Remedy, Symptom,
};

use crate::{
    error::{Error, ErrorKind, Result},
    model::FaultId,
    readonly::AllowList,
};

/// Findings below this score are neither evidence for a fault nor against health.
pub const NOTABLE: f64 = 0.5;

/// The embedded files, by name.
const BUILTIN: &[(&str, &str)] = &[
    ("symptoms.toml", include_str!("../../catalogue/symptoms.toml")),
    ("cpu_saturation.toml", include_str!("../../catalogue/cpu_saturation.toml")),
    ("db_connections_exhausted.toml", include_str!("../../catalogue/db_connections_exhausted.toml")),
    ("disk_space.toml", include_str!("../../catalogue/disk_space.toml")),
    ("memory_leak.toml", include_str!("../../catalogue/memory_leak.toml")),
    ("network_latency.toml", include_str!("../../catalogue/network_latency.toml")),
    ("service_down.toml", include_str!("../../catalogue/service_down.toml")),
];

/// Scripts that probes may run, by the name that stands for them in an argv, after an `@`.
pub(crate) const SCRIPTS: &[(&str, &str)] = &[("db_clients", include_str!("../../catalogue/db_clients.sh"))];

/// What the catalogue's own scripts add to what is read-only.
pub(crate) fn allow_list() -> AllowList {
    SCRIPTS.iter().fold(AllowList::default(), |list, (_, text)| list.with_script(text))
}

/// Symptoms and faults, checked.
#[derive(Debug, Clone)]
pub struct Catalogue {
    symptoms: Vec<Symptom>,
    faults: Vec<Fault>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Catalogue {
    /// The embedded catalogue.
    #[must_use]
    pub fn builtin() -> Self {
        Self::from_sources(BUILTIN.iter().copied()).expect("a test reads the embedded catalogue")
    }

    /// The embedded catalogue and these files; a directory stands for the `*.toml` files in it. An id that is
    /// already there is an error: an entry is never replaced silently.
    ///
    /// # Errors
    /// A file that can't be read, or `InvalidInput` with file, line and reason.
    pub fn load<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut files = Vec::new();
        for path in paths {
            for file in toml_files(path.as_ref())? {
                let text =
                    std::fs::read_to_string(&file).map_err(|e| Error::storage("read a catalogue file", &file, e))?;
                files.push((file.display().to_string(), text));
            }
        }
        let own = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        Self::from_sources(BUILTIN.iter().copied().chain(own))
    }

    /// A catalogue of these files alone, as (name, TOML text). Symptoms may stand in any of them.
    ///
    /// # Errors
    /// `InvalidInput` with file, line and reason.
    pub fn from_sources<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut files = Vec::new();
        for (name, text) in sources {
            let mut file: entry::File = toml::from_str(text).map_err(|e| {
                let line = e.span().map_or(1, |s| line_at(text, s.start));
                invalid(name, line, e.message())
            })?;
            for probe in file.fault.iter_mut().flat_map(|f| &mut f.probes) {
                with_script(&mut probe.argv);
            }
            files.push((name, text, file));
        }
        check::all(&files)?;
        let (mut symptoms, mut faults) = (Vec::new(), Vec::new());
        for (_, _, file) in files {
            symptoms.extend(file.symptoms);
            faults.extend(file.fault);
        }
        faults.sort_by(|a: &Fault, b| a.id.cmp(&b.id));
        Ok(Self { symptoms, faults })
    }

    /// All symptoms.
    #[must_use]
    pub fn symptoms(&self) -> &[Symptom] {
        &self.symptoms
    }

    /// All faults, by id.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The fault of this id.
    #[must_use]
    pub fn fault(&self, id: &FaultId) -> Option<&Fault> {
        self.faults.iter().find(|f| f.id == *id)
    }
}

/// Puts a script's text in the place of its name. A name that is not known stays, and is refused as not read-only.
fn with_script(argv: &mut [String]) {
    if let [sh, c, name] = argv
        && (sh.as_str(), c.as_str()) == ("sh", "-c")
        && let Some((_, text)) = SCRIPTS.iter().find(|(known, _)| name.strip_prefix('@') == Some(known))
    {
        *name = (*text).to_owned();
    }
}

fn toml_files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |e| Error::storage("list a catalogue directory", path, e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|e| e == "toml") {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

fn invalid(file: &str, line: usize, why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("{file}:{line}: {}", why.replace('\n', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[symptoms]]
id = "odd"
sentence = "it is odd"
background = 0.05
other = "app.odd"

[fault]
id = "odd_app"
title = "Odd app"
category = "service"
summary = "It is odd."
prior = 0.02
symptoms = [{ id = "odd", p = 0.9 }]
"#;

    fn refused(change: &str, to: &str) -> String {
        assert!(GOOD.contains(change));
        Catalogue::from_sources([("mine.toml", GOOD.replace(change, to).as_str())]).unwrap_err().to_string()
    }

    #[test]
    fn the_embedded_catalogue_is_sound_and_holds_the_six_faults() {
        let ids: Vec<_> = Catalogue::builtin().faults().iter().map(|f| f.id.0.clone()).collect();
        assert_eq!(
            ids,
            [
                "cpu_saturation",
                "db_connections_exhausted",
                "disk_space",
                "memory_leak",
                "network_latency",
                "service_down"
            ]
        );
    }

    #[test]
    fn mistakes_are_told_with_file_line_and_reason() {
        assert!(Catalogue::from_sources([("mine.toml", GOOD)]).is_ok());
        for (change, to, line, says) in [
            ("background = 0.05", "background = 1.0", 5, "between 0 and 1"),
            ("p = 0.9", "p = 0.0", 14, "between 0 and 1"),
            ("id = \"odd\", p", "id = \"even\", p", 14, "even"),
            ("category", "kategory", 11, "unknown field"),
            ("other = \"app.odd\"", "", 3, "exactly one"),
            ("title = \"Odd app\"", "title = ", 10, ""),
        ] {
            let text = refused(change, to);
            assert!(text.starts_with(&format!("mine.toml:{line}: ")) && text.contains(says), "{text}");
        }
    }

    #[test]
    fn a_probe_that_could_write_or_has_nothing_to_fill_in_is_refused() {
        let probe = |argv: &str| {
            let text = format!(
                "{GOOD}\n[[fault.probes]]\nid = \"look\"\nquestion = \"?\"\ncost_s = 0.1\nargv = {argv}\nexamples = []\nreading = {{ pattern = 'x', p = 0.5, background = 0.1, sentence = \"x\" }}\n"
            );
            Catalogue::from_sources([("mine.toml", text.as_str())]).map(|_| ()).map_err(|e| e.to_string())
        };
        assert!(probe("['rm', '-rf', '/']").unwrap_err().contains("read-only"));
        assert!(probe("['cat', '/proc/{pid}/status']").unwrap_err().contains("{pid}"));
        assert!(probe("['cat', '/x/{nonsense}']").unwrap_err().contains("{nonsense}"));
        assert!(probe("['cat', '/proc/loadavg']").unwrap_err().contains("example"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = Catalogue::load(["/nonexistent/entry.toml"]).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.to_string().contains("/nonexistent/entry.toml"));
    }
}
