//! The one place where machine code that was compiled earlier is loaded. See `cache.rs` for why it is ours.

use wasmtime::{Engine, component::Component};

/// Makes a component of what [`Component::serialize`] gave, or `None` when this engine can't use it.
///
/// The caller vouches for the bytes: they are unaltered, and this program of this user made them.
#[allow(unsafe_code)]
pub(crate) fn load(engine: &Engine, bytes: &[u8]) -> Option<Component> {
    // SAFETY: `Component::deserialize` asks for bytes that `Component::serialize` made. `Cache::get`, the only caller,
    // hands over an entry only if its directory and its file belong to this user and nobody else can write to them, if
    // it says to be of this very component, engine version and configuration, and if its SHA-256 is the one that was
    // noted when it was written. wasmtime checks version and configuration once more.
    unsafe { Component::deserialize(engine, bytes) }.ok()
}
