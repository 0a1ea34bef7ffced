//! Compiled plugins on disk. An entry is used only if nobody but this user can have written it, and it is whole and of
//! the component, the engine and the configuration that are asked for. Anything else is ignored: the plugin is compiled.

use std::{
    fs::{self, OpenOptions},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use chaos_core::audit::sha256_hex;
use rustix::fs::OFlags;
use wasmtime::{Engine, component::Component};

use crate::compiled;

const MAGIC: &str = "chaos-plugin-cache 1";
/// Bytes of one entry.
const MOST_BYTES: u64 = 512 << 20;
/// Entries that are kept; the oldest go first.
const MOST_ENTRIES: usize = 200;

/// A directory of compiled plugins.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    dir: PathBuf,
}

impl Cache {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The compiled component with this hash, if it is here.
    pub(crate) fn get(&self, engine: &Engine, sha256: &str) -> Option<Component> {
        let key = key(engine, sha256);
        is_ours(&fs::symlink_metadata(&self.dir).ok()?, true).then_some(())?;
        // A link is not followed: what it leads to could be swapped.
        let no_follow = OFlags::NOFOLLOW.bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(no_follow).open(self.path(&key)).ok()?;
        let about = file.metadata().ok()?;
        if !is_ours(&about, false) || about.len() > MOST_BYTES {
            return None;
        }
        let mut bytes = Vec::with_capacity(about.len() as usize);
        (&file).take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
        let head = header(&key, "");
        let (digest, code) = bytes.strip_prefix(head.as_bytes())?.split_at_checked(65)?;
        let is_whole = digest.last() == Some(&b'\n') && sha256_hex(code).as_bytes() == &digest[..64];
        if is_whole { compiled::load(engine, code) } else { None }
    }

    /// Keeps a compiled component. That it can't be kept costs time later and is no failure.
    pub(crate) fn put(&self, engine: &Engine, sha256: &str, component: &Component) {
        let _ = self.try_put(engine, sha256, component);
    }

    fn try_put(&self, engine: &Engine, sha256: &str, component: &Component) -> Option<()> {
        let mut dir = fs::DirBuilder::new();
        dir.recursive(true).mode(0o700).create(&self.dir).ok()?;
        is_ours(&fs::symlink_metadata(&self.dir).ok()?, true).then_some(())?;
        let code = component.serialize().ok()?;
        let key = key(engine, sha256);
        let temporary = self.dir.join(format!(".{key}.{}.{:?}", std::process::id(), std::thread::current().id()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).ok()?;
        let head = header(&key, &format!("{}\n", sha256_hex(&code)));
        let written = file.write_all(head.as_bytes()).and_then(|()| file.write_all(&code));
        if written.and_then(|()| fs::rename(&temporary, self.path(&key))).is_err() {
            let _ = fs::remove_file(&temporary);
        }
        self.prune();
        Some(())
    }

    fn prune(&self) {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let dated = entries.filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())));
        let mut dated: Vec<_> = dated.filter(|(_, p)| p.extension().is_some_and(|x| x == "cwasm")).collect();
        dated.sort();
        let spare = dated.len().saturating_sub(MOST_ENTRIES);
        for (_, path) in dated.into_iter().take(spare) {
            let _ = fs::remove_file(path);
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.dir.join(format!("{key}.cwasm"))
    }
}

/// What an entry depends on, in one word: the component, wasmtime's version and its configuration.
fn key(engine: &Engine, sha256: &str) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    sha256_hex(format!("{sha256} {} {:016x}", env!("CARGO_PKG_VERSION"), hasher.finish()).as_bytes())
}

fn header(key: &str, digest: &str) -> String {
    format!("{MAGIC}\n{key}\n{digest}")
}

/// Whether it is a directory or a file of this user's to which nobody else can write.
fn is_ours(about: &fs::Metadata, directory: bool) -> bool {
    let kind = if directory { about.is_dir() } else { about.is_file() };
    kind && about.uid() == rustix::process::geteuid().as_raw() && about.mode() & 0o022 == 0
}

/// Where compiled plugins are kept for a user: `$XDG_CACHE_HOME/chaos-handler/plugins`, or below `~/.cache`.
#[must_use]
pub fn default_cache_dir() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    base.is_absolute().then(|| base.join(Path::new("chaos-handler/plugins")))
}
