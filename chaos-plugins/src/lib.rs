#![doc = include_str!("../README.md")]

mod abi;
mod cache;
mod call;
mod compiled;
mod engine;
mod grants;
mod host;
mod inspect;
mod limits;
mod manifest;
mod plugin;
mod template;

pub use cache::default_cache_dir;
pub use grants::{Grant, Grants, default_grants_file};
pub use host::{Host, Plugins, files, read};
pub use inspect::{Inspected, Kind, VERSIONS, inspect};
pub use limits::Limits;
pub use manifest::{Manifest, SECTION, check_name, embed};
pub use plugin::{Plugin, Role};
pub use template::{Language, WIT, template};
