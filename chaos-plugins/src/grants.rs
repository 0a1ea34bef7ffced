//! What the operator granted, to which component. The grant file is keyed by content: a component that changed has
//! nothing until it was asked about again.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use chaos_core::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::{Inspected, Limits};

/// All that an operator granted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// One a component.
    #[serde(default, rename = "grant")]
    pub all: Vec<Grant>,
}

/// What one component has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// SHA-256 of the component, in hex.
    pub sha256: String,
    /// Its name when it was granted, to tell what changed.
    pub name: String,
    /// Commands that it may run on a target if they are read-only: the first words of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Values in place of those in its manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// In place of the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

impl Grants {
    /// Reads a grant file; one that is not there grants nothing.
    ///
    /// # Errors
    /// A file that can't be read, or `InvalidInput` with file and reason.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(Error::storage("read the grants of plugins", path, e)),
        };
        let wrong = |why: &str| {
            Error::new(ErrorKind::InvalidInput, format!("not a file of grants: {}", why.trim().replace('\n', "; ")))
                .with("path", path.display())
        };
        let grants: Self = toml::from_str(&text).map_err(|e| wrong(e.message()))?;
        for grant in &grants.all {
            if grant.sha256.len() != 64 || !grant.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(wrong("sha256 must be 64 hexadecimal digits"));
            }
            if let Some(limits) = &grant.limits {
                limits.check().map_err(|e| wrong(&e.to_string()))?;
            }
        }
        Ok(grants)
    }

    /// Writes it whole or not at all.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string_pretty(self).map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        let text = format!(
            "# What plugins of chaos-handler may do, by the SHA-256 of each. `chaos-handler plugins grant` adds to it.\n\n{text}"
        );
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let dir = path.parent().filter(|d| !d.as_os_str().is_empty());
        let written = dir.map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&temporary, text));
        written.and_then(|()| fs::rename(&temporary, path)).map_err(|e| {
            let _ = fs::remove_file(&temporary);
            Error::storage("write the grants of plugins", path, e)
        })
    }

    /// The grant of this component, and of no other.
    #[must_use]
    pub fn of(&self, sha256: &str) -> Option<&Grant> {
        self.all.iter().find(|g| g.sha256.eq_ignore_ascii_case(sha256))
    }

    /// Puts a grant in place of an earlier one of the same component or the same name.
    pub fn put(&mut self, grant: Grant) {
        self.all.retain(|g| !g.sha256.eq_ignore_ascii_case(&grant.sha256) && g.name != grant.name);
        self.all.push(grant);
    }

    /// What a component may do.
    ///
    /// # Errors
    /// `Refused` when it asks for commands and none of them was granted to this very content.
    pub(crate) fn decide(&self, plugin: &Inspected) -> Result<Granted> {
        let grant = self.of(&plugin.sha256);
        let mut config = plugin.manifest.config.clone();
        config.extend(grant.into_iter().flat_map(|g| g.config.clone()));
        let limits = grant.and_then(|g| g.limits).unwrap_or_default();
        let asked: Vec<Vec<String>> = plugin.manifest.commands.iter().map(|c| words(c)).collect();
        let given = grant.into_iter().flat_map(|g| &g.commands).map(|c| words(c)).filter(|c| !c.is_empty());
        // More than was asked for is not given: the operator saw the request.
        let commands: Vec<_> = given.filter(|g| asked.iter().any(|a| g.starts_with(a))).collect();
        if plugin.probes() && commands.is_empty() {
            let name = &plugin.manifest.name;
            let changed = grant.is_none() && self.all.iter().any(|g| g.name == *name);
            let why = if changed { "it changed since it was granted commands" } else { "it asks for commands" };
            let asks = plugin.manifest.commands.join(", ").escape_debug().to_string();
            return Err(Error::new(
                ErrorKind::Refused,
                format!("{why}, and nothing was granted to it as it is; `chaos-handler plugins grant` asks you"),
            )
            .with("asks for", asks));
        }
        Ok(Granted { commands, config, limits })
    }
}

/// What a plugin that is loaded may do.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    /// The first words of each command.
    pub(crate) commands: Vec<Vec<String>>,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) limits: Limits,
}

impl Granted {
    /// Whether a command begins with words that were granted. That it is read-only is for the allow-list to say.
    pub(crate) fn allows(&self, argv: &[String]) -> bool {
        self.commands.iter().any(|granted| argv.starts_with(granted))
    }
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

/// Where a user's grants are: `$XDG_CONFIG_HOME/chaos-handler/plugin-grants.toml`, or below `~/.config`.
#[must_use]
pub fn default_grants_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(base.join("chaos-handler/plugin-grants.toml"))
}
