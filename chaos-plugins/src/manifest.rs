//! What a plugin says of itself: the TOML in a component's own custom section. Whether it is true is for others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use chaos_core::error::{Error, ErrorKind, Result};

/// The custom section's name.
pub const SECTION: &str = "chaos-plugin-manifest";
/// Bytes of a manifest.
pub(crate) const LONGEST: usize = 64 * 1024;
/// Agents of ours, and words of the trace, that no plugin is called; compared without `-`.
const TAKEN: &[&str] = &[
    "coordinator",
    "logagent",
    "metricsagent",
    "investigator",
    "fixeragent",
    "testeragent",
    "reporteragent",
    "scenario",
    "operator",
    "pipeline",
    "chaoshandler",
    "slack",
];

/// What a plugin says of itself, see `wit/0.1.0/plugin.wit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The agent's name.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// One line.
    #[serde(default)]
    pub description: String,
    /// What it asks to run on the target: the first words of each command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Values that the plugin can read, unless the operator sets others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads and checks it.
    ///
    /// # Errors
    /// `InvalidInput`, with what is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > LONGEST {
            return Err(wrong(format!("it is longer than {LONGEST} bytes")));
        }
        let manifest: Self = toml::from_str(text).map_err(|e| wrong(e.message().trim().replace('\n', "; ")))?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        let plain = |text: &str, most: usize| text.len() <= most && !text.chars().any(char::is_control);
        if self.version.is_empty() || !plain(&self.version, 40) {
            return Err(wrong("version must be a text of 1 to 40 bytes"));
        }
        if !plain(&self.description, 300) {
            return Err(wrong("description must be one line of at most 300 bytes"));
        }
        if self.commands.len() > 20 || self.commands.iter().any(|c| c.trim().is_empty() || !plain(c, 200)) {
            return Err(wrong("commands must be at most 20 texts of 1 to 200 bytes"));
        }
        Ok(())
    }
}

/// Whether a plugin can have this name.
///
/// # Errors
/// `InvalidInput`, with why not.
pub fn check_name(name: &str) -> Result<()> {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let shown = name.chars().take(60).collect::<String>().escape_debug().to_string();
    if name.len() > 40 || !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(known) {
        return Err(wrong("name must be 1 to 40 of a-z, 0-9 and -, from a letter").with("name", shown));
    }
    if TAKEN.contains(&name.replace('-', "").as_str()) {
        return Err(wrong("the name is that of a part of chaos-handler; choose another").with("name", shown));
    }
    Ok(())
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("not a plugin's manifest: {why}"))
}

/// A component with this manifest, in place of any that it has.
///
/// # Errors
/// `InvalidInput` when the manifest is not one, or the bytes are no component.
pub fn embed(component: &[u8], manifest: &str) -> Result<Vec<u8>> {
    Manifest::parse(manifest)?;
    let mut out = crate::inspect::without_manifest(component)?;
    let mut section = Vec::with_capacity(manifest.len() + SECTION.len() + 8);
    leb128(&mut section, SECTION.len());
    section.extend_from_slice(SECTION.as_bytes());
    section.extend_from_slice(manifest.as_bytes());
    out.push(0); // a custom section
    leb128(&mut out, section.len());
    out.extend_from_slice(&section);
    Ok(out)
}

fn leb128(out: &mut Vec<u8>, mut n: usize) {
    loop {
        let low = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_our_own_parts_and_odd_names_are_refused() {
        for good in ["jvm-gc", "a", "log-agents", "x2"] {
            check_name(good).unwrap();
        }
        for bad in ["LogAgent", "log-agent", "logagent", "coordinator", "", "-a", "2x", "a b", "a\u{430}", "a\n"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_name(&"a".repeat(41)).is_err());
    }

    #[test]
    fn a_manifest_with_what_is_not_known_is_refused() {
        let good = "name = 'x'\nversion = '1'\n[config]\na = '1'";
        assert_eq!(Manifest::parse(good).unwrap().config["a"], "1");
        for bad in ["name = 'x'", "name = 'x'\nversion = '1'\nmemory = 3", "name = 'x'\nversion = \"\\u0007\"", "="] {
            assert!(Manifest::parse(bad).is_err(), "{bad}");
        }
    }
}
