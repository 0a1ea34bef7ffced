//! What a file is, before anything of it is compiled or run: whether it is a plugin, of which version of the contract,
//! what it exports and imports, and what its manifest says.

use std::{collections::BTreeSet, ops::Range};

use serde::Serialize;
use wasmparser::{Parser, Payload, Validator};

use chaos_core::{
    audit::sha256_hex,
    error::{Error, ErrorKind, Result},
};

use crate::manifest::{LONGEST, Manifest, SECTION};

/// The versions of the contract that this host speaks.
pub const VERSIONS: &[&str] = &["0.1.0"];
/// Bytes of a component.
pub(crate) const MOST_BYTES: usize = 64 << 20;
const PACKAGE: &str = "chaos:plugin/";

/// What a plugin does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It finds what is abnormal.
    Detector,
    /// It proposes what to do.
    Fixer,
}

impl Kind {
    /// As a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::Fixer => "fixer",
        }
    }
}

/// A component that is a plugin by its outside. Nothing of it has run.
#[derive(Debug, Clone, Serialize)]
pub struct Inspected {
    /// SHA-256 of the whole file, in hex; grants are given to it.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: usize,
    /// The contract's version.
    pub version: &'static str,
    /// What it does.
    pub kind: Kind,
    /// The interfaces that it imports.
    pub imports: BTreeSet<String>,
    /// What it says of itself.
    pub manifest: Manifest,
}

impl Inspected {
    /// Whether it is linked against the question to the target.
    #[must_use]
    pub fn probes(&self) -> bool {
        self.imports.iter().any(|i| i.starts_with("chaos:plugin/probe@"))
    }
}

/// Looks at a file.
///
/// # Errors
/// `InvalidInput` for what is no plugin, `Unsupported` for one of a version that is not spoken here; each says what to
/// do about it.
pub fn inspect(bytes: &[u8]) -> Result<Inspected> {
    if bytes.len() > MOST_BYTES {
        return Err(bad(format!("it is larger than {} MiB", MOST_BYTES >> 20)));
    }
    let outside = outside(bytes)?;
    let (version, kind) = version_and_kind(&outside)?;
    check_imports(&outside.imports, version)?;
    let manifest = match &outside.manifests[..] {
        [one] => {
            Manifest::parse(std::str::from_utf8(&bytes[one.clone()]).map_err(|_| bad("its manifest is not UTF-8"))?)?
        }
        [] => return Err(bad("it has no manifest; `chaos-handler plugins build` puts plugin.toml into it")),
        _ => return Err(bad("it has more than one manifest")),
    };
    let inspected =
        Inspected { sha256: sha256_hex(bytes), bytes: bytes.len(), version, kind, imports: outside.imports, manifest };
    match (inspected.probes(), inspected.manifest.commands.is_empty(), kind) {
        (true, _, Kind::Fixer) => Err(bad("it is a fixer and imports `probe`; fixers have no target")),
        (true, true, _) => Err(bad("it imports `probe`, and its manifest names no commands")),
        (false, false, _) => Err(bad("its manifest asks for commands, and it does not import `probe`")),
        _ => Ok(inspected),
    }
}

#[derive(Default)]
struct Outside {
    exports: BTreeSet<String>,
    imports: BTreeSet<String>,
    manifests: Vec<Range<usize>>,
}

/// The outermost level, of a file that is valid throughout.
fn outside(bytes: &[u8]) -> Result<Outside> {
    if !bytes.starts_with(b"\0asm") {
        return Err(bad("it is not WebAssembly"));
    }
    if !Parser::is_component(bytes) {
        return Err(bad(
            "it is a core module, not a component; build it by `chaos-handler plugins build`, or with the linker \
             wasm-component-ld",
        ));
    }
    let mut out = Outside::default();
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    out.exports.insert(export.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentImportSection(imports) if depth == 1 => {
                for import in imports {
                    out.imports.insert(import.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::CustomSection(custom) if depth == 1 && custom.name() == SECTION => {
                let data = custom.data_offset()..custom.data_offset() + custom.data().len();
                if data.len() > LONGEST {
                    return Err(bad("its manifest is too long"));
                }
                out.manifests.push(data);
            }
            _ => {}
        }
    }
    Validator::new().validate_all(bytes).map_err(damaged)?;
    Ok(out)
}

fn version_and_kind(outside: &Outside) -> Result<(&'static str, Kind)> {
    let ours = |name: &str| {
        let (interface, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
        Some((interface.to_owned(), version.to_owned()))
    };
    let exported: Vec<(String, String)> = outside.exports.iter().filter_map(|e| ours(e)).collect();
    let roles: Vec<_> = exported.iter().filter(|(i, _)| i == "detector" || i == "fixer").collect();
    let [(role, version)] = roles[..] else {
        return Err(bad(match roles.len() {
            0 => "it exports neither chaos:plugin/detector nor chaos:plugin/fixer",
            _ => "it exports more than one of detector and fixer; make a plugin of each",
        }));
    };
    let Some(known) = VERSIONS.iter().find(|v| *v == version) else {
        let shown: String = version.chars().take(40).collect();
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the plugin is of version {shown} of the contract, and this chaos-handler speaks {}; build it against one \
                 of these",
                VERSIONS.join(", ")
            ),
        ));
    };
    Ok((known, if role == "detector" { Kind::Detector } else { Kind::Fixer }))
}

fn check_imports(imports: &BTreeSet<String>, version: &str) -> Result<()> {
    let known = ["types", "host", "probe"].map(|i| format!("{PACKAGE}{i}@{version}"));
    let Some(other) = imports.iter().find(|i| !known.contains(i)) else { return Ok(()) };
    let shown: String = other.chars().take(80).collect::<String>().escape_debug().collect();
    Err(if other.starts_with("wasi:") {
        bad(format!(
            "it imports {shown}, and plugins get no WASI: build Rust for wasm32-unknown-unknown, Python and JavaScript \
             with WASI stubbed out"
        ))
    } else {
        bad(format!("it imports {shown}, which no plugin gets"))
    })
}

/// The same component without the manifests that it has.
pub(crate) fn without_manifest(bytes: &[u8]) -> Result<Vec<u8>> {
    outside(bytes)?;
    // It is valid, so each section is its id, its length and its content.
    let mut out = bytes[..8].to_vec();
    let mut rest = &bytes[8..];
    while let [id, after @ ..] = rest {
        let (length, content) = leb128(after).ok_or_else(|| bad("a section's length is damaged"))?;
        let section = content.get(..length).ok_or_else(|| bad("a section is cut off"))?;
        let named = leb128(section).and_then(|(n, name)| name.get(..n));
        let whole = 1 + (after.len() - content.len()) + length;
        if *id != 0 || named != Some(SECTION.as_bytes()) {
            out.extend_from_slice(&rest[..whole]);
        }
        rest = &rest[whole..];
    }
    Ok(out)
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut n = 0usize;
    for (i, b) in bytes.iter().take(5).enumerate() {
        n |= usize::from(b & 0x7f) << (7 * i);
        if b & 0x80 == 0 {
            return Some((n, &bytes[i + 1..]));
        }
    }
    None
}

fn bad(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("not a plugin: {why}"))
}

#[allow(clippy::needless_pass_by_value)] // it is a `map_err`
fn damaged(e: wasmparser::BinaryReaderError) -> Error {
    let why: String = e.message().chars().take(200).collect();
    bad(format!("it is damaged at byte {}: {}", e.offset(), why.escape_debug()))
}
