//! The fault catalogue: what faults look like, how to tell them apart, and what helps. Owns reading it; faults are
//! TOML files, those in `chaos-core/catalogue/` are embedded and users add their own. Nothing here knows a chaos
//! scenario: an entry says how a fault shows on any Linux host.

mod check;
mod entry;
pub(crate) mod matching;
pub(crate) mod placeholder;
pub(crate) mod reading;
#[cfg(test)]
mod script_tests;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

pub use entry::{
    CheckTemplate, CulpritRule, Effect, Example, Expected, Fault, LogMatch, Measure, MetricMatch, Names, Output,
    Pattern, Pick, Probability, Probe, Reading, Remedy, Symptom,
};

use crate::{
    error::{Error, ErrorKind, Result},
    model::FaultId,
    readonly::AllowList,
};

/// Findings below this score are neither evidence for a fault nor against health.
pub const NOTABLE: f64 = 0.5;

macro_rules! embedded {
    ($name:literal) => {
        ($name, include_str!(concat!("../../catalogue/", $name)))
    };
}

/// The embedded files, by name.
const BUILTIN: &[(&str, &str)] = &[
    embedded!("symptoms.toml"),
    embedded!("symptoms_network.toml"),
    embedded!("symptoms_resources.toml"),
    embedded!("symptoms_services.toml"),
    embedded!("symptoms_storage.toml"),
    embedded!("backup_at_peak.toml"),
    embedded!("bandwidth_saturated.toml"),
    embedded!("busier.toml"),
    embedded!("certificate_expired.toml"),
    embedded!("certificate_mismatch.toml"),
    embedded!("cgroup_oom.toml"),
    embedded!("clean_deploy.toml"),
    embedded!("clock_jump.toml"),
    embedded!("clock_unsynchronized.toml"),
    embedded!("config_invalid.toml"),
    embedded!("conntrack_full.toml"),
    embedded!("cpu_quota_throttling.toml"),
    embedded!("cpu_saturation.toml"),
    embedded!("cpu_steal.toml"),
    embedded!("cpu_thermal_throttling.toml"),
    embedded!("crash_loop.toml"),
    embedded!("cron_storm.toml"),
    embedded!("db_auth_refused.toml"),
    embedded!("db_connections_exhausted.toml"),
    embedded!("db_disk_bound.toml"),
    embedded!("db_lock_pileup.toml"),
    embedded!("dependency_down.toml"),
    embedded!("dependency_missing.toml"),
    embedded!("disk_deleted_open.toml"),
    embedded!("disk_errors.toml"),
    embedded!("disk_inodes.toml"),
    embedded!("disk_io_saturation.toml"),
    embedded!("disk_quota.toml"),
    embedded!("disk_space.toml"),
    embedded!("dns_failure.toml"),
    embedded!("ephemeral_ports.toml"),
    embedded!("fd_exhaustion.toml"),
    embedded!("filesystem_read_only.toml"),
    embedded!("firewall_drop.toml"),
    embedded!("host_out_of_memory.toml"),
    embedded!("host_rebooted.toml"),
    embedded!("interface_down.toml"),
    embedded!("job_within_capacity.toml"),
    embedded!("limits_too_low.toml"),
    embedded!("listen_queue_overflow.toml"),
    embedded!("log_flood.toml"),
    embedded!("memory_leak.toml"),
    embedded!("mtu_mismatch.toml"),
    embedded!("network_latency.toml"),
    embedded!("packet_loss.toml"),
    embedded!("permission_missing.toml"),
    embedded!("port_taken.toml"),
    embedded!("process_frozen.toml"),
    embedded!("route_missing.toml"),
    embedded!("runaway_log.toml"),
    embedded!("service_down.toml"),
    embedded!("service_hang.toml"),
    embedded!("service_killed.toml"),
    embedded!("swap_thrash.toml"),
    embedded!("task_limit.toml"),
    embedded!("wrong_hosts_entry.toml"),
    embedded!("zombies.toml"),
];

/// What was changed on a host of late; asked of every target that something is wrong with.
pub(crate) const CHANGES: &str = include_str!("../../catalogue/changes.sh");

/// Scripts that probes may run, by the name that stands for them in an argv, after an `@`.
pub(crate) const SCRIPTS: &[(&str, &str)] = &[
    ("changes", CHANGES),
    ("connections", include_str!("../../catalogue/connections.sh")),
    ("db_clients", include_str!("../../catalogue/db_clients.sh")),
    ("db_waits", include_str!("../../catalogue/db_waits.sh")),
    ("hosts_named", include_str!("../../catalogue/hosts_named.sh")),
    ("io_top", include_str!("../../catalogue/io_top.sh")),
    ("neighbours", include_str!("../../catalogue/neighbours.sh")),
    ("nft_blocks", include_str!("../../catalogue/nft_blocks.sh")),
    ("port_rivals", include_str!("../../catalogue/port_rivals.sh")),
    ("stopped_services", include_str!("../../catalogue/stopped_services.sh")),
];

/// What the catalogue's own scripts add to what is read-only.
pub(crate) fn allow_list() -> AllowList {
    SCRIPTS.iter().fold(AllowList::default(), |list, (_, text)| list.with_script(text))
}

/// Symptoms and faults, checked. Clones share them.
#[derive(Debug, Clone)]
pub struct Catalogue {
    symptoms: Arc<[Symptom]>,
    faults: Arc<[Fault]>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Catalogue {
    /// The embedded catalogue, read once. A test checks it as all others are checked when they are loaded.
    #[must_use]
    pub fn builtin() -> Self {
        static READ: LazyLock<Catalogue> = LazyLock::new(|| {
            let files = parsed(BUILTIN.iter().copied()).expect("a test reads the embedded catalogue");
            Catalogue::of(files)
        });
        READ.clone()
    }

    /// The embedded catalogue and these files; a directory stands for the `*.toml` files in it. An id that is
    /// already there is an error: an entry is never replaced silently.
    ///
    /// # Errors
    /// A file that can't be read, or `InvalidInput` with file, line and reason.
    pub fn load<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut own = Vec::new();
        for path in paths {
            for file in toml_files(path.as_ref())? {
                let text =
                    std::fs::read_to_string(&file).map_err(|e| Error::storage("read a catalogue file", &file, e))?;
                own.push((file.display().to_string(), text));
            }
        }
        if own.is_empty() {
            return Ok(Self::builtin());
        }
        let own = own.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let files = parsed(BUILTIN.iter().copied().chain(own))?;
        check::all(&files, BUILTIN.len())?;
        Ok(Self::of(files))
    }

    /// A catalogue of these files alone, as (name, TOML text). Symptoms may stand in any of them.
    ///
    /// # Errors
    /// `InvalidInput` with file, line and reason.
    pub fn from_sources<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let files = parsed(sources)?;
        check::all(&files, 0)?;
        Ok(Self::of(files))
    }

    fn of(files: Vec<check::Named<'_>>) -> Self {
        let (mut symptoms, mut faults) = (Vec::new(), Vec::new());
        for (_, _, file) in files {
            symptoms.extend(file.symptoms);
            faults.extend(file.fault);
        }
        faults.sort_by(|a: &Fault, b| a.id.cmp(&b.id));
        Self { symptoms: symptoms.into(), faults: faults.into() }
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

fn parsed<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<check::Named<'a>>> {
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
    Ok(files)
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
    fn each_file_of_the_directory_is_embedded_and_has_its_faults_name() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue");
        let mut there: Vec<String> = toml_files(&directory)
            .unwrap()
            .iter()
            .map(|f| f.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        let mut embedded: Vec<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
        there.sort();
        embedded.sort_unstable();
        assert_eq!(embedded, there);
        Catalogue::from_sources(BUILTIN.iter().copied()).unwrap();
        let named: Vec<String> = Catalogue::builtin().faults().iter().map(|f| format!("{}.toml", f.id.0)).collect();
        assert!(named.len() >= 45);
        embedded.retain(|name| !name.starts_with("symptoms"));
        assert_eq!(named, embedded);
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
    fn likelihoods_that_contradict_themselves_and_causes_in_a_circle_are_refused() {
        let fault = |id: &str, explains: &str| {
            format!(
                "[fault]\nid = \"{id}\"\ntitle = \"x\"\ncategory = \"service\"\nsummary = \"x\"\nprior = 0.02\nsymptoms = []\nexplains = [{{ fault = \"{explains}\", p = 0.5 }}]\n"
            )
        };
        let (a, b, c) = (fault("a", "b"), fault("b", "c"), fault("c", "a"));
        let says = Catalogue::from_sources([("a.toml", a.as_str()), ("b.toml", b.as_str()), ("c.toml", c.as_str())]);
        let says = says.unwrap_err().to_string();
        assert!(says.starts_with("a.toml:8: ") && says.contains("a -> b -> c -> a"), "{says}");

        let twice = GOOD.replace(
            "symptoms = [{ id = \"odd\", p = 0.9 }]",
            "symptoms = [{ id = \"odd\", p = 0.9 }, { id = \"odd\", p = 0.1 }]",
        );
        let says = Catalogue::from_sources([("mine.toml", twice.as_str())]).unwrap_err().to_string();
        assert!(says.starts_with("mine.toml:") && says.contains("twice"), "{says}");

        let against = format!(
            "{GOOD}\n[[fault.probes]]\nid = \"look\"\nquestion = \"?\"\ncost_s = 0.1\nargv = ['true']\nexamples = [{{ stdout = \"x\", present = true }}]\nreading = {{ pattern = 'x', p = 0.1, background = 0.5, sentence = \"x\" }}\n"
        );
        let says = Catalogue::from_sources([("mine.toml", against.as_str())]).unwrap_err().to_string();
        assert!(says.starts_with("mine.toml:17: ") && says.contains("speak against"), "{says}");

        let broken = GOOD.replace("other = \"app.odd\"", "log = { pattern = '(', match = ['x'], not_match = ['y'] }");
        let says = Catalogue::from_sources([("mine.toml", broken.as_str())]).unwrap_err().to_string();
        assert!(says.starts_with("mine.toml:3: ") && says.contains("regular expression"), "{says}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = Catalogue::load(["/nonexistent/entry.toml"]).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.to_string().contains("/nonexistent/entry.toml"));
    }
}
