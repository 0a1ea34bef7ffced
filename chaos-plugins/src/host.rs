//! Loads plugins: from bytes to something that can be called, and from paths to agents of a pipeline.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use chaos_core::{
    agent::{Agent, AgentContext},
    error::{Error, ErrorKind, Result},
    model::{Finding, Observation, PluginUsed},
    pipeline::Agents,
};
use wasmtime::component::Component;

use crate::{
    Grants, Plugin, Role,
    abi::v0_1_0::Linked,
    cache::Cache,
    engine::Shared,
    inspect::{MOST_BYTES, inspect},
};

/// Plugins of one directory.
const MOST_FILES: usize = 1000;

/// What plugins run in. One is enough for a process; it is cheap to clone.
#[derive(Debug, Clone)]
pub struct Host {
    engine: Shared,
    cache: Option<Cache>,
}

impl Host {
    /// A host that compiles each plugin anew.
    ///
    /// # Errors
    /// `Internal` when the engine can't be started on this machine.
    pub fn new() -> Result<Self> {
        Ok(Self { engine: Shared::new()?, cache: None })
    }

    /// Keeps what it compiled in this directory, which must belong to this user alone; see [`crate::default_cache_dir`].
    #[must_use]
    pub fn with_cache(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cache = Some(Cache::new(dir.into()));
        self
    }

    /// Whether instances come from a pool; without one, each call takes some microseconds more.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        self.engine.is_pooled()
    }

    /// Loads a component. Compiling takes CPU: call it off the reactor.
    ///
    /// # Errors
    /// `InvalidInput` for what is no plugin, `Unsupported` for one of another version, `Refused` for one that asks for
    /// what was not granted to it.
    pub fn load(&self, bytes: &[u8], grants: &Grants) -> Result<Plugin> {
        let about = inspect(bytes)?;
        let granted = grants.decide(&about)?;
        let engine = self.engine.engine();
        let cached = self.cache.as_ref().and_then(|cache| cache.get(engine, &about.sha256));
        let was_cached = cached.is_some();
        let component = match cached {
            Some(component) => component,
            None => {
                let component = Component::from_binary(engine, bytes).map_err(|e| {
                    let why: String = format!("{e:#}").chars().take(300).collect();
                    Error::new(
                        ErrorKind::InvalidInput,
                        format!("not a plugin: it can't be compiled: {}", why.escape_debug()),
                    )
                })?;
                if let Some(cache) = &self.cache {
                    cache.put(engine, &about.sha256, &component);
                }
                component
            }
        };
        let linked = Linked::new(engine, &component, about.kind, about.probes())?;
        let engine = self.engine.clone();
        Ok(Plugin { about: Arc::new(about), granted: Arc::new(granted), linked, engine, was_cached })
    }

    /// Loads a file.
    ///
    /// # Errors
    /// As [`Host::load`], and `Storage` or `NotFound` for a file that can't be read; with the path.
    pub fn load_file(&self, path: &Path, grants: &Grants) -> Result<Plugin> {
        let bytes = read(path)?;
        self.load(&bytes, grants).map_err(|e| e.with("plugin", path.display()))
    }

    /// Loads all of these files, and all `*.wasm` of these directories. What can't be loaded is kept with its reason: it
    /// becomes an agent that fails, so that the incident's trace tells, and the incident goes on.
    ///
    /// # Errors
    /// `NotFound` for a path that is not there.
    pub fn load_all(&self, paths: &[PathBuf], grants: &Grants) -> Result<Plugins> {
        let mut plugins = Plugins::default();
        let mut names = BTreeSet::new();
        for path in files(paths)? {
            let loaded = self.load_file(&path, grants).and_then(|plugin| {
                if names.insert(plugin.name().to_owned()) {
                    return Ok(plugin);
                }
                let why = "another plugin has this name already";
                let error = Error::new(ErrorKind::Conflict, why).with("name", plugin.name());
                Err(error.with("plugin", path.display()))
            });
            match loaded {
                Ok(plugin) => plugins.loaded.push((path, plugin)),
                Err(e) => plugins.refused.push((path, e)),
            }
        }
        Ok(plugins)
    }
}

/// A file's content, if it has the size of a plugin.
///
/// # Errors
/// `NotFound`, `Denied` or `Storage`, or `InvalidInput` for one that is too large.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |e| Error::storage("read a plugin", path, e);
    let file = fs::File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() || about.len() > MOST_BYTES as u64 {
        let why = match about.is_dir() {
            true => {
                "not a plugin: it is a directory; name the component that was built in it, a file *.wasm".to_owned()
            }
            false => format!("not a plugin: it is not a file of at most {} MiB", MOST_BYTES >> 20),
        };
        return Err(Error::new(ErrorKind::InvalidInput, why).with("plugin", path.display()));
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The files that these paths mean, in their order; those of a directory by name.
///
/// # Errors
/// `NotFound` for a path that is not there, or what a directory can't be listed for.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        let failed = |e| Error::storage("look for plugins", path, e);
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            all.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)?.take(MOST_FILES) {
            let entry = entry.map_err(failed)?.path();
            if entry.extension().is_some_and(|x| x == "wasm") && entry.is_file() {
                inside.push(entry);
            }
        }
        inside.sort();
        all.append(&mut inside);
    }
    Ok(all)
}

/// Plugins for a pipeline.
#[derive(Debug, Default)]
pub struct Plugins {
    /// Those that can be called.
    pub loaded: Vec<(PathBuf, Plugin)>,
    /// Those that can't, and why.
    pub refused: Vec<(PathBuf, Error)>,
}

impl Plugins {
    /// Adds them to the agents of a pipeline, after those that are there.
    #[must_use]
    pub fn register(&self, mut agents: Agents) -> Agents {
        for (_, plugin) in &self.loaded {
            let about = plugin.about();
            agents = agents.plugin(PluginUsed {
                name: plugin.name().to_owned(),
                version: about.manifest.version.clone(),
                sha256: about.sha256.clone(),
            });
            agents = match plugin.role() {
                Role::Detector(agent) => agents.detector_dyn(plugin.name(), agent),
                Role::ProbingDetector(agent) => agents.probing_detector_dyn(plugin.name(), agent),
                Role::Fixer(agent) => agents.fixer_dyn(plugin.name(), agent),
            };
        }
        for (i, (path, error)) in self.refused.iter().enumerate() {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("plugin {} ({})", i + 1, file.escape_debug());
            agents = agents.detector_dyn(&name, Arc::new(Refused(error.clone())));
        }
        agents
    }
}

/// A plugin that could not be loaded: it says why when it is called.
struct Refused(Error);

#[async_trait]
impl Agent<Observation, Vec<Finding>> for Refused {
    async fn run(&self, _: &AgentContext, _: &Observation) -> Result<Vec<Finding>> {
        Err(self.0.clone())
    }
}
