//! What a new plugin begins as, in each language.

use chaos_core::error::Result;

use crate::{Kind, manifest::check_name};

/// The contract, as it stands in each new plugin's `wit/plugin.wit`.
pub const WIT: &str = include_str!("../wit/0.1.0/plugin.wit");

/// A language in which plugins can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// By `cargo`, for `wasm32-unknown-unknown`.
    Rust,
    /// By `componentize-py`.
    Python,
    /// By `componentize-qjs`.
    JavaScript,
}

/// The files of a new plugin, by their paths in its directory.
///
/// # Errors
/// `InvalidInput` for a name that no plugin can have, or a kind for which there is no template in this language.
pub fn template(name: &str, language: Language, kind: Kind) -> Result<Vec<(&'static str, String)>> {
    check_name(name)?;
    let named = |text: &str| text.replace("NAME", name);
    let manifest = |text: &str| ("plugin.toml", named(text));
    let detector = manifest(include_str!("../templates/plugin.toml"));
    Ok(match (language, kind) {
        (Language::Rust, kind) => {
            let (cargo, code, manifest) = match kind {
                Kind::Detector => (
                    include_str!("../templates/rust-detector/Cargo.toml"),
                    include_str!("../templates/rust-detector/lib.rs"),
                    detector,
                ),
                Kind::Fixer => (
                    include_str!("../templates/rust-fixer/Cargo.toml"),
                    include_str!("../templates/rust-fixer/lib.rs"),
                    manifest(include_str!("../templates/plugin-fixer.toml")),
                ),
            };
            vec![
                manifest,
                ("Cargo.toml", named(cargo)),
                ("src/lib.rs", code.to_owned()),
                (".gitignore", "/target\n*.wasm\n".to_owned()),
                ("sdk/Cargo.toml", include_str!("../guest/Cargo.toml").to_owned()),
                ("sdk/src/lib.rs", include_str!("../guest/src/lib.rs").to_owned()),
                ("sdk/wit/plugin.wit", WIT.to_owned()),
            ]
        }
        (Language::Python, Kind::Detector) => {
            let code = include_str!("../templates/python/app.py");
            // What `componentize-py … bindings .` writes for the editor is no part of a plugin.
            let made = "__pycache__/\n/wit_world/\n/componentize_py_*\n/poll_loop.py\n*.wasm\n";
            let ignored = (".gitignore", made.to_owned());
            vec![detector, ("app.py", code.to_owned()), ignored, ("wit/plugin.wit", WIT.to_owned())]
        }
        (Language::JavaScript, Kind::Detector) => {
            let code = include_str!("../templates/js/plugin.js");
            let ignored = (".gitignore", "*.wasm\n".to_owned());
            vec![detector, ("plugin.js", code.to_owned()), ignored, ("wit/plugin.wit", WIT.to_owned())]
        }
        (_, Kind::Fixer) => {
            return Err(chaos_core::error::Error::new(
                chaos_core::error::ErrorKind::Unsupported,
                "fixers have a template in Rust alone; in another language export `fixer` of wit/plugin.wit",
            ));
        }
    })
}
