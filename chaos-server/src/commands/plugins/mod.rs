//! `plugins`: detectors and fixers of others. Here is what loads them for a run, too.

mod build;
mod check;
mod grant;
mod test;

use std::{fs, path::Path};

use chaos_core::error::Error;
use chaos_plugins::{
    Grants, Host, Kind, Language, Plugins as Loaded, default_cache_dir, default_grants_file, template,
};

use crate::{
    cli::{GrantsFile, Lang, NewArgs, PluginKind, Plugins, WithPlugins},
    config::Config,
    exit::{Exit, Failure},
    output,
};

pub(super) async fn plugins(what: Plugins, config: &Config, root: &Path) -> Result<Exit, Failure> {
    match what {
        Plugins::New(args) => new(&args),
        Plugins::Build(args) => build::build(&args),
        Plugins::Check(args) => check::check(&args).await,
        Plugins::List(args) => grant::list(&args, config),
        Plugins::Test(args) => test::test(&args, config, root).await,
        Plugins::Grant(args) => grant::grant(&args, config),
    }
}

/// The plugins of a run: those that were named, after those of the configuration. What can't be loaded is said now, and
/// fails as an agent in the run, which goes on.
pub(super) fn load(named: &WithPlugins, config: &Config, configured: bool) -> Result<Loaded, Failure> {
    let mut paths = if configured { config.plugins.clone() } else { Vec::new() };
    paths.extend(named.plugins.iter().cloned());
    if paths.is_empty() {
        return Ok(Loaded::default());
    }
    let loaded = host()?.load_all(&paths, &grants(&named.grants, config)?.1)?;
    for (path, why) in &loaded.refused {
        output::note(&format!("{} is not used: {why}", path.display()));
    }
    Ok(loaded)
}

/// Those of the configuration alone.
pub(crate) fn configured(config: &Config) -> Result<Loaded, Error> {
    if config.plugins.is_empty() {
        return Ok(Loaded::default());
    }
    let grants = match config.plugin_grants.clone().or_else(default_grants_file) {
        Some(file) => Grants::read(&file)?,
        None => Grants::default(),
    };
    let loaded = host()?.load_all(&config.plugins, &grants)?;
    for (path, why) in &loaded.refused {
        output::note(&format!("{} is not used: {why}", path.display()));
    }
    Ok(loaded)
}

fn host() -> Result<Host, Error> {
    let host = Host::new()?;
    Ok(match default_cache_dir() {
        Some(dir) => host.with_cache(dir),
        None => host,
    })
}

/// The file of grants, and what is in it.
fn grants(named: &GrantsFile, config: &Config) -> Result<(std::path::PathBuf, Grants), Failure> {
    let file = named.file.clone().or_else(|| config.plugin_grants.clone()).or_else(default_grants_file);
    let file =
        file.ok_or_else(|| Failure::usage("there is no HOME for a file of grants; --plugin-grants names one"))?;
    let grants = Grants::read(&file)?;
    Ok((file, grants))
}

fn new(args: &NewArgs) -> Result<Exit, Failure> {
    let language = match args.lang {
        Lang::Rust => Language::Rust,
        Lang::Python => Language::Python,
        Lang::Js => Language::JavaScript,
    };
    let kind = match args.kind {
        PluginKind::Detector => Kind::Detector,
        PluginKind::Fixer => Kind::Fixer,
    };
    let files = template(&args.name, language, kind)?;
    let dir = args.dir.clone().unwrap_or_else(|| args.name.clone().into());
    if dir.exists() {
        return Err(Failure::new(Exit::Conflict, format!("{} is there already; --dir names another", dir.display())));
    }
    for (name, content) in files {
        let path = dir.join(name);
        let parent = path.parent().unwrap_or(&dir);
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, content));
        written.map_err(|e| Failure::storage(&Error::storage("write a new plugin", &path, e)))?;
    }
    let code = match args.lang {
        Lang::Rust => "src/lib.rs",
        Lang::Python => "app.py",
        Lang::Js => "plugin.js",
    };
    let (shown, name) = (dir.display(), &args.name);
    output::print(&format!(
        "{shown} is a {} that works. Its code is {shown}/{code}; next:\n  \
         chaos-handler plugins build {shown}\n  \
         chaos-handler plugins test {shown}/{name}.wasm INCIDENT    over one that was recorded\n",
        kind.as_str()
    ))?;
    Ok(Exit::Ok)
}
